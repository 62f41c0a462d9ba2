// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/index"
	"ticketflow.dev/ticketflow/engine"
)

// parentPatience is how long an answer waits for the parents of a ticket that
// has ended.
const parentPatience = 2 * time.Second

// awaitParents waits until the parent of a ticket that has ended counts it. If
// all have ended, the parent has gone on then, as clients find it that were
// written for the older system, where that is part of the child's request
// (rest-behaviour.md §5.7). It may have ended by that, and be a child itself. The
// ticket's own outcome stands, however long this takes.
func (b *Backend) awaitParents(ctx context.Context, t *v1alpha1.Ticket) {
	ctx, cancel := context.WithTimeout(ctx, parentPatience)
	defer cancel()
	for t != nil {
		if counted, ended := engine.Standing(t); !counted || !ended {
			return
		}
		t = b.awaitParent(ctx, t)
	}
}

// awaitParent is awaitParents for one; it answers the parent, nil if that is gone
// or took too long.
func (b *Backend) awaitParent(ctx context.Context, child *v1alpha1.Ticket) (parent *v1alpha1.Ticket) {
	name := types.NamespacedName{Namespace: child.Namespace, Name: string(child.Spec.Parent.Name)}
	waiting, remove := b.waiters.add(name)
	defer remove()
	ended := b.endedBeside(child)
	counts := func(t *v1alpha1.Ticket) bool {
		parent = t
		return t == nil || engine.EndedChildren(&t.Status, child.Spec.Parent.State) >= ended
	}
	if t, _ := b.index.ByName(name); counts(t) {
		return parent
	}
	if waiting.until(ctx, counts) != nil {
		return nil
	}
	return parent
}

// endedBeside is how many of the sub-tickets that hang where this one hangs have
// ended, itself included.
func (b *Backend) endedBeside(child *v1alpha1.Ticket) int {
	n, yes := 0, true
	b.index.Each(index.Query{Category: index.CategoryAll, ParentID: child.Status.ParentID, Ended: &yes}, func(t *v1alpha1.Ticket) {
		if t.Status.ParentStateID == child.Status.ParentStateID {
			n++
		}
	})
	return n
}
