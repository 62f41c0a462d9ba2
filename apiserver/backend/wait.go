// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/slim"
)

// waiters are told of every change to a ticket, by the informer.
type waiters struct {
	mu     sync.Mutex
	byName map[types.NamespacedName]map[*waiter]struct{}
}

// waiter holds the newest state of one ticket until it is looked at.
type waiter struct {
	changed chan struct{}
	mu      sync.Mutex
	latest  *v1alpha1.Ticket // its head; nil once it is gone
	told    bool
}

func (w *waiters) add(name types.NamespacedName) (added *waiter, remove func()) {
	added = &waiter{changed: make(chan struct{}, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byName[name] == nil {
		w.byName[name] = map[*waiter]struct{}{}
	}
	w.byName[name][added] = struct{}{}
	return added, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.byName[name], added)
		if len(w.byName[name]) == 0 {
			delete(w.byName, name)
		}
	}
}

func (w *waiters) tell(name types.NamespacedName, head *v1alpha1.Ticket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for each := range w.byName[name] {
		each.mu.Lock()
		each.latest, each.told = head, true
		each.mu.Unlock()
		select {
		case each.changed <- struct{}{}:
		default: // it has not looked yet and will see this too
		}
	}
}

// until waits for a change after which the condition holds. The ticket given to
// it is whole, and nil once it is gone.
func (w *waiter) until(ctx context.Context, holds func(*v1alpha1.Ticket) bool) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.changed:
			w.mu.Lock()
			latest, told := w.latest, w.told
			w.mu.Unlock()
			if told && holds(slim.Whole(latest)) {
				return nil
			}
		}
	}
}

// turns let this server's actions on one ticket wait for each other, in the
// order in which they came, instead of racing for its one slot.
type turns struct {
	mu     sync.Mutex
	byName map[types.NamespacedName]*turn
}

type turn struct {
	slot  chan struct{}
	users int
}

// take waits for the ticket's turn; the caller releases it.
func (t *turns) take(ctx context.Context, name types.NamespacedName) (release func(), err error) {
	t.mu.Lock()
	mine, ok := t.byName[name]
	if !ok {
		mine = &turn{slot: make(chan struct{}, 1)}
		t.byName[name] = mine
	}
	mine.users++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if mine.users--; mine.users == 0 {
			delete(t.byName, name)
		}
	}
	select {
	case mine.slot <- struct{}{}:
		return func() { <-mine.slot; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
