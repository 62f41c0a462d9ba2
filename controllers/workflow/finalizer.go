// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package workflow

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
)

// hold puts the finalizer on a workflow, by a patch of its metadata alone.
func (r *Reconciler) hold(ctx context.Context, w *v1alpha1.Workflow) error {
	before := w.DeepCopy()
	if !controllerutil.AddFinalizer(w, v1alpha1.FinalizerInUse) {
		return nil
	}
	return r.patchFinalizers(ctx, w, before)
}

// leavingMessage says why a workflow that is to be deleted is still there.
const leavingMessage = "it is being deleted, opens no new tickets and goes once no unfinished ticket is on it"

// release takes the finalizer off a workflow that is to be deleted, once no
// unfinished ticket is on it; until then its condition says what it waits for.
// What ended tickets follow stays for them.
func (r *Reconciler) release(ctx context.Context, w *v1alpha1.Workflow) error {
	inUse, err := r.inUse(ctx, w)
	if err != nil {
		return err
	}
	if inUse && !directory.Counts(w.Status.Conditions) {
		return nil // its id stays another's
	}
	if inUse {
		return r.say(ctx, w.DeepCopy(), w, verdict{v1alpha1.ReasonTerminating, leavingMessage})
	}
	if err := r.leaveRevisions(ctx, w); err != nil {
		return err
	}
	before := w.DeepCopy()
	if !controllerutil.RemoveFinalizer(w, v1alpha1.FinalizerInUse) {
		return nil
	}
	return r.patchFinalizers(ctx, w, before)
}

// patchFinalizers demands that nobody else changed the list meanwhile, which
// is replaced whole.
func (r *Reconciler) patchFinalizers(ctx context.Context, w, before *v1alpha1.Workflow) error {
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	// The answer is not wanted: it would bring back the spec as the server
	// has it, while this reconciliation is about the one that it was given.
	answer := w.DeepCopy()
	if err := r.Client.Patch(ctx, answer, patch); err != nil {
		return fmt.Errorf("patch finalizers: %w", err)
	}
	w.ResourceVersion = answer.ResourceVersion
	return nil
}

func (r *Reconciler) inUse(ctx context.Context, w *v1alpha1.Workflow) (bool, error) {
	var tickets v1alpha1.TicketList
	err := r.Client.List(ctx, &tickets, client.UnsafeDisableDeepCopy, client.InNamespace(w.Namespace),
		client.MatchingFields{directory.IndexWorkflow: w.Name})
	if err != nil {
		return false, fmt.Errorf("list tickets: %w", err)
	}
	for i := range tickets.Items {
		if unfinished, err := r.unfinished(ctx, &tickets.Items[i]); err != nil || unfinished {
			return unfinished, err
		}
	}
	return false, nil
}

// unfinished says whether a ticket needs its workflow still. One counts whose
// opening is not decided yet, or that the cache does not show as opened yet: it
// may be under way by now, and is refused soon if it is not. One that has lost its
// status or whose revision is gone counts, too: somebody has to look after it.
func (r *Reconciler) unfinished(ctx context.Context, t *v1alpha1.Ticket) (bool, error) {
	if t.Status.ID == 0 {
		return !engine.NeverOpened(&t.Status), nil
	}
	graph, err := r.Graphs.Revision(ctx, t.Namespace, t.Status.WorkflowRevision)
	if client.IgnoreNotFound(err) != nil {
		return true, err
	}
	return err != nil || !engine.Ended(graph, &t.Status), nil
}
