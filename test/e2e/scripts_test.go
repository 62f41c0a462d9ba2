//go:build e2e

// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/testenv"
)

func scripts() {
	It("runs scripts in pods that have no rights", func(ctx SpecContext) {
		ops := newApplication(ctx, false)
		ticket := ops.open(ctx, "lilei", vpnWorkflow, "script")
		path := fmt.Sprintf("tickets/%d", ticket)
		ops.call(ctx, "zhangsan", http.MethodPatch, path, map[string]any{"transition_id": approve})
		ops.call(ctx, "guiji", http.MethodPost, path+"/accept", map[string]any{})
		ops.call(ctx, "guiji", http.MethodPatch, path, map[string]any{"transition_id": done})
		Eventually(ops.state(ctx, "lilei", ticket)).Should(BeEquivalentTo(confirm))
		for _, said := range []string{"has the ticket", "is not root", "has no capabilities", "is confined", "cannot write", "has no token"} {
			Expect(ops.comments(ctx, "lilei", ticket)).To(ContainElement(ContainSubstring(said)))
		}
	})

	It("keeps scripts from kube-apiserver where the network policy is applied", func(ctx SpecContext) {
		ops := newApplication(ctx, false)
		tries := func() []string {
			ticket := ops.open(ctx, "lilei", reachingWorkflow, "reaching")
			Eventually(func() int64 { return ops.detail(ctx, "lilei", ticket).ActState }).Should(BeEquivalentTo(finished))
			return ops.comments(ctx, "lilei", ticket)
		}
		Expect(tries()).To(ContainElement(ContainSubstring("within reach")), "or else the policy shows nothing")
		kubectl(ctx, "apply", "--namespace", namespace, "--filename", testenv.Path("config", "network-policy", "scripts.yaml"))
		Expect(tries()).To(ContainElement(ContainSubstring("out of reach")))
	})

	It("says why a script failed, and runs it again when asked to", func(ctx SpecContext) {
		ops := newApplication(ctx, false)
		ticket := ops.open(ctx, "lilei", failingWorkflow, "failing")
		Eventually(func() bool { return ops.detail(ctx, "lilei", ticket).ScriptSucceed }).Should(BeFalse())
		Expect(ops.detail(ctx, "lilei", ticket).StateID).To(BeEquivalentTo(failingState))
		Expect(ops.comments(ctx, "lilei", ticket)).To(ContainElement(ContainSubstring("the link is down")))
		repair(ctx, "fail", "echo repaired")
		ops.call(ctx, "lilei", http.MethodPost, fmt.Sprintf("tickets/%d/retry_script", ticket), map[string]any{})
		Eventually(func() int64 { return ops.detail(ctx, "lilei", ticket).ActState }).Should(BeEquivalentTo(finished))
		Expect(ops.comments(ctx, "lilei", ticket)).To(ContainElement(ContainSubstring("repaired")))
	})

	It("takes a pod that is killed for a failed script", func(ctx SpecContext) {
		ops := newApplication(ctx, false)
		ticket := ops.open(ctx, "lilei", waitingWorkflow, "killed")
		var pod corev1.Pod
		Eventually(func(g Gomega) {
			var pods corev1.PodList
			g.Expect(k8s.List(ctx, &pods, client.InNamespace(namespace))).To(Succeed())
			g.Expect(pods.Items).To(ContainElement(HaveField("Status.Phase", corev1.PodRunning)))
			for i := range pods.Items {
				if pods.Items[i].Status.Phase == corev1.PodRunning {
					pod = pods.Items[i]
				}
			}
		}).Should(Succeed())
		Expect(ops.detail(ctx, "lilei", ticket).StateID).To(BeEquivalentTo(waitingState))
		kill(pod, syscall.SIGKILL)
		Eventually(func() bool { return ops.detail(ctx, "lilei", ticket).ScriptSucceed }).Should(BeFalse())
		repair(ctx, "wait", "echo no longer")
		ops.call(ctx, "lilei", http.MethodPost, fmt.Sprintf("tickets/%d/retry_script", ticket), map[string]any{})
		Eventually(func() int64 { return ops.detail(ctx, "lilei", ticket).ActState }).Should(BeEquivalentTo(finished))
	})
}

// repair gives a script another source.
func repair(ctx context.Context, script, source string) {
	GinkgoHelper()
	object := &v1alpha1.Script{}
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: script}, object)).To(Succeed())
	object.Spec.Source = source
	Expect(k8s.Update(ctx, object)).To(Succeed())
}
