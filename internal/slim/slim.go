// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package slim makes small what a cache keeps of tickets, without leaving
// anything out. Of each it keeps the head, as it is: what events, indexes and
// lists are about. The rest, which is much more, is packed into bytes, and
// unpacked wherever a ticket is read by itself.
package slim

import (
	"context"
	"reflect"
	"time"
	"unique"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// NewCache makes a cache that keeps tickets packed and strips managed fields
// from every object. What is read of it:
//
//   - Get answers whole tickets, also where the copy is dispensed with.
//   - List answers whole tickets, but heads where the copy is dispensed with.
//   - Events and indexes are given heads.
//
// A head cannot be written: encoding it fails. Tickets are those of all namespaces:
// options that restrict objects must not be about them.
func NewCache(config *rest.Config, o cache.Options) (cache.Cache, error) {
	return newCache(config, o, pageSize)
}

func newCache(config *rest.Config, o cache.Options, pageSize int64) (cache.Cache, error) {
	o.DefaultTransform = Transform()
	tickets, err := ticketClient(config)
	if err != nil {
		return nil, err
	}
	o.NewInformer = func(source toolscache.ListerWatcher, example runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
		if _, ok := example.(*v1alpha1.Ticket); ok {
			source = newLister(source, tickets, o.DefaultTransform, pageSize)
		}
		return toolscache.NewSharedIndexInformer(source, example, resync, indexers)
	}
	packed, err := cache.New(config, o)
	if err != nil {
		return nil, err
	}
	return &unpacking{packed}, nil
}

// unpacking is a cache whose tickets are unpacked when they are read.
type unpacking struct{ cache.Cache }

// Get answers an object, a ticket whole.
func (c *unpacking) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if err := c.Cache.Get(ctx, key, object, options...); err != nil {
		return err
	}
	if ticket, ok := object.(*v1alpha1.Ticket); ok {
		unpack(ticket)
	}
	return nil
}

// List answers objects; of tickets the heads if the copy is dispensed with.
func (c *unpacking) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if err := c.Cache.List(ctx, list, options...); err != nil {
		return err
	}
	var asked client.ListOptions
	asked.ApplyOptions(options)
	if asked.UnsafeDisableDeepCopy != nil && *asked.UnsafeDisableDeepCopy {
		return nil
	}
	if tickets, ok := list.(*v1alpha1.TicketList); ok {
		for i := range tickets.Items {
			unpack(&tickets.Items[i])
		}
	}
	return nil
}

// Transform returns the transformation that such a cache makes with what it gets.
func Transform() toolscache.TransformFunc {
	strip := cache.TransformStripManagedFields()
	return func(object any) (any, error) {
		if ticket, ok := object.(*v1alpha1.Ticket); ok {
			pack(ticket)
			shareHead(ticket)
		}
		return strip(object)
	}
}

// Whole answers a ticket with all that it has, sharing the head's parts: it must
// not be changed. Nil stays nil.
func Whole(head *v1alpha1.Ticket) *v1alpha1.Ticket {
	if head == nil || head.Status.Packed == nil {
		return head
	}
	whole := *head
	unpack(&whole)
	return &whole
}

// packed is what heads are without.
type packed struct {
	Annotations   map[string]string
	Comment       string
	SpecFields    v1alpha1.JSONObject
	Action        *v1alpha1.TicketAction
	Fields        v1alpha1.JSONObject
	LastHandlers  map[string]v1alpha1.UserName
	History       []v1alpha1.HistoryEntry
	HeadHash      string
	RecentActions []v1alpha1.RecentAction
}

// exchange swaps what is packed for what the ticket has of it.
func (p *packed) exchange(t *v1alpha1.Ticket) {
	p.Annotations, t.Annotations = t.Annotations, p.Annotations
	p.Comment, t.Spec.Comment = t.Spec.Comment, p.Comment
	p.SpecFields, t.Spec.Fields = t.Spec.Fields, p.SpecFields
	p.Action, t.Spec.Action = t.Spec.Action, p.Action
	p.Fields, t.Status.Fields = t.Status.Fields, p.Fields
	p.LastHandlers, t.Status.LastHandlers = t.Status.LastHandlers, p.LastHandlers
	p.History, t.Status.History = t.Status.History, p.History
	p.HeadHash, t.Status.HeadHash = t.Status.HeadHash, p.HeadHash
	p.RecentActions, t.Status.RecentActions = t.Status.RecentActions, p.RecentActions
}

// pack leaves the head of a ticket; a ticket that cannot be packed stays whole.
// It may be a head already: informers transform what they get more than once.
func pack(t *v1alpha1.Ticket) {
	if t.Status.Packed != nil {
		return
	}
	var rest packed
	rest.exchange(t)
	e := encoder{texts: map[string]uint64{}}
	if err := e.value(reflect.ValueOf(&rest)); err != nil {
		rest.exchange(t)
		return
	}
	t.Status.Packed = exact(e.out)
}

// unpack makes a head whole again. Its parts that others may share are not touched.
func unpack(t *v1alpha1.Ticket) {
	if t.Status.Packed == nil {
		return
	}
	var rest packed
	d := decoder{in: t.Status.Packed}
	d.value(reflect.ValueOf(&rest).Elem())
	rest.exchange(t)
	t.Status.Packed = nil
}

// Text returns an equal text that its other users have, too.
func Text[S ~string](text S) S { return S(unique.Make(string(text)).Value()) }

// shareHead has tickets share the texts that many have in common, such as names
// of states and people, and takes the room that decoding has left in slices.
func shareHead(t *v1alpha1.Ticket) {
	share(&t.Kind, &t.APIVersion, &t.Namespace, &t.GenerateName)
	share(&t.Spec.WorkflowRef.Name)
	share(&t.Spec.Creator)
	share(&t.Spec.Transition)
	share(&t.Spec.By.Application, &t.Spec.By.User)
	s := &t.Status
	share(&s.WorkflowRevision)
	share(&s.State)
	share(&s.Progress)
	share(&s.Participants.Kind)
	share(&s.Participants.Script)
	s.Participants.Users = exact(s.Participants.Users)
	texts(s.Participants.Users)
	texts(s.Signers)
	for i := range s.Votes {
		share(&s.Votes[i].User)
		share(&s.Votes[i].Transition)
	}
	s.Related = exact(s.Related)
	for i := range s.Related {
		share(&s.Related[i].User)
	}
	s.Conditions = exact(s.Conditions)
	for i := range s.Conditions {
		share(&s.Conditions[i].Status)
		share(&s.Conditions[i].Type, &s.Conditions[i].Reason, &s.Conditions[i].Message)
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
