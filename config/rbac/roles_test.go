// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rbac_test tries what each role that people are given allows, on a real
// kube-apiserver.
package rbac_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/testenv"
)

var (
	environment *envtest.Environment
	k8s         client.Client
)

func TestRoles(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "roles")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	environment, k8s = testenv.ForSpecs()
	file, err := os.Open("roles.yaml")
	Expect(err).NotTo(HaveOccurred())
	defer file.Close()
	decoder := yaml.NewYAMLOrJSONDecoder(file, 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			break
		}
		Expect(err).NotTo(HaveOccurred())
		Expect(k8s.Create(ctx, object)).To(Succeed())
	}
})

var (
	namespaced = []string{"tickets", "tickets/status", "ticketrecords", "workflows", "workflows/status", "scripts", "scripts/status", "notifiers", "notifiers/status"}
	clustered  = []string{"users", "users/status", "departments", "userroles", "applications", "applications/status"}
	all        = append(slices.Clone(namespaced), clustered...)
	reads      = []string{"get", "list", "watch"}
	writes     = []string{"create", "update", "patch", "delete", "deletecollection"}
)

// person is a Kubernetes user who tries things.
type person struct{ dynamic.Interface }

func newPerson(name string) person {
	GinkgoHelper()
	added, err := environment.AddUser(envtest.User{Name: name}, nil)
	Expect(err).NotTo(HaveOccurred())
	config := added.Config()
	config.QPS = -1
	return person{dynamic.NewForConfigOrDie(config)}
}

// tried makes a request and answers what came of it. None changes anything.
func (p person) tried(ctx context.Context, verb, path string) error {
	resource, subresource, _ := strings.Cut(path, "/")
	var sub []string
	if subresource != "" {
		sub = []string{subresource}
	}
	of := p.Resource(v1alpha1.SchemeGroupVersion.WithResource(resource))
	var in dynamic.ResourceInterface = of
	if slices.Contains(namespaced, path) {
		in = of.Namespace("default")
	}
	object := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "nothing", "resourceVersion": "1"}}}
	object.SetAPIVersion(v1alpha1.SchemeGroupVersion.String())
	object.SetKind("Wrong")
	dry := []string{metav1.DryRunAll}
	var err error
	switch verb {
	case "get":
		_, err = in.Get(ctx, "nothing", metav1.GetOptions{}, sub...)
	case "list":
		_, err = in.List(ctx, metav1.ListOptions{})
	case "watch":
		w, failed := in.Watch(ctx, metav1.ListOptions{})
		if err = failed; err == nil {
			w.Stop()
		}
	case "create":
		_, err = in.Create(ctx, object, metav1.CreateOptions{DryRun: dry}, sub...)
	case "update":
		_, err = in.Update(ctx, object, metav1.UpdateOptions{DryRun: dry}, sub...)
	case "patch":
		_, err = in.Patch(ctx, "nothing", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{DryRun: dry}, sub...)
	case "delete":
		err = in.Delete(ctx, "nothing", metav1.DeleteOptions{DryRun: dry}, sub...)
	case "deletecollection":
		err = in.DeleteCollection(ctx, metav1.DeleteOptions{DryRun: dry}, metav1.ListOptions{})
	}
	return err
}

// allowed are the requests that a person is not forbidden to make.
func (p person) allowed(ctx context.Context) []string {
	var out []string
	for _, path := range all {
		for _, verb := range slices.Concat(reads, writes) {
			whole := !strings.Contains(path, "/") // the rest cannot be asked of a part of an object
			if (whole || slices.Contains([]string{"get", "update", "patch"}, verb)) && !apierrors.IsForbidden(p.tried(ctx, verb, path)) {
				out = append(out, verb+" "+path)
			}
		}
	}
	return out
}

// every is each verb on each resource.
func every(verbs []string, resources ...string) []string {
	var out []string
	for _, resource := range resources {
		for _, verb := range verbs {
			out = append(out, verb+" "+resource)
		}
	}
	return out
}

// bind gives a person a role, in the namespace default or everywhere.
func bind(ctx context.Context, name, role string, everywhere bool) {
	GinkgoHelper()
	reference := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}}
	if everywhere {
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: reference, Subjects: subjects}
		Expect(k8s.Create(ctx, binding)).To(Succeed())
		return
	}
	binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}, RoleRef: reference, Subjects: subjects}
	Expect(k8s.Create(ctx, binding)).To(Succeed())
}

var _ = DescribeTable("A role allows what it is for, and nothing else",
	func(ctx SpecContext, role string, everywhere bool, want []string) {
		name := fmt.Sprintf("holder-of-%s-%t", role, everywhere)
		who := newPerson(name)
		Expect(who.allowed(ctx)).To(BeEmpty(), "without it")
		bind(ctx, name, role, everywhere)
		Eventually(func() []string { return who.allowed(ctx) }).Should(ConsistOf(want))
	},
	Entry("viewer", "ticketflow-viewer", false,
		every(reads, "tickets", "ticketrecords", "workflows", "scripts", "notifiers")),
	Entry("people", "ticketflow-people", true, every([]string{"get", "list"}, "users")),
	Entry("author", "ticketflow-author", false,
		every(slices.Concat(reads, writes), "workflows", "scripts", "notifiers")),
	Entry("admin", "ticketflow-admin", false, slices.Concat(
		every(slices.Concat(reads, writes), "tickets", "workflows", "scripts", "notifiers"), every(reads, "ticketrecords"))),
	Entry("admin of all namespaces, who still says not who people are", "ticketflow-admin", true, slices.Concat(
		every(slices.Concat(reads, writes), "tickets", "workflows", "scripts", "notifiers"), every(reads, "ticketrecords"))),
	Entry("directory", "ticketflow-directory", true,
		every(slices.Concat(reads, writes), "users", "departments", "userroles", "applications")),
)

var _ = DescribeTable("A role for people who take part gives nothing as it is stored",
	func(ctx SpecContext, name string) {
		role := &rbacv1.ClusterRole{}
		Expect(k8s.Get(ctx, client.ObjectKey{Name: name}, role)).To(Succeed())
		Expect(role.Rules).NotTo(BeEmpty())
		for _, rule := range role.Rules {
			Expect(rule.APIGroups).To(Equal([]string{"rest.ticketflow.dev"}))
			Expect(rule.Verbs).To(HaveEach(BeElementOf("get", "list", "create")))
			Expect(rule.Resources).NotTo(ContainElement("tickets/state"), "an administrator's")
		}
	},
	Entry("requester", "ticketflow-requester"),
	Entry("handler", "ticketflow-handler"),
)
