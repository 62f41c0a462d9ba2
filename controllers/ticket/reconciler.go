// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ticket opens tickets, applies what people ask of them and lets them
// go on by themselves. The rules are the engine's: this package gathers what
// the engine needs to know, asks it, and writes the answer down, once.
//
// The path of a reconciliation is in Reconcile. Opening is in open.go, asking
// the engine in decide.go, writing in write.go.
package ticket

import (
	"cmp"
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/graphs"
	"ticketflow.dev/ticketflow/internal/ids"
)

const (
	// workers is how many tickets are looked after at once: enough to keep
	// the API server busy, since a decision mostly waits for its write.
	workers = 32
	// afterConflict is when to look again although the write that came first
	// will wake us anyway.
	afterConflict = time.Second
	// repairInterval is how often to look whether somebody has repaired what
	// keeps a ticket from going on.
	repairInterval = time.Minute
)

// Directory answers the engine's questions, and which serial numbers an
// application's tickets get.
type Directory interface {
	engine.Directory
	ApplicationObject(appName string) (*v1alpha1.Application, bool)
}

// Reconciler looks after tickets.
type Reconciler struct {
	// Client reads whole tickets from the cache, never heads, and writes.
	Client client.Client
	// Live reads past the cache.
	Live client.Reader
	// Graphs compiles revisions.
	Graphs *graphs.Graphs
	// Directory answers the engine's questions.
	Directory Directory
	// Counter numbers new tickets.
	Counter *ids.Counter
	// Events are told of what went wrong or needs a person; there may be no one to tell.
	Events events.EventRecorder
	// Clock tells the time.
	Clock clock.PassiveClock
	// Location is the time zone that serial numbers' days are in, and times that
	// people send without one.
	Location *time.Location

	failures failures
	openings openings
	ends     ends
}

// +kubebuilder:rbac:groups=ticketflow.dev,resources=tickets,verbs=get;list;watch;patch;delete
// +kubebuilder:rbac:groups=ticketflow.dev,resources=tickets/status,verbs=get;update;patch
// +kubebuilder:rbac:groups=ticketflow.dev,resources=tickets/finalizers,verbs=update
// +kubebuilder:rbac:groups=ticketflow.dev,resources=ticketrecords,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups=ticketflow.dev,resources=workflows;users;departments;userroles;scripts;applications,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get;list;watch
// +kubebuilder:rbac:groups="",namespace=ticketflow-system,resources=configmaps,verbs=get;create;update

// Register adds the reconciler to a manager whose cache has the indexes of
// internal/directory.
func (r *Reconciler) Register(mgr ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).
		Named("ticket").
		For(&v1alpha1.Ticket{}).
		Watches(&v1alpha1.Ticket{}, handler.EnqueueRequestsFromMapFunc(r.kin), builder.WithPredicates(concernsKin())).
		Watches(&v1alpha1.Workflow{}, handler.EnqueueRequestsFromMapFunc(r.keptBy), builder.WithPredicates(retentionChanges())).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(reconcile.AsReconciler[*v1alpha1.Ticket](mgr.GetClient(), r))
	if err != nil {
		return fmt.Errorf("register ticket: %w", err)
	}
	return nil
}

// Reconcile brings one ticket up to date: it is opened, or what is asked and
// what falls due is decided, and the outcome written.
func (r *Reconciler) Reconcile(ctx context.Context, t *v1alpha1.Ticket) (result reconcile.Result, err error) {
	if !t.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, nil
	}
	defer r.failures.note(t.UID, &err)

	if t.Status.ID == 0 {
		result, err = r.begin(ctx, t)
	} else {
		result, err = r.proceed(ctx, t)
	}
	switch {
	case apierrors.IsConflict(err):
		// Decided on what was no longer so. Nothing was applied; what came
		// first is on its way here and will be decided on.
		return reconcile.Result{RequeueAfter: afterConflict}, nil
	case apierrors.IsNotFound(err):
		return reconcile.Result{RequeueAfter: afterConflict}, nil
	}
	return result, err
}

// proceed looks after a ticket that is open, or was.
func (r *Reconciler) proceed(ctx context.Context, t *v1alpha1.Ticket) (reconcile.Result, error) {
	graph, err := r.Graphs.Of(ctx, t)
	if err != nil {
		return r.missingRevision(ctx, t, err)
	}
	children, err := r.children(ctx, t)
	if err != nil {
		return reconcile.Result{}, err
	}
	v := r.decide(graph, t, children)
	wrote, err := r.write(ctx, t, v)
	if err != nil {
		return r.refuseUnwritable(ctx, t, err)
	}
	if deleted(&t.Status) {
		return reconcile.Result{}, client.IgnoreNotFound(r.Client.Delete(ctx, t, client.Preconditions{UID: &t.UID}))
	}
	if wrote { // what was written comes back here: time enough for the rest then
		return reconcile.Result{RequeueAfter: v.again}, nil
	}
	if err := r.stamp(ctx, t); err != nil {
		return reconcile.Result{}, err
	}
	expires, err := r.expire(ctx, graph, t, children)
	return reconcile.Result{RequeueAfter: cmp.Or(v.again, expires)}, err
}

// deleted says whether the ticket's deletion is in its history.
func deleted(status *v1alpha1.TicketStatus) bool {
	for i := range status.History {
		if status.History[i].Action == v1alpha1.HistoryAction(v1alpha1.ActionDelete) {
			return true
		}
	}
	return false
}
