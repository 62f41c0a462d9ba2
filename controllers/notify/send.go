// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"context"
	"errors"
	"fmt"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/credentials"
	"ticketflow.dev/ticketflow/internal/outbound"
)

// send tells a notifier of one entry. An error that is outbound.ErrTryAgain
// says that it is down; any other, that it does not take this message.
func (r *Reconciler) send(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph, notifier *v1alpha1.Notifier, entry *v1alpha1.HistoryEntry) error {
	message, err := r.message(t, graph, entry)
	if err != nil {
		return err
	}
	switch {
	case notifier.Spec.Webhook != nil:
		return r.post(ctx, notifier, message)
	case notifier.Spec.Email != nil:
		return r.mail(ctx, notifier, mailOf(t, entry, message, r.people(engine.Audience(graph, t))))
	}
	return errors.New("it has neither webhook nor email")
}

func (r *Reconciler) post(ctx context.Context, notifier *v1alpha1.Notifier, message Message) error {
	token, err := r.secret(ctx, notifier, notifier.Spec.Webhook.TokenSecretRef)
	if err != nil {
		return err
	}
	answer, err := r.Outbound.Post(ctx, notifier.Spec.Webhook.URL, token, message)
	if err != nil {
		return err
	}
	if answer.Code != 0 {
		return fmt.Errorf("it answers code %d: %s", answer.Code, answer.Msg)
	}
	return nil
}

// secret reads what a notifier authenticates itself with; nothing where it does not.
func (r *Reconciler) secret(ctx context.Context, notifier *v1alpha1.Notifier, ref *v1alpha1.SecretKeyRef) (string, error) {
	if ref == nil {
		return "", nil
	}
	value, why, err := credentials.Read(ctx, r.Live, v1alpha1.UseNotifier, notifier.Namespace, *ref)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w", outbound.ErrTryAgain, err)
	case why != "":
		return "", errors.New(why)
	}
	return string(value), nil
}
