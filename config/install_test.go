// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	restclient "k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/apiserver/server"
	"ticketflow.dev/ticketflow/controllers/manager"
	"ticketflow.dev/ticketflow/internal/testenv"
)

const image = "registry.example:5000/ticketflow:v1"

var (
	environment *envtest.Environment
	heard       = &warnings{}
)

func TestConfig(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "config")
}

var _ = BeforeSuite(func() {
	environment, _ = testenv.ForSpecs()
})

// warnings are what kube-apiserver warns of.
type warnings struct {
	mu  sync.Mutex
	all []string
}

func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, text)
}

// kubectl is the one that the control plane's programs came with.
func kubectl() string {
	if folder := os.Getenv("KUBEBUILDER_ASSETS"); folder != "" {
		return filepath.Join(folder, "kubectl")
	}
	return testenv.Path("bin", "kubernetes", "kubectl")
}

// build is what dist/install.yaml would have.
func build(ctx context.Context, kustomization string) []*unstructured.Unstructured {
	GinkgoHelper()
	command := exec.CommandContext(ctx, testenv.Path("hack", "manifests.sh"), image, kustomization)
	command.Env = append(os.Environ(), "KUBECTL="+kubectl())
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	Expect(err).NotTo(HaveOccurred(), stderr.String())
	Expect(stderr.String()).To(BeEmpty(), "kustomize warns")
	return decode(out)
}

func decode(data []byte) (all []*unstructured.Unstructured) {
	GinkgoHelper()
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(&object.Object); errors.Is(err, io.EOF) {
			return all
		} else {
			Expect(err).NotTo(HaveOccurred())
		}
		if len(object.Object) > 0 {
			all = append(all, object)
		}
	}
}

// apply applies one object as `kubectl apply --server-side` does.
func apply(ctx context.Context, object *unstructured.Unstructured) {
	GinkgoHelper()
	config := restclient.CopyConfig(environment.Config)
	config.WarningHandler = heard
	plain, err := client.New(config, client.Options{Scheme: testenv.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	mapping, err := plain.RESTMapper().RESTMapping(object.GroupVersionKind().GroupKind(), object.GroupVersionKind().Version)
	Expect(err).NotTo(HaveOccurred())
	resources := dynamic.NewForConfigOrDie(config).Resource(mapping.Resource)
	data, err := json.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	options := metav1.PatchOptions{FieldManager: "kubectl", Force: ptr.To(true), FieldValidation: metav1.FieldValidationStrict}
	if object.GetNamespace() != "" {
		_, err = resources.Namespace(object.GetNamespace()).Patch(ctx, object.GetName(), types.ApplyPatchType, data, options)
	} else {
		_, err = resources.Patch(ctx, object.GetName(), types.ApplyPatchType, data, options)
	}
	Expect(err).NotTo(HaveOccurred(), "%s %s", object.GetKind(), object.GetName())
}

// typed are the objects of a kind.
func typed[T any](all []*unstructured.Unstructured, kind string) (out []*T) {
	GinkgoHelper()
	for _, object := range all {
		if object.GetKind() == kind {
			made := new(T)
			Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, made)).To(Succeed())
			out = append(out, made)
		}
	}
	Expect(out).NotTo(BeEmpty(), kind)
	return out
}

var _ = Describe("what is installed", func() {
	for _, kustomization := range []string{"config/default", "config/cert-manager", "config/monitored"} {
		It("is taken by kube-apiserver without a warning, and again over itself: "+kustomization, func(ctx SpecContext) {
			all := build(ctx, kustomization)
			for range 2 {
				for _, object := range all {
					if group := object.GroupVersionKind().Group; group != "cert-manager.io" && group != "monitoring.coreos.com" { // whose kinds are not here
						apply(ctx, object)
					}
				}
			}
			Expect(heard.all).To(BeEmpty())
		})

		It("has pods that the namespace's own standard lets in: "+kustomization, func(ctx SpecContext) {
			all := build(ctx, kustomization)
			for _, object := range all {
				switch object.GetKind() {
				case "Namespace", "ServiceAccount":
					apply(ctx, object)
				}
			}
			k8s, err := client.New(environment.Config, client.Options{Scheme: testenv.Scheme()})
			Expect(err).NotTo(HaveOccurred())
			for _, d := range typed[appsv1.Deployment](all, "Deployment") {
				pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: d.Name, Labels: d.Spec.Template.Labels}, Spec: d.Spec.Template.Spec}
				Expect(k8s.Create(ctx, pod.DeepCopy(), client.DryRunAll)).To(Succeed())
				pod.Spec.SecurityContext.RunAsNonRoot = nil
				Expect(k8s.Create(ctx, pod, client.DryRunAll)).To(MatchError(ContainSubstring("runAsNonRoot")), "the standard is enforced")
			}
		})

		It("fits together: "+kustomization, func(ctx SpecContext) {
			all := build(ctx, kustomization)
			definitions, err := filepath.Glob(testenv.Path("config", "crd", "bases", "*.yaml"))
			Expect(err).NotTo(HaveOccurred())
			Expect(typed[metav1.PartialObjectMetadata](all, "CustomResourceDefinition")).To(HaveLen(len(definitions)))
			ports := map[string][]labels.Set{}
			for _, d := range typed[appsv1.Deployment](all, "Deployment") {
				Expect(d.Spec.Template.Spec.Containers).To(HaveLen(1))
				container := d.Spec.Template.Spec.Containers[0]
				Expect(container.Image).To(Equal(image))
				Expect(understood(container.Args)).To(Succeed(), "%s %q", d.Name, container.Args)
				for _, port := range container.Ports {
					ports[port.Name] = append(ports[port.Name], d.Spec.Template.Labels)
				}
				for _, probe := range []*corev1.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
					Expect(ports[probe.HTTPGet.Port.StrVal]).To(ContainElement(labels.Set(d.Spec.Template.Labels)))
				}
			}
			for _, s := range typed[corev1.Service](all, "Service") {
				for _, port := range s.Spec.Ports {
					selects := func(pod labels.Set) bool { return labels.SelectorFromSet(s.Spec.Selector).Matches(pod) }
					Expect(ports[port.TargetPort.StrVal]).To(ContainElement(Satisfy(selects)), s.Name)
				}
			}
		})
	}
})

var _ = Describe("a kustomization", func() {
	for _, folder := range []string{"rbac", "policy"} {
		It("leaves out nothing of its folder: "+folder, func() {
			data, err := os.ReadFile(testenv.Path("config", folder, "kustomization.yaml"))
			Expect(err).NotTo(HaveOccurred())
			paths, err := filepath.Glob(testenv.Path("config", folder, "*.yaml"))
			Expect(err).NotTo(HaveOccurred())
			for _, path := range paths {
				if name := filepath.Base(path); name != "kustomization.yaml" {
					Expect(string(data)).To(ContainSubstring("- " + name + "\n"))
				}
			}
		})
	}
})

// understood says that a container's command takes its arguments.
func understood(args []string) error {
	flags := pflag.NewFlagSet(args[0], pflag.ContinueOnError)
	switch args[0] {
	case "manager":
		options := manager.NewOptions()
		options.AddFlags(flags)
		return errors.Join(flags.Parse(args[1:]), errors.Join(options.Validate()...))
	case "apiserver":
		options := server.NewOptions()
		options.AddFlags(flags)
		return errors.Join(flags.Parse(args[1:]), errors.Join(options.Validate()...))
	}
	return errors.New("there is no such command")
}
