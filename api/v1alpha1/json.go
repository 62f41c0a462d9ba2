// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"encoding/json"
	"errors"

	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// JSONObject is a free-form JSON object. Whole numbers are int64, others
// float64, so that a large id survives a round trip.
//
// In the schema it is an object that preserves unknown fields, never
// additionalProperties of unknown, which CEL rules could not look past.
//
// +kubebuilder:validation:Type=object
// +kubebuilder:pruning:PreserveUnknownFields
type JSONObject map[string]any

// MarshalJSON writes the object with its keys sorted; nil is written as {}.
func (o JSONObject) MarshalJSON() ([]byte, error) {
	if o == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(map[string]any(o))
}

// UnmarshalJSON reads the object; whole numbers become int64.
func (o *JSONObject) UnmarshalJSON(data []byte) error {
	var m map[string]any
	if err := utiljson.Unmarshal(data, &m); err != nil {
		return err
	}
	*o = m
	return nil
}

// DeepCopyInto copies the object and all it holds.
func (o *JSONObject) DeepCopyInto(out *JSONObject) {
	*out = o.DeepCopy()
}

// DeepCopy copies the object and all it holds.
func (o JSONObject) DeepCopy() JSONObject {
	if o == nil {
		return nil
	}
	return runtime.DeepCopyJSON(o)
}

// errPacked: what a cache keeps of a ticket is not all of it.
var errPacked = errors.New("a ticket's head, as a cache keeps it, is not to be written: read the whole ticket")

// MarshalJSON writes the status, unless it lacks parts of itself.
func (s TicketStatus) MarshalJSON() ([]byte, error) {
	if s.Packed != nil {
		return nil, errPacked
	}
	type plain TicketStatus
	return json.Marshal(plain(s))
}
