// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/engine"
)

const (
	// reasonPending: what was asked for is recorded and has no outcome yet.
	reasonPending engine.Reason = "Pending"
	// reasonBusy: nothing was recorded, since something that came before has no
	// outcome yet.
	reasonBusy engine.Reason = "Busy"
	// retryEvery is how long a server that has no outcome is left alone.
	retryEvery = 100 * time.Millisecond
)

// perform asks for something to be done with a ticket, waits for the outcome, and
// answers the ticket as it then is.
func (c *cluster) perform(ctx context.Context, t *seen, verb string, action *restv1.Action, timeout time.Duration) (*seen, error) {
	served := &restv1.Ticket{}
	err := c.insist(ctx, timeout, &action.IdempotencyKey, func(ctx context.Context) error {
		return c.served.Post().Namespace(t.Namespace).Resource("tickets").Name(t.Name).SubResource(verb).Body(action).Do(ctx).Into(served)
	})
	if err != nil {
		return nil, c.explained(ctx, err, timeout, "the action", "See where it stands: kubectl ticket show "+c.handle(t), c.handle(t))
	}
	return c.after(ctx, client.ObjectKeyFromObject(t), served.ResourceVersion)
}

// undecided says that the time was up before there was an outcome.
type undecided struct{ last engine.Reason }

// Error is what is known of what was asked for.
func (u *undecided) Error() string { return string(u.last) }

// insist asks until there is an outcome or the time is up. Each time it is the
// same request, by its key: it is done once.
func (c *cluster) insist(ctx context.Context, timeout time.Duration, key *string, ask func(context.Context) error) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	*key = id.String()
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	last := engine.Reason("")
	var outcome error
	err = wait.PollUntilContextCancel(limited, retryEvery, true, func(context.Context) (bool, error) {
		outcome = ask(limited)
		if limited.Err() != nil && outcome != nil {
			return false, limited.Err()
		}
		reason, _ := reasonOf(outcome)
		if reason != reasonPending && reason != reasonBusy && !apierrors.IsTimeout(outcome) {
			return true, nil
		}
		last = reason
		return false, nil
	})
	if err != nil {
		return &undecided{last}
	}
	return outcome
}

// explained says why something was not done, or what is known of it.
func (c *cluster) explained(ctx context.Context, err error, timeout time.Duration, what, advice, handle string) error {
	var open *undecided
	if errors.As(err, &open) {
		known := what + " may be recorded, but has no outcome"
		switch open.last {
		case reasonPending:
			known = what + " is recorded and stands, but has no outcome"
		case reasonBusy:
			known = "nothing was recorded: an action that came before has no outcome"
		}
		if ctx.Err() != nil {
			return advise(fmt.Errorf("interrupted: %s yet", known), "%s", advice)
		}
		return advise(fmt.Errorf("%s after %s", known, timeout), "%s; if it stays so, the manager is not running.", advice)
	}
	if refusal := refusalIn(err, handle); refusal != nil {
		return refusal
	}
	return err
}

// reasonOf is why Ticketflow refuses something, and in what words; empty where it
// is not Ticketflow that does.
func reasonOf(err error) (engine.Reason, string) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil || len(status.Status().Details.Causes) != 1 {
		return "", ""
	}
	details := status.Status().Details
	if details.Group != restv1.GroupVersion.Group || details.Causes[0].Field != "" || isNotInstalled(err) {
		return "", ""
	}
	return engine.Reason(details.Causes[0].Type), details.Causes[0].Message
}

// after reads a ticket as it is after a change: there may be several servers, and
// the next one that is asked may be a moment behind.
func (c *cluster) after(ctx context.Context, key client.ObjectKey, version string) (*seen, error) {
	var found *seen
	err := wait.PollUntilContextTimeout(ctx, retryEvery, defaultTimeout, true, func(ctx context.Context) (bool, error) {
		t, err := c.read(ctx, key)
		switch {
		case isMissing(err):
			return false, nil // a new one, of which this server has not heard yet
		case err != nil:
			return false, err
		}
		found = t
		order, err := resourceversion.CompareResourceVersion(t.ResourceVersion, version)
		return err == nil && order >= 0, err
	})
	if err != nil {
		return nil, advise(fmt.Errorf("it was done, but the ticket cannot be read: %w", err), "See where it stands: kubectl ticket list")
	}
	return found, nil
}
