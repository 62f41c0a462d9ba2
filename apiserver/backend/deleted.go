// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilcache "k8s.io/apimachinery/pkg/util/cache"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/slim"
)

// deleted remembers for a while what was deleted, since no ticket can: so that a
// repeated request neither opens its ticket again nor fails to delete it. Every
// server learns it from its watch, and forgets it when it is restarted.
type deleted struct {
	tickets *utilcache.LRUExpireCache // their metadata and ids alone, by their names
	actions *utilcache.LRUExpireCache // ids of the actions that have deleted a ticket
}

// mostDeleted bounds how many deletions are remembered, and deletedFor for how long.
const (
	mostDeleted = 10_000
	deletedFor  = time.Hour
)

func newDeleted() deleted {
	return deleted{tickets: utilcache.NewLRUExpireCache(mostDeleted), actions: utilcache.NewLRUExpireCache(mostDeleted)}
}

// note remembers a ticket that is gone. One that was never opened is as if it had
// not been asked for.
func (d deleted) note(head *v1alpha1.Ticket) {
	if head.Status.ID == 0 {
		return
	}
	d.tickets.Add(nameOf(head), &v1alpha1.Ticket{
		ObjectMeta: metav1.ObjectMeta{Namespace: head.Namespace, Name: head.Name, UID: head.UID, CreationTimestamp: head.CreationTimestamp},
		Status:     v1alpha1.TicketStatus{ID: head.Status.ID},
	}, deletedFor)
	t := slim.Whole(head)
	if action := t.Spec.Action; action != nil && action.Type == v1alpha1.ActionDelete {
		if _, failure, _ := outcome(t, action.ID); failure == nil {
			d.actions.Add(action.ID, true, deletedFor)
		}
	}
}

// ticket is what is remembered of a ticket.
func (d deleted) ticket(name types.NamespacedName) (*v1alpha1.Ticket, bool) {
	value, _ := d.tickets.Get(name)
	t, known := value.(*v1alpha1.Ticket)
	return t, known
}

// HasDeleted says that the caller repeats, by its Idempotency-Key, a request that
// has deleted its ticket within the last hour.
func (b *Backend) HasDeleted(c Caller) bool {
	if c.IdempotencyKey == "" {
		return false
	}
	_, known := b.deleted.actions.Get(c.keyHash())
	return known
}
