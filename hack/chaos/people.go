// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/hack/local"
)

const (
	// people work at the same time.
	people = 8
	// breather is the longest that one of them waits before the next ticket.
	breather = 4 * time.Second
	// family is a parent with its sub-tickets.
	family = 5
)

// work opens all tickets and approves those that have to be, in families of
// which every other has a parent.
func (c *chaos) work(ctx context.Context) error {
	families := workqueue.NewTyped[int]()
	for n := range (c.tickets + family - 1) / family {
		families.Add(n)
	}
	families.ShutDown()
	failures := make([]error, people)
	var group sync.WaitGroup
	for i := range people {
		chance := c.chance(1 + uint64(i)) //nolint:gosec // not negative
		group.Go(func() {
			for failures[i] == nil {
				n, done := families.Get()
				if done {
					return
				}
				failures[i] = c.family(ctx, n, chance)
				families.Done(n)
			}
		})
	}
	group.Wait()
	return errors.Join(failures...)
}

// family opens a family. Its members are approved once all are open, so that the
// parent does not go on before.
func (c *chaos) family(ctx context.Context, n int, chance *rand.Rand) error {
	size, parent := min(family, c.tickets-n*family), int64(0)
	opened := map[string]int64{}
	for member := range size {
		if err := pause(ctx, time.Duration(chance.Int64N(int64(breather)))); err != nil {
			return err
		}
		title := fmt.Sprintf("%d-%d", n, member)
		body := map[string]any{"workflow_id": 1, "transition_id": 1, "title": title}
		if parent != 0 {
			body["parent_ticket_id"], body["parent_ticket_state_id"] = parent, 20
		}
		begins := member == 0 && n%2 == 0 && size > 1
		if begins {
			body["workflow_id"], body["transition_id"] = 2, 10
		}
		id, err := c.open(ctx, title, body)
		if err != nil {
			return err
		}
		if begins {
			parent = id
		} else {
			opened[title] = id
		}
	}
	return c.approve(ctx, opened)
}

func (c *chaos) approve(ctx context.Context, opened map[string]int64) error {
	for _, title := range slices.Sorted(maps.Keys(opened)) {
		err := insist(ctx, "approve-"+title, func(key string) error {
			path := fmt.Sprintf("tickets/%d", opened[title])
			return c.rest.Once(ctx, key, http.MethodPatch, path, map[string]any{"transition_id": 2}, nil)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *chaos) open(ctx context.Context, key string, body map[string]any) (id int64, err error) {
	err = insist(ctx, "open-"+key, func(key string) error {
		var opened struct {
			ID int64 `json:"ticket_id"`
		}
		err := c.rest.Once(ctx, key, http.MethodPost, "tickets", body, &opened)
		id = opened.ID
		return err
	})
	return id, err
}

// notNow are the refusals that say that it is too early, or somebody else's turn.
var notNow = []string{"NotWaitingForHook", "Busy", "Conflict"}

// insist makes a request until it is answered, with the same key for as long as
// it is not known what became of it. A refusal is the answer, but for those that
// say that now is not the time.
func insist(ctx context.Context, key string, request func(key string) error) error {
	for n := 0; ; {
		err := request(fmt.Sprintf("%s-%d", key, n))
		var refusal *local.Refusal
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w", key, err)
		case errors.As(err, &refusal) && refusal.Status < http.StatusInternalServerError:
			if !slices.Contains(notNow, refusal.Reason) {
				return fmt.Errorf("%s: %w", key, err)
			}
			n++
		}
		if err := pause(ctx, glance); err != nil {
			return err
		}
	}
}

// await looks until all is done.
func (c *chaos) await(ctx context.Context) error {
	for {
		undone, err := c.look(context.WithoutCancel(ctx))
		if err != nil || len(undone) == 0 {
			return err
		}
		if pause(ctx, 10*glance) != nil {
			return fmt.Errorf("%d tickets are stuck: %w", len(undone), errors.Join(undone...))
		}
	}
}

// look retries what has failed, and says which tickets have not ended, or have
// but people were not told, or their sub-tickets are not counted.
func (c *chaos) look(ctx context.Context) (undone []error, err error) {
	var tickets v1alpha1.TicketList
	if err := c.client.List(ctx, &tickets, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	for i := range tickets.Items {
		t := &tickets.Items[i]
		if why := unfinished(t); why != "" {
			undone = append(undone, fmt.Errorf("ticket %d in state %q, %s: wanted %+v, run %+v, conditions %v",
				t.Status.ID, t.Status.State, why, t.Status.Wanted, t.Status.Run, t.Status.Conditions))
		}
		if !t.Status.LastRunFailed {
			continue
		}
		key := fmt.Sprintf("retry-%d-%d-%d", t.Status.ID, t.Status.Wanted.Visit, t.Status.Wanted.Attempt)
		err := c.rest.Once(ctx, key, http.MethodPost, fmt.Sprintf("tickets/%d/retry_script", t.Status.ID), map[string]any{}, nil)
		var refusal *local.Refusal // such as that it is not decided yet: it is looked at again
		if err != nil && !errors.As(err, &refusal) {
			return nil, err
		}
	}
	return undone, nil
}

// unfinished says what a ticket still has to do, if anything.
func unfinished(t *v1alpha1.Ticket) string {
	if !engine.HasEnded(&t.Status) {
		return "it goes on"
	}
	if engine.NotifiedUpTo(&t.Status, "people") < t.Status.HistoryCount {
		return "people are not told"
	}
	for _, count := range t.Status.Children {
		if count.Ended != count.Total {
			return "it does not count its sub-tickets"
		}
	}
	return ""
}
