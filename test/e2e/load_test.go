//go:build e2e

// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// load is people who act on their tickets, one action after the other, each of
// which must be done.
type load struct {
	stop    chan struct{}
	workers sync.WaitGroup

	lock     sync.Mutex
	failures []string
	last     time.Time
	longest  time.Duration // between two actions, whoever's they are
	actions  int
	tickets  map[int64]int // and how many actions each was answered to have had
}

// startLoad starts workers, half of whom share connections between requests.
func startLoad(ctx context.Context, workers int) *load {
	GinkgoHelper()
	l := &load{stop: make(chan struct{}), last: time.Now(), tickets: map[int64]int{}}
	for i := range workers {
		ops := newApplication(ctx, i%2 == 0)
		ticket := ops.open(ctx, "lilei", roundWorkflow, fmt.Sprintf("load %d", i))
		l.workers.Go(func() { l.work(ctx, ops, ticket) })
	}
	return l
}

func (l *load) work(ctx context.Context, ops *application, ticket int64) {
	for n := 0; ; n++ {
		select {
		case <-l.stop:
			return
		default:
		}
		said := fmt.Sprintf("action %d", n)
		key := fmt.Sprintf("load-%d-%d", ticket, n)
		out, err := ops.send(ctx, "lilei", key, http.MethodPatch, fmt.Sprintf("tickets/%d", ticket),
			map[string]any{"transition_id": again, "suggestion": said})
		l.note(ticket, out, err)
	}
}

func (l *load) note(ticket int64, out answer, err error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	now := time.Now()
	switch {
	case err != nil:
		l.failures = append(l.failures, fmt.Sprintf("%s: %v", now.Format(time.StampMilli), err))
	case out.Code != 0:
		l.failures = append(l.failures, fmt.Sprintf("%s: %s: %s", now.Format(time.StampMilli), out.Reason, out.Msg))
	default:
		l.longest = max(l.longest, now.Sub(l.last))
		l.last = now
		l.actions++
		l.tickets[ticket]++
	}
}

// done is how many actions were done.
func (l *load) done() int {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.actions
}

// finish ends the load, and demands that no request failed and that each ticket
// has had every action that was answered, once.
func (l *load) finish(ctx context.Context) {
	GinkgoHelper()
	close(l.stop)
	l.workers.Wait()
	Expect(l.failures).To(BeEmpty())
	ops := newApplication(ctx, false)
	for ticket, actions := range l.tickets {
		var wanted []string
		for n := range actions {
			wanted = append(wanted, fmt.Sprintf("action %d", n))
		}
		Expect(ops.comments(ctx, "lilei", ticket)[1:]).To(Equal(wanted), "what ticket %d went through", ticket)
	}
	AddReportEntry("load", fmt.Sprintf("%d actions, at most %s between two", l.actions, l.longest.Round(time.Millisecond)))
}
