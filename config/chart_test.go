// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"bytes"
	"context"
	"os/exec"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ticketflow.dev/ticketflow/internal/testenv"
)

// rendered is what the chart has for a namespace and values.
func rendered(ctx context.Context, namespace string, values ...string) map[string]map[string]any {
	GinkgoHelper()
	arguments := []string{
		"tool", "-modfile=hack/tools/helm/go.mod", "helm", "template", "ticketflow", "charts/ticketflow", "--namespace", namespace,
		"--set", "image.repository=registry.example:5000/ticketflow", "--set", "image.tag=v1",
	}
	for _, value := range values {
		arguments = append(arguments, "--set", value)
	}
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = testenv.Path()
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	Expect(err).NotTo(HaveOccurred(), stderr.String())
	return byName(decode(out))
}

// byName are objects by what they are. What only helm looks at is left out, and
// so is the namespace, which is made before a release.
func byName(all []*unstructured.Unstructured) map[string]map[string]any {
	GinkgoHelper()
	out := map[string]map[string]any{}
	for _, object := range all {
		if object.GetKind() == "Namespace" {
			continue
		}
		annotations := object.GetAnnotations()
		delete(annotations, "helm.sh/resource-policy")
		object.SetAnnotations(annotations)
		key := object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
		Expect(out).NotTo(HaveKey(key), "it is there twice")
		out[key] = object.Object
	}
	return out
}

var _ = Describe("the chart", func() {
	It("says what the manifests say; if it does not, make generate", func(ctx SpecContext) {
		Expect(cmp.Diff(byName(build(ctx, "config/default")), rendered(ctx, "ticketflow-system"))).To(BeEmpty())
		Expect(cmp.Diff(byName(build(ctx, "config/cert-manager")), rendered(ctx, "ticketflow-system", "certManager.enabled=true"))).To(BeEmpty())
	})

	It("is for whatever namespace, and with whatever arguments", func(ctx SpecContext) {
		moved := rendered(ctx, "elsewhere", "manager.extraArgs={--time-zone=Asia/Shanghai}")
		manager := moved["Deployment elsewhere/ticketflow-manager"]
		containers, _, err := unstructured.NestedSlice(manager, "spec", "template", "spec", "containers")
		Expect(err).NotTo(HaveOccurred())
		Expect(containers[0]).To(HaveKeyWithValue("args", ContainElements("--system-namespace=elsewhere", "--time-zone=Asia/Shanghai")))
		for key := range moved {
			Expect(key).NotTo(ContainSubstring("ticketflow-system"))
		}
		Expect(rendered(ctx, "elsewhere", "networkPolicy.enabled=false")).NotTo(HaveKey("NetworkPolicy elsewhere/ticketflow-default"))
	})
})
