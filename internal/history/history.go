// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package history reads those parts of tickets' histories that have moved from
// their status into records.
package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/graphs"
)

// ByLabel selects a ticket's records where no index does.
func ByLabel(t *v1alpha1.Ticket) client.ListOption {
	return client.MatchingLabels{v1alpha1.LabelTicket: graphs.LabelValue(t.Name)}
}

// maxTicketName is how long a ticket's name may be for its records to bear it:
// with the number it must stay within the 253 characters of an object's name.
const maxTicketName = 230

// RecordName is the name of a ticket's record that begins with an entry: the
// same whoever writes it, so that it is written once. No other ticket's record
// has it, whatever that ticket is called: of a name that is too long only the
// hash is taken, and what follows ends in no other name.
func RecordName(ticket string, firstSeq int64) string {
	if len(ticket) > maxTicketName {
		return fmt.Sprintf("%s.r%d", graphs.LabelValue(ticket), firstSeq)
	}
	return fmt.Sprintf("%s-%d", ticket, firstSeq)
}

// Recorded are the entries that a ticket's records have and its status does not,
// oldest first. Which are the ticket's records, the option says.
func Recorded(ctx context.Context, from client.Reader, t *v1alpha1.Ticket, which client.ListOption) ([]v1alpha1.HistoryEntry, error) {
	var records v1alpha1.TicketRecordList
	if err := from.List(ctx, &records, client.InNamespace(t.Namespace), which); err != nil {
		return nil, fmt.Errorf("list the ticket's records: %w", err)
	}
	slices.SortFunc(records.Items, func(a, b v1alpha1.TicketRecord) int { return cmp.Compare(a.Spec.FirstSeq, b.Spec.FirstSeq) })
	first := t.Status.HistoryCount - int64(len(t.Status.History)) + 1
	var entries []v1alpha1.HistoryEntry
	for i := range records.Items {
		if records.Items[i].Spec.TicketID != t.Status.ID {
			continue
		}
		for _, entry := range records.Items[i].Spec.Entries {
			if entry.Seq == int64(len(entries))+1 && entry.Seq < first {
				entries = append(entries, entry)
			}
		}
	}
	return entries, nil
}
