// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ticket

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
)

// children are the tickets that hang on this one, as the cache shows them. They
// are shared and must not be changed.
func (r *Reconciler) children(ctx context.Context, t *v1alpha1.Ticket) ([]v1alpha1.Ticket, error) {
	var found v1alpha1.TicketList
	err := r.Client.List(ctx, &found, client.InNamespace(t.Namespace), client.MatchingFields{directory.IndexParent: t.Name}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list the sub-tickets: %w", err)
	}
	return found.Items, nil
}

// kin has a ticket's parent look after itself, which counts it; and, once the
// ticket has ended or is gone, its sub-tickets, which it kept from expiring.
func (r *Reconciler) kin(ctx context.Context, o client.Object) []reconcile.Request {
	t, ok := o.(*v1alpha1.Ticket)
	if !ok {
		return nil
	}
	var requests []reconcile.Request
	if t.Spec.Parent != nil {
		requests = append(requests, request(t.Namespace, string(t.Spec.Parent.Name)))
	}
	children, err := r.children(ctx, t)
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not wake the sub-tickets", "ticket", client.ObjectKeyFromObject(t))
	}
	for i := range children {
		if engine.HasEnded(&children[i].Status) {
			requests = append(requests, request(t.Namespace, children[i].Name))
		}
	}
	return requests
}

func request(namespace, name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}
}

// concernsKin are the changes of a ticket that its kin has to know of.
func concernsKin() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*v1alpha1.Ticket)
		after, okToo := e.ObjectNew.(*v1alpha1.Ticket)
		if !ok || !okToo {
			return false
		}
		counted, ended := engine.Standing(before)
		nowCounted, nowEnded := engine.Standing(after)
		return counted != nowCounted || ended != nowEnded || engine.HasEnded(&before.Status) != engine.HasEnded(&after.Status)
	}}
}

// parentIsComing says whether the ticket's parent may have been applied together
// with it and is not open yet.
func (r *Reconciler) parentIsComing(t *v1alpha1.Ticket) bool {
	if t.Spec.Parent == nil || r.Clock.Since(t.CreationTimestamp.Time) >= settling {
		return false
	}
	_, open := r.Directory.Parent(t.Namespace, string(t.Spec.Parent.Name))
	return !open
}

// stamp notes on the ticket that it was opened, so that a ticket whose status
// is lost is never opened a second time. It is not in the way of the opening
// itself, which somebody may be waiting for. It also gives a sub-ticket that
// came without its owner, as from a backup, back to its parent.
func (r *Reconciler) stamp(ctx context.Context, t *v1alpha1.Ticket) error {
	if err := r.own(ctx, t, t.Status.ParentID); err != nil {
		return err
	}
	if _, stamped := t.Annotations[v1alpha1.AnnotationOpened]; stamped || t.Status.OpenedAt == nil {
		return nil
	}
	stamped := t.DeepCopy()
	if stamped.Annotations == nil {
		stamped.Annotations = map[string]string{}
	}
	stamped.Annotations[v1alpha1.AnnotationOpened] = t.Status.OpenedAt.UTC().Format(time.RFC3339)
	// One empty entry ends the tracking of who set which field, which took a
	// fifth of what every later write costs kube-apiserver, and of memory. The
	// spec is immutable and the status ours alone: there is nothing to track.
	stamped.ManagedFields = []metav1.ManagedFieldsEntry{{}}
	if err := r.Client.Patch(ctx, stamped, client.MergeFrom(t)); err != nil {
		return fmt.Errorf("stamp the ticket as opened: %w", err)
	}
	t.Annotations, t.ResourceVersion = stamped.Annotations, stamped.ResourceVersion
	return nil
}

// own adds the parent to a sub-ticket's owners, so that it goes when that one
// goes. It is done before the opening: nothing that goes wrong later can leave
// the sub-ticket behind.
func (r *Reconciler) own(ctx context.Context, t *v1alpha1.Ticket, parentID v1alpha1.WireID) error {
	if t.Spec.Parent == nil || slices.ContainsFunc(t.OwnerReferences, isTicket) {
		return nil
	}
	var parent v1alpha1.Ticket
	name := client.ObjectKey{Namespace: t.Namespace, Name: string(t.Spec.Parent.Name)}
	err := r.Client.Get(ctx, name, &parent, client.UnsafeDisableDeepCopy)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read the parent: %w", err)
	}
	if err != nil || parent.Status.ID != parentID {
		return nil // it is gone; another of its name is not the parent
	}
	owned := t.DeepCopy()
	owned.OwnerReferences = append(owned.OwnerReferences, metav1.OwnerReference{
		APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: ticketKind, Name: parent.Name, UID: parent.UID,
	})
	// The list is replaced whole: nobody must have changed it meanwhile.
	if err := r.Client.Patch(ctx, owned, client.MergeFromWithOptions(t, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("give the ticket to its parent: %w", err)
	}
	t.OwnerReferences, t.ResourceVersion = owned.OwnerReferences, owned.ResourceVersion
	return nil
}

const ticketKind = "Ticket"

func isTicket(o metav1.OwnerReference) bool {
	return o.Kind == ticketKind && o.APIVersion == v1alpha1.SchemeGroupVersion.String()
}
