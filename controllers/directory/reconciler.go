// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package directory gives people, departments, roles, scripts, notifiers and
// applications their wire ids, and tells those whose id or wire name belongs
// to another already.
package directory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/conditions"
	lookup "ticketflow.dev/ticketflow/internal/directory"
	"ticketflow.dev/ticketflow/internal/ids"
)

// soon is when to look again after another write came first.
const soon = 5 * time.Millisecond

// workers is how many objects of a kind are looked after at once.
const workers = 4

// +kubebuilder:rbac:groups=ticketflow.dev,resources=users;departments;userroles;scripts;notifiers;applications,verbs=get;list;watch
// +kubebuilder:rbac:groups=ticketflow.dev,resources=users/status;departments/status;userroles/status;scripts/status;notifiers/status;applications/status,verbs=get;update;patch
// +kubebuilder:rbac:groups="",namespace=ticketflow-system,resources=configmaps,verbs=get;list;create;update

// Register adds a reconciler for each of the kinds to a manager whose cache
// has the indexes of internal/directory.
func Register(mgr ctrl.Manager, registry *ids.Registry, clk clock.PassiveClock) error {
	return errors.Join(
		register(mgr, registry, clk, users()),
		register(mgr, registry, clk, applications()),
		register(mgr, registry, clk, departments()),
		register(mgr, registry, clk, userRoles()),
		register(mgr, registry, clk, scripts()),
		register(mgr, registry, clk, notifiers()),
	)
}

func register[T any, P object[T]](mgr ctrl.Manager, registry *ids.Registry, clk clock.PassiveClock, k kind[T, P]) error {
	r := &reconciler[T, P]{client: mgr.GetClient(), registry: registry, clock: clk, kind: k}
	b := ctrl.NewControllerManagedBy(mgr).
		Named(string(k.ids)).
		For(P(new(T))).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers})
	if k.wireName != nil {
		b = b.Watches(P(new(T)), handler.EnqueueRequestsFromMapFunc(r.rivals))
	}
	if err := b.Complete(reconcile.AsReconciler[P](mgr.GetClient(), r)); err != nil {
		return fmt.Errorf("register %s: %w", k.ids, err)
	}
	return nil
}

// reconciler gives the objects of one kind their ids.
type reconciler[T any, P object[T]] struct {
	client   client.Client
	registry *ids.Registry
	clock    clock.PassiveClock
	kind     kind[T, P]
}

// Reconcile judges an object's wire name, gives it its id and writes both into
// its status.
func (r *reconciler[T, P]) Reconcile(ctx context.Context, o P) (reconcile.Result, error) {
	if !o.GetDeletionTimestamp().IsZero() {
		return reconcile.Result{}, nil
	}
	before := o.DeepCopyObject().(P)
	status := r.kind.status(o)
	reason, message, err := r.judge(ctx, o)
	if err != nil {
		if ids.IsConflict(err) {
			return reconcile.Result{RequeueAfter: soon}, nil
		}
		return reconcile.Result{}, err
	}
	conditions.SetReady(r.clock, &status.Conditions, o.GetGeneration(), reason, message)
	status.ObservedGeneration = o.GetGeneration()
	if equality.Semantic.DeepEqual(r.kind.status(before), status) {
		return reconcile.Result{}, nil
	}
	if err := r.client.Status().Patch(ctx, o, client.MergeFrom(before)); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	return reconcile.Result{}, nil
}

// judge says whether the object has its id and its wire name.
func (r *reconciler[T, P]) judge(ctx context.Context, o P) (reason, message string, err error) {
	if r.kind.wireName != nil {
		name := r.kind.wireName(o)
		if r.kind.reserved != nil && r.kind.reserved(name) {
			return v1alpha1.ReasonNameReserved, fmt.Sprintf("the name %s is reserved", name), nil
		}
		owner, err := r.owner(ctx, name)
		if err != nil {
			return "", "", err
		}
		if owner != nil && owner.GetUID() != o.GetUID() && lookup.Precedes(owner, o) {
			return v1alpha1.ReasonNameTaken, fmt.Sprintf("the name %s belongs to %s, which came first", name, owner.GetName()), nil
		}
	}
	status := r.kind.status(o)
	claim := ids.Claim{Name: ids.Name(o), Want: r.kind.wantID(o), Seen: status.ID}
	given, err := r.registry.Assign(ctx, r.kind.ids, []ids.Claim{claim})
	var taken *ids.TakenError
	if errors.As(err, &taken) {
		return v1alpha1.ReasonIDTaken, taken.Error(), nil
	}
	if err != nil {
		return "", "", err
	}
	status.ID = given[claim.Name]
	return v1alpha1.ReasonReady, "", nil
}

// owner is whoever came first of those that want a wire name.
func (r *reconciler[T, P]) owner(ctx context.Context, name string) (client.Object, error) {
	all, err := r.named(ctx, name)
	if err != nil {
		return nil, err
	}
	var first client.Object
	for _, candidate := range all {
		if first == nil || lookup.Precedes(candidate, first) {
			first = candidate
		}
	}
	return first, nil
}

// rivals are the objects that want the same wire name: what happens to one
// concerns the others.
func (r *reconciler[T, P]) rivals(ctx context.Context, o client.Object) []reconcile.Request {
	typed, ok := o.(P)
	if !ok {
		return nil
	}
	all, err := r.named(ctx, r.kind.wireName(typed))
	if err != nil {
		return nil
	}
	var requests []reconcile.Request
	for _, rival := range all {
		if rival.GetUID() != o.GetUID() {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(rival)})
		}
	}
	return requests
}

func (r *reconciler[T, P]) named(ctx context.Context, name string) ([]client.Object, error) {
	gvk, err := r.client.GroupVersionKindFor(P(new(T)))
	if err != nil {
		return nil, fmt.Errorf("find the kind: %w", err)
	}
	gvk.Kind += "List"
	made, err := r.client.Scheme().New(gvk)
	if err != nil {
		return nil, fmt.Errorf("make a list: %w", err)
	}
	list, ok := made.(client.ObjectList)
	if !ok {
		return nil, fmt.Errorf("%s is no list", gvk.Kind)
	}
	if err := r.client.List(ctx, list, client.UnsafeDisableDeepCopy, client.MatchingFields{lookup.IndexWireName: name}); err != nil {
		return nil, fmt.Errorf("look for the name %s: %w", name, err)
	}
	items, err := meta.ExtractList(list)
	if err != nil {
		return nil, fmt.Errorf("read the list: %w", err)
	}
	objects := make([]client.Object, 0, len(items))
	for _, item := range items {
		if o, ok := item.(client.Object); ok {
			objects = append(objects, o)
		}
	}
	return objects, nil
}
