//go:build e2e

// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

func namespaces() {
	It("lets a namespace with tickets go to its end", func(ctx SpecContext) {
		fillNamespace(ctx, "leaving")
		kubectl(ctx, "delete", "namespace", "leaving", "--timeout", patience.String())
	})

	It("lets a namespace go while no API server is there, and serves again after that", func(ctx SpecContext) {
		fillNamespace(ctx, "leaving-too")
		replicas := func(n string) {
			kubectl(ctx, "scale", "--namespace", systemNamespace, "deployment/ticketflow-apiserver", "--replicas", n)
		}
		replicas("0")
		Eventually(func() error { // kube-apiserver looks again once a minute
			_, err := clusterMap.ServerPreferredResources()
			return err
		}).Should(MatchError(ContainSubstring(group)))
		kubectl(ctx, "delete", "namespace", "leaving-too", "--timeout", (2 * patience).String())
		_, err := run(ctx, kubectlProgram(), "get", "apiservice", apiService)
		Expect(err).To(MatchError(ContainSubstring("NotFound")), "or else it has been in the way")
		replicas("2")
		Eventually(func() error {
			_, err := raw(ctx, "lilei", "/apis/rest.ticketflow.dev/v1/namespaces/"+namespace+"/tickets")
			return err
		}).Should(Succeed())
		rolledOut(ctx)
	})
}

// fillNamespace makes a namespace with a workflow and an open ticket on it.
func fillNamespace(ctx context.Context, name string) {
	GinkgoHelper()
	kubectl(ctx, "create", "namespace", name)
	kubectl(ctx, "create", "rolebinding", "people", "--namespace", name, "--clusterrole", "ticketflow-requester", "--user", "lilei")
	kubectlWith(ctx, `
apiVersion: ticketflow.dev/v1alpha1
kind: Workflow
metadata: {name: short, namespace: `+name+`}
spec:
  states:
  - {name: new, type: Start, form: [{field: title, access: Required}], transitions: [{name: submit, to: work}]}
  - {name: work, participants: {variables: [Creator]}, transitions: [{name: done, to: end}]}
  - {name: end, type: End}
`, "apply")
	kubectl(ctx, "wait", "--namespace", name, "--for", "condition=Ready", "--timeout", patience.String(), "workflows.ticketflow.dev/short")
	kubectlWith(ctx, `{"request": {"workflow": "short", "title": "left open"}}`,
		"create", "--as", "lilei", "--as-group", "system:authenticated", "--raw", "/apis/rest.ticketflow.dev/v1/namespaces/"+name+"/tickets")
	Eventually(func(g Gomega) {
		var tickets v1alpha1.TicketList
		g.Expect(k8s.List(ctx, &tickets, client.InNamespace(name))).To(Succeed())
		g.Expect(tickets.Items).To(HaveLen(1))
		g.Expect(tickets.Items[0].Status.ID).NotTo(BeZero())
	}).Should(Succeed())
}
