// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// findings gathers all that is wrong with a form, so that it is told at once.
type findings struct {
	missing []string
	invalid Phrases
	unknown Phrases // names that are no field's
}

func (f *findings) refusal() *Refusal {
	missing := strings.Join(f.missing, ", ")
	switch {
	case len(f.unknown) > 0 && len(f.invalid) > 0:
		return refuse(ReasonUnknownKey, "%s; invalid fields: %s", f.unknown, f.invalid)
	case len(f.unknown) > 0:
		return refuse(ReasonUnknownKey, "%s", f.unknown)
	case len(f.missing) > 0 && len(f.invalid) > 0:
		return refuse(ReasonMissingFields, "missing fields: %s; invalid fields: %s", missing, f.invalid)
	case len(f.missing) > 0:
		return refuse(ReasonMissingFields, "missing fields: %s", missing)
	case len(f.invalid) > 0:
		return refuse(ReasonInvalidFields, "invalid fields: %s", f.invalid)
	}
	return nil
}

// request is a form as it was filled.
type request struct {
	fields v1alpha1.JSONObject
	clear  []v1alpha1.FormFieldName
}

// get is the value sent for a field; false if the request does not speak of it.
func (r request) get(field v1alpha1.FormFieldName) (any, bool) {
	if slices.Contains(r.clear, field) {
		return nil, true
	}
	value, ok := r.fields[string(field)]
	return value, ok
}

// fill reads a request against a state's form: values of Required and Optional
// fields are converted and checked, all others are ignored, as if they had not
// been sent. Required fields are demanded where the transition says so.
func (t *turn) fill(state *State, check v1alpha1.FieldCheck, r request) (v1alpha1.JSONObject, *Refusal) {
	changes, found := t.read(state, check, r)
	return changes, found.refusal()
}

// read is fill of which the caller has more to find.
func (t *turn) read(state *State, check v1alpha1.FieldCheck, r request) (v1alpha1.JSONObject, *findings) {
	changes, found := v1alpha1.JSONObject{}, &findings{}
	for _, entry := range state.Form {
		if entry.Access == v1alpha1.AccessReadOnly {
			continue
		}
		raw, sent := r.get(entry.Field)
		if sent {
			t.setChange(changes, found, string(entry.Field), raw)
		}
		required := entry.Access == v1alpha1.AccessRequired && check == v1alpha1.FieldCheckRequire
		if required && (!sent || isEmpty(raw) || isEmptied(changes, string(entry.Field))) {
			found.missing = append(found.missing, string(entry.Field))
		}
	}
	return changes, found
}

// Settable says whether a name is that of a field that can be given a value: the
// workflow's own and the title.
func (g *Graph) Settable(name string) bool {
	_, own := g.Field(v1alpha1.FieldName(name))
	return own || name == titleField
}

func isEmptied(changes v1alpha1.JSONObject, field string) bool {
	value, ok := changes[field]
	return ok && isEmpty(value)
}

// setChange converts a value and notes it among the changes, or what is wrong.
func (t *turn) setChange(changes v1alpha1.JSONObject, found *findings, name string, raw any) {
	var value any
	var err error
	if name == titleField {
		value, err = convertTitle(raw)
	} else if field, ok := t.graph.Field(v1alpha1.FieldName(name)); ok {
		value, err = field.Convert(raw, t.zone)
	} else {
		return
	}
	if err != nil {
		found.invalid = append(found.invalid, Say("%s %v", name, err))
		return
	}
	changes[name] = value
}

func convertTitle(raw any) (any, error) {
	if isEmpty(raw) {
		return nil, nil
	}
	text, ok := scalarText(raw)
	if !ok {
		return nil, Say("is not a text")
	}
	if n := utf8.RuneCountInString(text); n > MaxTitle {
		return nil, Say("has %d characters, at most %d fit", n, MaxTitle)
	}
	return text, nil
}

// store applies changes to the ticket's values; null empties.
func (t *turn) store(changes v1alpha1.JSONObject) {
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		value := changes[name]
		if name == titleField {
			t.s.Status.Title, _ = value.(string)
			continue
		}
		if t.s.Status.Fields == nil {
			t.s.Status.Fields = v1alpha1.JSONObject{}
		}
		if value == nil {
			delete(t.s.Status.Fields, name)
		} else {
			t.s.Status.Fields[name] = value
		}
	}
}
