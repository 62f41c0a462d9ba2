// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"time"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Kin are the tickets that need a ticket, or would go with it.
type Kin struct {
	// ParentUnderWay says that the ticket hangs on one that has not ended: that
	// one counts it.
	ParentUnderWay bool
	// Children is how many tickets hang on it. They would be deleted with it,
	// whatever their own workflows say.
	Children int
}

// Expired says whether a ticket was kept for as long as its workflow says and
// may go; else when to ask again (zero: not before something happens). The
// retention is the workflow's present one, not that of the ticket's revision:
// whoever takes it back saves all tickets at once.
func Expired(g *Graph, status *v1alpha1.TicketStatus, retention *v1alpha1.Retention, kin Kin, now time.Time) (expired bool, next time.Time) {
	switch {
	case retention == nil || retention.AfterFinished.Duration <= 0 || status.EnteredAt == nil || !Ended(g, status):
		return false, time.Time{}
	case kin.ParentUnderWay || kin.Children > 0 || noticesOutstanding(g, status):
		return false, time.Time{}
	}
	if at := status.EnteredAt.Add(retention.AfterFinished.Duration); at.After(now) {
		return false, at
	}
	return true, time.Time{}
}

// Notifies says whether people are notified of what an entry records
// (rest-behaviour.md §8.4).
func Notifies(entry *v1alpha1.HistoryEntry) bool {
	switch entry.Action {
	case v1alpha1.HistoryOpen, v1alpha1.HistoryAction(v1alpha1.ActionTransition), v1alpha1.HistoryTimer,
		v1alpha1.HistoryScriptSucceeded, v1alpha1.HistoryHookSucceeded, v1alpha1.HistoryChildrenEnded:
		return true
	case v1alpha1.HistoryAction(v1alpha1.ActionHookCallback):
		return entry.Transition != "" // one that reports a failure moves nothing
	}
	return false
}

// noticesOutstanding says that a notifier has not been told of everything yet.
func noticesOutstanding(g *Graph, status *v1alpha1.TicketStatus) bool {
	if g.Spec.Notifications == nil {
		return false
	}
	newest := newestNotice(status)
	return slices.ContainsFunc(g.Spec.Notifications.Notifiers, func(notifier v1alpha1.ObjectName) bool {
		at := slices.IndexFunc(status.Notified, func(m v1alpha1.NotifiedMark) bool { return m.Notifier == notifier })
		return at < 0 || status.Notified[at].Seq < newest
	})
}

// newestNotice is the newest entry that people are notified of. If it is not in
// the status any more, it may be any of those before.
func newestNotice(status *v1alpha1.TicketStatus) int64 {
	for i := len(status.History) - 1; i >= 0; i-- {
		if Notifies(&status.History[i]) {
			return status.History[i].Seq
		}
	}
	return status.HistoryCount - int64(len(status.History))
}
