// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// resolve says who acts in a state that the ticket is about to enter, with the
// values it has then. People are resolved to names now and stored: later
// changes of the directory do not change anyone's to-do list.
func (t *turn) resolve(state *State) (v1alpha1.CurrentParticipants, *Refusal) {
	switch state.Type {
	case v1alpha1.StateStart:
		return people(t.s.Spec.Creator), nil
	case v1alpha1.StateEnd:
		return people(), nil
	}
	p := state.Participants
	switch {
	case p == nil:
		return v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsNone}, nil
	case p.Script != "":
		return v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsScript, Script: p.Script}, nil
	case p.Hook != nil:
		return v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsHook}, nil
	case p.Children != nil:
		return v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsChildren}, nil
	}
	names, refusal := t.resolvePeople(state.Name, p)
	return people(names...), refusal
}

func people(users ...v1alpha1.UserName) v1alpha1.CurrentParticipants {
	users = slices.DeleteFunc(users, func(u v1alpha1.UserName) bool { return u == "" })
	slices.Sort(users)
	return v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsUsers, Users: slices.Compact(users)}
}

func (t *turn) resolvePeople(state v1alpha1.Name, p *v1alpha1.Participants) ([]v1alpha1.UserName, *Refusal) {
	switch {
	case p.Users != nil:
		return t.withoutInactive(p.Users), nil
	case p.Departments != nil:
		return userNames(t.dir.PeopleIn(texts(p.Departments))), nil
	case p.UserRoles != nil:
		var names []v1alpha1.UserName
		for _, role := range p.UserRoles {
			members, _ := t.dir.RoleMembers(string(role))
			names = append(names, userNames(members)...)
		}
		return names, nil
	case p.Variables != nil:
		var names []v1alpha1.UserName
		for _, variable := range p.Variables {
			names = append(names, t.variable(variable)...)
		}
		return names, nil
	case p.Fields != nil:
		return t.withoutInactive(namesIn(p.Fields, t.named)), nil
	case p.ParentFields != nil:
		return t.parentPeople(state, p.ParentFields)
	}
	return nil, nil
}

// withoutInactive drops who has left. Who is not in the directory stays: an
// application may be allowed unknown users.
func (t *turn) withoutInactive(names []v1alpha1.UserName) []v1alpha1.UserName {
	return slices.DeleteFunc(slices.Clone(names), func(name v1alpha1.UserName) bool {
		person, ok := t.dir.User(string(name))
		return ok && !person.Active
	})
}

// variable resolves Creator and CreatorLeader: the approvers of the creator's
// own department, or its leader where it has none (rest-behaviour.md §5.3).
func (t *turn) variable(v v1alpha1.Variable) []v1alpha1.UserName {
	if v == v1alpha1.VariableCreator {
		return t.withoutInactive([]v1alpha1.UserName{t.s.Spec.Creator})
	}
	person, ok := t.dir.User(string(t.s.Spec.Creator))
	if !ok {
		return nil
	}
	department, ok := t.dir.Department(person.Department)
	if !ok {
		return nil
	}
	if approvers := t.withoutInactive(userNames(department.Approvers)); len(approvers) > 0 {
		return approvers
	}
	return t.withoutInactive([]v1alpha1.UserName{v1alpha1.UserName(department.Leader)})
}

func (t *turn) parentPeople(state v1alpha1.Name, fields []v1alpha1.FormFieldName) ([]v1alpha1.UserName, *Refusal) {
	if t.s.Spec.Parent == nil {
		return nil, refuse(ReasonNoParticipants, "state %q takes its participants from the parent ticket, and there is none", state)
	}
	parent, ok := t.dir.Parent(t.s.Namespace, string(t.s.Spec.Parent.Name))
	if !ok {
		return nil, refuse(ReasonNoParticipants, "state %q takes its participants from the parent ticket, which is gone", state)
	}
	return t.withoutInactive(namesIn(fields, func(field string) any { return t.value(&parent.Snapshot, field) })), nil
}

// peopleFields are the built-in fields that no form shows and that name people
// (rest-behaviour.md §3.11).
var peopleFields = []v1alpha1.FormFieldName{"participant", "relation", "add_node_man"}

// value is a ticket's value of one of its own fields, or of the built-in ones that
// may name people.
func (t *turn) value(s *Snapshot, field string) any {
	switch field {
	case titleField:
		return s.Status.Title
	case "creator":
		return string(s.Spec.Creator)
	case "participant", "participant_info.participant_name":
		return strings.Join(texts(s.Status.Participants.Users), ",")
	case "relation":
		names := make([]string, 0, len(s.Status.Related))
		for _, related := range s.Status.Related {
			if related.User != v1alpha1.RobotUser { // nobody acts as it
				names = append(names, string(related.User))
			}
		}
		return strings.Join(names, ",")
	case "add_node_man":
		if n := len(s.Status.Signers); n > 0 {
			return string(s.Status.Signers[n-1])
		}
		return nil
	}
	return s.Status.Fields[field]
}

// named is the value that says who acts. Where the move leaves it blank it is the
// one from before the move: portals send every field of a form, and what they leave
// blank names nobody else (rest-behaviour.md §5.3, 7).
func (t *turn) named(field string) any {
	if t.graph.Settable(field) {
		if value := t.value(&t.s, field); !isEmpty(value) {
			return value
		}
	}
	return t.value(&t.before, field)
}

func namesIn(fields []v1alpha1.FormFieldName, value func(string) any) []v1alpha1.UserName {
	var names []v1alpha1.UserName
	for _, field := range fields {
		text, _ := value(string(field)).(string)
		for _, name := range strings.Split(text, ",") {
			names = append(names, v1alpha1.UserName(strings.TrimSpace(name)))
		}
	}
	return names
}

// distribute makes of the resolved people those whom the ticket waits for, and
// the votes that an All state asks of them.
func (t *turn) distribute(state *State, p v1alpha1.CurrentParticipants) (v1alpha1.CurrentParticipants, []v1alpha1.Vote) {
	if p.Kind != v1alpha1.ParticipantsUsers || state.Type != v1alpha1.StateNormal {
		return p, nil
	}
	switch {
	case state.Distribution == v1alpha1.DistributionRandom && len(p.Users) > 1:
		p.Users = []v1alpha1.UserName{p.Users[t.lot(len(p.Users))]}
	case state.Distribution == v1alpha1.DistributionAll:
		p.Several = true
		votes := make([]v1alpha1.Vote, 0, len(p.Users))
		for _, user := range p.Users {
			votes = append(votes, v1alpha1.Vote{User: user})
		}
		return p, votes
	}
	return p, nil
}

// lot draws a number below n, the same for the same ticket and visit, so that
// a repeated decision is the same decision (decisions.md §5, Q45).
func (t *turn) lot(n int) int {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", t.s.UID, t.s.Status.Visit+1))
	return int(binary.BigEndian.Uint64(sum[:8]) % uint64(n)) //nolint:gosec // below n
}

func texts[T ~string](names []T) []string {
	out := make([]string, 0, len(names))
	for _, name := range names {
		out = append(out, string(name))
	}
	return out
}

func userNames(names []string) []v1alpha1.UserName {
	out := make([]v1alpha1.UserName, 0, len(names))
	for _, name := range names {
		out = append(out, v1alpha1.UserName(name))
	}
	return out
}
