// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// +kubebuilder:rbac:groups=ticketflow.dev,resources=applications,verbs=act-as

// Act asks for an action on a ticket and waits for its outcome: engine first,
// for an early refusal, then spec.action, then the watch. It answers the ticket
// after the action. A *Failure says why it was refused; Pending that it was
// recorded and stands, Busy that the ticket was never free in time.
func (b *Backend) Act(ctx context.Context, c Caller, t *v1alpha1.Ticket, action v1alpha1.TicketAction) (*v1alpha1.Ticket, error) {
	id, err := c.actionID()
	if err != nil {
		return nil, err
	}
	action.ID, action.Actor, action.By = id, v1alpha1.UserName(c.User), c.By()
	switch {
	case action.Type == v1alpha1.ActionHookCallback:
		action.Actor = v1alpha1.HookUser // a machine: whoever it names as user does not count
	case c.User == "" && c.App != nil:
		action.Actor = v1alpha1.RobotUser // nobody is named: the application alone asks
	}
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	after, err := b.decided(ctx, nameOf(t), action, c.IdempotencyKey != "")
	if err == nil {
		b.awaitParents(ctx, after)
	}
	return after, err
}

// decided asks for an action in its turn until it has an outcome. One that may be
// a repetition is looked for in all that was ever done with the ticket.
func (b *Backend) decided(ctx context.Context, name types.NamespacedName, action v1alpha1.TicketAction, repeatable bool) (*v1alpha1.Ticket, error) {
	release, err := b.turns.take(ctx, name)
	if err != nil {
		return nil, busy()
	}
	defer release()
	waiting, remove := b.waiters.add(name)
	defer remove()
	if repeatable {
		if t, err := b.didLongAgo(ctx, name, action.ID); t != nil || err != nil {
			return t, err
		}
	}
	for {
		result, err := b.attempt(ctx, waiting, name, action)
		if result != nil || err != nil {
			return result, err
		}
	}
}

// didLongAgo answers the ticket if the action is in its history: also in what has
// moved out of the status, which remembers only the newest.
func (b *Backend) didLongAgo(ctx context.Context, name types.NamespacedName, id string) (*v1alpha1.Ticket, error) {
	t, ok := b.index.ByName(name)
	if !ok || isDecided(t, id) {
		return nil, nil
	}
	entries, err := b.History(ctx, t)
	if err != nil || !engine.Applied(entries, id) {
		return nil, err
	}
	return t, nil
}

func busy() *Failure {
	return Failf(ReasonBusy, "other actions on the ticket took too long: nothing was recorded, try again")
}

func pending(id string) *Failure {
	return Failf(ReasonPending, "the action %s is recorded and stands, but is not decided yet", id)
}

// attempt tries once. It answers neither ticket nor error where the ticket
// changed meanwhile and another attempt is due.
func (b *Backend) attempt(ctx context.Context, waiting *waiter, name types.NamespacedName, action v1alpha1.TicketAction) (*v1alpha1.Ticket, error) {
	t, ok := b.index.ByName(name)
	if !ok {
		return nil, Failf(engine.ReasonUnknownTicket, "the ticket is gone")
	}
	if result, err, done := outcome(t, action.ID); done {
		return result, err
	}
	if present := t.Spec.Action; present != nil && !isDecided(t, present.ID) {
		if present.ID == action.ID {
			return b.await(ctx, waiting, t, action)
		}
		if err := waiting.until(ctx, func(t *v1alpha1.Ticket) bool { return t == nil || isDecided(t, present.ID) }); err != nil {
			return nil, busy()
		}
		return nil, nil
	}
	graph, err := b.Graph(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("read the ticket's workflow: %w", err)
	}
	if _, refusal := engine.Decide(graph, Snapshot(t), engine.Command{Kind: engine.CommandAction, Action: action}, b.directory, b.Now()); refusal != nil {
		return nil, refusal
	}
	switch err := b.ask(ctx, t, action); {
	case err == nil:
		return b.await(ctx, waiting, t, action)
	case unstorable(err) && !inTheWay(err):
		return nil, Failf(engine.ReasonBadParameter, "the action was refused: %s", causes(err))
	case apierrors.IsInvalid(err):
		// Somebody else's action came first and this server has not seen it yet.
		if err := waiting.until(ctx, func(next *v1alpha1.Ticket) bool { return next == nil || next.ResourceVersion != t.ResourceVersion }); err != nil {
			return nil, busy()
		}
		return nil, nil
	case apierrors.IsNotFound(err):
		return nil, Failf(engine.ReasonUnknownTicket, "the ticket is gone")
	case ctx.Err() != nil:
		return nil, pending(action.ID) // it may have been recorded
	default:
		return nil, fmt.Errorf("ask for the action: %w", err)
	}
}

// inTheWay says whether an action was refused for the present one, which has no
// outcome yet or the same id, and not for what it is itself: that would be
// refused again, after a wait in which nobody else has a turn.
func inTheWay(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil || len(status.Status().Details.Causes) == 0 {
		return false
	}
	return !slices.ContainsFunc(status.Status().Details.Causes, func(cause metav1.StatusCause) bool {
		return cause.Field != "spec.action" && cause.Field != "spec.action.id"
	})
}

// ask replaces spec.action whole: a merge would leave the last person's comment
// and fields in this one's. The answer is not looked at, so the head will do.
func (b *Backend) ask(ctx context.Context, t *v1alpha1.Ticket, action v1alpha1.TicketAction) error {
	patch, err := json.Marshal([]map[string]any{{"op": "add", "path": "/spec/action", "value": action}})
	if err != nil {
		return fmt.Errorf("write the action: %w", err)
	}
	target := &metav1.PartialObjectMetadata{}
	target.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("Ticket"))
	target.Namespace, target.Name = t.Namespace, t.Name
	return b.client.Patch(ctx, target, client.RawPatch(types.JSONPatchType, patch))
}

// await waits until the action's outcome is seen; that of a deletion is that
// the ticket is gone.
func (b *Backend) await(ctx context.Context, waiting *waiter, asked *v1alpha1.Ticket, action v1alpha1.TicketAction) (*v1alpha1.Ticket, error) {
	deletes := action.Type == v1alpha1.ActionDelete
	var result *v1alpha1.Ticket
	var failure error
	decided := func(t *v1alpha1.Ticket) (done bool) {
		switch {
		case t == nil && deletes:
			result = asked
			return true
		case t == nil:
			failure = Failf(engine.ReasonUnknownTicket, "the ticket is gone")
			return true
		}
		result, failure, done = outcome(t, action.ID)
		return done && (failure != nil || !deletes)
	}
	// The index is asked, not the cache, which is a moment ahead of it: the
	// caller's next read is answered from the index.
	if t, _ := b.index.ByName(nameOf(asked)); decided(t) {
		return result, failure
	}
	if err := waiting.until(ctx, decided); err != nil {
		return nil, pending(action.ID)
	}
	return result, failure
}

func isDecided(t *v1alpha1.Ticket, id string) bool {
	_, _, done := outcome(t, id)
	return done
}

// outcome is what became of an action, if it was decided.
func outcome(t *v1alpha1.Ticket, id string) (result *v1alpha1.Ticket, failure error, done bool) { //nolint:revive // the error is one of the outcomes
	recent, ok := engine.Outcome(&t.Status, id)
	switch {
	case ok && recent.Outcome == v1alpha1.ActionRefused:
		return nil, &Failure{Reason: engine.Reason(recent.Reason), Message: recent.Message}, true
	case ok, engine.Applied(t.Status.History, id):
		return t, nil, true
	}
	return nil, nil, false
}
