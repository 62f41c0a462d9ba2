// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/history"
)

// moves are what moves a ticket of each workflow, from its opening to its end.
var moves = map[v1alpha1.ObjectName][]string{
	"work": {
		"Open new submit", "Transition approve approved", "ScriptSucceeded run ran", "HookSucceeded tell told",
		"HookCallback ask answered", "Timer pause passed",
	},
	"project": {"Open new begin", "ChildrenEnded develop developed"},
}

// told says that an entry moves its ticket: of those, and of no others, people are told.
func told(entry *v1alpha1.HistoryEntry) bool {
	return entry.Transition != "" && entry.Action != v1alpha1.HistoryScriptFailed
}

// check looks at what became of the tickets, and at what they did.
func (c *chaos) check(ctx context.Context) error {
	var tickets v1alpha1.TicketList
	if err := c.client.List(ctx, &tickets, client.InNamespace(namespace)); err != nil {
		return err
	}
	c.receiver.mu.Lock()
	defer c.receiver.mu.Unlock()
	problems := slices.Clone(c.receiver.problems)
	if len(tickets.Items) != c.tickets {
		problems = append(problems, fmt.Errorf("%d tickets were opened, but %d are there", c.tickets, len(tickets.Items)))
	}
	again := repeated{}
	for i := range tickets.Items {
		t := &tickets.Items[i]
		if err := c.checkOne(ctx, t, again); err != nil {
			problems = append(problems, fmt.Errorf("ticket %d: %w", t.Status.ID, err))
		}
	}
	left, err := c.leftBehind()
	if err != nil {
		return err
	}
	for _, process := range left {
		if strings.Contains(process, "sleep") {
			problems = append(problems, fmt.Errorf("a script's process is left behind: %s", process))
		}
	}
	fmt.Printf("done more than once, since it was not known: %d scripts, %d + %d hooks, %d notices\n",
		again["script"], again["tell"], again["ask"], again["notice"])
	return errors.Join(problems...)
}

// repeated counts effects beyond the first.
type repeated map[string]int

func (c *chaos) checkOne(ctx context.Context, t *v1alpha1.Ticket, again repeated) error {
	older, err := history.Recorded(ctx, c.client, t, history.ByLabel(t))
	if err != nil {
		return err
	}
	entries := append(older, t.Status.History...)
	problems := []error{checkHistory(t, entries), c.checkNotices(t, entries, again)}
	if t.Spec.Parent != nil && len(t.OwnerReferences) == 0 {
		problems = append(problems, errors.New("it is not its parent's"))
	}
	if t.Spec.WorkflowRef.Name != "work" {
		return errors.Join(problems...)
	}
	ran, err := os.ReadFile(filepath.Join(c.effects, fmt.Sprintf("%d.ran", t.Status.ID)))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for effect, times := range map[string]int{
		"script": strings.Count(string(ran), "\n"), "tell": c.receiver.told[int64(t.Status.ID)], "ask": c.receiver.asked[int64(t.Status.ID)],
	} {
		if times == 0 {
			problems = append(problems, fmt.Errorf("%s never happened", effect))
		}
		again[effect] += max(0, times-1)
	}
	return errors.Join(problems...)
}

// checkHistory: no gap, no action twice, the chain holds, each move once.
func checkHistory(t *v1alpha1.Ticket, entries []v1alpha1.HistoryEntry) error {
	if int64(len(entries)) != t.Status.HistoryCount {
		return fmt.Errorf("its history has %d entries instead of %d", len(entries), t.Status.HistoryCount)
	}
	if err := engine.VerifyHistory("", entries); err != nil {
		return err
	}
	seen, moved := map[string]bool{}, []string{}
	for i := range entries {
		entry := &entries[i]
		if entry.Seq != int64(i)+1 {
			return fmt.Errorf("entry %d has the number %d", i+1, entry.Seq)
		}
		if entry.ActionID != "" && seen[entry.ActionID] {
			return fmt.Errorf("action %s is there twice", entry.ActionID)
		}
		seen[entry.ActionID] = true
		if told(entry) {
			moved = append(moved, fmt.Sprintf("%s %s %s", entry.Action, entry.State, entry.Transition))
		}
	}
	if want := moves[t.Spec.WorkflowRef.Name]; !slices.Equal(moved, want) {
		return fmt.Errorf("it went %q instead of %q", moved, want)
	}
	return nil
}

// checkNotices: each move was told of, and for the first time in order.
func (c *chaos) checkNotices(t *v1alpha1.Ticket, entries []v1alpha1.HistoryEntry, again repeated) error {
	var first, want []int64
	for _, seq := range c.receiver.notices[int64(t.Status.ID)] {
		if slices.Contains(first, seq) {
			again["notice"]++
			continue
		}
		first = append(first, seq)
	}
	for i := range entries {
		if told(&entries[i]) {
			want = append(want, entries[i].Seq)
		}
	}
	if !slices.Equal(first, want) {
		return fmt.Errorf("people were told of %v instead of %v", first, want)
	}
	return nil
}

// collected deletes a parent and waits until its sub-tickets are gone, too.
func (c *chaos) collected(ctx context.Context) error {
	var tickets v1alpha1.TicketList
	if err := c.client.List(ctx, &tickets, client.InNamespace(namespace)); err != nil {
		return err
	}
	at := slices.IndexFunc(tickets.Items, func(t v1alpha1.Ticket) bool { return t.Spec.Parent != nil })
	if at < 0 {
		return nil
	}
	name := tickets.Items[at].Spec.Parent.Name
	parent := &v1alpha1.Ticket{}
	parent.Namespace, parent.Name = namespace, string(name)
	if err := c.client.Delete(ctx, parent); err != nil {
		return err
	}
	for {
		if err := c.client.List(ctx, &tickets, client.InNamespace(namespace)); err != nil {
			return err
		}
		if !slices.ContainsFunc(tickets.Items, func(t v1alpha1.Ticket) bool { return t.Spec.Parent != nil && t.Spec.Parent.Name == name }) {
			return nil
		}
		if err := pause(ctx, 10*glance); err != nil {
			return fmt.Errorf("the sub-tickets of a deleted parent stay: %w", err)
		}
	}
}
