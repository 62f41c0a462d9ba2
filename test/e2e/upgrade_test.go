//go:build e2e

// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/internal/testenv"
)

// nextVersion is upgraded to: the same program, which says that it is another.
const nextVersion = "0.1.1-e2e"

func upgrading() {
	It("is upgraded to another version under load: no request fails, nothing is lost, tickets go on", func(ctx SpecContext) {
		makeTarget(ctx, "image", "VERSION="+nextVersion)
		said, err := run(ctx, testenv.Path("dist", "ticketflow"), "--version")
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(Equal("ticketflow version " + nextVersion + "\n"))
		_, err = run(ctx, testenv.Path("hack", "cluster", "cluster.sh"), "load", testenv.Path("dist", "ticketflow.tar"))
		Expect(err).NotTo(HaveOccurred())
		makeTarget(ctx, "build-installer", "VERSION="+nextVersion)

		ops := newApplication(ctx, false)
		waiting := ops.open(ctx, "lilei", vpnWorkflow, "waits for its approval meanwhile")
		running := ops.open(ctx, "lilei", slowWorkflow, "its script runs meanwhile")
		Eventually(ops.state(ctx, "lilei", running)).Should(BeEquivalentTo(slowState))
		load := startLoad(ctx, 4)
		// As docs/upgrade.md has it.
		kubectl(ctx, "apply", "--server-side", "--force-conflicts", "--filename", testenv.Path("dist", "install.yaml"))
		rolledOut(ctx)
		load.finish(ctx)
		Expect(load.longest).To(BeNumerically("<", failover))

		for _, name := range []string{"manager", "apiserver"} {
			logs := kubectl(ctx, "logs", "--namespace", systemNamespace, "deployment/ticketflow-"+name)
			Expect(logs).To(ContainSubstring(`"Starting ticketflow ` + name + `" version="` + nextVersion + `"`))
		}
		path := fmt.Sprintf("tickets/%d", waiting)
		ops.call(ctx, "zhangsan", http.MethodPatch, path, map[string]any{"transition_id": approve, "suggestion": "by the new version"})
		Expect(ops.detail(ctx, "lilei", waiting).StateID).To(BeEquivalentTo(opsState))
		Eventually(func() int64 { return ops.detail(ctx, "lilei", running).ActState }).Should(BeEquivalentTo(finished))
		Expect(ops.comments(ctx, "lilei", running)).To(ContainElement(ContainSubstring("ran through the upgrade")))
	})
}

// rolledOut waits until pods of the present Deployments have taken over, and
// those before them, which answer until then, are gone.
func rolledOut(ctx context.Context) {
	GinkgoHelper()
	kubectl(ctx, "rollout", "status", "--namespace", systemNamespace, "--timeout", "5m", "deployment/ticketflow-manager", "deployment/ticketflow-apiserver")
	Eventually(func(g Gomega) {
		var pods corev1.PodList
		g.Expect(k8s.List(ctx, &pods, client.InNamespace(systemNamespace))).To(Succeed())
		g.Expect(pods.Items).To(HaveLen(4))
	}).Should(Succeed())
}
