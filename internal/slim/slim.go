// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package slim makes small what an informer keeps of a ticket, without leaving
// anything out: tickets share the texts that many of them have in common, such
// as names of states and people, and slices lose the room that decoding left.
package slim

import (
	"unique"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Transform returns a transformation for a cache: it strips managed fields from
// every object, and slims tickets. What it gives equals what it was given in all
// else.
func Transform() toolscache.TransformFunc {
	strip := cache.TransformStripManagedFields()
	return func(object any) (any, error) {
		if ticket, ok := object.(*v1alpha1.Ticket); ok {
			slim(ticket)
		}
		return strip(object)
	}
}

// Text returns an equal text that its other users have, too.
func Text[S ~string](text S) S { return S(unique.Make(string(text)).Value()) }

func slim(t *v1alpha1.Ticket) {
	share(&t.Kind, &t.APIVersion, &t.Namespace, &t.GenerateName)
	texts(t.Finalizers)
	t.Labels, t.Annotations = keyed(t.Labels), keyed(t.Annotations)
	share(&t.Spec.WorkflowRef.Name)
	share(&t.Spec.Creator)
	share(&t.Spec.Transition)
	share(&t.Spec.By.Application, &t.Spec.By.User)
	t.Spec.Fields = keyed(t.Spec.Fields)
	slimAction(t.Spec.Action)
	slimStatus(&t.Status)
}

func slimAction(a *v1alpha1.TicketAction) {
	if a == nil {
		return
	}
	share(&a.Type)
	share(&a.Actor, &a.Target)
	share(&a.Transition, &a.FromState, &a.State)
	share(&a.By.Application, &a.By.User)
	a.Fields = keyed(a.Fields)
}

func slimStatus(s *v1alpha1.TicketStatus) {
	share(&s.WorkflowRevision)
	share(&s.State)
	share(&s.Progress)
	slimParticipants(&s.Participants)
	texts(s.Signers)
	slimVotes(s.Votes)
	s.Related = exact(s.Related)
	for i := range s.Related {
		share(&s.Related[i].User)
	}
	s.Fields = keyed(s.Fields)
	s.History = exact(s.History)
	for i := range s.History {
		slimEntry(&s.History[i])
	}
	s.RecentActions = exact(s.RecentActions)
	for i := range s.RecentActions {
		share(&s.RecentActions[i].Outcome)
		share(&s.RecentActions[i].Reason, &s.RecentActions[i].Message)
	}
	s.Conditions = exact(s.Conditions)
	for i := range s.Conditions {
		share(&s.Conditions[i].Status)
		share(&s.Conditions[i].Type, &s.Conditions[i].Reason, &s.Conditions[i].Message)
	}
}

func slimEntry(e *v1alpha1.HistoryEntry) {
	share(&e.Action)
	share(&e.State, &e.Transition, &e.After.State)
	share(&e.Outcome)
	share(&e.Actor, &e.Target)
	share(&e.After.Progress)
	if e.By != nil {
		share(&e.By.Application, &e.By.User)
	}
	e.Changes = keyed(e.Changes)
	slimParticipants(&e.After.Participants)
	texts(e.After.Signers)
	slimVotes(e.After.Votes)
}

func slimParticipants(p *v1alpha1.CurrentParticipants) {
	share(&p.Kind)
	share(&p.Script)
	p.Users = exact(p.Users)
	texts(p.Users)
}

func slimVotes(votes []v1alpha1.Vote) {
	for i := range votes {
		share(&votes[i].User)
		share(&votes[i].Transition)
	}
}

// share swaps texts for their shared equals.
func share[S ~string](texts ...*S) {
	for _, text := range texts {
		*text = Text(*text)
	}
}

func texts[S ~string](all []S) {
	for i := range all {
		all[i] = Text(all[i])
	}
}

// exact moves a slice to a place of its own size.
func exact[T any](all []T) []T {
	if len(all) == cap(all) {
		return all
	}
	moved := make([]T, len(all))
	copy(moved, all)
	return moved
}

// keyed shares the keys, which many objects have; values are an object's own.
func keyed[M ~map[string]V, V any](values M) M {
	if values == nil {
		return nil
	}
	out := make(M, len(values))
	for key, value := range values {
		out[Text(key)] = value
	}
	return out
}
