// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/history"
)

// tickets writes each ticket, and its records after it. A record is there
// before the status that counts on it, so reading it later misses nothing.
func (e *Export) tickets(ctx context.Context) error {
	refused := 0
	err := e.each(ctx, tickets, func(o *unstructured.Unstructured) error {
		t, err := asTicket(o)
		if err != nil {
			return err
		}
		if meta.IsStatusConditionFalse(t.Status.Conditions, v1alpha1.ConditionOpened) {
			refused++
			return nil
		}
		if err := e.out.object(o); err != nil {
			return err
		}
		return e.records(ctx, t)
	})
	if refused > 0 {
		e.Report("%d tickets that were refused and never opened are left out.", refused)
	}
	return err
}

// records writes the records of the entries that the ticket's status has no more.
func (e *Export) records(ctx context.Context, t *v1alpha1.Ticket) error {
	beyond := t.Status.HistoryCount - int64(len(t.Status.History)) + 1
	for next := int64(1); next < beyond; {
		o := newObject(records, t.Namespace, history.RecordName(t.Name, next))
		err := e.From.Get(ctx, client.ObjectKeyFromObject(o), o)
		if apierrors.IsNotFound(err) {
			e.Report("Ticket %s/%s lacks the entries of its history from %d on, up to %d.", t.Namespace, t.Name, next, beyond-1)
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a record of ticket %s/%s: %w", t.Namespace, t.Name, err)
		}
		var record v1alpha1.TicketRecord
		if err := convert(o, &record); err != nil {
			return err
		}
		if err := e.out.object(o); err != nil {
			return err
		}
		next = record.Spec.FirstSeq + int64(len(record.Spec.Entries))
	}
	return nil
}

func asTicket(o *unstructured.Unstructured) (*v1alpha1.Ticket, error) {
	t := &v1alpha1.Ticket{}
	return t, convert(o, t)
}

// convert reads an object as one of our types.
func convert(o *unstructured.Unstructured, into any) error {
	data, err := o.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", describe(o), err)
	}
	return nil
}

func asStatus(err error, status *apierrors.APIStatus) bool { return errors.As(err, status) }
