// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Templates of workflows that say none (rest-behaviour.md §4.3).
const (
	defaultTitle = "你有一个待办工单:{title}"
	defaultBody  = "标题:{title}, 创建时间:{gmt_created}"
)

// Templates are what people are told by.
func Templates(n *v1alpha1.Notifications) (title, body string) {
	return cmp.Or(n.Title, defaultTitle), cmp.Or(n.Body, defaultBody)
}

var placeholder = regexp.MustCompile(`\{\{|\}\}|\{[^{}]*\}`)

// Fill fills a template over a ticket's values (rest-behaviour.md §5.14): {key}
// is a value, {{ and }} are braces. A key that is not there stays as it stands,
// where whoever reads it sees the mistake; it keeps nothing from being sent (Q32).
func Fill(template string, values map[string]any) string {
	return placeholder.ReplaceAllStringFunc(template, func(found string) string {
		switch found {
		case "{{":
			return "{"
		case "}}":
			return "}"
		}
		value, ok := values[strings.TrimSpace(found[1:len(found)-1])]
		if !ok {
			return found
		}
		return text(value)
	})
}

// text is a value as people read it.
func text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64: // what JSON makes of whole numbers, too
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		parts := make([]string, 0, len(v))
		for _, each := range v {
			parts = append(parts, text(each))
		}
		return strings.Join(parts, ",")
	case map[string]any:
		return JSONText(v)
	}
	return fmt.Sprint(value)
}
