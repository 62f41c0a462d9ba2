// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package script has the script run that a ticket waits for, and reports in
// status.run what became of it. What is to run follows from the ticket's status
// alone, so a crash at any point loses nothing: a run is started under a name
// that follows from ticket, visit and attempt, and found again by it.
package script

import (
	"cmp"
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/runs"
)

const (
	// workers is how many tickets are looked after at once. None waits for a
	// script to end.
	workers = 8
	// soon is when to look again at a run that was just started.
	soon = 2 * time.Second
)

// Reconciler runs scripts.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live reads past the cache.
	Live client.Reader
	// Runner runs scripts.
	Runner Runner
	// Clock tells the time.
	Clock clock.PassiveClock
}

// +kubebuilder:rbac:groups=ticketflow.dev,resources=tickets;scripts,verbs=get;list;watch
// +kubebuilder:rbac:groups=ticketflow.dev,resources=tickets/status,verbs=get;patch
// +kubebuilder:rbac:groups="",resources=secrets;configmaps,verbs=get

// Register adds the reconciler to a manager.
func (r *Reconciler) Register(mgr ctrl.Manager) error {
	concerned := builder.WithPredicates(predicate.NewPredicateFuncs(func(o client.Object) bool {
		t, ok := o.(*v1alpha1.Ticket)
		return ok && concerns(t)
	}))
	b := ctrl.NewControllerManagedBy(mgr).
		Named("script").
		For(&v1alpha1.Ticket{}, concerned).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers})
	if err := r.Runner.Watch(mgr, b); err != nil {
		return fmt.Errorf("register script: %w", err)
	}
	if err := b.Complete(reconcile.AsReconciler[*v1alpha1.Ticket](mgr.GetClient(), r)); err != nil {
		return fmt.Errorf("register script: %w", err)
	}
	return nil
}

// concerns says whether there is anything to do for a ticket.
func concerns(t *v1alpha1.Ticket) bool {
	return t.DeletionTimestamp.IsZero() && (wanted(t) != nil || stray(t))
}

// wanted is the script run that a ticket asks for and that has not ended.
func wanted(t *v1alpha1.Ticket) *v1alpha1.WantedRun {
	return engine.RunWanted(&t.Status, v1alpha1.ParticipantsScript)
}

// begun says whether the run that is wanted was reported as running.
func begun(t *v1alpha1.Ticket, want *v1alpha1.WantedRun) bool {
	return engine.Answers(t.Status.Run, want)
}

// stray says that a run goes on although the ticket has left it behind.
func stray(t *v1alpha1.Ticket) bool {
	run := t.Status.Run
	return run != nil && run.Phase == v1alpha1.RunRunning && t.Status.Participants.Kind != v1alpha1.ParticipantsHook && !begun(t, wanted(t))
}

// Reconcile starts the run that the ticket asks for, if its time has come, or
// takes note of how it stands.
func (r *Reconciler) Reconcile(ctx context.Context, cached *v1alpha1.Ticket) (reconcile.Result, error) {
	if !concerns(cached) {
		return reconcile.Result{}, nil
	}
	// The cache may not show yet that the run has ended: it must not be
	// started again for that.
	t := &v1alpha1.Ticket{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(cached), t); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if t.UID != cached.UID || !concerns(t) {
		return reconcile.Result{}, nil
	}
	want := wanted(t)
	switch {
	case stray(t):
		return reconcile.Result{}, r.finish(ctx, t, *t.Status.Run, Result{Message: "it was ended, since the ticket had gone on without it"})
	case begun(t, want):
		return r.follow(ctx, t, want)
	}
	if pause := ptr.Deref(want.NotBefore, metav1.Time{}).Sub(r.Clock.Now()); pause > 0 {
		return reconcile.Result{RequeueAfter: pause}, nil
	}
	return r.begin(ctx, t, want)
}

// begin starts a run and then reports that. If a crash comes between the two,
// the run is found the next time; once it was reported, one that is not there
// was taken away.
func (r *Reconciler) begin(ctx context.Context, t *v1alpha1.Ticket, want *v1alpha1.WantedRun) (reconcile.Result, error) {
	started := metav1.NewTime(r.Clock.Now())
	run := v1alpha1.Run{
		Visit: want.Visit, Attempt: want.Attempt, Name: runs.Name(t.UID, want.Visit, want.Attempt),
		Phase: v1alpha1.RunRunning, StartedAt: &started,
	}
	task, why, err := r.gather(ctx, t)
	if err != nil {
		return reconcile.Result{}, err
	}
	if why == "" {
		task.Name, task.RequestedBy, run.SourceHash = run.Name, want.RequestedBy, task.SourceHash
		if why, err = r.Runner.Start(ctx, task); err != nil {
			return reconcile.Result{}, fmt.Errorf("start the script: %w", err)
		}
	}
	if why != "" {
		return reconcile.Result{}, r.finish(ctx, t, run, Result{Message: why})
	}
	log.FromContext(ctx).V(1).Info("Started a script", "run", run.Name)
	if err := runs.Report(ctx, r.Client, t, run); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	return reconcile.Result{RequeueAfter: soon}, nil
}

// follow looks at a run that was started.
func (r *Reconciler) follow(ctx context.Context, t *v1alpha1.Ticket, want *v1alpha1.WantedRun) (reconcile.Result, error) {
	run := *t.Status.Run
	standing, err := r.Runner.Observe(ctx, t, run.Name)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("look at the script: %w", err)
	}
	if !standing.Known {
		return r.begin(ctx, t, want)
	}
	if standing.Result == nil {
		return reconcile.Result{RequeueAfter: cmp.Or(standing.Again, soon)}, nil
	}
	return reconcile.Result{}, r.finish(ctx, t, run, *standing.Result)
}

// finish reports what became of a run, and lets go of it.
func (r *Reconciler) finish(ctx context.Context, t *v1alpha1.Ticket, run v1alpha1.Run, result Result) error {
	finished := metav1.NewTime(r.Clock.Now())
	run.FinishedAt, run.Message, run.Fields, run.Phase = &finished, result.Message, result.Fields, v1alpha1.RunFailed
	run.SourceHash = cmp.Or(result.SourceHash, run.SourceHash)
	if result.Succeeded {
		run.Phase = v1alpha1.RunSucceeded
	}
	log.FromContext(ctx).V(1).Info("Ran a script", "run", run.Name, "phase", run.Phase)
	if err := runs.Report(ctx, r.Client, t, run); err != nil {
		return client.IgnoreNotFound(err)
	}
	if err := r.Runner.Drop(ctx, t, run.Name); err != nil {
		return fmt.Errorf("let go of the script: %w", err)
	}
	return nil
}
