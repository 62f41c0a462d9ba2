//go:build e2e

// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/internal/testenv"
)

// before is what the cluster had before anything was installed.
var before sets.Set[string]

func installation() {
	It("is installed with make deploy", func(ctx SpecContext) {
		before = everything(ctx)
		makeTarget(ctx, "deploy")
		kubectl(ctx, "apply", "-f", testenv.Path("config", "samples", "people.yaml"), "-f", testenv.Path("config", "samples", "application.yaml"),
			"-f", testenv.Path("test", "e2e", "manifests.yaml"))
		kubectl(ctx, "wait", "--namespace", namespace, "--for", "condition=Ready", "--timeout", patience.String(), "workflows.ticketflow.dev", "--all")
	})

	It("runs two of each, in pods without rights", func(ctx SpecContext) {
		for _, name := range []string{"ticketflow-manager", "ticketflow-apiserver"} {
			var deployment appsv1.Deployment
			Expect(k8s.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: name}, &deployment)).To(Succeed())
			Expect(deployment.Status.ReadyReplicas).To(BeEquivalentTo(2), name)
		}
		var system corev1.Namespace
		Expect(k8s.Get(ctx, client.ObjectKey{Name: systemNamespace}, &system)).To(Succeed())
		Expect(system.Labels).To(HaveKeyWithValue("pod-security.kubernetes.io/enforce", "restricted"))
	})
}

func removal() {
	It("leaves tickets and definitions behind when it is asked to", func(ctx SpecContext) {
		kept := kubectl(ctx, "get", "tickets.ticketflow.dev", "--namespace", namespace, "--output", "name")
		Expect(kept).NotTo(BeEmpty())
		makeTarget(ctx, "undeploy")
		Expect(kubectl(ctx, "get", "tickets.ticketflow.dev", "--namespace", namespace, "--output", "name")).To(Equal(kept))
		Eventually(func(g Gomega) {
			var pods corev1.PodList
			g.Expect(k8s.List(ctx, &pods, client.InNamespace(systemNamespace))).To(Succeed())
			g.Expect(pods.Items).To(BeEmpty())
		}).Should(Succeed())
		Expect(leader(ctx)).To(BeEmpty(), "the manager gave its lease back")
	})

	It("goes on with them after it is installed again", func(ctx SpecContext) {
		makeTarget(ctx, "deploy")
		ops := newApplication(ctx, false)
		ticket := ops.open(ctx, "lilei", roundWorkflow, "after all")
		Eventually(ops.state(ctx, "lilei", ticket)).Should(BeEquivalentTo(workState))
	})

	It("leaves nothing behind when it is uninstalled", func(ctx SpecContext) {
		makeTarget(ctx, "uninstall")
		kubectl(ctx, "delete", "namespace", namespace, "--timeout", patience.String())
		kubectl(ctx, "delete", "--ignore-not-found", "clusterrole/e2e-directory", "clusterrolebinding/e2e-directory")
		Eventually(func() []string { return sets.List(everything(ctx).Difference(before)) }).Should(BeEmpty())
	})
}

// fleeting are kinds whose objects come and go by themselves.
var fleeting = []string{"events", "leases", "pods", "endpointslices", "endpoints", "controllerrevisions", "ipaddresses"}

// everything names all objects of the cluster.
func everything(ctx context.Context) sets.Set[string] {
	GinkgoHelper()
	lists, err := clusterMap.ServerPreferredResources()
	Expect(err).NotTo(HaveOccurred())
	found := sets.New[string]()
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		Expect(err).NotTo(HaveOccurred())
		for _, kind := range list.APIResources {
			if !slices.Contains(kind.Verbs, "list") || slices.Contains(fleeting, kind.Name) {
				continue
			}
			all, err := objects.Resource(gv.WithResource(kind.Name)).List(ctx, metav1.ListOptions{})
			if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
				continue // its definition is on its way out
			}
			Expect(err).NotTo(HaveOccurred(), kind.Name)
			for i := range all.Items {
				found.Insert(strings.Join([]string{kind.Name, all.Items[i].Namespace, all.Items[i].Name}, "/"))
			}
		}
	}
	return found
}
