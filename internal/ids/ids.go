// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ids gives out the integers that REST clients know things by. They
// are unique for their kind across the cluster, stay with namespace and name
// over edits, deletion and re-creation, and are never given to anything else.
//
// Definitions (workflows and their parts, people, scripts and so on) are in a
// Registry that remembers every id ever given. Tickets, of which there are
// many and which never come back, are counted by a Counter.
package ids

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Kind is a kind of thing that has ids of its own.
type Kind string

// Kinds that have ids.
const (
	Workflows    Kind = "workflows"
	States       Kind = "states"
	Transitions  Kind = "transitions"
	Fields       Kind = "fields"
	Users        Kind = "users"
	Departments  Kind = "departments"
	UserRoles    Kind = "userroles"
	Scripts      Kind = "scripts"
	Notifiers    Kind = "notifiers"
	Applications Kind = "applications"
)

// firstAssigned is where assigned ids begin. What lies below is left to ids
// that are kept from an older system (spec.id), so that a workflow brought
// over later seldom finds its ids taken.
const firstAssigned v1alpha1.WireID = 10001

// lastID is the greatest wire id.
const lastID v1alpha1.WireID = 1<<31 - 1

// labelKind on a ConfigMap of the registry says which kind's ids it has.
const labelKind = "ticketflow.dev/ids"

// TakenError says that a wanted id belongs to something else.
type TakenError struct {
	Kind  Kind
	ID    v1alpha1.WireID
	Owner string
	// Name that wanted it.
	Name string
}

// Error names the id and whose it is.
func (e *TakenError) Error() string {
	return fmt.Sprintf("id %d of %s was wanted for %s, but belongs to %s: leave the id out to be given a free one", e.ID, e.Kind, e.Name, e.Owner)
}

// Name is the name under which an object's id is registered.
func Name(o metav1.Object) string {
	if o.GetNamespace() == "" {
		return o.GetName()
	}
	return o.GetNamespace() + "/" + o.GetName()
}

// Claim asks for the id of a name.
type Claim struct {
	// Name of what the id is for, with its namespace if it has one.
	Name string
	// Want is the id that the spec asks to keep; 0 takes any.
	Want v1alpha1.WireID
	// Seen is the id that the status shows already: it is believed where the
	// registry knows nothing, as after its loss.
	Seen v1alpha1.WireID
}
