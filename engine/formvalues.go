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

// fieldsType is the type of `fields` in expressions.
const fieldsType = "fields"

// formValues are a ticket's values as conditions see them. It is with them as CEL
// has it for messages of protocol buffers: a text that was left blank reads as the
// empty text, as clients know it, and has() says that it was not filled. To read a
// field that has no value at all is an error.
type formValues struct {
	values map[string]any
}

var (
	_ ref.Val            = formValues{}
	_ traits.Indexer     = formValues{}
	_ traits.FieldTester = formValues{}
)

// Get is the value of a field.
func (f formValues) Get(name ref.Val) ref.Val {
	value, ok := f.values[keyOf(name)]
	if !ok {
		return types.NewErr("no such key: %s", keyOf(name))
	}
	return types.DefaultTypeAdapter.NativeToValue(value)
}

// IsSet is what has() says of a field.
func (f formValues) IsSet(name ref.Val) ref.Val {
	return types.Bool(!isEmpty(f.values[keyOf(name)]))
}

func keyOf(name ref.Val) string {
	s, _ := name.(types.String)
	return string(s)
}

// ConvertToNative implements ref.Val; nothing asks for it.
func (f formValues) ConvertToNative(reflect.Type) (any, error) {
	return nil, errors.New("the fields are no value of their own")
}

// ConvertToType implements ref.Val: expressions can ask for type(fields).
func (f formValues) ConvertToType(to ref.Type) ref.Val {
	if to.TypeName() == types.TypeType.TypeName() {
		return cel.ObjectType(fieldsType)
	}
	return types.NewErr("%s cannot be converted to %s", fieldsType, to.TypeName())
}

// Equal implements ref.Val: there is but one in an expression.
func (f formValues) Equal(other ref.Val) ref.Val {
	_, same := other.(formValues)
	return types.Bool(same)
}

// Type implements ref.Val.
func (f formValues) Type() ref.Type { return cel.ObjectType(fieldsType) }

// Value implements ref.Val.
func (f formValues) Value() any { return f.values }

// variables are what conditions see: stored values and those that this action
// has just stored, never what was sent beside the form (Q9, Q48).
func (t *turn) variables() map[string]any {
	values := make(map[string]any, len(t.s.Status.Fields))
	for name, value := range t.s.Status.Fields {
		field, ok := t.graph.Field(v1alpha1.FieldName(name))
		if !ok || value == nil || isEmpty(value) && field.blank() == nil {
			continue
		}
		if n, isInt := value.(int64); isInt && field.Type == v1alpha1.FieldNumber {
			value = float64(n) // JSON does not tell 2.0 from 2
		}
		values[name] = value
	}
	return map[string]any{fieldsType: formValues{values}, "title": t.s.Status.Title, "creator": string(t.s.Spec.Creator)}
}
