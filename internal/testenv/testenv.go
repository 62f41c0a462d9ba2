// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package testenv starts a real kube-apiserver and etcd for tests, with
// Ticketflow's CRDs installed.
package testenv

import (
	"os"
	"path/filepath"
	"runtime"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// How long specs wait for a condition, and how often they look.
const (
	Timeout  = 30 * time.Second
	Interval = 20 * time.Millisecond
)

// Start starts a control plane. The binaries are those of KUBEBUILDER_ASSETS,
// or those that `make kubernetes` built into bin/kubernetes. What it is to have
// besides is set before it starts. The caller stops it.
func Start(configure ...func(*envtest.Environment)) (*envtest.Environment, error) {
	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{Path("config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		environment.BinaryAssetsDirectory = Path("bin", "kubernetes")
	}
	for _, each := range configure {
		each(environment)
	}
	_, err := environment.Start()
	return environment, err
}

// Scheme knows Kubernetes' own types, CRDs among them, and Ticketflow's.
func Scheme() *k8sruntime.Scheme {
	scheme := k8sruntime.NewScheme()
	for _, add := range []func(*k8sruntime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // a programming error: two types under one name
		}
	}
	return scheme
}

// Path is a path below the repository's root.
func Path(elements ...string) string {
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(file), "..", "..")
	return filepath.Join(append([]string{root}, elements...)...)
}
