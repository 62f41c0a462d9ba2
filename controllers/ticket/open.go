// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ticket

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/conditions"
	"ticketflow.dev/ticketflow/internal/directory"
)

const (
	// collectAfter is how long a refused ticket is kept for its reason to be read.
	collectAfter = time.Hour
	// settling is how long what was applied together with a ticket may take
	// to arrive before the ticket is refused for want of it.
	settling = 5 * time.Second
	// shortly is when to look again for what is about to arrive.
	shortly = 25 * time.Millisecond
)

// begin looks after a ticket that is not open: it is opened, or refused for
// good, or was refused before.
func (r *Reconciler) begin(ctx context.Context, t *v1alpha1.Ticket) (reconcile.Result, error) {
	if engine.Lost(t.Annotations, &t.Status) {
		return r.lost(ctx, t)
	}
	if refused := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionOpened); refused != nil {
		return r.collect(ctx, t, refused)
	}
	w, refusal, err := r.workflow(ctx, t)
	switch {
	case err != nil:
		return reconcile.Result{}, err
	case refusal != nil:
		return r.refuse(ctx, t, refusal)
	case w == nil:
		return reconcile.Result{RequeueAfter: shortly}, nil
	}
	if r.parentIsComing(t) {
		return reconcile.Result{RequeueAfter: shortly}, nil
	}
	graph, err := r.Graphs.Current(ctx, w)
	if apierrors.IsNotFound(err) && r.Clock.Since(t.CreationTimestamp.Time) < settling {
		return reconcile.Result{RequeueAfter: shortly}, nil
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	return r.open(ctx, graph, w.Status.Revision, t)
}

// workflow is what a ticket opened now follows; nil if it was applied just now
// and is still waited for. It is shared and must not be changed.
func (r *Reconciler) workflow(ctx context.Context, t *v1alpha1.Ticket) (*v1alpha1.Workflow, *engine.Refusal, error) {
	young := r.Clock.Since(t.CreationTimestamp.Time) < settling
	name := string(t.Spec.WorkflowRef.Name)
	var w v1alpha1.Workflow
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: name}, &w, client.UnsafeDisableDeepCopy)
	switch {
	case apierrors.IsNotFound(err) && young:
		return nil, nil, nil
	case apierrors.IsNotFound(err):
		return nil, &engine.Refusal{
			Reason:  engine.ReasonUnknownWorkflow,
			Message: fmt.Sprintf("there is no workflow %s in namespace %s", name, t.Namespace),
		}, nil
	case err != nil:
		return nil, nil, fmt.Errorf("read the workflow: %w", err)
	case w.Status.ObservedGeneration == 0, w.Status.ObservedGeneration != w.Generation && young:
		return nil, nil, nil
	}
	if why := notReady(&w); why != "" {
		return nil, &engine.Refusal{
			Reason:  engine.ReasonWorkflowNotReady,
			Message: conditions.Truncate(fmt.Sprintf("workflow %s opens no tickets: %s", name, why), maxReason),
		}, nil
	}
	return &w, nil, nil
}

// maxReason bounds a refusal's message.
const maxReason = 2000

// notReady says why a workflow opens no tickets, if it does not. A revision
// that serves does so also while a newer spec is unsound.
func notReady(w *v1alpha1.Workflow) string {
	switch {
	case !w.DeletionTimestamp.IsZero():
		return "it is being deleted"
	case w.Spec.Suspend:
		return "it is suspended"
	case w.Status.Revision != "":
		return ""
	}
	if ready := meta.FindStatusCondition(w.Status.Conditions, v1alpha1.ConditionReady); ready != nil && ready.Message != "" {
		return ready.Message
	}
	return "it was never accepted"
}

// open opens the ticket, with its numbers, in one write.
func (r *Reconciler) open(ctx context.Context, graph *engine.Graph, revision string, t *v1alpha1.Ticket) (reconcile.Result, error) {
	turn := r.openings.begin(r, graph)
	defer turn.end()
	identities, err := r.identities(ctx, t)
	if err != nil {
		return reconcile.Result{}, err
	}
	identities.Revision = revision
	s, refusal := engine.Open(graph, snapshot(t), identities, turn.directory, r.Clock.Now().In(r.Location))
	if refusal != nil {
		return r.refuse(ctx, t, refusal)
	}
	if err := r.own(ctx, t, s.Status.ParentID); err != nil {
		return reconcile.Result{}, err
	}
	_, err = r.write(ctx, t, verdict{Snapshot: s, trail: []v1alpha1.TicketStatus{{}}})
	if err != nil && unwritable(err) {
		return r.refuse(ctx, t, &engine.Refusal{Reason: engine.ReasonTooLarge, Message: "the ticket is too large to be recorded"})
	}
	if err == nil {
		turn.note(t)
	}
	return reconcile.Result{}, err // what was written comes back here
}

// identities are the numbers of a new ticket. They are reserved for good, so
// one that is refused after all leaves a gap.
func (r *Reconciler) identities(ctx context.Context, t *v1alpha1.Ticket) (engine.Identities, error) {
	id, err := r.Counter.Ticket(ctx)
	if err != nil {
		return engine.Identities{}, err
	}
	prefix := directory.DefaultSerialPrefix
	if application, known := r.Directory.ApplicationObject(t.Spec.By.Application); known {
		prefix = directory.SerialPrefix(application)
	}
	serial, err := r.Counter.Serial(ctx, prefix, r.Clock.Now().In(r.Location))
	if err != nil {
		return engine.Identities{}, err
	}
	return engine.Identities{ID: id, SerialNumber: serial}, nil
}

// refuse says for good that the ticket is not opened, and why.
func (r *Reconciler) refuse(ctx context.Context, t *v1alpha1.Ticket, refusal *engine.Refusal) (reconcile.Result, error) {
	s := snapshot(t)
	s.Status = *t.Status.DeepCopy()
	conditions.Set(r.Clock, &s.Status.Conditions, t.Generation, v1alpha1.ConditionOpened, false, string(refusal.Reason), refusal.Message)
	_, err := r.update(ctx, t, s)
	return reconcile.Result{RequeueAfter: collectAfter}, err
}

// collect deletes a refused ticket once its reason could be read for a while.
func (r *Reconciler) collect(ctx context.Context, t *v1alpha1.Ticket, refused *metav1.Condition) (reconcile.Result, error) {
	if left := collectAfter - r.Clock.Since(refused.LastTransitionTime.Time); left > 0 {
		return reconcile.Result{RequeueAfter: left}, r.answer(ctx, t, "the ticket was never opened")
	}
	return reconcile.Result{}, client.IgnoreNotFound(r.Client.Delete(ctx, t, client.Preconditions{UID: &t.UID}))
}

// lostMessage says what to do about a ticket whose status is gone.
const lostMessage = "the ticket was opened before, but its status is gone; bring it back by `ticketflow import`, or delete the ticket (docs/backup.md)"

// lost says that the ticket's status is gone. A restore writes it after the
// ticket, so it is waited for a little.
func (r *Reconciler) lost(ctx context.Context, t *v1alpha1.Ticket) (reconcile.Result, error) {
	if left := settling - r.Clock.Since(t.CreationTimestamp.Time); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	s := snapshot(t)
	s.Status = *t.Status.DeepCopy()
	conditions.Set(r.Clock, &s.Status.Conditions, t.Generation, v1alpha1.ConditionReady, false, v1alpha1.ReasonStatusLost, lostMessage)
	if _, err := r.update(ctx, t, s); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, r.answer(ctx, t, "the ticket's status is lost; an administrator has to bring it back")
}

// answer refuses the action pending on a ticket that takes none.
func (r *Reconciler) answer(ctx context.Context, t *v1alpha1.Ticket, why string) error {
	action := pending(t)
	if action == nil {
		return nil
	}
	refusal := &engine.Refusal{Reason: engine.ReasonUnknownTicket, Message: why}
	_, err := r.update(ctx, t, engine.NoteRefusal(snapshot(t), action.ID, refusal))
	return err
}
