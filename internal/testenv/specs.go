// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/internal/directory"
)

// ForSpecs starts a control plane for the specs of a suite, or for one spec,
// and answers its administrator's client. It is stopped after them.
func ForSpecs(configure ...func(*envtest.Environment)) (*envtest.Environment, client.Client) {
	ginkgo.GinkgoHelper()
	gomega.SetDefaultEventuallyTimeout(Timeout)
	gomega.SetDefaultEventuallyPollingInterval(Interval)
	environment, err := Start(configure...)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(func() { gomega.Expect(environment.Stop()).To(gomega.Succeed()) })
	admin, err := client.New(environment.Config, client.Options{Scheme: Scheme()})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return environment, admin
}

// Cached starts caches of a control plane, with the indexes by which people are
// found. They are stopped before it.
func Cached(environment *envtest.Environment, configure ...cluster.Option) cluster.Cluster {
	ginkgo.GinkgoHelper()
	local, err := cluster.New(environment.Config, append([]cluster.Option{func(o *cluster.Options) { o.Scheme = Scheme() }}, configure...)...)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ctx, cancel := context.WithCancel(context.Background())
	gomega.Expect(directory.AddIndexes(ctx, local.GetFieldIndexer())).To(gomega.Succeed())
	ended := make(chan error, 1)
	go func() { ended <- local.Start(ctx) }()
	ginkgo.DeferCleanup(func() {
		cancel()
		gomega.Eventually(ended).Should(gomega.Receive(gomega.Succeed()))
	})
	gomega.Expect(local.GetCache().WaitForCacheSync(ctx)).To(gomega.BeTrue())
	return local
}

// As is the client of another Kubernetes user.
func As(environment *envtest.Environment, name string, groups ...string) client.Client {
	ginkgo.GinkgoHelper()
	user, err := environment.AddUser(envtest.User{Name: name, Groups: groups}, nil)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	c, err := client.New(user.Config(), client.Options{Scheme: Scheme()})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return c
}
