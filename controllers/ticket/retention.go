// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ticket

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
	"ticketflow.dev/ticketflow/internal/metrics"
)

// expire deletes a ticket that its workflow keeps no longer, or says after what
// time to ask again.
func (r *Reconciler) expire(ctx context.Context, graph *engine.Graph, t *v1alpha1.Ticket, children []v1alpha1.Ticket) (time.Duration, error) {
	if !engine.Ended(graph, &t.Status) {
		return 0, nil
	}
	underWay, err := r.parentUnderWay(ctx, t)
	if err != nil {
		return 0, err
	}
	kin, now := engine.Kin{ParentUnderWay: underWay, Children: len(children)}, r.Clock.Now()
	retention, err := retentionOf(ctx, r.Client, t, client.UnsafeDisableDeepCopy)
	if err != nil {
		return 0, err
	}
	expired, next := engine.Expired(graph, &t.Status, retention, kin, now)
	if !expired {
		return until(next, now), nil
	}
	// A deletion is for good: the workflow may have changed its mind, and the
	// cache not know it yet.
	if retention, err = retentionOf(ctx, r.Live, t); err != nil {
		return 0, err
	}
	if expired, next = engine.Expired(graph, &t.Status, retention, kin, now); !expired {
		return until(next, now), nil
	}
	// Only as it was looked at: it may have been reopened, or be asked something.
	err = r.Client.Delete(ctx, t, client.Preconditions{UID: &t.UID, ResourceVersion: &t.ResourceVersion})
	if err != nil {
		return 0, fmt.Errorf("delete the ticket, which has expired: %w", err)
	}
	metrics.Expired(metrics.WorkflowOf(t))
	log.FromContext(ctx).Info("Deleted a ticket that its workflow keeps no longer", "id", t.Status.ID, "finished", t.Status.EnteredAt)
	return 0, nil
}

// retentionOf is what the ticket's workflow says; nothing if there is none any more.
func retentionOf(ctx context.Context, reader client.Reader, t *v1alpha1.Ticket, opts ...client.GetOption) (*v1alpha1.Retention, error) {
	var w v1alpha1.Workflow
	err := reader.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: string(t.Spec.WorkflowRef.Name)}, &w, opts...)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read the workflow: %w", err)
	}
	return w.Spec.Retention, nil
}

func (r *Reconciler) parentUnderWay(ctx context.Context, t *v1alpha1.Ticket) (bool, error) {
	if t.Spec.Parent == nil {
		return false, nil
	}
	var parent v1alpha1.Ticket
	name := client.ObjectKey{Namespace: t.Namespace, Name: string(t.Spec.Parent.Name)}
	err := r.Client.Get(ctx, name, &parent, client.UnsafeDisableDeepCopy)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("read the parent: %w", err)
	}
	return err == nil && parent.Status.ID == t.Status.ParentID && !engine.HasEnded(&parent.Status), nil
}

// keptBy are a workflow's ended tickets: those that its retention is about.
func (r *Reconciler) keptBy(ctx context.Context, o client.Object) []reconcile.Request {
	var tickets v1alpha1.TicketList
	err := r.Client.List(ctx, &tickets, client.InNamespace(o.GetNamespace()),
		client.MatchingFields{directory.IndexWorkflow: o.GetName()}, client.UnsafeDisableDeepCopy)
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not find the tickets of a workflow whose retention changed", "workflow", client.ObjectKeyFromObject(o))
	}
	var requests []reconcile.Request
	for i := range tickets.Items {
		if engine.HasEnded(&tickets.Items[i].Status) {
			requests = append(requests, request(o.GetNamespace(), tickets.Items[i].Name))
		}
	}
	return requests
}

// retentionChanges are the changes of a workflow after which its ended tickets
// may have to go at another time. When it comes into sight, so do they.
func retentionChanges() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool {
			w, ok := e.Object.(*v1alpha1.Workflow)
			return ok && w.Spec.Retention != nil
		},
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*v1alpha1.Workflow)
			after, okToo := e.ObjectNew.(*v1alpha1.Workflow)
			return ok && okToo && !equality.Semantic.DeepEqual(before.Spec.Retention, after.Spec.Retention)
		},
		DeleteFunc: func(event.DeleteEvent) bool { return false },
	}
}
