// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
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
