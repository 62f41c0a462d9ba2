// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"time"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// noticeEvents are the history actions that people are told of by choice.
var noticeEvents = map[v1alpha1.HistoryAction]v1alpha1.NoticeEvent{
	v1alpha1.HistoryAction(v1alpha1.ActionAccept):       v1alpha1.NoticeAccept,
	v1alpha1.HistoryAction(v1alpha1.ActionDeliver):      v1alpha1.NoticeDeliver,
	v1alpha1.HistoryAction(v1alpha1.ActionAddSigner):    v1alpha1.NoticeAddSigner,
	v1alpha1.HistoryAction(v1alpha1.ActionEndAddSigner): v1alpha1.NoticeEndAddSigner,
	v1alpha1.HistoryAction(v1alpha1.ActionComment):      v1alpha1.NoticeComment,
	v1alpha1.HistoryAction(v1alpha1.ActionSetState):     v1alpha1.NoticeSetState,
	v1alpha1.HistoryAction(v1alpha1.ActionRetreat):      v1alpha1.NoticeRetreat,
	v1alpha1.HistoryAction(v1alpha1.ActionClose):        v1alpha1.NoticeClose,
	v1alpha1.HistoryScriptFailed:                        v1alpha1.NoticeFailure,
	v1alpha1.HistoryHookFailed:                          v1alpha1.NoticeFailure,
	v1alpha1.HistoryAction(v1alpha1.ActionHookCallback): v1alpha1.NoticeFailure,
}

// Notifies says whether people are told of what an entry records: of opening
// and handling always (rest-behaviour.md §8.4), of the rest as the workflow says.
func (g *Graph) Notifies(entry *v1alpha1.HistoryEntry) bool {
	switch entry.Action {
	case v1alpha1.HistoryOpen, v1alpha1.HistoryAction(v1alpha1.ActionTransition), v1alpha1.HistoryTimer,
		v1alpha1.HistoryScriptSucceeded, v1alpha1.HistoryChildrenEnded:
		return true
	case v1alpha1.HistoryHookSucceeded, v1alpha1.HistoryAction(v1alpha1.ActionHookCallback):
		if entry.Transition != "" { // else the ticket still waits for the hook
			return true
		}
	}
	event, ok := noticeEvents[entry.Action]
	return ok && g.Spec.Notifications != nil && slices.Contains(g.Spec.Notifications.Events, event)
}

// Notifiers are those that are told of the workflow's tickets.
func (g *Graph) Notifiers() []v1alpha1.ObjectName {
	if g.Spec.Notifications == nil {
		return nil
	}
	return g.Spec.Notifications.Notifiers
}

// NotifiedUpTo is the number of the entry up to which a notifier has been told,
// 0 if it was told of nothing yet.
func NotifiedUpTo(status *v1alpha1.TicketStatus, notifier v1alpha1.ObjectName) int64 {
	for _, mark := range status.Notified {
		if mark.Notifier == notifier {
			return mark.Seq
		}
	}
	return 0
}

// NewestNotice is the number of the newest entry that people are told of. If it
// is not in the status any more, it may be any of those before.
func NewestNotice(g *Graph, status *v1alpha1.TicketStatus) int64 {
	for i := len(status.History) - 1; i >= 0; i-- {
		if g.Notifies(&status.History[i]) {
			return status.History[i].Seq
		}
	}
	return status.HistoryCount - int64(len(status.History))
}

// OutstandingSince is when the oldest thing happened that a notifier, told up to
// an entry, has not been told; zero if it has been told everything. Of what is
// not in the status any more, the time is that of the oldest entry that is.
func OutstandingSince(g *Graph, status *v1alpha1.TicketStatus, told int64) time.Time {
	if told >= NewestNotice(g, status) {
		return time.Time{}
	}
	for i := range status.History {
		entry := &status.History[i]
		if entry.Seq > told && (g.Notifies(entry) || i == 0 && entry.Seq > told+1) {
			return entry.Time.Time
		}
	}
	return time.Time{}
}

// noticesOutstanding says that a notifier has not been told of everything yet.
func noticesOutstanding(g *Graph, status *v1alpha1.TicketStatus) bool {
	newest := NewestNotice(g, status)
	return slices.ContainsFunc(g.Notifiers(), func(notifier v1alpha1.ObjectName) bool {
		return NotifiedUpTo(status, notifier) < newest
	})
}

// Audience are the people who are told of a ticket: those it waits for, and its
// creator when it has ended.
func Audience(g *Graph, ticket *v1alpha1.Ticket) []v1alpha1.UserName {
	if Ended(g, &ticket.Status) {
		return []v1alpha1.UserName{ticket.Spec.Creator}
	}
	return ticket.Status.Participants.Users
}
