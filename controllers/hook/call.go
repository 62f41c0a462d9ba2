// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/credentials"
)

// call is a request that is to be made.
type call struct {
	address, token string
	body           map[string]any
}

// gather reads what a call needs: its body is the ticket, its fields, and what
// the state adds. If the hook cannot be called, it says why.
func (r *Reconciler) gather(ctx context.Context, t *v1alpha1.Ticket) (c call, why string, err error) {
	graph, err := r.Graphs.Revision(ctx, t.Namespace, t.Status.WorkflowRevision)
	if err != nil {
		return call{}, "", err
	}
	hook, ok := engine.HookOf(graph, &t.Status)
	if !ok {
		return call{}, "the state has no hook", nil
	}
	c.address = hook.URL
	if hook.TokenSecretRef != nil {
		token, why, err := credentials.Read(ctx, r.Live, v1alpha1.UseHook, t.Namespace, *hook.TokenSecretRef)
		if why != "" || err != nil {
			return call{}, why, err
		}
		c.token = string(token)
	}
	if c.body, err = r.Writer.Values(t, graph); err != nil {
		return call{}, "", err
	}
	if hook.ExtraInfo != nil {
		c.body["extra_info"] = hook.ExtraInfo
	}
	return c, "", nil
}

// send makes a call and answers what the other side says, or why that is no success.
func (r *Reconciler) send(ctx context.Context, c call) (message string, failure error) {
	answer, err := r.Outbound.Post(ctx, c.address, c.token, c.body)
	if err != nil {
		return "", fmt.Errorf("the hook could not be called: %w", err)
	}
	if answer.Code != 0 {
		// Its own words are the log's text, as on success (rest-behaviour.md §8.2).
		return "", errors.New(cmp.Or(answer.Msg, fmt.Sprintf("the hook answers code %d", answer.Code)))
	}
	return answer.Msg, nil
}
