// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// Create opens a ticket on a workflow and waits until it is opened or refused.
// A refused ticket is deleted again: whoever asked has the reason.
func (b *Backend) Create(ctx context.Context, c Caller, w *v1alpha1.Workflow, spec v1alpha1.TicketSpec) (*v1alpha1.Ticket, error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	spec.WorkflowRef.Name = v1alpha1.ObjectName(w.Name)
	spec.Creator, spec.By = v1alpha1.UserName(c.User), c.By()
	ticket := &v1alpha1.Ticket{Spec: spec}
	ticket.Namespace = w.Namespace
	if c.IdempotencyKey == "" {
		// Named here and not by the server, so that its watch can be waited on
		// before the object exists.
		id, err := c.actionID()
		if err != nil {
			return nil, err
		}
		ticket.Name = objectName(w.Name, id[len(id)-12:]+id[:8])
	} else {
		ticket.Name = keyedName(c, w)
	}
	if refusal := b.refuseEarly(ctx, w, ticket); refusal != nil {
		return nil, refusal
	}
	opened, err := b.create(ctx, ticket)
	if err == nil {
		b.awaitParents(ctx, opened)
	}
	return opened, err
}

// OpenedBefore answers the ticket that the caller has opened with the same
// Idempotency-Key, if there is one; for an hour after that was deleted, its
// metadata and id alone. It is asked before anything else is that has to do with
// opening: what that depends on may be different by now.
func (b *Backend) OpenedBefore(ctx context.Context, c Caller, w *v1alpha1.Workflow) (t *v1alpha1.Ticket, before bool, err error) {
	if c.IdempotencyKey == "" {
		return nil, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	name := keyedName(c, w)
	if present, ok := b.Ticket(ctx, w.Namespace, name); ok {
		t, err = b.opened(ctx, present)
		return t, true, err
	}
	t, before = b.deleted.ticket(types.NamespacedName{Namespace: w.Namespace, Name: name})
	return t, before, nil
}

// keyedName is the resource name of the ticket that a key opens.
func keyedName(c Caller, w *v1alpha1.Workflow) string { return objectName(w.Name, c.keyHash()[:20]) }

// objectName is a ticket's resource name: the workflow's, cut to fit, and a suffix.
func objectName(workflow, suffix string) string {
	const longest = 63
	if room := longest - len(suffix) - 1; len(workflow) > room {
		workflow = workflow[:room]
	}
	return workflow + "-" + suffix
}

// refuseEarly says what the reconciler would say, before anything is written.
func (b *Backend) refuseEarly(ctx context.Context, w *v1alpha1.Workflow, t *v1alpha1.Ticket) *Failure {
	if why := NotReady(w); why != "" {
		return Failf(engine.ReasonWorkflowNotReady, "the workflow %q opens no tickets: %s", w.Name, why)
	}
	if w.Spec.Suspend {
		return Failf(engine.ReasonWorkflowNotReady, "the workflow %q is suspended: it opens no new tickets", w.Name)
	}
	graph, err := b.CurrentGraph(ctx, w)
	if err != nil {
		return nil // the reconciler will tell
	}
	_, refusal := engine.Open(graph, Snapshot(t), engine.Identities{ID: 1, SerialNumber: "-", Revision: w.Status.Revision}, b.directory, b.Now())
	return refusal
}

// NotReady says why a workflow has no revision that serves; empty if it has one.
func NotReady(w *v1alpha1.Workflow) string {
	if w.Status.Revision != "" {
		return ""
	}
	if ready := meta.FindStatusCondition(w.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Message
	}
	return "it has not been judged yet"
}

func (b *Backend) create(ctx context.Context, t *v1alpha1.Ticket) (*v1alpha1.Ticket, error) {
	waiting, remove := b.waiters.add(nameOf(t))
	defer remove()
	err := b.client.Create(ctx, t)
	switch {
	case err == nil, apierrors.IsAlreadyExists(err):
		// Exists already: a repetition with the same key, on its way too.
		return b.awaitOpened(ctx, waiting, nameOf(t))
	case unstorable(err):
		return nil, Failf(engine.ReasonBadParameter, "the ticket was refused: %s", causes(err))
	case ctx.Err() != nil:
		return nil, pending(t.Name)
	default:
		return nil, fmt.Errorf("create the ticket: %w", err)
	}
}

// unstorable says whether kube-apiserver will not take what it was sent, however
// often it is.
func unstorable(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsRequestEntityTooLargeError(err) || apierrors.IsBadRequest(err)
}

// causes are the fields that the API server found wrong, in its words.
func causes(err error) string {
	status, ok := err.(apierrors.APIStatus) //nolint:errorlint // the client answers it unwrapped
	if !ok || status.Status().Details == nil {
		return "it is not valid"
	}
	text := ""
	for _, cause := range status.Status().Details.Causes {
		text += fmt.Sprintf("%s: %s; ", cause.Field, cause.Message)
	}
	return text
}

// opened answers for a ticket that is there already.
func (b *Backend) opened(ctx context.Context, t *v1alpha1.Ticket) (*v1alpha1.Ticket, error) {
	waiting, remove := b.waiters.add(nameOf(t))
	defer remove()
	return b.awaitOpened(ctx, waiting, nameOf(t))
}

func (b *Backend) awaitOpened(ctx context.Context, waiting *waiter, name types.NamespacedName) (*v1alpha1.Ticket, error) {
	if t, ok := b.Ticket(ctx, name.Namespace, name.Name); ok {
		if result, err, done := b.opening(ctx, t); done {
			return result, err
		}
	}
	var result *v1alpha1.Ticket
	var failure error
	err := waiting.until(ctx, func(t *v1alpha1.Ticket) (done bool) {
		if t == nil {
			failure = Failf(engine.ReasonUnknownTicket, "the ticket is gone")
			return true
		}
		result, failure, done = b.opening(ctx, t)
		return done
	})
	if err != nil {
		return nil, pending(name.Name)
	}
	return result, failure
}

// opening is what became of a ticket's opening, if that is decided.
func (b *Backend) opening(ctx context.Context, t *v1alpha1.Ticket) (result *v1alpha1.Ticket, failure error, done bool) { //nolint:revive // the error is one of the outcomes
	condition := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionOpened)
	switch {
	case condition == nil, condition.Status == metav1.ConditionUnknown:
		return nil, nil, false
	case condition.Status == metav1.ConditionTrue:
		if _, listed := b.index.ByID(t.Status.ID); !listed {
			return nil, nil, false // its event is on the way
		}
		return t, nil, true
	}
	failure = &Failure{Reason: engine.Reason(condition.Reason), Message: condition.Message}
	uid := t.UID
	// Nobody needs the refused object any more; if this fails, the manager
	// collects it after an hour.
	_ = b.client.Delete(ctx, &v1alpha1.Ticket{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: t.Name}}, client.Preconditions{UID: &uid})
	return nil, failure, true
}
