// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package crd_test applies the CRDs over themselves and over older ones, on a
// real kube-apiserver.
package crd_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/testenv"
)

var k8s client.Client

func TestUpgrade(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "crds")
}

var _ = BeforeSuite(func() {
	_, k8s = testenv.ForSpecs()
})

// shipped are the CRDs as they are shipped.
func shipped() []*unstructured.Unstructured {
	GinkgoHelper()
	paths, err := filepath.Glob("bases/*.yaml")
	Expect(err).NotTo(HaveOccurred())
	Expect(paths).To(HaveLen(9))
	var all []*unstructured.Unstructured
	for _, path := range paths {
		data, err := os.ReadFile(path)
		Expect(err).NotTo(HaveOccurred())
		object := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal(data, &object.Object)).To(Succeed())
		all = append(all, object)
	}
	return all
}

// apply is what kubectl apply --server-side does.
func apply(ctx context.Context, object *unstructured.Unstructured) {
	GinkgoHelper()
	Expect(k8s.Apply(ctx, client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.FieldOwner("kubectl"), client.ForceOwnership)).To(Succeed())
}

func crd(ctx context.Context, name string) *apiextensionsv1.CustomResourceDefinition {
	GinkgoHelper()
	found := &apiextensionsv1.CustomResourceDefinition{}
	Expect(k8s.Get(ctx, client.ObjectKey{Name: name}, found)).To(Succeed())
	return found
}

// loosen takes every rule out of a schema, as if an older version had had none.
func loosen(schema map[string]any) {
	for _, rule := range []string{"x-kubernetes-validations", "maxLength", "minLength", "maxItems", "pattern", "enum", "required"} {
		delete(schema, rule)
	}
	for _, each := range schema {
		switch v := each.(type) {
		case map[string]any:
			loosen(v)
		case []any:
			for _, item := range v {
				if object, ok := item.(map[string]any); ok {
					loosen(object)
				}
			}
		}
	}
}

var _ = Describe("The CRDs", func() {
	It("apply over themselves and change nothing", func(ctx SpecContext) {
		for _, object := range shipped() {
			apply(ctx, object)
			before := crd(ctx, object.GetName())
			apply(ctx, object)
			after := crd(ctx, object.GetName())
			Expect(after.Generation).To(Equal(before.Generation))
			Expect(after.ResourceVersion).To(Equal(before.ResourceVersion))
			Expect(after.Spec.Versions).To(HaveLen(1), "what is stored is in one version")
		}
	})

	It("lock out nothing that was stored under looser rules", func(ctx SpecContext) {
		var older, newer *unstructured.Unstructured
		for _, object := range shipped() {
			if object.GetName() == "tickets.ticketflow.dev" {
				newer, older = object, object.DeepCopy()
			}
		}
		versions, _, err := unstructured.NestedSlice(older.Object, "spec", "versions")
		Expect(err).NotTo(HaveOccurred())
		properties := versions[0].(map[string]any)["schema"].(map[string]any)["openAPIV3Schema"].(map[string]any)
		loosen(properties["properties"].(map[string]any)["spec"].(map[string]any))
		delete(properties, "x-kubernetes-validations")
		Expect(unstructured.SetNestedSlice(older.Object, versions, "spec", "versions")).To(Succeed())
		apply(ctx, older)

		t := fixtures.Ticket("default", "long")
		t.Spec.Title = strings.Repeat("x", 600)
		Eventually(func() error { return k8s.Create(ctx, t.DeepCopy()) }).Should(Succeed(), "once the older rules are in force")
		apply(ctx, newer)
		another := fixtures.Ticket("default", "longer")
		another.Spec.Title = t.Spec.Title
		Eventually(func() error { return k8s.Create(ctx, another.DeepCopy(), client.DryRunAll) }).
			Should(Satisfy(apierrors.IsInvalid), "once the newer are")

		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
		t.Status.ID, t.Status.State = 1, "lead"
		Expect(k8s.Status().Update(ctx, t)).To(Succeed(), "the manager goes on with it")
		before := t.DeepCopy()
		t.Spec.Action = &v1alpha1.TicketAction{ID: "an-action", Type: v1alpha1.ActionComment, Actor: "lilei", By: fixtures.ByOps, Comment: "still here"}
		Expect(k8s.Patch(ctx, t, client.MergeFrom(before))).To(Succeed(), "and so do people")
		before = t.DeepCopy()
		t.Spec.Title = "short"
		Expect(k8s.Patch(ctx, t, client.MergeFrom(before))).To(Satisfy(apierrors.IsInvalid), "the newer rules hold")
	})
})
