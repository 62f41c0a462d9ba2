// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"fmt"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/history"
)

// unit is a ticket with its records.
type unit struct {
	ticket  *unstructured.Unstructured
	records []*unstructured.Unstructured
}

func (u *unit) has(record *unstructured.Unstructured) bool {
	ticket, _, _ := unstructured.NestedString(record.Object, "spec", "ticketName")
	return record.GetNamespace() == u.ticket.GetNamespace() && ticket == u.ticket.GetName()
}

// ticket brings a ticket here. First comes the ticket, stamped as one that was
// opened, so that no manager opens it; then its records, so that nothing that
// happens to it later overtakes them; then its status, and what was asked.
func (i *Import) ticket(ctx context.Context, u *unit) error {
	source, err := asTicket(u.ticket)
	if err != nil {
		return err
	}
	if owner := i.taken[int64(source.Status.ID)]; owner != "" && owner != describe(u.ticket) {
		i.differs(u.ticket, "has the id %d, which belongs to %s here", source.Status.ID, owner)
		return nil
	}
	present, made, err := i.place(ctx, u.ticket, source)
	if err != nil || present == nil || source.Status.ID == 0 {
		return err
	}
	there, err := asTicket(present)
	if err != nil {
		return err
	}
	if there.Status.ID != 0 {
		known, err := i.compare(ctx, u.ticket, source, there)
		if known && err == nil && there.Spec.Action == nil && there.Status.HeadHash == source.Status.HeadHash {
			return i.ask(ctx, source, present) // the last time was cut off before
		}
		if err != nil || known || !i.Overwrite {
			return err
		}
	}
	for _, record := range u.records {
		if err := i.record(ctx, record, present); err != nil {
			return fmt.Errorf("%s: %w", describe(record), err)
		}
	}
	if err := i.status(ctx, u.ticket, present, there.Status.ID); err != nil {
		return err
	}
	if !made {
		i.count(&i.outcome.Created)
	}
	return i.ask(ctx, source, present)
}

// place makes the ticket without its status, or finds it. It answers nil if
// another is there.
func (i *Import) place(ctx context.Context, o *unstructured.Unstructured, source *v1alpha1.Ticket) (present *unstructured.Unstructured, made bool, err error) {
	if err := i.space(ctx, o.GetNamespace()); err != nil {
		return nil, false, err
	}
	wanted := bare(o)
	unstructured.RemoveNestedField(wanted.Object, "spec", "action")
	wanted.SetAnnotations(stamped(source))
	if err := i.belong(ctx, o, wanted); err != nil {
		return nil, false, err
	}
	err = i.Restorer.Create(ctx, wanted)
	if err == nil {
		i.count(&i.outcome.Created)
		return wanted, true, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return nil, false, err
	}
	present = newObject(tickets, o.GetNamespace(), o.GetName())
	if err := i.To.Get(ctx, client.ObjectKeyFromObject(o), present); err != nil {
		return nil, false, fmt.Errorf("read what is there: %w", err)
	}
	there, err := asTicket(present)
	if err != nil {
		return nil, false, err
	}
	there.Spec.Action = nil
	asked := source.Spec.DeepCopy()
	asked.Action = nil
	if !equality.Semantic.DeepEqual(there.Spec, *asked) {
		i.differs(o, "is another ticket here")
		return nil, false, nil
	}
	return present, false, i.stamp(ctx, present, source)
}

// stamped are a ticket's annotations, with the one that says that it was opened.
func stamped(source *v1alpha1.Ticket) map[string]string {
	annotations := maps.Clone(source.Annotations)
	if source.Status.OpenedAt == nil || annotations[v1alpha1.AnnotationOpened] != "" {
		return annotations
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.AnnotationOpened] = source.Status.OpenedAt.UTC().Format(time.RFC3339)
	return annotations
}

// stamp keeps a ticket that came here in another way from being opened.
func (i *Import) stamp(ctx context.Context, present *unstructured.Unstructured, source *v1alpha1.Ticket) error {
	at := stamped(source)[v1alpha1.AnnotationOpened]
	annotations := present.GetAnnotations()
	if at == "" || annotations[v1alpha1.AnnotationOpened] != "" {
		return nil
	}
	before := present.DeepCopy()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.AnnotationOpened] = at
	present.SetAnnotations(annotations)
	return i.Restorer.Patch(ctx, present, client.MergeFrom(before))
}

// compare says whether what stands here came of what was exported, and notes
// what it finds.
func (i *Import) compare(ctx context.Context, o *unstructured.Unstructured, source, there *v1alpha1.Ticket) (known bool, err error) {
	is, was := &there.Status, &source.Status
	switch {
	case is.ID != was.ID || is.SerialNumber != was.SerialNumber:
		if !i.Overwrite {
			i.differs(o, "is ticket %d (%s) here and %d (%s) in the export", is.ID, is.SerialNumber, was.ID, was.SerialNumber)
		}
		return false, nil
	case is.HeadHash == was.HeadHash:
		i.count(&i.outcome.Same)
		return true, nil
	}
	entries := is.History
	if is.HistoryCount-int64(len(entries)) >= was.HistoryCount {
		if entries, err = history.Recorded(ctx, i.To, there, history.ByLabel(there)); err != nil {
			return false, err
		}
	}
	for n := range entries {
		if entries[n].Hash == was.HeadHash {
			i.count(&i.outcome.Ahead)
			return true, nil
		}
	}
	if !i.Overwrite {
		i.differs(o, "has another history here")
	}
	return false, nil
}

// record makes a record of the ticket that is here.
func (i *Import) record(ctx context.Context, o, ticket *unstructured.Unstructured) error {
	wanted := bare(o)
	wanted.SetOwnerReferences([]metav1.OwnerReference{{
		APIVersion: tickets.GroupVersion().String(), Kind: tickets.Kind, Name: ticket.GetName(), UID: ticket.GetUID(), Controller: ptr.To(true),
	}})
	err := i.Restorer.Create(ctx, wanted)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	present := newObject(records, o.GetNamespace(), o.GetName())
	if err := i.To.Get(ctx, client.ObjectKeyFromObject(o), present); err != nil {
		return fmt.Errorf("read what is there: %w", err)
	}
	if !same(present, o) {
		return fmt.Errorf("another record is there, which the manager has to replace: delete ticket %s first", ticket.GetName())
	}
	if metav1.IsControlledBy(present, ticket) {
		return nil
	}
	before := present.DeepCopy()
	present.SetOwnerReferences(wanted.GetOwnerReferences())
	return i.Restorer.Patch(ctx, present, client.MergeFrom(before))
}

// status gives the ticket its status, unless it gets another one meanwhile than
// the one with the id that was expected.
func (i *Import) status(ctx context.Context, o, present *unstructured.Unstructured, expected v1alpha1.WireID) error {
	for range tries {
		if id := number(present, "status", "id"); id != int64(expected) {
			return fmt.Errorf("it was opened here meanwhile, as %d", id)
		}
		present.Object["status"] = statusFor(o, present)
		err := i.Restorer.Status().Update(ctx, present)
		if !apierrors.IsConflict(err) {
			return err
		}
		if err := i.To.Get(ctx, client.ObjectKeyFromObject(o), present); err != nil {
			return fmt.Errorf("read what is there: %w", err)
		}
	}
	return fmt.Errorf("others wrote it %d times in a row", tries)
}

// ask puts the action that was pending on the ticket, unless something was
// asked or has happened here already.
func (i *Import) ask(ctx context.Context, source *v1alpha1.Ticket, present *unstructured.Unstructured) error {
	if source.Spec.Action == nil {
		return nil
	}
	if _, decided := engine.Outcome(&source.Status, source.Spec.Action.ID); decided {
		return nil
	}
	for range tries {
		there, err := asTicket(present)
		if err != nil {
			return err
		}
		if there.Spec.Action != nil || there.Status.HeadHash != source.Status.HeadHash {
			break
		}
		t := &v1alpha1.Ticket{ObjectMeta: metav1.ObjectMeta{Namespace: source.Namespace, Name: source.Name, ResourceVersion: there.ResourceVersion}}
		before := t.DeepCopy()
		t.Spec.Action = source.Spec.Action
		err = i.Restorer.Patch(ctx, t, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
		if !apierrors.IsConflict(err) {
			return err
		}
		// A manager that runs here already may have looked after the ticket,
		// which is no reason to lose what was asked.
		if err := i.To.Get(ctx, client.ObjectKeyFromObject(t), present); err != nil {
			return fmt.Errorf("read what is there: %w", err)
		}
	}
	i.Report("Ticket %s/%s: the action that was pending is not carried, since something else happened here already.", source.Namespace, source.Name)
	return nil
}
