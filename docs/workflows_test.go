// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/config"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/testenv"
)

const workflowsPage = "workflows.md"

var fenced = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// examples are the objects in a page's blocks of YAML, and the line of each.
func examples(t *testing.T, page string) map[string]*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*unstructured.Unstructured{}
	for _, at := range fenced.FindAllSubmatchIndex(text, -1) {
		line := strings.Count(string(text[:at[2]]), "\n") + 1
		for i, document := range strings.Split(string(text[at[2]:at[3]]), "\n---\n") {
			object := &unstructured.Unstructured{}
			if err := yaml.UnmarshalStrict([]byte(document), &object.Object); err != nil {
				t.Fatalf("%s, line %d, document %d: %v", page, line, i+1, err)
			}
			found[fmt.Sprintf("line %d, document %d, %s %s", line, i+1, object.GetKind(), object.GetName())] = object
		}
	}
	return found
}

// TestTheExamplesOfWorkflows: a kube-apiserver takes each without a warning, and
// every workflow compiles.
func TestTheExamplesOfWorkflows(t *testing.T) {
	environment, err := testenv.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = environment.Stop() })
	k8s, err := client.New(environment.Config, client.Options{Scheme: testenv.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	if err := k8s.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "it"}}); err != nil {
		t.Fatal(err)
	}
	strict := client.WithFieldValidation(k8s, metav1.FieldValidationStrict)
	all := examples(t, workflowsPage)
	kinds := map[string]bool{}
	for name, object := range all {
		kinds[object.GetKind()] = true
		t.Run(name, func(t *testing.T) { tryExample(t.Context(), t, strict, object) })
	}
	for _, kind := range []string{"Workflow", "Script", "Notifier", "User", "Department", "UserRole", "Application"} {
		if !kinds[kind] {
			t.Errorf("there is no example of a %s", kind)
		}
	}
}

func tryExample(ctx context.Context, t *testing.T, k8s client.Client, object *unstructured.Unstructured) {
	t.Helper()
	if err := k8s.Create(ctx, object.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	if object.GetKind() != "Workflow" {
		return
	}
	var w v1alpha1.Workflow
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &w); err != nil {
		t.Fatal(err)
	}
	if _, problems := engine.Compile(w.Namespace, w.Name, w.Spec, engine.IDs{}); len(problems) > 0 {
		t.Errorf("it does not compile: %v", problems)
	}
}

// TestEveryFieldIsExplained: whoever looks for a field of a spec finds it.
func TestEveryFieldIsExplained(t *testing.T) {
	text, err := os.ReadFile(workflowsPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, plural := range []string{"workflows", "scripts", "notifiers", "users", "departments", "userroles", "applications"} {
		data, err := fs.ReadFile(config.Manifests, "crd/bases/ticketflow.dev_"+plural+".yaml")
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(data, &crd); err != nil {
			t.Fatal(err)
		}
		spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
		for _, path := range paths("spec", spec) {
			name := path[strings.LastIndex(path, ".")+1:]
			if !regexp.MustCompile(`\b` + name + `\b`).Match(text) {
				t.Errorf("%s of %s is not explained in %s", path, plural, workflowsPage)
			}
		}
	}
}

// paths are a schema's keys; those of a container's resources are Kubernetes' own.
func paths(at string, schema apiextensionsv1.JSONSchemaProps) []string {
	var found []string
	for name, property := range schema.Properties {
		path := at + "." + name
		found = append(found, path)
		if name != "resources" {
			found = append(found, paths(path, property)...)
		}
	}
	if schema.Items != nil {
		found = append(found, paths(at, *schema.Items.Schema)...)
	}
	slices.Sort(found)
	return found
}
