// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/credentials"
	"ticketflow.dev/ticketflow/internal/wire"
)

// maxMessage bounds what is kept of an answer, in bytes; status.run has room
// for more characters.
const maxMessage = 4096

// call is a request that is to be made.
type call struct {
	address, token string
	body           map[string]any
}

// gather reads what a call needs. If the hook cannot be called, it says why.
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
		token, why, err := credentials.Read(ctx, r.Live, t.Namespace, *hook.TokenSecretRef)
		if why != "" || err != nil {
			return call{}, why, err
		}
		c.token = string(token)
	}
	c.body, err = r.body(t, graph, hook)
	return c, "", err
}

// send makes a call and answers what the other side says, or why that is no success.
func (r *Reconciler) send(ctx context.Context, c call) (message string, failure error) {
	answer, err := r.Outbound.Post(ctx, c.address, c.token, c.body)
	if err != nil {
		return "", fmt.Errorf("the hook could not be called: %w", err)
	}
	message = readable(answer.Msg, c.token)
	if answer.Code != 0 {
		return "", fmt.Errorf("the hook answers code %d: %s", answer.Code, message)
	}
	return message, nil
}

// body is what a hook is sent: the ticket, its fields, and what the state adds.
func (r *Reconciler) body(t *v1alpha1.Ticket, graph *engine.Graph, hook *v1alpha1.Hook) (map[string]any, error) {
	data, err := json.Marshal(r.Writer.Ticket(t, graph))
	if err != nil {
		return nil, fmt.Errorf("write the ticket: %w", err)
	}
	body := wire.Fields(t, graph)
	if err := json.Unmarshal(data, &body); err != nil {
		return nil, fmt.Errorf("write the ticket: %w", err)
	}
	if hook.ExtraInfo != nil {
		body["extra_info"] = hook.ExtraInfo
	}
	return body, nil
}

// readable is what the other side said, without our token, should it repeat
// that, and no longer than can be kept.
func readable(text, token string) string {
	if token != "" {
		text = strings.ReplaceAll(text, token, wire.Mask)
	}
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "?")
	if len(text) <= maxMessage {
		return text
	}
	cut := maxMessage
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
