// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ticket

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// openings lets the tickets of a workflow that limits how many may be opened
// through one at a time, and remembers those that the cache does not show yet.
type openings struct {
	mu      sync.Mutex
	limited map[client.ObjectKey]*ledger
}

// ledger is a workflow's recent openings.
type ledger struct {
	mu     sync.Mutex // held for a turn
	recent []opened
}

type opened struct {
	key     client.ObjectKey
	uid     types.UID
	creator v1alpha1.UserName
	at      time.Time
}

// turn is a ticket's turn to be opened.
type turn struct {
	// directory counts every ticket of the workflow that was opened.
	directory engine.Directory
	ledger    *ledger // nil where nothing is counted
}

// begin waits for a ticket's turn, where its workflow limits how many tickets
// may be opened.
func (o *openings) begin(r *Reconciler, graph *engine.Graph) *turn {
	if graph.Spec.Creation == nil || graph.Spec.Creation.Limit == nil {
		return &turn{directory: r.Directory}
	}
	book := o.ledger(client.ObjectKey{Namespace: graph.Namespace, Name: graph.Name})
	book.mu.Lock()
	book.recent = slices.DeleteFunc(book.recent, r.shown)
	return &turn{directory: &counting{Directory: r.Directory, recent: book.recent, shown: r.shown}, ledger: book}
}

func (o *openings) ledger(workflow client.ObjectKey) *ledger {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.limited == nil {
		o.limited = map[client.ObjectKey]*ledger{}
	}
	if o.limited[workflow] == nil {
		o.limited[workflow] = &ledger{}
	}
	return o.limited[workflow]
}

// note remembers that the ticket was opened.
func (n *turn) note(t *v1alpha1.Ticket) {
	if n.ledger != nil && t.Status.OpenedAt != nil {
		n.ledger.recent = append(n.ledger.recent, opened{
			key: client.ObjectKeyFromObject(t), uid: t.UID, creator: t.Spec.Creator, at: t.Status.OpenedAt.Time,
		})
	}
}

// end lets the next ticket have its turn.
func (n *turn) end() {
	if n.ledger != nil {
		n.ledger.mu.Unlock()
	}
}

// shown says whether the cache shows that a ticket was opened, or that it is gone.
func (r *Reconciler) shown(one opened) bool {
	var t v1alpha1.Ticket
	err := r.Client.Get(context.Background(), one.key, &t, client.UnsafeDisableDeepCopy)
	return err != nil || t.UID != one.uid || t.Status.OpenedAt != nil
}

// counting is a Directory that counts also what the cache does not show yet.
type counting struct {
	engine.Directory
	recent []opened // of the one workflow whose turn it is
	shown  func(opened) bool
}

// OpenedSince counts a workflow's tickets opened at or after a time.
func (c *counting) OpenedSince(namespace, workflow, creator string, since, now time.Time) int {
	for {
		hidden := c.hidden(creator, since)
		count := c.Directory.OpenedSince(namespace, workflow, creator, since, now)
		if c.hidden(creator, since) == hidden { // else one came into the cache meanwhile
			return count + hidden
		}
	}
}

func (c *counting) hidden(creator string, since time.Time) int {
	count := 0
	for _, one := range c.recent {
		if (creator == "" || string(one.creator) == creator) && !one.at.Before(since) && !c.shown(one) {
			count++
		}
	}
	return count
}
