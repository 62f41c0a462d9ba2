// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"time"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// self is a directory that knows nobody but the caller. With it the engine can
// be asked what the caller might ask for; the reconciler's word, which knows
// everybody, is the one that counts.
type self struct {
	person
	administrator bool
}

var _ engine.Directory = self{}

// User is the caller, as that is called.
func (s self) User(name string) (engine.Person, bool) {
	return engine.Person{Name: string(s.name), Active: true, Administrator: s.administrator}, name == string(s.name)
}

// UserOf is the caller.
func (s self) UserOf(kubernetes string) (engine.Person, bool) {
	person, _ := s.User(string(s.name))
	return person, kubernetes == s.kubernetes
}

// Department knows none.
func (self) Department(string) (engine.Department, bool) { return engine.Department{}, false }

// PeopleIn knows nobody.
func (self) PeopleIn([]string) []string { return nil }

// RoleMembers knows no role.
func (self) RoleMembers(string) ([]string, bool) { return nil, false }

// Application knows none.
func (self) Application(string) (engine.Application, bool) { return engine.Application{}, false }

// Script knows none.
func (self) Script(string, string) (engine.Script, bool) { return engine.Script{}, false }

// OpenedSince counts nothing.
func (self) OpenedSince(string, string, string, time.Time) int { return 0 }

// Parent knows none.
func (self) Parent(string, string) (engine.ParentTicket, bool) { return engine.ParentTicket{}, false }

// might says whether the engine would let the caller do something. Handing a
// ticket on is tried with the caller as the target: who else there is, this
// directory does not know.
func (s self) might(graph *engine.Graph, t *v1alpha1.Ticket, kind v1alpha1.ActionType, now time.Time) bool {
	action := v1alpha1.TicketAction{ID: "might", Type: kind, Actor: s.name, By: s.by()}
	if kind == v1alpha1.ActionDeliver || kind == v1alpha1.ActionAddSigner {
		action.Target = s.name
	}
	_, refusal := engine.Decide(graph, snapshot(t), engine.Command{Kind: engine.CommandAction, Action: action}, s, now)
	return refusal == nil
}
