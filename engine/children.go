// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// CountChildren counts the sub-tickets of one parent by the state of the parent
// that they hang on; for which of them it has gone on, the counts before say. One
// that hangs on no state of the parent's does not count: it is about to be
// refused, and there is no end to the names it may bear.
func CountChildren(g *Graph, before []v1alpha1.ChildrenCount, children []v1alpha1.Ticket) []v1alpha1.ChildrenCount {
	var counts []v1alpha1.ChildrenCount
	for i := range children {
		counted, ended := Standing(&children[i])
		if !counted {
			continue
		}
		name := children[i].Spec.Parent.State
		if _, ok := g.State(name); !ok {
			continue
		}
		count := countOf(counts, name)
		if count == nil {
			counts = append(counts, v1alpha1.ChildrenCount{State: name})
			count = &counts[len(counts)-1]
			if known := countOf(before, name); known != nil {
				count.GoneOnFor = known.GoneOnFor
			}
		}
		count.Total++
		count.Newest = max(count.Newest, children[i].Status.ID)
		if ended {
			count.Ended++
		}
	}
	slices.SortFunc(counts, func(a, b v1alpha1.ChildrenCount) int { return cmp.Compare(a.State, b.State) })
	return counts
}

// EndedChildren is how many sub-tickets of a state a parent counts as ended.
func EndedChildren(parent *v1alpha1.TicketStatus, state v1alpha1.Name) int {
	if count := countOf(parent.Children, state); count != nil {
		return int(count.Ended)
	}
	return 0
}

// countOf is the count of a state, nil if there is none.
func countOf(counts []v1alpha1.ChildrenCount, state v1alpha1.Name) *v1alpha1.ChildrenCount {
	at := slices.IndexFunc(counts, func(c v1alpha1.ChildrenCount) bool { return c.State == state })
	if at < 0 {
		return nil
	}
	return &counts[at]
}

// Standing says how a sub-ticket counts for its parent: whether it does, and
// whether as one that has ended. One that is being opened counts as under way,
// one whose opening was refused does not count, and neither does one that hangs
// on no state.
func Standing(child *v1alpha1.Ticket) (counted, ended bool) {
	if child.Spec.Parent == nil || child.Spec.Parent.State == "" || NeverOpened(&child.Status) {
		return false, false
	}
	return true, child.Status.ID != 0 && HasEnded(&child.Status)
}

// NeverOpened says that a ticket's opening was refused, for good. One that nobody
// has decided on yet may still be opened.
func NeverOpened(status *v1alpha1.TicketStatus) bool {
	return status.ID == 0 && meta.IsStatusConditionFalse(status.Conditions, v1alpha1.ConditionOpened)
}

// childrenDone says that all sub-tickets of the state that the ticket is in have
// ended, however they ended (Q23). With none yet, it waits; and where it has gone
// on for all of them before, for more.
func childrenDone(status *v1alpha1.TicketStatus) bool {
	count := countOf(status.Children, status.State)
	return status.Participants.Kind == v1alpha1.ParticipantsChildren && count != nil && count.Total > 0 && count.Ended == count.Total &&
		(count.GoneOnFor == 0 || count.Newest > count.GoneOnFor)
}

// hasLeft says that a parent waits for the sub-tickets of a state no more: it
// has ended, or has gone on from there and not come back.
func hasLeft(parent *v1alpha1.TicketStatus, state v1alpha1.Name) bool {
	if parent.State == state {
		return false
	}
	count := countOf(parent.Children, state)
	return HasEnded(parent) || count != nil && count.GoneOnFor > 0
}

// childrenEnded goes on because all sub-tickets of the state have ended. Where
// that is refused, the ticket waits for a repair; its timers do not.
func (t *turn) childrenEnded() *Refusal {
	chosen, ok := t.state.firstTransition()
	if !ok || !childrenDone(&t.s.Status) {
		return nil // a repetition
	}
	t.actor = v1alpha1.RobotUser
	refusal := t.take(chosen, v1alpha1.HistoryEntry{
		Action: v1alpha1.HistoryChildrenEnded, Transition: chosen.Name, Outcome: chosen.Outcome, Comment: childrenComment,
	})
	if refusal == nil {
		count := countOf(t.s.Status.Children, t.before.Status.State)
		count.GoneOnFor = count.Newest
		return nil
	}
	timer, waits := NextTimer(&t.before.Status)
	if !waits || timer.At.After(t.now.Time) {
		return refusal
	}
	t.startOver()
	return t.timer(timer.Transition)
}
