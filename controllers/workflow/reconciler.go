// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package workflow judges workflows: it compiles each, says in its Ready
// condition all that is wrong with it, gives its parts their ids and keeps
// every accepted spec as an immutable ControllerRevision for tickets to follow.
package workflow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/conditions"
	"ticketflow.dev/ticketflow/internal/graphs"
	"ticketflow.dev/ticketflow/internal/ids"
)

// maxProblems bounds the problems in a condition's message, in bytes, so that
// what follows them still fits.
const maxProblems = 30000

// Reconciler judges workflows.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live reads past the cache.
	Live client.Reader
	// Registry of ids.
	Registry *ids.Registry
	// Graphs compiles revisions.
	Graphs *graphs.Graphs
	// Directory is asked for what would keep tickets from going on.
	Directory engine.Directory
	// Clock tells the time.
	Clock clock.PassiveClock

	mu     sync.Mutex
	unused map[client.ObjectKey]time.Time // revisions, and since when nobody needs them
}

// +kubebuilder:rbac:groups=ticketflow.dev,resources=workflows,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=ticketflow.dev,resources=workflows/status,verbs=get;patch
// +kubebuilder:rbac:groups=ticketflow.dev,resources=workflows/finalizers,verbs=update
// +kubebuilder:rbac:groups=ticketflow.dev,resources=tickets;users;departments;userroles;scripts;applications,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get;list;watch;create;patch;delete

// soon is when to look again after another write came first.
const soon = 5 * time.Millisecond

// Reconcile judges one workflow.
func (r *Reconciler) Reconcile(ctx context.Context, w *v1alpha1.Workflow) (reconcile.Result, error) {
	result, err := r.reconcile(ctx, w)
	if ids.IsConflict(err) {
		return reconcile.Result{RequeueAfter: soon}, nil
	}
	return result, client.IgnoreNotFound(err)
}

func (r *Reconciler) reconcile(ctx context.Context, w *v1alpha1.Workflow) (reconcile.Result, error) {
	if !w.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, r.release(ctx, w)
	}
	if err := r.hold(ctx, w); err != nil {
		return reconcile.Result{}, err
	}
	before := w.DeepCopy()
	v, err := r.judge(ctx, w)
	if err != nil {
		return reconcile.Result{}, err
	}
	if err := r.say(ctx, before, w, v); err != nil {
		return reconcile.Result{}, err
	}
	again, err := r.prune(ctx, w)
	return reconcile.Result{RequeueAfter: again}, err
}

// verdict is what the Ready condition says.
type verdict struct{ reason, message string }

// say writes the verdict, with whatever else of the status differs from before.
func (r *Reconciler) say(ctx context.Context, before, w *v1alpha1.Workflow, v verdict) error {
	conditions.SetReady(r.Clock, &w.Status.Conditions, w.Generation, v.reason, v.message)
	w.Status.ObservedGeneration = w.Generation
	if equality.Semantic.DeepEqual(before.Status, w.Status) {
		return nil
	}
	if err := r.Client.Status().Patch(ctx, w, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("write the status: %w", err)
	}
	return nil
}

// judge compiles the workflow, and brings its status's ids and revision up to
// date if it is sound.
func (r *Reconciler) judge(ctx context.Context, w *v1alpha1.Workflow) (verdict, error) {
	// The workflow itself has an id even if it is unsound, so that REST
	// clients who ask for it are told what is wrong.
	id, err := r.workflowID(ctx, w)
	var taken *ids.TakenError
	if errors.As(err, &taken) {
		return r.unsound(w, v1alpha1.ReasonIDTaken, taken.Error()), nil
	}
	if err != nil {
		return verdict{}, err
	}
	w.Status.ID = id

	graph, problems := engine.Compile(w.Namespace, w.Name, w.Spec, engine.IDs{Workflow: id})
	if len(problems) > 0 {
		return r.unsound(w, v1alpha1.ReasonInvalid, join(problems)), nil
	}
	given, err := r.partIDs(ctx, w, id)
	if errors.As(err, &taken) {
		return r.unsound(w, v1alpha1.ReasonIDTaken, taken.Error()), nil
	}
	if err != nil {
		return verdict{}, err
	}
	revision, err := r.keepRevision(ctx, w, given)
	if err != nil {
		return verdict{}, err
	}
	w.Status.StateIDs, w.Status.TransitionIDs, w.Status.FieldIDs = given.States, given.Transitions, given.Fields
	w.Status.Revision = revision

	warnings := join(engine.Warnings(graph, r.Directory))
	if w.Spec.Suspend {
		return verdict{v1alpha1.ReasonSuspended, strings.TrimSuffix("no new tickets are opened: spec.suspend is true; "+warnings, "; ")}, nil
	}
	return verdict{v1alpha1.ReasonReady, warnings}, nil
}

// unsound is the verdict on a spec that cannot be used: an older revision goes
// on serving, if there is one.
func (r *Reconciler) unsound(w *v1alpha1.Workflow, reason, message string) verdict {
	switch {
	case w.Spec.Suspend:
		message += "; no new tickets are opened: spec.suspend is true"
	case w.Status.Revision != "":
		message += fmt.Sprintf("; the older revision %s still serves new tickets", w.Status.Revision)
	}
	return verdict{reason, message}
}

func join(problems []engine.Problem) string {
	lines := make([]string, 0, len(problems))
	for _, p := range problems {
		lines = append(lines, p.String())
	}
	return conditions.Truncate(strings.Join(lines, "; "), maxProblems)
}
