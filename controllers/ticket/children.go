// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ticket

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
)

// children counts the ticket's sub-tickets, as the cache shows them.
func (r *Reconciler) children(ctx context.Context, t *v1alpha1.Ticket) ([]v1alpha1.ChildrenCount, error) {
	var found v1alpha1.TicketList
	err := r.Client.List(ctx, &found, client.InNamespace(t.Namespace), client.MatchingFields{directory.IndexParent: t.Name}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("count the sub-tickets: %w", err)
	}
	return engine.CountChildren(found.Items), nil
}

// parentOf has a sub-ticket's parent look after itself.
func parentOf(_ context.Context, o client.Object) []reconcile.Request {
	t, ok := o.(*v1alpha1.Ticket)
	if !ok || t.Spec.Parent == nil {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: t.Namespace, Name: string(t.Spec.Parent.Name)}}}
}

// countsAnew are the changes after which a parent's count may be another one.
func countsAnew() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*v1alpha1.Ticket)
		after, okToo := e.ObjectNew.(*v1alpha1.Ticket)
		if !ok || !okToo {
			return false
		}
		return !slices.Equal(engine.CountChildren([]v1alpha1.Ticket{*before}), engine.CountChildren([]v1alpha1.Ticket{*after}))
	}}
}

// stamp notes on the ticket that it was opened, so that a ticket whose status
// is lost is never opened a second time, and that it belongs to its parent, so
// that it goes when that one goes. It is not in the way of the opening itself,
// which somebody may be waiting for.
func (r *Reconciler) stamp(ctx context.Context, t *v1alpha1.Ticket) error {
	stamped := t.DeepCopy()
	if stamped.Annotations == nil {
		stamped.Annotations = map[string]string{}
	}
	if _, done := stamped.Annotations[v1alpha1.AnnotationOpened]; !done && t.Status.OpenedAt != nil {
		stamped.Annotations[v1alpha1.AnnotationOpened] = t.Status.OpenedAt.UTC().Format(time.RFC3339)
	}
	if err := r.belong(ctx, stamped); err != nil {
		return err
	}
	if len(stamped.Annotations) == len(t.Annotations) && len(stamped.OwnerReferences) == len(t.OwnerReferences) {
		return nil
	}
	if err := r.Client.Patch(ctx, stamped, client.MergeFrom(t)); err != nil {
		return fmt.Errorf("stamp the ticket as opened: %w", err)
	}
	return nil
}

// belong makes a sub-ticket its parent's.
func (r *Reconciler) belong(ctx context.Context, t *v1alpha1.Ticket) error {
	owned := slices.ContainsFunc(t.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == "Ticket" })
	if t.Spec.Parent == nil || owned {
		return nil
	}
	var parent v1alpha1.Ticket
	name := client.ObjectKey{Namespace: t.Namespace, Name: string(t.Spec.Parent.Name)}
	err := r.Client.Get(ctx, name, &parent, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) || parent.Status.ID != t.Status.ParentID {
		return nil // it is gone; another of its name is not the parent
	}
	if err != nil {
		return fmt.Errorf("read the parent: %w", err)
	}
	t.OwnerReferences = append(t.OwnerReferences, metav1.OwnerReference{
		APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "Ticket", Name: parent.Name, UID: parent.UID,
	})
	return nil
}
