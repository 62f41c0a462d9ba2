// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

func verifyCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "verify TICKET",
		Short: "Check that a ticket's history is whole",
		Long: "Check that a ticket's history is whole: every entry's hash is over the entry and the\n" +
			"hash before it, through all records and the status. That shows edits and gaps; it does\n" +
			"not show a writer who recomputes every hash.",
		Example:           "  kubectl ticket verify 17",
		Args:              takes("TICKET"),
		ValidArgsFunction: s.completeTicketThen(nil),
		RunE: func(c *cobra.Command, arguments []string) error {
			cluster, err := s.connect()
			if err != nil {
				return err
			}
			t, err := cluster.ticket(c.Context(), arguments[0])
			if err != nil {
				return err
			}
			if err := verify(t.Ticket, t.records); err != nil {
				return advise(fmt.Errorf("the history of %s/%s is not whole: %w", t.Namespace, t.Name, err),
					"Compare it with a backup, and ask who may write tickets/status or ticketrecords.")
			}
			s.say("%s/%s: all %d entries are whole, %d of them in %d records; the newest hash is %s.", t.Namespace, t.Name,
				t.Status.HistoryCount, max(t.Status.HistoryCount-int64(len(t.Status.History)), 0), len(t.records), t.Status.HeadHash)
			return nil
		},
	}
}

// verify checks the chain from the first entry to the status's head.
func verify(t *v1alpha1.Ticket, records []v1alpha1.TicketRecordSpec) error {
	entries := history(records, t)
	if len(entries) == 0 {
		if t.Status.HistoryCount != 0 || t.Status.HeadHash != "" {
			return fmt.Errorf("all %d entries are missing", t.Status.HistoryCount)
		}
		return errors.New("there is none: the ticket was not opened")
	}
	if first := entries[0].Seq; first != 1 {
		return fmt.Errorf("it begins with entry %d: the entries before it are missing", first)
	}
	if err := engine.VerifyHistory("", entries); err != nil {
		return err
	}
	if err := twice(entries, t.Status.History); err != nil {
		return err
	}
	for i := range records {
		spec := &records[i]
		if err := twice(entries, spec.Entries); err != nil {
			return err
		}
		if last := spec.Entries[len(spec.Entries)-1]; spec.LastHash != last.Hash || spec.PreviousHash != hashBefore(entries, spec.FirstSeq) {
			return fmt.Errorf("the record that begins with entry %d does not begin or end with the hashes that it says", spec.FirstSeq)
		}
	}
	last := entries[len(entries)-1]
	switch {
	case last.Seq != t.Status.HistoryCount:
		return fmt.Errorf("it ends with entry %d, but the status counts %d", last.Seq, t.Status.HistoryCount)
	case last.Hash != t.Status.HeadHash:
		return fmt.Errorf("the status's head is not the hash of its last entry, %d", last.Seq)
	}
	return nil
}

// twice checks entries that stand in two places: they must be the same in both.
func twice(all, some []v1alpha1.HistoryEntry) error {
	for i := range some {
		at := some[i].Seq - 1
		if at < 0 || at >= int64(len(all)) {
			return fmt.Errorf("entry %d is beyond the last", some[i].Seq)
		}
		if err := engine.VerifyHistory(hashBefore(all, some[i].Seq), some[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// hashBefore is the hash that an entry follows on; empty for the first.
func hashBefore(all []v1alpha1.HistoryEntry, seq int64) string {
	if seq < 2 || seq > int64(len(all))+1 {
		return ""
	}
	return all[seq-2].Hash
}
