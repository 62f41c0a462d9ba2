// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package hook calls the other system that a ticket waits for, and reports in
// status.run what it answered (rest-behaviour.md §8.2). What is to be called
// follows from the ticket's status alone, and when to call again from the time
// at which calling began: a restart forgets nothing.
package hook

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/graphs"
	"ticketflow.dev/ticketflow/internal/metrics"
	"ticketflow.dev/ticketflow/internal/outbound"
	"ticketflow.dev/ticketflow/internal/runs"
	"ticketflow.dev/ticketflow/internal/wire"
)

const (
	// workers is how many calls are under way at once: they wait more than work.
	workers = 32
	// shortestPause and longestPause bound the time between two calls; it is as
	// long as the time since the first, so that it doubles.
	shortestPause = time.Second
	longestPause  = time.Minute
	// patience is how long a system that cannot be reached is called again.
	patience = 30 * time.Minute
)

// Poster makes requests, as outbound.Client does.
type Poster interface {
	Post(ctx context.Context, address, token string, body any) (outbound.Answer, error)
}

// Reconciler calls hooks.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live reads past the cache.
	Live client.Reader
	// Graphs knows the revisions of workflows.
	Graphs *graphs.Graphs
	// Writer writes tickets as the other side knows them.
	Writer wire.Writer
	// Outbound makes the calls.
	Outbound Poster
	// Clock tells the time.
	Clock clock.PassiveClock

	turns  turns
	pauses pauses
}

// +kubebuilder:rbac:groups=ticketflow.dev,resources=tickets,verbs=get;list;watch
// +kubebuilder:rbac:groups=ticketflow.dev,resources=tickets/status,verbs=get;patch
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get

// Register adds the reconciler to a manager.
func (r *Reconciler) Register(mgr ctrl.Manager) error {
	waiting := builder.WithPredicates(predicate.NewPredicateFuncs(func(o client.Object) bool {
		t, ok := o.(*v1alpha1.Ticket)
		return ok && wanted(t) != nil
	}))
	err := ctrl.NewControllerManagedBy(mgr).
		Named("hook").
		For(&v1alpha1.Ticket{}, waiting).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(reconcile.AsReconciler[*v1alpha1.Ticket](mgr.GetClient(), r))
	if err != nil {
		return fmt.Errorf("register hook: %w", err)
	}
	return nil
}

// wanted is the call that a ticket asks for and that has not ended.
func wanted(t *v1alpha1.Ticket) *v1alpha1.WantedRun {
	if !t.DeletionTimestamp.IsZero() {
		return nil
	}
	return engine.RunWanted(&t.Status, v1alpha1.ParticipantsHook)
}

// Reconcile makes the call that the ticket asks for, if its time has come.
func (r *Reconciler) Reconcile(ctx context.Context, cached *v1alpha1.Ticket) (reconcile.Result, error) {
	want := wanted(cached)
	if want == nil {
		return reconcile.Result{}, nil
	}
	if left := r.pauses.left(runs.Name(cached.UID, want.Visit, want.Attempt), r.Clock.Now()); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	// The cache may not show yet that the call has been answered.
	t := &v1alpha1.Ticket{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(cached), t); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if want = wanted(t); want == nil || t.UID != cached.UID {
		return reconcile.Result{}, nil
	}
	c, why, err := r.gather(ctx, t)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("prepare the call: %w", err)
	}
	if why != "" {
		return reconcile.Result{}, r.finish(ctx, t, r.run(t, want), "", errors.New(why))
	}
	host := hostOf(c.address)
	if !r.turns.begin(host) {
		return reconcile.Result{RequeueAfter: turnPause}, nil
	}
	began := r.Clock.Now()
	defer func() { r.turns.end(host, r.Clock.Since(began)) }()
	return r.call(ctx, t, r.run(t, want), c)
}

// call makes the call, and reports how it went or when to make it again.
func (r *Reconciler) call(ctx context.Context, t *v1alpha1.Ticket, run v1alpha1.Run, c call) (reconcile.Result, error) {
	if t.Status.Run == nil || t.Status.Run.Name != run.Name {
		if err := runs.Report(ctx, r.Client, t, run); err != nil {
			return reconcile.Result{}, client.IgnoreNotFound(err)
		}
	}
	began := r.Clock.Now()
	message, failure := r.send(ctx, c)
	if failure != nil && ctx.Err() != nil {
		return reconcile.Result{}, nil // cut off by a shutdown: called again at the next start
	}
	metrics.HookCalled(metrics.WorkflowOf(t), t.Status.State, outbound.Outcome(failure), r.Clock.Since(began))
	since := r.Clock.Now().Sub(run.StartedAt.Time)
	if !errors.Is(failure, outbound.ErrTryAgain) || since >= patience {
		return reconcile.Result{}, r.finish(ctx, t, run, message, failure)
	}
	pause := min(max(since, shortestPause), longestPause)
	r.pauses.set(run.Name, r.Clock.Now(), pause)
	log.FromContext(ctx).V(1).Info("A hook could not be reached and is called again", "run", run.Name)
	if run.Message != failure.Error() { // people see what it waits for
		run.Message = failure.Error()
		if err := runs.Report(ctx, r.Client, t, run); err != nil {
			return reconcile.Result{}, client.IgnoreNotFound(err)
		}
	}
	return reconcile.Result{RequeueAfter: pause}, nil
}

// run is the run that is wanted, which may have been begun before.
func (r *Reconciler) run(t *v1alpha1.Ticket, want *v1alpha1.WantedRun) v1alpha1.Run {
	if run := t.Status.Run; engine.Answers(run, want) && run.StartedAt != nil {
		return *run
	}
	started := metav1.NewTime(r.Clock.Now())
	return v1alpha1.Run{
		Visit: want.Visit, Attempt: want.Attempt, Name: runs.Name(t.UID, want.Visit, want.Attempt),
		Phase: v1alpha1.RunRunning, StartedAt: &started,
	}
}

// finish reports what became of the call.
func (r *Reconciler) finish(ctx context.Context, t *v1alpha1.Ticket, run v1alpha1.Run, message string, failure error) error {
	finished := metav1.NewTime(r.Clock.Now())
	run.FinishedAt, run.Message, run.Phase = &finished, message, v1alpha1.RunSucceeded
	if failure != nil {
		run.Phase, run.Message = v1alpha1.RunFailed, failure.Error()
	}
	log.FromContext(ctx).V(1).Info("Called a hook", "run", run.Name, "phase", run.Phase)
	if err := runs.Report(ctx, r.Client, t, run); err != nil {
		return client.IgnoreNotFound(err)
	}
	return nil
}
