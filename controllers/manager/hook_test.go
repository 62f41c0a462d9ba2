// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package manager_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/fixtures"
)

var _ = Describe("a hook", func() {
	It("is called until it can be reached, and is waited for until it calls back", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		var calls atomic.Int32
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if calls.Add(1) == 1 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			_, _ = io.WriteString(w, `{"code": 0, "msg": "taken"}`)
		}))
		DeferCleanup(other.Close)
		w := fixtures.Workflow(ns)
		grant := &w.Spec.States[3]
		grant.Participants = &v1alpha1.Participants{Hook: &v1alpha1.Hook{URL: other.URL, Wait: true}}
		grant.Form = []v1alpha1.FormField{{Field: "account", Access: v1alpha1.AccessRequired}}
		ticket := fixtures.Ticket(ns, "vpn-1")
		create(ctx, w, ticket)
		toGrant(ctx, ticket)
		Eventually(get(ctx, ticket)).Should(HaveField("Status.Wanted.Noted", BeTrue()))
		Expect(calls.Load()).To(BeEquivalentTo(2))
		Expect(ticket.Status.State).To(BeEquivalentTo("grant"))
		Expect(comments(ticket)).To(ContainElement("taken"))

		failed := v1alpha1.TicketAction{Type: v1alpha1.ActionHookCallback, Actor: v1alpha1.HookUser, Succeeded: ptr.To(false), Comment: "no room"}
		Expect(act(ctx, ticket, failed)).To(applied())
		Expect(ticket.Status.LastRunFailed).To(BeTrue())
		Expect(act(ctx, ticket, v1alpha1.TicketAction{Type: v1alpha1.ActionRetryScript, Actor: "lilei"})).To(applied())
		Eventually(get(ctx, ticket)).Should(HaveField("Status.Wanted.Noted", BeTrue()))
		Expect(calls.Load()).To(BeEquivalentTo(3))

		done := v1alpha1.TicketAction{
			Type: v1alpha1.ActionHookCallback, Actor: v1alpha1.HookUser, Succeeded: ptr.To(true), Comment: "made",
			Fields: v1alpha1.JSONObject{"account": "lilei-vpn"},
		}
		Expect(act(ctx, ticket, done)).To(applied())
		Expect(ticket.Status.State).To(BeEquivalentTo("confirm"))
		Expect(ticket.Status.Fields).To(HaveKeyWithValue("account", "lilei-vpn"))
	})
})
