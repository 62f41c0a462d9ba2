// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gowebpki/jcs"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

const (
	// keptEntries stay in the status; a longer list halves the write rate.
	keptEntries = 8
	// keptOnMove stay when entries are moved: to move several at once spares
	// most actions the write of a record.
	keptOnMove = 4
	// keptBytes bounds them, so that long comments move on sooner.
	keptBytes = 64 * 1024
)

// record adds an entry to the history, chained to the one before by its hash.
// It fills in what follows from the turn.
func (t *turn) record(entry v1alpha1.HistoryEntry) {
	status := &t.s.Status
	entry.Seq, entry.Time, entry.ActionID = status.HistoryCount+1, t.now, t.action.ID
	if entry.State == "" {
		entry.State = status.State
	}
	if entry.Actor == "" {
		entry.Actor = t.actor
	}
	if entry.Actor != v1alpha1.RobotUser {
		entry.By = t.by
	}
	entry.After = v1alpha1.HistoryPosition{
		State: status.State, Progress: status.Progress, Participants: *status.Participants.DeepCopy(),
		Signers: slices.Clone(status.Signers), Votes: slices.Clone(status.Votes), LastRunFailed: LastRunFailed(status),
	}
	entry.Hash = hashEntry(status.HeadHash, entry)
	status.History = append(status.History, entry)
	status.HistoryCount, status.HeadHash, status.UpdatedAt = entry.Seq, entry.Hash, &t.now
}

// hashEntry is SHA-256, as hex, over the previous hash and the entry's
// canonical JSON without its own hash. It shows edits and gaps, not a writer
// who recomputes the whole chain.
func hashEntry(previous string, entry v1alpha1.HistoryEntry) string {
	entry.Hash = ""
	data, err := json.Marshal(entry)
	if err == nil {
		data, err = jcs.Transform(data)
	}
	if err != nil {
		// Entries hold only what came out of JSON; a failure is a programming
		// error and must not pass for a hash.
		return ""
	}
	sum := sha256.Sum256(append([]byte(previous), data...))
	return hex.EncodeToString(sum[:])
}

// VerifyHistory checks the hash chain of consecutive entries that follow on
// previousHash; the error names the first entry that does not fit.
func VerifyHistory(previousHash string, entries []v1alpha1.HistoryEntry) error {
	for i, entry := range entries {
		if i > 0 && entry.Seq != entries[i-1].Seq+1 {
			return fmt.Errorf("entry %d follows on %d: entries are missing", entry.Seq, entries[i-1].Seq)
		}
		if hashEntry(previousHash, entry) != entry.Hash {
			return fmt.Errorf("entry %d was changed, or the one before it", entry.Seq)
		}
		previousHash = entry.Hash
	}
	return nil
}

// Overflow splits off the history entries that do not belong into the status
// any more (more than 8, or too many bytes), oldest first; nil if all fit.
func Overflow(status v1alpha1.TicketStatus) (kept v1alpha1.TicketStatus, moved []v1alpha1.HistoryEntry) {
	first, size := len(status.History), 0
	for first > 0 && len(status.History)-first < keptEntries {
		data, err := json.Marshal(status.History[first-1])
		size += len(data)
		if err != nil || (size > keptBytes && first < len(status.History)) {
			break
		}
		first--
	}
	if first == 0 {
		return status, nil
	}
	first = max(first, len(status.History)-keptOnMove)
	kept = status
	kept.History = status.History[first:]
	return kept, status.History[:first]
}
