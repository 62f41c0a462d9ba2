// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Bounds of what people write (architecture.md, Security).
const (
	MaxTitle    = 500
	MaxComment  = 10_000
	maxString   = 1_000
	maxChoice   = 50
	maxUserName = 100
)

// Convert reads a value as the field's type wants it, without loss
// (decisions.md §2): "2" becomes 2, a list becomes comma text for the multi
// types, 2.7 is no Integer. nil becomes nil; another empty value (empty text,
// empty list) becomes what the type has for it. A time that says its zone becomes
// that of the zone given, which is the one of times that say none (decisions.md §5).
// The error says what is wrong in words for whoever sent it.
func (f *Field) Convert(raw any, zone *time.Location) (any, error) {
	if raw == nil {
		return nil, nil
	}
	if isEmpty(raw) {
		return f.blank(), nil
	}
	value, err := f.convert(raw, zone)
	if err != nil {
		return nil, err
	}
	if f.validation != nil && !isEmpty(value) {
		ok, err := holds(f.validation, map[string]any{"self": value})
		if err != nil || !ok {
			return nil, Say("does not satisfy %s", f.Validation)
		}
	}
	return value, nil
}

// blank is the value of a field that was sent empty: the empty text where values
// are texts, since portals send every field of a form and split or measure what
// they read back without asking whether it is null.
func (f *Field) blank() any {
	switch f.Type {
	case v1alpha1.FieldInteger, v1alpha1.FieldNumber, v1alpha1.FieldBoolean, v1alpha1.FieldDate, v1alpha1.FieldDateTime:
		return nil
	default:
		return ""
	}
}

func isEmpty(raw any) bool {
	switch v := raw.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	}
	return false
}

func (f *Field) convert(raw any, zone *time.Location) (any, error) {
	switch f.Type {
	case v1alpha1.FieldInteger:
		return toInteger(raw)
	case v1alpha1.FieldNumber:
		return toNumber(raw)
	case v1alpha1.FieldBoolean:
		return toBoolean(raw)
	case v1alpha1.FieldDate:
		return toDate(raw)
	case v1alpha1.FieldDateTime:
		return toDateTime(raw, zone)
	case v1alpha1.FieldRadio, v1alpha1.FieldSelect:
		return f.toChoice(raw)
	case v1alpha1.FieldCheckbox, v1alpha1.FieldMultiSelect:
		return f.toChoices(raw)
	case v1alpha1.FieldUser:
		return toUser(raw)
	case v1alpha1.FieldUsers:
		return toUsers(raw)
	case v1alpha1.FieldText:
		return toText(raw, maxAskedBytes) // as much as a ticket has room for
	case v1alpha1.FieldAttachment:
		return toPaths(raw)
	default:
		return toText(raw, maxString)
	}
}

func toInteger(raw any) (any, error) {
	switch v := raw.(type) {
	case int64:
		return v, nil
	case int:
		return int64(v), nil
	case float64:
		// Floats hold whole numbers exactly up to 2^53; beyond, digits were lost.
		if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
			return int64(v), nil
		}
	case json.Number:
		return toInteger(v.String())
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
			return n, nil
		}
	}
	return nil, Say("is not a whole number")
}

func toNumber(raw any) (any, error) {
	switch v := raw.(type) {
	case int64:
		return float64(v), nil
	case int:
		return float64(v), nil
	case float64:
		return v, nil
	case json.Number:
		return toNumber(v.String())
	case string:
		n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if err == nil && !math.IsNaN(n) && !math.IsInf(n, 0) {
			return n, nil
		}
	}
	return nil, Say("is not a number")
}

func toBoolean(raw any) (any, error) {
	switch v := raw.(type) {
	case bool:
		return v, nil
	case string:
		switch strings.ToLower(v) {
		case "true", "1":
			return true, nil
		case "false", "0":
			return false, nil
		}
	default:
		if n, err := toInteger(raw); err == nil && (n == int64(0) || n == int64(1)) {
			return n == int64(1), nil
		}
	}
	return nil, Say("is neither true nor false")
}

func toDate(raw any) (any, error) {
	if t, ok := toTime(raw, time.DateOnly, "2006-01-02T00:00:00", "2006-01-02 00:00:00"); ok {
		return t.Format(time.DateOnly), nil
	}
	return nil, Say("is not %s", Say("a date like 2018-04-10"))
}

func toDateTime(raw any, zone *time.Location) (any, error) {
	if t, ok := toTime(raw, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly); ok {
		return t.Format(time.DateTime), nil
	}
	if t, ok := toTime(raw, time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00"); ok {
		if t = t.In(zone); 0 <= t.Year() && t.Year() <= 9999 { // what can be read again
			return t.Format(time.DateTime), nil
		}
	}
	return nil, Say("is not %s", Say("a time like 2018-04-10 17:39:33"))
}

// toTime reads a time in one of the layouts. Seconds are the least that is stored.
func toTime(raw any, layouts ...string) (time.Time, bool) {
	text, _ := raw.(string)
	for _, layout := range layouts {
		if t, err := time.Parse(layout, strings.TrimSpace(text)); err == nil && t.Nanosecond() == 0 {
			return t, true
		}
	}
	return time.Time{}, false
}

// scalarText is a scalar as text, 1 as "1".
func scalarText(raw any) (string, bool) {
	switch v := raw.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case int:
		return strconv.Itoa(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

func toText(raw any, limit int) (any, error) {
	text, ok := scalarText(raw)
	if !ok {
		return nil, Say("is not a text")
	}
	if !utf8.ValidString(text) {
		return nil, Say("is not valid UTF-8")
	}
	if n := utf8.RuneCountInString(text); n > limit {
		return nil, Say("has %d characters, at most %d fit", n, limit)
	}
	return text, nil
}

func (f *Field) toChoice(raw any) (any, error) {
	key, ok := scalarText(raw)
	if !ok {
		return nil, Say("is not one of the choices %s", f.choiceKeys())
	}
	if !slices.ContainsFunc(f.Choices, func(c v1alpha1.Choice) bool { return c.Key == key }) {
		return nil, Say("%q is not one of the choices %s", shorten(key, maxChoice), f.choiceKeys())
	}
	return key, nil
}

func (f *Field) choiceKeys() string {
	keys := make([]string, 0, len(f.Choices))
	for _, choice := range f.Choices {
		keys = append(keys, choice.Key)
	}
	return shorten(strings.Join(keys, ", "), 200)
}

func (f *Field) toChoices(raw any) (any, error) {
	return eachOf(raw, func(item any) (string, error) {
		key, err := f.toChoice(item)
		if err != nil {
			return "", err
		}
		return key.(string), nil //nolint:forcetypeassert // toChoice answers text
	})
}

func toUser(raw any) (any, error) {
	text, ok := scalarText(raw) // names may be numbers
	text = strings.TrimSpace(text)
	if _, truth := raw.(bool); truth || !ok || text != "" && !isUserName(text) {
		return nil, Say("is not one user name")
	}
	return text, nil
}

func toUsers(raw any) (any, error) {
	return eachOf(raw, func(item any) (string, error) {
		name, err := toUser(item)
		if err != nil {
			return "", Say("is not a list of user names")
		}
		return name.(string), nil //nolint:forcetypeassert // toUser answers text
	})
}

// eachOf reads a list or comma text and answers comma text, each item once.
func eachOf(raw any, convert func(any) (string, error)) (any, error) {
	items, ok := raw.([]any)
	if !ok {
		text, isText := scalarText(raw)
		if !isText {
			return nil, Say("is neither a list nor a text with commas")
		}
		for _, part := range strings.Split(text, ",") {
			items = append(items, part)
		}
	}
	out := make([]string, 0, len(items))
	for _, item := range items {
		if text, isText := item.(string); isText {
			item = strings.TrimSpace(text)
		}
		if isEmpty(item) {
			continue
		}
		text, err := convert(item)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return toText(strings.Join(out, ","), maxString)
}

// toPaths reads the comma text of attachments, which may hold anything, or a list.
func toPaths(raw any) (any, error) {
	items, ok := raw.([]any)
	if !ok {
		return toText(raw, maxString)
	}
	paths := make([]string, 0, len(items))
	for _, item := range items {
		path, ok := item.(string)
		if !ok {
			return nil, Say("is not a list of paths")
		}
		paths = append(paths, path)
	}
	return toText(strings.Join(paths, ","), maxString)
}

// shorten cuts a text to so many characters.
func shorten(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit]) + "…"
}
