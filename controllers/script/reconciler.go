// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package script runs the script that a ticket waits for, and reports in
// status.run what became of it. What is to run follows from the ticket's
// status alone, so a run that a crash cut off is run again: at least once.
package script

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
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
	"ticketflow.dev/ticketflow/internal/runs"
)

const (
	// workers is how many scripts run at once.
	workers = 8
	// firstPause is how long to wait before a failed run is repeated; each
	// further pause is twice as long, up to longestPause.
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

// Reconciler runs scripts.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live reads past the cache.
	Live client.Reader
	// Runner runs scripts.
	Runner Runner
	// Events are told of runs that failed; there may be no one to tell.
	Events events.EventRecorder
	// Clock tells the time.
	Clock clock.Clock
}

// +kubebuilder:rbac:groups=ticketflow.dev,resources=tickets;scripts,verbs=get;list;watch
// +kubebuilder:rbac:groups=ticketflow.dev,resources=tickets/status,verbs=get;patch
// +kubebuilder:rbac:groups="",resources=secrets;configmaps,verbs=get

// Register adds the reconciler to a manager.
func (r *Reconciler) Register(mgr ctrl.Manager) error {
	waiting := builder.WithPredicates(predicate.NewPredicateFuncs(func(o client.Object) bool {
		t, ok := o.(*v1alpha1.Ticket)
		return ok && wanted(t) != nil
	}))
	err := ctrl.NewControllerManagedBy(mgr).
		Named("script").
		For(&v1alpha1.Ticket{}, waiting).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(reconcile.AsReconciler[*v1alpha1.Ticket](mgr.GetClient(), r))
	if err != nil {
		return fmt.Errorf("register script: %w", err)
	}
	return nil
}

// wanted is the script run that a ticket asks for and that has not ended.
func wanted(t *v1alpha1.Ticket) *v1alpha1.WantedRun {
	if !t.DeletionTimestamp.IsZero() {
		return nil
	}
	return engine.RunWanted(&t.Status, v1alpha1.ParticipantsScript)
}

// Reconcile runs the script that the ticket asks for, to its end.
func (r *Reconciler) Reconcile(ctx context.Context, cached *v1alpha1.Ticket) (reconcile.Result, error) {
	if wanted(cached) == nil {
		return reconcile.Result{}, nil
	}
	// The cache may not show yet that the run has ended: it must not be
	// started again for that.
	t := &v1alpha1.Ticket{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(cached), t); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	want := wanted(t)
	if want == nil || t.UID != cached.UID {
		return reconcile.Result{}, nil
	}
	started := metav1.NewTime(r.Clock.Now())
	run := v1alpha1.Run{
		Visit: want.Visit, Attempt: want.Attempt, Name: runs.Name(t.UID, want.Visit, want.Attempt),
		Phase: v1alpha1.RunRunning, StartedAt: &started,
	}
	if err := runs.Report(ctx, r.Client, t, run); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	result, source, err := r.run(ctx, t, want, run.Name)
	if err != nil && ctx.Err() != nil {
		log.FromContext(ctx).Info("Left a run that a shutdown cut off to be run again", "run", run.Name)
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("run the script: %w", err)
	}
	finished := metav1.NewTime(r.Clock.Now())
	run.FinishedAt, run.Message, run.Fields, run.SourceHash = &finished, result.Message, result.Fields, source
	run.Phase = v1alpha1.RunFailed
	if result.Succeeded {
		run.Phase = v1alpha1.RunSucceeded
	}
	log.FromContext(ctx).V(1).Info("Ran a script", "run", run.Name, "phase", run.Phase)
	if err := runs.Report(ctx, r.Client, t, run); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if r.Events != nil && run.Phase == v1alpha1.RunFailed {
		r.Events.Eventf(t, nil, corev1.EventTypeWarning, v1alpha1.ReasonRunFailed, "RunScript",
			"Script %s failed in state %s, see status.run; retry it, or move the ticket on by hand", t.Status.Participants.Script, t.Status.State)
	}
	return reconcile.Result{}, nil
}

// run runs the script, as often as its retries allow. The error says that it
// did not come to an end; a script that cannot be run is a failed run.
func (r *Reconciler) run(ctx context.Context, t *v1alpha1.Ticket, want *v1alpha1.WantedRun, name string) (Result, string, error) {
	task, why, err := r.gather(ctx, t)
	if err != nil {
		return Result{}, "", err
	}
	if why != "" {
		return Result{Message: why}, "", nil
	}
	task.Name, task.RequestedBy = name, want.RequestedBy
	sum := sha256.Sum256([]byte(task.Source))
	hash := hex.EncodeToString(sum[:])
	pause := firstPause
	for try := int32(0); ; try++ {
		result, err := r.Runner.Run(ctx, task)
		if err != nil || result.Succeeded || try >= task.Script.Spec.Retries {
			return result, hash, err
		}
		select {
		case <-ctx.Done():
			return Result{}, "", ctx.Err()
		case <-r.Clock.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}
