// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// writePause is the shortest time between two writes of one ticket's cursors.
const writePause = time.Second

// cursors remember what notifiers were told and status.notified does not show
// yet, so that a busy ticket is not written for each message. What is lost with
// the process is told again.
type cursors struct {
	mu    sync.Mutex
	ahead map[types.UID]*cursor
}

type cursor struct {
	told    map[v1alpha1.ObjectName]int64
	written time.Time
}

// told is up to where a notifier was told of a ticket.
func (c *cursors) told(t *v1alpha1.Ticket, notifier v1alpha1.ObjectName) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := engine.NotifiedUpTo(&t.Status, notifier)
	if ahead := c.ahead[t.UID]; ahead != nil {
		known = max(known, ahead.told[notifier])
	}
	return known
}

func (c *cursors) advance(t *v1alpha1.Ticket, notifier v1alpha1.ObjectName, seq int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ahead == nil {
		c.ahead = map[types.UID]*cursor{}
	}
	ahead := c.ahead[t.UID]
	if ahead == nil {
		ahead = &cursor{told: map[v1alpha1.ObjectName]int64{}}
		c.ahead[t.UID] = ahead
	}
	ahead.told[notifier] = max(ahead.told[notifier], seq)
}

func (c *cursors) forget(ticket types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ahead, ticket)
}

// due are the marks that are to be written now, if any, or after what time.
func (c *cursors) due(t *v1alpha1.Ticket, now time.Time) (marks []v1alpha1.NotifiedMark, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ahead := c.ahead[t.UID]
	if ahead == nil {
		return nil, 0
	}
	all := map[v1alpha1.ObjectName]int64{}
	for _, mark := range t.Status.Notified {
		all[mark.Notifier] = mark.Seq
	}
	news := false
	for notifier, seq := range ahead.told {
		if seq > all[notifier] {
			all[notifier], news = seq, true
		}
	}
	if !news { // the status shows it all
		delete(c.ahead, t.UID)
		return nil, 0
	}
	if wait := ahead.written.Add(writePause).Sub(now); wait > 0 {
		return nil, wait
	}
	ahead.written = now
	for _, notifier := range slices.Sorted(maps.Keys(all)) {
		marks = append(marks, v1alpha1.NotifiedMark{Notifier: notifier, Seq: all[notifier]})
	}
	return marks, 0
}

// write writes status.notified, and nothing else: the rest of the status is the
// ticket reconciler's.
func write(ctx context.Context, c client.Client, t *v1alpha1.Ticket, marks []v1alpha1.NotifiedMark) error {
	data, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": t.UID}, "status": map[string]any{"notified": marks}})
	if err != nil {
		return fmt.Errorf("encode the patch: %w", err)
	}
	target := &v1alpha1.Ticket{}
	target.Namespace, target.Name = t.Namespace, t.Name
	if err := c.Status().Patch(ctx, target, client.RawPatch(types.MergePatchType, data)); err != nil {
		return fmt.Errorf("write how far notifiers were told: %w", err)
	}
	return nil
}
