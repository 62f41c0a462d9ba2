// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// holding is a cache that holds one ticket, as the transformation left it. That
// it answers with the copy or without is all the same here.
type holding struct {
	cache.Cache
	head *v1alpha1.Ticket
}

func (h holding) Get(_ context.Context, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	*object.(*v1alpha1.Ticket) = *h.head
	return nil
}

func (h holding) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*v1alpha1.TicketList).Items = []v1alpha1.Ticket{*h.head}
	return nil
}

func TestATicketThatIsGotIsWhole(t *testing.T) {
	head := transformed(t, decoded(t)).(*v1alpha1.Ticket)
	c := &unpacking{holding{head: head}}
	for _, options := range [][]client.GetOption{nil, {client.UnsafeDisableDeepCopy}} {
		var got v1alpha1.Ticket
		if err := c.Get(t.Context(), client.ObjectKey{}, &got, options...); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Whole(head), &got); diff != "" {
			t.Errorf("with options %v, -want +got:\n%s", options, diff)
		}
	}
	if head.Status.Packed == nil {
		t.Error("what the cache holds was changed")
	}
}

func TestTicketsThatAreListedAreWholeUnlessTheCopyIsDispensedWith(t *testing.T) {
	head := transformed(t, decoded(t)).(*v1alpha1.Ticket)
	c := &unpacking{holding{head: head}}
	var whole, heads v1alpha1.TicketList
	if err := c.List(t.Context(), &whole); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*Whole(head), whole.Items[0]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := c.List(t.Context(), &heads, client.UnsafeDisableDeepCopy); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*head, heads.Items[0]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
