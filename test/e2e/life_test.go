//go:build e2e

// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/testenv"
)

// Wire ids of manifests.yaml.
const (
	vpnWorkflow = 801
	approve     = 802
	done        = 804
	ok          = 806
	opsState    = 803
	confirm     = 805
	endState    = 806

	failingWorkflow, failingState = 811, 812
	waitingWorkflow, waitingState = 821, 822
	roundWorkflow, workState      = 831, 832
	again                         = 832
	reachingWorkflow              = 841
	slowWorkflow, slowState       = 851, 852

	finished = 4 // act_state_id
)

func lives() {
	It("takes a ticket through its life over REST", func(ctx SpecContext) {
		ops := newApplication(ctx, false)
		ticket := ops.open(ctx, "lilei", vpnWorkflow, "over REST")
		path := fmt.Sprintf("tickets/%d", ticket)
		ops.call(ctx, "zhangsan", http.MethodPatch, path, map[string]any{"transition_id": approve, "suggestion": "fine with me"})
		refused, err := ops.send(ctx, "guiji", "", http.MethodPatch, path, map[string]any{"transition_id": done})
		Expect(err).NotTo(HaveOccurred())
		Expect(refused.Reason).To(Equal("AcceptFirst"))
		ops.call(ctx, "guiji", http.MethodPost, path+"/accept", map[string]any{})
		ops.call(ctx, "guiji", http.MethodPatch, path, map[string]any{"transition_id": done, "suggestion": "prepared"})
		Eventually(ops.state(ctx, "lilei", ticket)).Should(BeEquivalentTo(confirm))
		ops.call(ctx, "lilei", http.MethodPatch, path, map[string]any{"transition_id": ok, "suggestion": "it works"})
		ended := ops.detail(ctx, "lilei", ticket)
		Expect(ended.StateID).To(BeEquivalentTo(endState))
		Expect(ended.ActState).To(BeEquivalentTo(finished))
		Expect(ops.comments(ctx, "lilei", ticket)).To(ContainElements("fine with me", "prepared", "it works"))
	})

	It("shows the same ticket through kube-apiserver, and only to whom it concerns", func(ctx SpecContext) {
		ops := newApplication(ctx, false)
		id := ops.open(ctx, "lilei", vpnWorkflow, "aggregated")
		var ticket v1alpha1.TicketList
		Eventually(func(g Gomega) {
			g.Expect(k8s.List(ctx, &ticket, client.InNamespace(namespace), client.MatchingFields{"status.id": strconv.FormatInt(id, 10)})).To(Succeed())
			g.Expect(ticket.Items).To(HaveLen(1))
		}).Should(Succeed())
		byName := fmt.Sprintf("/apis/rest.ticketflow.dev/v1/namespaces/%s/tickets/%s", namespace, ticket.Items[0].Name)
		for _, path := range []string{byName, fmt.Sprintf("/apis/rest.ticketflow.dev/v1/ticketids/%d", id)} {
			Eventually(func() (string, error) { return raw(ctx, "lilei", path) }).Should(ContainSubstring(`"aggregated"`))
		}
		// wangwu may ask for tickets, and has nothing to do with this one; nobody has no right at all.
		for _, user := range []string{"wangwu", "nobody"} {
			_, err := raw(ctx, user, byName)
			Expect(err).To(MatchError(ContainSubstring("orbidden")), user)
		}
	})

	It("takes a ticket through its life with kubectl ticket", func(ctx SpecContext) {
		var opened v1alpha1.Ticket
		out := ticketAs(ctx, "lilei", "new", "vpn", "--title", "with kubectl", "--field", "days=3", "--output", "json")
		Expect(json.Unmarshal([]byte(out), &opened)).To(Succeed())
		name := opened.Name
		Expect(ticketAs(ctx, "zhangsan", "list")).To(ContainSubstring("with kubectl"))
		ticketAs(ctx, "zhangsan", "approve", name, "--comment", "fine with me")
		ticketAs(ctx, "guiji", "accept", name)
		ticketAs(ctx, "guiji", "do", name, "done")
		Eventually(func(g Gomega) {
			var ticket v1alpha1.Ticket
			g.Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &ticket)).To(Succeed())
			g.Expect(ticket.Status.State).To(BeEquivalentTo("confirm"))
		}).Should(Succeed())
		ticketAs(ctx, "lilei", "do", name, "ok", "--comment", "it works")
		Expect(ticketAs(ctx, "lilei", "show", name)).To(And(ContainSubstring("fine with me"), ContainSubstring("it works")))
		ticketAs(ctx, "lilei", "verify", name)
		_, err := kubectlTicket(ctx, "lilei", "do", name, "ok")
		Expect(err).To(HaveOccurred(), "it has ended")
	})
}

// raw asks kube-apiserver for a path as a user.
func raw(ctx context.Context, user, path string) (string, error) {
	return run(ctx, kubectlProgram(), "get", "--raw", path, "--as", user, "--as-group", "system:authenticated")
}

// ticketAs runs kubectl ticket as a user; it must succeed.
func ticketAs(ctx context.Context, user string, arguments ...string) string {
	GinkgoHelper()
	out, err := kubectlTicket(ctx, user, arguments...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

func kubectlTicket(ctx context.Context, user string, arguments ...string) (string, error) {
	return run(ctx, testenv.Path("bin", "kubectl-ticket"),
		append(arguments, "--as", user, "--as-group", "system:authenticated", "--namespace", namespace)...)
}
