// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ticket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/conditions"
)

// maxTicket bounds a ticket's size, as JSON (architecture, Security).
const maxTicket = 256 << 10

// reasonOpened is the reason of ConditionOpened where it holds.
const reasonOpened = "Opened"

// errTooLarge: the ticket would grow beyond its bound.
var errTooLarge = fmt.Errorf("the ticket would be larger than %d KiB", maxTicket>>10)

// write records where the ticket stands now, if that has changed: first the
// history that overflows, then the status. It says whether it wrote.
func (r *Reconciler) write(ctx context.Context, t *v1alpha1.Ticket, v verdict) (bool, error) {
	r.setConditions(t, &v.Status, v.stuck)
	if len(v.trail) > 0 {
		if err := bounded(t, v.Status); err != nil {
			return false, err
		}
	}
	wrote, err := r.update(ctx, t, v.Snapshot)
	if wrote {
		r.follow(t, append(v.trail, v.Status))
	}
	return wrote, err
}

// update writes a status on the very resource version that it was decided on:
// had anything changed meanwhile, it is refused as a conflict.
func (r *Reconciler) update(ctx context.Context, t *v1alpha1.Ticket, s engine.Snapshot) (bool, error) {
	s.Status.ObservedGeneration = t.Generation
	if equality.Semantic.DeepEqual(t.Status, s.Status) {
		return false, nil
	}
	kept, moved := engine.Overflow(s.Status)
	updated := t.DeepCopy()
	updated.Status = kept
	if err := r.keepRecord(ctx, t, kept.ID, moved); err != nil {
		return false, err
	}
	if err := r.Client.Status().Update(ctx, updated); err != nil {
		return false, fmt.Errorf("write the status: %w", err)
	}
	if len(moved) > 0 {
		r.ends.set(t.UID, moved[len(moved)-1])
	}
	before := *t
	*t = *updated
	r.observe(&before, t)
	return true, nil
}

// bounded refuses what would make a ticket too large. What is asked of it does not
// count: it is replaced by what is asked next, which must not find the ticket
// stuck. Refusals are written whatever the size, so that the slot comes free.
func bounded(t *v1alpha1.Ticket, status v1alpha1.TicketStatus) error {
	measured := *t
	measured.Spec.Action = nil
	measured.Status, _ = engine.Overflow(status)
	data, err := json.Marshal(&measured)
	if err != nil {
		return fmt.Errorf("measure the ticket: %w", err)
	}
	if len(data) > maxTicket {
		return errTooLarge
	}
	return nil
}

// setConditions says whether somebody has to repair something.
func (r *Reconciler) setConditions(t *v1alpha1.Ticket, status *v1alpha1.TicketStatus, stuck *engine.Refusal) {
	status.Conditions = append([]metav1.Condition(nil), status.Conditions...)
	conditions.Set(r.Clock, &status.Conditions, t.Generation, v1alpha1.ConditionOpened, true, reasonOpened, "")
	ready, reason, message := true, v1alpha1.ReasonReady, ""
	switch {
	case status.LastRunFailed && status.Wanted != nil:
		ready, reason, message = false, v1alpha1.ReasonRunFailed, runFailed(status)
	case stuck != nil:
		ready, reason = false, v1alpha1.ReasonStuck
		message = conditions.Truncate("the ticket cannot go on by itself; repair this, or move it on by hand: "+stuck.Message, maxReason)
	}
	conditions.Set(r.Clock, &status.Conditions, t.Generation, v1alpha1.ConditionReady, ready, reason, message)
}

func runFailed(status *v1alpha1.TicketStatus) string {
	what := "the script " + string(status.Participants.Script)
	if status.Participants.Kind == v1alpha1.ParticipantsHook {
		what = "the hook"
	}
	return fmt.Sprintf("%s failed in state %s, see the history; retry it, or move the ticket on by hand", what, status.State)
}

// refuseUnwritable gives an action that can never be written its refusal, so
// that the slot comes free. Whatever else failed is tried again.
func (r *Reconciler) refuseUnwritable(ctx context.Context, t *v1alpha1.Ticket, cause error) (reconcile.Result, error) {
	action := pending(t)
	if action == nil || !unwritable(cause) {
		return reconcile.Result{}, cause
	}
	log.FromContext(ctx).Error(cause, "Refused an action that cannot be recorded", "action", action.ID)
	refusal := internal()
	if errors.Is(cause, errTooLarge) {
		refusal.Message = "the action would make the ticket too large; nothing was changed"
	}
	_, err := r.update(ctx, t, engine.NoteRefusal(snapshot(t), action.ID, refusal))
	return reconcile.Result{}, err
}

func unwritable(err error) bool {
	return errors.Is(err, errTooLarge) || apierrors.IsInvalid(err) || apierrors.IsRequestEntityTooLargeError(err) ||
		strings.Contains(err.Error(), "request is too large") // etcd's, passed on as an internal error
}
