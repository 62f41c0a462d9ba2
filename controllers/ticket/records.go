// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ticket

import (
	"context"
	"errors"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/graphs"
	"ticketflow.dev/ticketflow/internal/history"
)

// keepRecord writes a block of older history down, before the status that
// drops it.
func (r *Reconciler) keepRecord(ctx context.Context, t *v1alpha1.Ticket, id v1alpha1.WireID, moved []v1alpha1.HistoryEntry) error {
	if len(moved) == 0 {
		return nil
	}
	previous, err := r.previousHash(ctx, t, moved)
	if err != nil {
		return err
	}
	record := newRecord(t, id, previous, moved)
	err = r.Client.Create(ctx, record.DeepCopy())
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	var present v1alpha1.TicketRecord
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(record), &present); err != nil {
		return fmt.Errorf("read the record %s: %w", record.Name, err)
	}
	if present.Spec.LastHash == record.Spec.LastHash && metav1.IsControlledBy(&present, t) {
		return nil
	}
	return r.replaceRecord(ctx, t, &present, record)
}

// replaceRecord puts a record in the place of one that was left by a write of
// the status that never came to pass. That is so only while this ticket still
// has the entries in its status.
func (r *Reconciler) replaceRecord(ctx context.Context, t *v1alpha1.Ticket, present, record *v1alpha1.TicketRecord) error {
	var live v1alpha1.Ticket
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(t), &live); err != nil {
		return fmt.Errorf("read the ticket: %w", err)
	}
	if live.ResourceVersion != t.ResourceVersion {
		return apierrors.NewConflict(v1alpha1.SchemeGroupVersion.WithResource("tickets").GroupResource(), t.Name, errStale)
	}
	if err := r.Client.Delete(ctx, present, client.Preconditions{UID: &present.UID}); err != nil {
		return fmt.Errorf("delete the record %s: %w", present.Name, err)
	}
	return r.Client.Create(ctx, record)
}

var errStale = errors.New("the ticket has changed meanwhile")

func newRecord(t *v1alpha1.Ticket, id v1alpha1.WireID, previous string, moved []v1alpha1.HistoryEntry) *v1alpha1.TicketRecord {
	first := moved[0]
	return &v1alpha1.TicketRecord{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: t.Namespace,
			Name:      history.RecordName(t.Name, first.Seq),
			Labels:    map[string]string{v1alpha1.LabelTicket: graphs.LabelValue(t.Name)},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.SchemeGroupVersion.String(),
				Kind:       "Ticket",
				Name:       t.Name,
				UID:        t.UID,
				Controller: ptr.To(true),
			}},
		},
		Spec: v1alpha1.TicketRecordSpec{
			TicketName:   v1alpha1.ObjectName(t.Name),
			TicketID:     id,
			FirstSeq:     first.Seq,
			PreviousHash: previous,
			LastHash:     moved[len(moved)-1].Hash,
			Entries:      moved,
		},
	}
}

// ends remembers the last entries of the newest records, so that what this
// process wrote itself need not be read.
type ends struct {
	once  sync.Once
	cache *lru.Cache
}

// remembered bounds the tickets whose newest record is remembered.
const remembered = 10000

type end struct {
	seq  int64
	hash string
}

func (e *ends) get(ticket types.UID, seq int64) (string, bool) {
	e.once.Do(func() { e.cache = lru.New(remembered) })
	found, ok := e.cache.Get(ticket)
	if !ok || found.(end).seq != seq {
		return "", false
	}
	return found.(end).hash, true
}

func (e *ends) set(ticket types.UID, last v1alpha1.HistoryEntry) {
	e.once.Do(func() { e.cache = lru.New(remembered) })
	e.cache.Add(ticket, end{seq: last.Seq, hash: last.Hash})
}

// previousHash is the hash of the entry before the first that is moved, which
// ends the record before.
func (r *Reconciler) previousHash(ctx context.Context, t *v1alpha1.Ticket, moved []v1alpha1.HistoryEntry) (string, error) {
	first := moved[0].Seq
	if first == 1 {
		return "", nil
	}
	if hash, known := r.ends.get(t.UID, first-1); known {
		return hash, nil
	}
	// Blocks are of one length as a rule, so the record before has this name.
	var before v1alpha1.TicketRecord
	key := client.ObjectKey{Namespace: t.Namespace, Name: history.RecordName(t.Name, first-int64(len(moved)))}
	err := r.Live.Get(ctx, key, &before)
	if err == nil && lastSeq(&before) == first-1 {
		return before.Spec.LastHash, nil
	}
	if client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("read the record %s: %w", key.Name, err)
	}
	var all v1alpha1.TicketRecordList
	err = r.Live.List(ctx, &all, client.InNamespace(t.Namespace),
		client.MatchingLabels{v1alpha1.LabelTicket: graphs.LabelValue(t.Name)})
	if err != nil {
		return "", fmt.Errorf("list the ticket's records: %w", err)
	}
	for i := range all.Items {
		if lastSeq(&all.Items[i]) == first-1 && metav1.IsControlledBy(&all.Items[i], t) {
			return all.Items[i].Spec.LastHash, nil
		}
	}
	// Somebody deleted it: the chain shows that, and the ticket goes on.
	return "", nil
}

func lastSeq(record *v1alpha1.TicketRecord) int64 {
	return record.Spec.FirstSeq + int64(len(record.Spec.Entries)) - 1
}
