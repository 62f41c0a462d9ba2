//go:build e2e

// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// failover is within what time another manager goes on for a killed one.
const failover = 20 * time.Second

func availability() {
	It("replaces all its pods under load, and no request fails", func(ctx SpecContext) {
		load := startLoad(ctx, 4)
		kubectl(ctx, "rollout", "restart", "--namespace", systemNamespace, "deployment/ticketflow-manager", "deployment/ticketflow-apiserver")
		rolledOut(ctx)
		load.finish(ctx)
		Expect(load.longest).To(BeNumerically("<", failover))
	})

	It("goes on within 20 s when the leading manager is killed", func(ctx SpecContext) {
		load := startLoad(ctx, 4)
		leader := leadingPod(ctx)
		kill(leader, syscall.SIGKILL)
		killed := load.done()
		Eventually(load.done).Should(BeNumerically(">", killed+100))
		load.finish(ctx)
		Expect(load.longest).To(BeNumerically("<", failover))
	})
}

// leader is who holds the managers' lease; empty if it was given back.
func leader(ctx context.Context) string {
	GinkgoHelper()
	var lease coordinationv1.Lease
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: "ticketflow-manager"}, &lease)).To(Succeed())
	return ptr.Deref(lease.Spec.HolderIdentity, "")
}

// leadingPod is the manager that holds the lease.
func leadingPod(ctx context.Context) corev1.Pod {
	GinkgoHelper()
	name, _, _ := strings.Cut(leader(ctx), "_")
	var pod corev1.Pod
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: name}, &pod)).To(Succeed())
	return pod
}
