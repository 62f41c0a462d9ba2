// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"bytes"
	"encoding/json"
)

// Words that a Requirement may be.
const (
	RequireAll = "All"
	RequireAny = "Any"
)

// Requirement says how many accepting votes carry an All state: the word All
// or Any, {count: N} or {percent: P}. At most one member is set.
//
// Reading it never fails, so that one odd workflow cannot keep the others from
// being listed: what was not understood is kept in Unknown, for Compile to name.
type Requirement struct {
	// Word is All or Any.
	Word string
	// Count is the number of accepting votes, 1 or more.
	Count int32
	// Percent of the seats, 1 to 100.
	Percent int32
	// Unknown is the JSON of a requirement that is none of the above.
	Unknown string
}

// MarshalJSON writes the requirement in the shape it was read in.
func (r Requirement) MarshalJSON() ([]byte, error) {
	switch {
	case r.Unknown != "":
		return []byte(r.Unknown), nil
	case r.Count != 0:
		return json.Marshal(map[string]int32{"count": r.Count})
	case r.Percent != 0:
		return json.Marshal(map[string]int32{"percent": r.Percent})
	default:
		return json.Marshal(r.Word)
	}
}

// UnmarshalJSON reads any of the shapes.
func (r *Requirement) UnmarshalJSON(data []byte) error {
	*r = Requirement{}
	if err := json.Unmarshal(data, &r.Word); err == nil && (r.Word == RequireAll || r.Word == RequireAny) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var counted struct {
		Count   *int32 `json:"count"`
		Percent *int32 `json:"percent"`
	}
	if err := decoder.Decode(&counted); err == nil {
		switch {
		case counted.Count != nil && counted.Percent == nil && *counted.Count >= 1:
			*r = Requirement{Count: *counted.Count}
			return nil
		case counted.Percent != nil && counted.Count == nil && *counted.Percent >= 1 && *counted.Percent <= 100:
			*r = Requirement{Percent: *counted.Percent}
			return nil
		}
	}
	*r = Requirement{Unknown: string(data)}
	return nil
}
