// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package workflow

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// workers is how many workflows are judged at once.
const workers = 4

// Register adds the reconciler to a manager whose cache has the indexes of
// internal/directory.
func (r *Reconciler) Register(mgr ctrl.Manager) error {
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	gone := builder.WithPredicates(predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(event.UpdateEvent) bool { return false },
	})
	err := ctrl.NewControllerManagedBy(mgr).
		Named("workflow").
		For(&v1alpha1.Workflow{}, changed).
		Owns(&appsv1.ControllerRevision{}, gone).
		Watches(&v1alpha1.Ticket{}, handler.EnqueueRequestsFromMapFunc(r.leaving)).
		Watches(&v1alpha1.Script{}, handler.EnqueueRequestsFromMapFunc(r.warned), changed).
		Watches(&v1alpha1.UserRole{}, handler.EnqueueRequestsFromMapFunc(r.warned), changed).
		Watches(&v1alpha1.Department{}, handler.EnqueueRequestsFromMapFunc(r.warned), changed).
		Watches(&v1alpha1.User{}, handler.EnqueueRequestsFromMapFunc(r.warned), changed).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(reconcile.AsReconciler[*v1alpha1.Workflow](mgr.GetClient(), r))
	if err != nil {
		return fmt.Errorf("register workflow: %w", err)
	}
	return nil
}

// leaving is a ticket's workflow if it waits to be deleted: the ticket may
// have been the last one on it.
func (r *Reconciler) leaving(ctx context.Context, o client.Object) []reconcile.Request {
	ticket, ok := o.(*v1alpha1.Ticket)
	if !ok {
		return nil
	}
	key := client.ObjectKey{Namespace: ticket.Namespace, Name: string(ticket.Spec.WorkflowRef.Name)}
	var w v1alpha1.Workflow
	if err := r.Client.Get(ctx, key, &w, client.UnsafeDisableDeepCopy); err != nil || w.DeletionTimestamp.IsZero() {
		return nil
	}
	return []reconcile.Request{{NamespacedName: key}}
}

// warned are the workflows that a change of the directory may concern: those
// that warn of something, which may be right now, and those that use a script.
func (r *Reconciler) warned(ctx context.Context, o client.Object) []reconcile.Request {
	var all v1alpha1.WorkflowList
	if err := r.Client.List(ctx, &all, client.UnsafeDisableDeepCopy, client.InNamespace(o.GetNamespace())); err != nil {
		return nil
	}
	var requests []reconcile.Request
	for i := range all.Items {
		w := &all.Items[i]
		ready := meta.FindStatusCondition(w.Status.Conditions, v1alpha1.ConditionReady)
		if ready != nil && ready.Message != "" || uses(w, o) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(w)})
		}
	}
	return requests
}

// uses says whether one of the workflow's states belongs to a script, role or department.
func uses(w *v1alpha1.Workflow, o client.Object) bool {
	name := v1alpha1.ObjectName(o.GetName())
	for i := range w.Spec.States {
		p := w.Spec.States[i].Participants
		if p == nil {
			continue
		}
		var named []v1alpha1.ObjectName
		switch o.(type) {
		case *v1alpha1.Script:
			named = []v1alpha1.ObjectName{p.Script}
		case *v1alpha1.UserRole:
			named = p.UserRoles
		case *v1alpha1.Department:
			named = p.Departments
		}
		for _, n := range named {
			if n == name {
				return true
			}
		}
	}
	return false
}
