//go:build e2e

// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e_test installs Ticketflow on a real node and works with it as
// people, programs and administrators do. `make test-e2e` prepares the node.
package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/internal/testenv"
)

const (
	systemNamespace = "ticketflow-system"
	namespace       = "e2e"
	group           = "rest.ticketflow.dev"
	apiService      = "v1." + group
	// token is the sample application's.
	token = "sample-token-do-not-keep"
	// patience is how long a pod, a rollout or a script may take.
	patience = 2 * time.Minute
)

var (
	kubeconfig = os.Getenv("KUBECONFIG")
	config     *restclient.Config
	k8s        client.Client
	clusterMap *discovery.DiscoveryClient
	objects    metadata.Interface
)

func TestEndToEnd(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "end to end")
}

var _ = BeforeSuite(func() {
	ctrl.SetLogger(klog.NewKlogr())
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	var err error
	config, err = clientcmd.BuildConfigFromFlags("", kubeconfig)
	Expect(err).NotTo(HaveOccurred())
	config.QPS = -1
	k8s, err = client.New(config, client.Options{Scheme: testenv.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	clusterMap, err = discovery.NewDiscoveryClientForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	objects, err = metadata.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
})

// The stories build on each other: what is installed first is used, and removed last.
var _ = Describe("Ticketflow on a real node", Ordered, ContinueOnFailure, func() {
	installation()
	lives()
	scripts()
	availability()
	upgrading()
	namespaces()
	removal()
})

// run runs a program of this repository and answers what it printed.
func run(ctx context.Context, program string, arguments ...string) (string, error) {
	return runWith(ctx, nil, program, arguments...)
}

func runWith(ctx context.Context, input io.Reader, program string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, program, arguments...)
	command.Dir, command.Stdin = testenv.Path(), input
	var out, errOut bytes.Buffer
	command.Stdout, command.Stderr = &out, &errOut
	if err := command.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %v: %w: %s%s", filepath.Base(program), arguments, err, &out, &errOut)
	}
	return out.String(), nil
}

func kubectlProgram() string { return testenv.Path("bin", "kubernetes", "kubectl") }

// kubectl runs kubectl, which must succeed.
func kubectl(ctx context.Context, arguments ...string) string {
	GinkgoHelper()
	out, err := run(ctx, kubectlProgram(), arguments...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// kubectlWith runs kubectl with an input, and answers what it printed.
func kubectlWith(ctx context.Context, input string, arguments ...string) string {
	GinkgoHelper()
	out, err := runWith(ctx, strings.NewReader(input), kubectlProgram(), append(arguments, "--filename", "-")...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// makeTarget runs make, which must succeed.
func makeTarget(ctx context.Context, target string, variables ...string) {
	GinkgoHelper()
	_, err := run(ctx, "make", append([]string{target, "KUBECTL=" + kubectlProgram()}, variables...)...)
	Expect(err).NotTo(HaveOccurred())
}
