// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ticket

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/conditions"
)

// atOnce bounds how many things fall due in one reconciliation; the rest waits
// for the next one.
const atOnce = 16

// longestWait is after what time a ticket that waits for a timer is looked at in
// any case: a wait is measured by how long this process ran, a timer by the
// clock, and a clock may be set, or a machine sleep.
const longestWait = 10 * time.Minute

func snapshot(t *v1alpha1.Ticket) engine.Snapshot {
	return engine.Snapshot{
		Namespace: t.Namespace,
		Name:      t.Name,
		UID:       string(t.UID),
		Spec:      t.Spec,
		Status:    t.Status,
	}
}

// verdict is what follows for a ticket.
type verdict struct {
	engine.Snapshot
	// trail is how the ticket stood before each thing that was decided.
	trail []v1alpha1.TicketStatus
	// again is after what time to ask again; 0 is not before something happens.
	again time.Duration
	// stuck says why the ticket does not go on by itself although it should.
	stuck *engine.Refusal
}

// decide asks the engine about the pending action, and then about what falls
// due by itself.
func (r *Reconciler) decide(graph *engine.Graph, t *v1alpha1.Ticket, children []v1alpha1.Ticket) verdict {
	now := r.Clock.Now().In(r.Location)
	v := verdict{Snapshot: snapshot(t)}
	v.Status.Children = engine.CountChildren(graph, t.Status.Children, children)
	if action := pending(t); action != nil {
		v.goOn(r.apply(graph, v.Snapshot, action, r.failures.tooMany(t.UID), now))
	}
	for range atOnce {
		due, next := engine.Due(graph, v.Snapshot, now)
		if due == nil {
			v.again = min(until(next, now), longestWait)
			return v
		}
		after, refusal := engine.Decide(graph, v.Snapshot, *due, r.Directory, now)
		if refusal != nil {
			// Such as to a state that is nobody's. People can move the ticket,
			// or repair what is missing.
			v.stuck, v.again = refusal, repairInterval
			return v
		}
		v.goOn(after)
	}
	v.again = time.Millisecond
	return v
}

// goOn notes what was decided.
func (v *verdict) goOn(after engine.Snapshot) {
	v.trail = append(v.trail, v.Status)
	v.Snapshot = after
}

// apply decides a person's action: refused or applied, it has its outcome.
func (r *Reconciler) apply(graph *engine.Graph, s engine.Snapshot, action *v1alpha1.TicketAction, givenUp bool, now time.Time) engine.Snapshot {
	if givenUp {
		return engine.NoteRefusal(s, action.ID, internal())
	}
	command := engine.Command{Kind: engine.CommandAction, Action: *action}
	after, refusal := engine.Decide(graph, s, command, r.Directory, now)
	if refusal != nil {
		return engine.NoteRefusal(s, action.ID, refusal)
	}
	return after
}

// internal is the refusal of an action that could not be recorded, so that the
// slot comes free.
func internal() *engine.Refusal {
	return &engine.Refusal{Reason: engine.ReasonInternal, Message: "the action could not be recorded; nothing was changed"}
}

// pending is the action that has no outcome yet, if there is one.
func pending(t *v1alpha1.Ticket) *v1alpha1.TicketAction {
	if t.Spec.Action == nil {
		return nil
	}
	if _, decided := engine.Outcome(&t.Status, t.Spec.Action.ID); decided {
		return nil
	}
	return t.Spec.Action
}

func until(next, now time.Time) time.Duration {
	if next.IsZero() {
		return 0
	}
	return max(next.Sub(now), time.Millisecond)
}

// missingRevision looks after a ticket whose revision cannot be had: it says
// so, and what is asked meanwhile gets an answer.
func (r *Reconciler) missingRevision(ctx context.Context, t *v1alpha1.Ticket, cause error) (reconcile.Result, error) {
	if apierrors.IsNotFound(cause) && r.Clock.Since(lastWrite(t)) < settling {
		return reconcile.Result{RequeueAfter: shortly}, nil // the cache may lag behind the opening
	}
	log.FromContext(ctx).Error(cause, "Could not use the ticket's workflow revision")
	s := snapshot(t)
	s.Status = *t.Status.DeepCopy()
	if action := pending(t); action != nil {
		s = engine.NoteRefusal(s, action.ID, &engine.Refusal{
			Reason:  engine.ReasonInternal,
			Message: "the ticket's workflow revision is missing; an administrator has to restore it",
		})
	}
	conditions.Set(r.Clock, &s.Status.Conditions, t.Generation, v1alpha1.ConditionReady, false,
		v1alpha1.ReasonRevisionMissing, "the revision "+t.Status.WorkflowRevision+" that the ticket follows cannot be read; restore it")
	_, err := r.update(ctx, t, s)
	return reconcile.Result{RequeueAfter: repairInterval}, err
}

func lastWrite(t *v1alpha1.Ticket) time.Time {
	if t.Status.UpdatedAt == nil {
		return time.Time{}
	}
	return t.Status.UpdatedAt.Time
}
