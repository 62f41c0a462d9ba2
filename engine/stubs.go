// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"time"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Compile turns a workflow's spec into a Graph. If there are problems, the
// Graph is nil and all of them are named, in the order of the spec.
func Compile(namespace, name string, spec v1alpha1.WorkflowSpec, ids IDs) (*Graph, []Problem) {
	panic("stub")
}

// Warnings names what lies outside the workflow and would keep its tickets
// from going on: an unknown user or role, an inactive script. None of it makes
// the workflow unready.
func Warnings(g *Graph, dir Directory) []Problem { panic("stub") }

// Open lets a new ticket begin: the transition of the start state that its
// spec names is taken. The answer's status has everything but observedGeneration
// and conditions.
func Open(g *Graph, s Snapshot, ids Identities, dir Directory, now time.Time) (Snapshot, *Refusal) {
	panic("stub")
}

// Decide applies one command. A person's action that was decided already (its
// id is in recentActions) changes nothing; an applied one is noted there. A
// refusal changes nothing: NoteRefusal records it.
func Decide(g *Graph, s Snapshot, c Command, dir Directory, now time.Time) (Snapshot, *Refusal) {
	panic("stub")
}

// NoteRefusal records in recentActions that an action was refused.
func NoteRefusal(s Snapshot, actionID string, r *Refusal) Snapshot { panic("stub") }

// Outcome finds an action's outcome in recentActions.
func Outcome(status *v1alpha1.TicketStatus, actionID string) (v1alpha1.RecentAction, bool) {
	panic("stub")
}

// Options lists what a user may do with a ticket now, as decisions.md §1.5 and
// rest-behaviour.md §4.4 have it; empty if nothing.
func Options(g *Graph, s Snapshot, user string) []Option { panic("stub") }

// IsParticipant says whether a user is one of those the ticket waits for.
func IsParticipant(s Snapshot, user string) bool { panic("stub") }

// CanView says whether a user may look at a ticket (decisions.md §4). An
// empty user is nobody and sees what everyone may.
func CanView(g *Graph, s Snapshot, user string, dir Directory) bool { panic("stub") }

// CanIntervene says whether a user may intervene in a workflow's tickets:
// its admins, administrators, and any user of an application with that grant.
func CanIntervene(g *Graph, user string, by v1alpha1.RequestedBy, dir Directory) bool {
	panic("stub")
}

// Speaks says whether a request may speak for a user: the application exists
// and is allowed the workflow, the user exists and is active or unknown users
// are allowed; or the Kubernetes identity is that user's.
func Speaks(namespace, workflow, user string, by v1alpha1.RequestedBy, dir Directory) *Refusal {
	panic("stub")
}

// Ended says whether a ticket has come to its end: Finished or Closed, or
// refused into an end state. Ended is ended (decisions.md §5).
func Ended(g *Graph, status *v1alpha1.TicketStatus) bool { panic("stub") }

// Due says which command falls due by itself, if one does, and when to ask
// again (zero: not before something happens).
func Due(g *Graph, s Snapshot, now time.Time) (due *Command, next time.Time) { panic("stub") }

// Overflow splits off the history entries that do not belong into the status
// any more (more than 8, or too many bytes), oldest first; nil if all fit.
func Overflow(status v1alpha1.TicketStatus) (kept v1alpha1.TicketStatus, moved []v1alpha1.HistoryEntry) {
	panic("stub")
}

// VerifyHistory checks the hash chain of consecutive entries that follow on
// previousHash; the error names the first entry that does not fit.
func VerifyHistory(previousHash string, entries []v1alpha1.HistoryEntry) error { panic("stub") }
