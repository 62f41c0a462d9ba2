// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ticket

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/conditions"
	"ticketflow.dev/ticketflow/internal/metrics"
)

// eventAction is what the events of this reconciler say was being done.
const eventAction = "Decide"

// observe counts what a status that was written has decided, and tells of what
// somebody has to repair.
func (r *Reconciler) observe(before, after *v1alpha1.Ticket) {
	if meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionOpened) == nil {
		countOpening(after)
	}
	if action := pending(before); action != nil {
		if outcome, decided := engine.Outcome(&after.Status, action.ID); decided {
			metrics.Action(action.Type, outcome.Outcome, outcome.Reason)
			if repairable(engine.Reason(outcome.Reason)) {
				r.warn(after, outcome.Reason, outcome.Message)
			}
		}
	}
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady)
	is := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionReady)
	if is != nil && is.Status == metav1.ConditionFalse && (was == nil || was.Status != is.Status || was.Reason != is.Reason || was.Message != is.Message) {
		r.warn(after, is.Reason, is.Message)
	}
}

func countOpening(t *v1alpha1.Ticket) {
	opened := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionOpened)
	switch {
	case opened == nil:
	case opened.Status == metav1.ConditionTrue:
		metrics.Opening(metrics.WorkflowOf(t), "")
	case opened.Reason == string(engine.ReasonUnknownWorkflow): // anybody can name one that is not there
		metrics.Opening(metrics.Workflow{Namespace: t.Namespace}, opened.Reason)
	default:
		metrics.Opening(metrics.WorkflowOf(t), opened.Reason)
	}
}

// repairable says that an action was refused for what is not the fault of
// whoever asked for it.
func repairable(reason engine.Reason) bool {
	return reason == engine.ReasonNoParticipants || reason == engine.ReasonConditionFailed || reason == engine.ReasonInternal
}

// follow counts the steps of a ticket whose last status has been written.
func (r *Reconciler) follow(t *v1alpha1.Ticket, trail []v1alpha1.TicketStatus) {
	for i := 1; i < len(trail); i++ {
		r.step(t, &trail[i-1], &trail[i])
	}
}

// step counts what one decision did.
func (r *Reconciler) step(t *v1alpha1.Ticket, before, after *v1alpha1.TicketStatus) {
	entries := entriesAfter(after.History, before.HistoryCount)
	if len(entries) == 0 {
		return
	}
	w, moved := metrics.WorkflowOf(t), after.Visit != before.Visit
	switch entries[0].Action {
	case v1alpha1.HistoryTimer:
		if timer, ok := timerOf(before, entries[0].Transition); ok {
			metrics.TimerFired(w, moved, r.Clock.Since(timer.At.Time))
		}
		if !moved {
			r.warn(t, v1alpha1.ReasonTimerRefused, "the timer "+string(entries[0].Transition)+" did not move the ticket on: "+entries[0].Comment)
		}
	case v1alpha1.HistoryScriptSucceeded, v1alpha1.HistoryScriptFailed, v1alpha1.HistoryHookSucceeded, v1alpha1.HistoryHookFailed:
		if run := before.Run; run != nil && run.StartedAt != nil && run.FinishedAt != nil {
			metrics.Ran(w, before.State, before.Participants.Kind, run.Phase, run.FinishedAt.Sub(run.StartedAt.Time))
		}
	}
	if moved {
		countMoves(w, before, after, entries)
	}
}

// countMoves counts the way of a ticket: it may have passed states that nobody
// could act in.
func countMoves(w metrics.Workflow, before, after *v1alpha1.TicketStatus, entries []v1alpha1.HistoryEntry) {
	from := before.State
	for i := range entries {
		to := after.State
		if i+1 < len(entries) {
			to = entries[i+1].State
		}
		metrics.Move(w, from, to, entries[i].Transition, entries[i].Action)
		from = to
	}
	if before.EnteredAt != nil && after.EnteredAt != nil {
		metrics.Left(w, before.State, after.EnteredAt.Sub(before.EnteredAt.Time))
	}
}

func entriesAfter(entries []v1alpha1.HistoryEntry, seq int64) []v1alpha1.HistoryEntry {
	for i := range entries {
		if entries[i].Seq > seq {
			return entries[i:]
		}
	}
	return nil
}

func timerOf(status *v1alpha1.TicketStatus, transition v1alpha1.Name) (v1alpha1.Timer, bool) {
	for _, timer := range status.Timers {
		if timer.Transition == transition {
			return timer, true
		}
	}
	return v1alpha1.Timer{}, false
}

// maxNote is the API's bound on an event's note, in bytes.
const maxNote = 1024

// warn tells whoever looks at the ticket what went wrong.
func (r *Reconciler) warn(t *v1alpha1.Ticket, reason, message string) {
	if r.Events != nil {
		r.Events.Eventf(t, nil, corev1.EventTypeWarning, reason, eventAction, "%s", conditions.Truncate(message, maxNote))
	}
}
