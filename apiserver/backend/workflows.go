// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
)

// Listed is a workflow, with what is asked of each where all are looked at. It
// must not be changed.
type Listed struct {
	*v1alpha1.Workflow
	// Key is namespace/name.
	Key string
	// Graph is what new tickets follow; nil where the workflow never compiled.
	Graph *engine.Graph
}

// Workflows lists workflows that have their id, in its order. The list is shared
// and must not be changed: every list of tickets looks at all of them.
func (b *Backend) Workflows() []Listed { return (*b.workflows.Load())() }

// forgetWorkflows has the next Workflows look anew. A look that is under way
// serves those who wait for it, and nobody later.
func (b *Backend) forgetWorkflows() {
	look := sync.OnceValue(b.lookAtWorkflows)
	b.workflows.Store(&look)
}

func (b *Backend) lookAtWorkflows() []Listed {
	ctx := context.Background() // the cache waits for nothing
	var list v1alpha1.WorkflowList
	if err := b.cache.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil // the informer is there since Start; nothing else can fail
	}
	out := make([]Listed, 0, len(list.Items))
	for i := range list.Items {
		w := &list.Items[i]
		if w.Status.ID == 0 {
			continue
		}
		graph, _ := b.CurrentGraph(ctx, w) // nil where there is none: the revision's event has all looked at anew
		out = append(out, Listed{Workflow: w, Key: w.Namespace + "/" + w.Name, Graph: graph})
	}
	slices.SortFunc(out, func(a, b Listed) int { return cmp.Compare(a.Status.ID, b.Status.ID) })
	return out
}

// WorkflowByID finds a workflow by its wire id.
func (b *Backend) WorkflowByID(ctx context.Context, id v1alpha1.WireID) (*v1alpha1.Workflow, bool) {
	var list v1alpha1.WorkflowList
	err := b.cache.List(ctx, &list, client.MatchingFields{directory.IndexStatusID: directory.IDKey(id)}, client.UnsafeDisableDeepCopy)
	if err != nil || len(list.Items) == 0 {
		return nil, false
	}
	return &list.Items[0], true
}

// WorkflowOfState finds the workflow that a state belongs to.
func (b *Backend) WorkflowOfState(id v1alpha1.WireID) (*v1alpha1.Workflow, bool) {
	for _, w := range b.Workflows() {
		for _, known := range w.Status.StateIDs {
			if known == id {
				return w.Workflow, true
			}
		}
	}
	return nil, false
}

// Workflow finds a ticket's workflow by name.
func (b *Backend) Workflow(ctx context.Context, namespace, name string) (*v1alpha1.Workflow, bool) {
	var workflow v1alpha1.Workflow
	err := b.cache.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &workflow, client.UnsafeDisableDeepCopy)
	return &workflow, err == nil
}
