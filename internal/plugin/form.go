// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

const titleField = "title"

// values are what a form is filled with.
type values struct {
	set   v1alpha1.JSONObject
	clear []v1alpha1.FormFieldName
}

// formValues reads NAME=VALUE pairs against a state's form. What the form does
// not take would be ignored without a word later on: it is told here.
func (s *session) formValues(c *cobra.Command, graph *engine.Graph, state *engine.State, pairs []string) (values, error) {
	out := values{}
	for _, pair := range pairs {
		name, text, ok := strings.Cut(pair, "=")
		if !ok {
			return out, usagef(c, "--field %s: it is written NAME=VALUE", pair)
		}
		if !state.Takes(v1alpha1.FormFieldName(name)) {
			return out, usagef(c, "--field %s: the form of state %s does not take it; it takes %s", name, state.Name,
				cmp.Or(strings.Join(fillable(state), ", "), "nothing"))
		}
		value, err := convert(graph, name, text)
		switch {
		case err != nil:
			return out, usagef(c, "--field %s: %v", name, err)
		case value == nil:
			out.clear = append(out.clear, v1alpha1.FormFieldName(name))
		default:
			if out.set == nil {
				out.set = v1alpha1.JSONObject{}
			}
			out.set[name] = value
		}
	}
	return out, nil
}

// convert reads a value as its field wants it; nil where it is empty.
func convert(graph *engine.Graph, name, text string) (any, error) {
	field, own := graph.Field(v1alpha1.FieldName(name))
	switch {
	case text == "":
		return nil, nil
	case !own:
		return text, nil // the title
	}
	if key, ok := choiceKey(field, text); ok {
		text = key
	}
	value, err := field.Convert(text, time.UTC)
	if err != nil {
		if len(field.Choices) > 0 { // the engine tells the keys alone
			return nil, fmt.Errorf("%q is none of %s", text, choices(field))
		}
		return nil, fmt.Errorf("%q %w", text, err)
	}
	if field.Type == v1alpha1.FieldDateTime {
		return text, nil // which zone is meant, the server knows
	}
	return value, nil
}

// choiceKey finds a choice's key by what people read for it.
func choiceKey(field *engine.Field, label string) (string, bool) {
	for _, choice := range field.Choices {
		if choice.Label == label {
			return choice.Key, true
		}
	}
	return "", false
}

// choices are a field's keys with their labels.
func choices(field *engine.Field) string {
	out := make([]string, 0, len(field.Choices))
	for _, choice := range field.Choices {
		out = append(out, named(choice.Key, choice.Label))
	}
	return strings.Join(out, ", ")
}

// fillable are the fields that a state's form takes, in its order.
func fillable(state *engine.State) []string {
	var out []string
	for _, entry := range state.Form {
		if entry.Access != v1alpha1.AccessReadOnly && !slices.Contains(out, string(entry.Field)) {
			out = append(out, string(entry.Field))
		}
	}
	return out
}
