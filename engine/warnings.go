// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Warnings names what lies outside the workflow and would keep its tickets
// from going on: an unknown user or role, an inactive script. None of it makes
// the workflow unready.
func Warnings(g *Graph, dir Directory) []Problem {
	var found []Problem
	for i := range g.Spec.States {
		state := &g.Spec.States[i]
		if state.Participants == nil {
			continue
		}
		for _, text := range participantWarnings(g.Namespace, state.Participants, dir) {
			found = append(found, Problem{Path: statePath(state.Name) + ".participants", Message: text})
		}
	}
	return found
}

func participantWarnings(namespace string, p *v1alpha1.Participants, dir Directory) []string {
	var texts []string
	warn := func(format string, args ...any) { texts = append(texts, fmt.Sprintf(format, args...)) }
	for _, user := range p.Users {
		if person, ok := dir.User(string(user)); !ok {
			warn("there is no user %q", user)
		} else if !person.Active {
			warn("the user %q is not active", user)
		}
	}
	for _, name := range p.Departments {
		if _, ok := dir.Department(string(name)); !ok {
			warn("there is no department %q", name)
		} else if len(dir.PeopleIn([]string{string(name)})) == 0 {
			warn("the department %q is empty", name)
		}
	}
	for _, name := range p.UserRoles {
		if members, ok := dir.RoleMembers(string(name)); !ok {
			warn("there is no role %q", name)
		} else if len(members) == 0 {
			warn("the role %q is empty", name)
		}
	}
	if p.Script != "" {
		if script, ok := dir.Script(namespace, string(p.Script)); !ok {
			warn("there is no script %q", p.Script)
		} else if !script.Active {
			warn("the script %q is not active", p.Script)
		}
	}
	return texts
}
