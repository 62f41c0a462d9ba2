// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"maps"
	"slices"
	"time"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Open lets a new ticket begin: the transition of the start state that its
// spec names is taken. The answer's status has everything but observedGeneration
// and conditions. now is in the zone that a time sent without one is in.
func Open(g *Graph, s Snapshot, ids Identities, dir Directory, now time.Time) (Snapshot, *Refusal) {
	t := newTurn(g, s, dir, now)
	t.state, t.actor, t.by = g.Start, s.Spec.Creator, &s.Spec.By
	if r := t.open(ids); r != nil {
		return s, r
	}
	if r := t.checkSize(); r != nil {
		return s, r
	}
	return t.s, nil
}

func (t *turn) open(ids Identities) *Refusal {
	spec := &t.s.Spec
	if r := t.mayOpen(); r != nil {
		return r
	}
	chosen, r := t.openingTransition()
	if r != nil {
		return r
	}
	if r := checkComment(spec.Comment); r != nil {
		return r
	}
	if r := checkAsked(spec.Fields); r != nil {
		return r
	}
	fields := maps.Clone(spec.Fields)
	if fields == nil {
		fields = v1alpha1.JSONObject{}
	}
	if spec.Title != "" {
		fields[titleField] = spec.Title
	}
	changes, found := t.read(t.graph.Start, chosen.FieldCheck, request{fields: fields})
	// The title is stored whatever the form says of it (rest-behaviour.md §4.2).
	if title := fields[titleField]; !isEmpty(title) && !t.graph.Start.Takes(titleField) {
		t.setChange(changes, found, titleField, title)
	}
	if r := found.refusal(); r != nil {
		return r
	}
	status := &t.s.Status
	status.ID, status.SerialNumber, status.WorkflowRevision = ids.ID, ids.SerialNumber, ids.Revision
	status.WorkflowID, status.OpenedAt = t.graph.IDs.Workflow, &t.now
	if r := t.hangOnParent(); r != nil {
		return r
	}
	t.store(changes)
	t.relate(spec.Creator)
	return t.take(chosen, v1alpha1.HistoryEntry{
		Action: v1alpha1.HistoryOpen, Transition: chosen.Name, Outcome: chosen.Outcome,
		Comment: spec.Comment, Changes: changes,
	})
}

// mayOpen is who may open a ticket: every part of the creation rule that is
// present must be satisfied; an empty list is no part.
func (t *turn) mayOpen() *Refusal {
	creator := string(t.s.Spec.Creator)
	if r := Speaks(t.s.Namespace, t.graph.Name, creator, t.s.Spec.By, t.dir); r != nil {
		if r.Reason == ReasonUnknownTicket {
			return refuse(ReasonUnknownWorkflow, "there is no such workflow for the application")
		}
		return r
	}
	if t.graph.Spec.Suspend {
		return refuse(ReasonWorkflowNotReady, "the workflow %q is suspended: it opens no new tickets", t.graph.Name)
	}
	rule := t.graph.Spec.Creation
	if rule == nil {
		return nil
	}
	if len(rule.Users) > 0 && !slices.Contains(rule.Users, t.s.Spec.Creator) {
		return refuse(ReasonNotAllowed, "%q is not among the users who may open tickets of this workflow", creator)
	}
	if len(rule.Departments) > 0 && !slices.Contains(t.dir.PeopleIn(texts(rule.Departments)), creator) {
		return refuse(ReasonNotAllowed, "%q is not in a department that may open tickets of this workflow", creator)
	}
	if len(rule.UserRoles) > 0 && !slices.ContainsFunc(rule.UserRoles, func(role v1alpha1.ObjectName) bool {
		members, _ := t.dir.RoleMembers(string(role))
		return slices.Contains(members, creator)
	}) {
		return refuse(ReasonNotAllowed, "%q has no role that may open tickets of this workflow", creator)
	}
	return t.withinLimit(rule.Limit)
}

// withinLimit counts what was opened within the period, inclusive (Q19).
func (t *turn) withinLimit(limit *v1alpha1.CreationLimit) *Refusal {
	if limit == nil || limit.Count == nil {
		return nil
	}
	creator := string(t.s.Spec.Creator)
	if limit.Per == v1alpha1.LimitPerWorkflow {
		creator = ""
	}
	opened := t.dir.OpenedSince(t.s.Namespace, t.graph.Name, creator, t.now.Add(-limit.Period.Duration), t.now.Time)
	if opened >= int(*limit.Count) {
		return refuse(ReasonLimitReached, "%d tickets were opened within %s, and no more than %d may be", opened, limit.Period.Duration, *limit.Count)
	}
	return nil
}

func (t *turn) openingTransition() (*Transition, *Refusal) {
	name := t.s.Spec.Transition
	if name == "" {
		if people := t.state.personTransitions(); len(people) == 1 {
			name = people[0].Name
		} else {
			return nil, refuse(ReasonUnknownTransition, "the start state has several transitions: name the one to open with")
		}
	}
	chosen, ok := t.state.Transition(name)
	if !ok {
		return nil, refuse(ReasonUnknownTransition, "transition %q does not lead on from the start state", name)
	}
	return chosen, nil
}

// MayHangOn says whether somebody's ticket may hang on another. A sub-ticket takes
// part in how its parent goes on and reads its fields: only those may have one who
// may look at the parent, or intervene there.
func MayHangOn(parent ParentTicket, creator string, by v1alpha1.RequestedBy, dir Directory) bool {
	return CanView(parent.Graph, parent.Snapshot, creator, dir) || CanIntervene(parent.Graph, creator, by, dir)
}

// NoSuchParent is the refusal of a parent that there is not, or not for whoever
// asks for it.
func NoSuchParent() *Refusal {
	return refuse(ReasonUnknownTicket, "parent_ticket_id: there is no such ticket beside this one")
}

// hangOnParent notes the wire ids of the parent ticket and its state.
func (t *turn) hangOnParent() *Refusal {
	reference := t.s.Spec.Parent
	if reference == nil {
		return nil
	}
	parent, ok := t.dir.Parent(t.s.Namespace, string(reference.Name))
	if !ok || !MayHangOn(parent, string(t.s.Spec.Creator), t.s.Spec.By, t.dir) {
		return NoSuchParent()
	}
	t.s.Status.ParentID = parent.Snapshot.Status.ID
	if reference.State == "" {
		return nil
	}
	state, ok := parent.Graph.State(reference.State)
	if !ok {
		return refuse(ReasonParentElsewhere, "parent_ticket_state_id: the parent ticket's workflow has no state %q", reference.State)
	}
	if hasLeft(&parent.Snapshot.Status, reference.State) {
		return refuse(ReasonParentElsewhere, "parent_ticket_state_id: the parent ticket has left state %q", reference.State)
	}
	t.s.Status.ParentStateID = state.ID
	return nil
}
