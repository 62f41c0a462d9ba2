// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

const (
	// busiest is how many messages one notifier is given at a time, so that a
	// slow one does not take all the time there is.
	busiest = 8
	// shortestPause and longestPause bound for how long a notifier that is down
	// is left alone; each time twice as long as the time before.
	shortestPause = time.Second
	longestPause  = time.Minute
	// turnPause is how long to wait for one's turn with a busy notifier.
	turnPause = 200 * time.Millisecond
)

// gates keep messages from notifiers that are down or busy: a ticket whose
// notifier is down costs nothing until its time comes, and the others' messages
// do not wait behind it. What they know is lost at a restart and found out anew.
type gates struct {
	clock clock.PassiveClock

	mu     sync.Mutex
	byName map[types.NamespacedName]*gate
}

type gate struct {
	failures int
	until    time.Time
	busy     int
}

// enter says whether a message may be sent now; else how long to wait. Whoever
// may, leaves.
func (g *gates) enter(notifier types.NamespacedName) (wait time.Duration, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byName == nil {
		g.byName = map[types.NamespacedName]*gate{}
	}
	one := g.byName[notifier]
	if one == nil {
		one = &gate{}
		g.byName[notifier] = one
	}
	most := busiest
	if one.failures > 0 {
		most = 1 // one tries whether it is up again
	}
	switch wait := one.until.Sub(g.clock.Now()); {
	case wait > 0:
		return wait, false
	case one.busy >= most:
		return turnPause, false
	}
	one.busy++
	return 0, true
}

// leave says how it went.
func (g *gates) leave(notifier types.NamespacedName, down bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	one := g.byName[notifier]
	one.busy--
	if !down {
		one.failures, one.until = 0, time.Time{}
		if one.busy == 0 {
			delete(g.byName, notifier)
		}
		return
	}
	one.failures++
	one.until = g.clock.Now().Add(min(shortestPause<<min(one.failures-1, 10), longestPause))
}
