// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// errCutOff says that the time was up while the action was being written.
var errCutOff = errors.New("cut off while writing")

// perform asks for an action and waits for the ticket reconciler's word. It
// answers the ticket as it was when the action was asked for, and as it then is.
func (c *cluster) perform(ctx context.Context, t *v1alpha1.Ticket, who person, action v1alpha1.TicketAction, timeout time.Duration) (before, after *v1alpha1.Ticket, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, nil, fmt.Errorf("make an action id: %w", err)
	}
	action.ID, action.Actor, action.By = id.String(), who.name, who.by()
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	asked, err := c.ask(limited, t, action)
	switch {
	case errors.Is(err, errCutOff):
		return nil, nil, c.undecided(ctx, t, timeout, "the action may be recorded, but has no outcome")
	case err != nil && limited.Err() != nil:
		return nil, nil, c.undecided(ctx, t, timeout, "nothing was recorded: an action that came before has no outcome")
	case err != nil:
		return nil, nil, err
	}
	decided, err := c.until(limited, asked, func(t *v1alpha1.Ticket) bool { return isDecided(t, action.ID) })
	switch {
	case err != nil && limited.Err() != nil:
		return nil, nil, c.undecided(ctx, t, timeout, "the action is recorded and stands, but has no outcome")
	case err != nil:
		return nil, nil, err
	}
	if recent, ok := engine.Outcome(&decided.Status, action.ID); ok && recent.Outcome == v1alpha1.ActionRefused {
		return nil, nil, refused(engine.Reason(recent.Reason), recent.Message, c.handle(t))
	}
	return asked, decided, nil
}

func (c *cluster) undecided(ctx context.Context, t *v1alpha1.Ticket, timeout time.Duration, what string) error {
	if ctx.Err() != nil {
		return advise(fmt.Errorf("interrupted: %s yet", what), "See where it stands: kubectl ticket show %s", c.handle(t))
	}
	return advise(fmt.Errorf("%s after %s", what, timeout),
		"See where it stands: kubectl ticket show %s; if it stays so, the manager is not running.", c.handle(t))
}

// ask puts an action into the ticket's one slot as soon as that is free. The
// action is replaced whole: a merge would leave the last person's comment and
// fields in this one's.
func (c *cluster) ask(ctx context.Context, t *v1alpha1.Ticket, action v1alpha1.TicketAction) (*v1alpha1.Ticket, error) {
	patch, err := json.Marshal([]map[string]any{{"op": "add", "path": "/spec/action", "value": action}})
	if err != nil {
		return nil, fmt.Errorf("write the action: %w", err)
	}
	for {
		t, err = c.until(ctx, t, func(t *v1alpha1.Ticket) bool { return t.Spec.Action == nil || isDecided(t, t.Spec.Action.ID) })
		if err != nil {
			return nil, err
		}
		asked := &v1alpha1.Ticket{}
		asked.Namespace, asked.Name = t.Namespace, t.Name
		err := c.client.Patch(ctx, asked, client.RawPatch(types.JSONPatchType, patch))
		if err == nil {
			return asked, nil
		}
		if ctx.Err() != nil {
			return nil, errCutOff
		}
		if !isTaken(err) {
			return nil, fmt.Errorf("ask for the action: %w", err)
		}
		// Somebody else's action came first: wait for that.
		if err := c.client.Get(ctx, client.ObjectKeyFromObject(asked), asked); err != nil {
			return nil, fmt.Errorf("read ticket %s/%s: %w", t.Namespace, t.Name, err)
		}
		t = asked
	}
}

// isTaken says whether the slot holds an action that has no outcome yet: the
// CRD's rule forbids the field then.
func isTaken(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	for _, cause := range status.Status().Details.Causes {
		if cause.Field == "spec.action" && cause.Type == "FieldValueForbidden" {
			return true
		}
	}
	return false
}

// until waits until a condition holds for a ticket, beginning with what is
// known of it.
func (c *cluster) until(ctx context.Context, t *v1alpha1.Ticket, holds func(*v1alpha1.Ticket) bool) (*v1alpha1.Ticket, error) {
	if holds(t) {
		return t, nil
	}
	var found *v1alpha1.Ticket
	err := c.watchTickets(ctx, t.ResourceVersion, func(gone bool, t *v1alpha1.Ticket) (bool, error) {
		switch {
		case holds(t):
			found = t
		case gone:
			return true, c.noTicket("ticket %s/%s any more: it was deleted", t.Namespace, t.Name)
		}
		return found != nil, nil
	}, client.InNamespace(t.Namespace), client.MatchingFields{"metadata.name": t.Name})
	return found, err
}

// isDecided says whether an action has its outcome. Recent actions are few; an
// applied one is in the history too.
func isDecided(t *v1alpha1.Ticket, id string) bool {
	_, ok := engine.Outcome(&t.Status, id)
	return ok || slices.ContainsFunc(t.Status.History, func(e v1alpha1.HistoryEntry) bool { return e.ActionID == id })
}
