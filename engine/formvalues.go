// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"reflect"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// fieldsName is what expressions call a ticket's values, and their type.
const fieldsName = "fields"

var fieldsType = cel.ObjectType(fieldsName, traits.FieldTesterType, traits.IndexerType, traits.ContainerType, traits.IterableType, traits.SizerType)

// formValues are a ticket's values as conditions see them. It is with them as CEL
// has it for messages of protocol buffers: a text that was left blank reads as the
// empty text, as clients know it, and has() says that it was not filled. To read a
// field that has no value at all is an error. It is no map, whose has() would say
// the same as its reading; what else a map can do it does with what was filled.
type formValues struct {
	traits.Container
	traits.Iterable
	traits.Sizer
	filled map[string]any
	blank  map[string]bool
}

var (
	_ ref.Val            = &formValues{}
	_ traits.Indexer     = &formValues{}
	_ traits.FieldTester = &formValues{}
)

func newFormValues(filled map[string]any, blank map[string]bool) *formValues {
	all := types.NewStringInterfaceMap(types.DefaultTypeAdapter, filled)
	return &formValues{Container: all, Iterable: all, Sizer: all, filled: filled, blank: blank}
}

// Get is the value of a field.
func (f *formValues) Get(name ref.Val) ref.Val {
	key := keyOf(name)
	if value, ok := f.filled[key]; ok {
		return types.DefaultTypeAdapter.NativeToValue(value)
	}
	if f.blank[key] {
		return types.String("")
	}
	return types.WrapErr(absentField(key))
}

// absentField is the error of reading a field that has no value.
type absentField string

func (f absentField) Error() string { return "the field " + string(f) + " has no value" }

// IsSet is what has() says of a field.
func (f *formValues) IsSet(name ref.Val) ref.Val {
	_, ok := f.filled[keyOf(name)]
	return types.Bool(ok)
}

func keyOf(name ref.Val) string {
	s, _ := name.(types.String)
	return string(s)
}

// ConvertToNative implements ref.Val; nothing asks for it.
func (f *formValues) ConvertToNative(reflect.Type) (any, error) {
	return nil, errors.New("the fields are no value of their own")
}

// ConvertToType implements ref.Val: expressions can ask for type(fields).
func (f *formValues) ConvertToType(to ref.Type) ref.Val {
	if to.TypeName() == types.TypeType.TypeName() {
		return fieldsType
	}
	return types.NewErr("%s cannot be converted to %s", fieldsName, to.TypeName())
}

// Equal implements ref.Val: there is but one in an expression.
func (f *formValues) Equal(other ref.Val) ref.Val {
	_, same := other.(*formValues)
	return types.Bool(same)
}

// Type implements ref.Val.
func (f *formValues) Type() ref.Type { return fieldsType }

// Value implements ref.Val.
func (f *formValues) Value() any { return f.filled }

// variables are what conditions see: stored values and those that this action
// has just stored, never what was sent beside the form (Q9, Q48). A choice that was
// left blank was not made: it has no value, since nobody may steer a ticket by one
// that there is not to choose.
func (t *turn) variables() map[string]any {
	filled, blank := make(map[string]any, len(t.s.Status.Fields)), map[string]bool{}
	for name, value := range t.s.Status.Fields {
		field, ok := t.graph.Field(v1alpha1.FieldName(name))
		switch {
		case !ok:
		case !isEmpty(value):
			if n, isInt := value.(int64); isInt && field.Type == v1alpha1.FieldNumber {
				value = float64(n) // JSON does not tell 2.0 from 2
			}
			filled[name] = value
		case field.blank() != nil && !needsChoices(field.Type):
			blank[name] = true
		}
	}
	return map[string]any{fieldsName: newFormValues(filled, blank), "title": t.s.Status.Title, "creator": string(t.s.Spec.Creator)}
}
