// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// HookOf is the hook of the state that a ticket is in.
func HookOf(g *Graph, status *v1alpha1.TicketStatus) (*v1alpha1.Hook, bool) {
	state, ok := g.State(status.State)
	if !ok || state.Participants == nil || state.Participants.Hook == nil || status.Participants.Kind != v1alpha1.ParticipantsHook {
		return nil, false
	}
	return state.Participants.Hook, true
}

// SentAlong is what a hook was sent beside the ticket, where an entry tells of
// its call: the ticket stays on the revision that says it.
func SentAlong(g *Graph, entry *v1alpha1.HistoryEntry) v1alpha1.JSONObject {
	state, ok := g.State(entry.State)
	called := entry.Action == v1alpha1.HistoryHookSucceeded || entry.Action == v1alpha1.HistoryHookFailed
	if !called || !ok || state.Participants == nil || state.Participants.Hook == nil {
		return nil
	}
	return state.Participants.Hook.ExtraInfo
}

// waitsForCallback says that the state's hook calls back when its work is done.
func (t *turn) waitsForCallback() bool {
	hook, ok := HookOf(t.graph, &t.s.Status)
	return ok && hook.Wait
}

// hookCallback takes another system's word that a hook's work is done.
func (t *turn) hookCallback() *Refusal {
	from := t.action.FromState
	if t.s.Status.Participants.Kind != v1alpha1.ParticipantsHook || from != "" && from != t.state.Name {
		return refuse(ReasonNotWaitingForHook, "the ticket does not wait for a hook in state %q", t.state.Name)
	}
	if t.action.Succeeded == nil || !*t.action.Succeeded {
		t.s.Status.LastRunFailed = true
		entry := t.entry()
		entry.Actor = v1alpha1.HookUser
		t.record(entry)
		return nil
	}
	chosen, ok := t.state.firstTransition()
	if !ok {
		return refuse(ReasonInternal, "state %q has no transition", t.state.Name)
	}
	changes, r := t.fill(t.state, chosen.FieldCheck, request{fields: t.action.Fields})
	if r != nil {
		return r
	}
	t.store(changes)
	t.s.Status.LastRunFailed = false // it follows the last word (Q29)
	entry := t.entry()
	entry.Actor, entry.Changes, entry.Transition, entry.Outcome = v1alpha1.RobotUser, changes, chosen.Name, chosen.Outcome
	return t.take(chosen, entry)
}
