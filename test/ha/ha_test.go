// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ha_test looks that one of several managers, and one of several API
// servers, takes over from another. The managers are processes of their own,
// since one that is killed must not be able to say goodbye.
package ha_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/controllers/manager"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/testenv"
)

const (
	// runManager in the environment makes this program a manager.
	runManager = "TICKETFLOW_TEST_MANAGER"
	// probes is the address that it serves its probes on.
	probes = "TICKETFLOW_TEST_PROBES"
	// failover is how long a leader may be missed after kill -9, handover after
	// it was asked to end.
	failover = 20 * time.Second
	handover = 5 * time.Second
)

func TestMain(m *testing.M) {
	if kubeconfig := os.Getenv(runManager); kubeconfig != "" {
		options := manager.NewOptions()
		options.Kubeconfig, options.LeaderElect, options.HealthProbeBindAddress = kubeconfig, true, os.Getenv(probes)
		options.ScriptDir = filepath.Join(filepath.Dir(kubeconfig), "scripts")
		if err := manager.Run(ctrl.SetupSignalHandler(), options); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestHighAvailability(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "high availability")
}

var (
	environment *envtest.Environment
	k8s         client.Client
	kubeconfig  string
)

var _ = BeforeSuite(func(ctx SpecContext) {
	ctrl.SetLogger(klog.NewKlogr())
	environment, k8s = testenv.ForSpecs()
	Expect(testenv.Install(ctx, k8s)).To(Succeed())
	account, err := environment.AddUser(envtest.User{
		Name: "system:serviceaccount:ticketflow-system:ticketflow-manager", Groups: []string{"system:serviceaccounts"},
	}, nil)
	Expect(err).NotTo(HaveOccurred())
	data, err := account.KubeConfig()
	Expect(err).NotTo(HaveOccurred())
	kubeconfig = filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(os.WriteFile(kubeconfig, data, 0o600)).To(Succeed())
	for _, o := range append(fixtures.People(), fixtures.Workflow("default")) {
		Expect(k8s.Create(ctx, o)).To(Succeed())
	}
})

// startManager starts a manager as a program of its own, and waits until it is
// ready to work.
func startManager() *gexec.Session {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	address := listener.Addr().String()
	Expect(listener.Close()).To(Succeed())
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), runManager+"="+kubeconfig, probes+"="+address)
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	session, err := gexec.Start(command, nil, nil)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { session.Kill().Wait(testenv.Timeout) })
	Eventually(func() (int, error) {
		response, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			return 0, err
		}
		return response.StatusCode, response.Body.Close()
	}).Should(Equal(http.StatusOK))
	return session
}

// holder is who holds the lease.
func holder(ctx context.Context) string {
	lease := &coordinationv1.Lease{}
	if k8s.Get(ctx, client.ObjectKey{Namespace: fixtures.SystemNamespace, Name: "ticketflow-manager"}, lease) != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

var count int

// comment asks for a comment on the ticket and answers the action's id.
func comment(ctx context.Context, t *v1alpha1.Ticket) string {
	GinkgoHelper()
	count++
	id := fmt.Sprintf("comment-%06d", count)
	Eventually(func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(t), t); err != nil {
			return err
		}
		before := t.DeepCopy()
		t.Spec.Action = &v1alpha1.TicketAction{ID: id, Type: v1alpha1.ActionComment, Actor: "lilei", By: fixtures.ByOps, Comment: "still there?"}
		return k8s.Patch(ctx, t, client.MergeFrom(before))
	}).Should(Succeed())
	return id
}

// applied says whether an action was applied.
func applied(ctx context.Context, t *v1alpha1.Ticket, id string) func() bool {
	return func() bool {
		if k8s.Get(ctx, client.ObjectKeyFromObject(t), t) != nil {
			return false
		}
		outcome, decided := engine.Outcome(&t.Status, id)
		return decided && outcome.Outcome == v1alpha1.ActionApplied
	}
}

var _ = Describe("Two managers", Ordered, func() {
	var leader, other *gexec.Session
	t := fixtures.Ticket("default", "vpn-1")

	BeforeAll(func(ctx SpecContext) {
		killed := holder(ctx) // another spec's, which still holds the lease until it runs out
		leader = startManager()
		Eventually(holder, failover).WithArguments(ctx).ShouldNot(Or(BeEmpty(), Equal(killed)))
		other = startManager() // ready, though it does not lead
		Expect(k8s.Create(ctx, t)).To(Succeed())
		Eventually(applied(ctx, t, comment(ctx, t))).Should(BeTrue())
	})

	It("hand over at once when one is asked to end", func(ctx SpecContext) {
		before := holder(ctx)
		id := comment(ctx, t)
		Eventually(applied(ctx, t, id)).Should(BeTrue())
		Consistently(holder, "1s").WithArguments(ctx).Should(Equal(before), "one works at a time")
		asked := time.Now()
		leader.Terminate().Wait(testenv.Timeout)
		Expect(leader.ExitCode()).To(BeZero())
		id = comment(ctx, t)
		Eventually(applied(ctx, t, id), handover).Should(BeTrue())
		AddReportEntry("handed over after", time.Since(asked).String())
		Expect(holder(ctx)).NotTo(Or(BeEmpty(), Equal(before)))
	})

	It("take over within 20 seconds when one is killed, and no action is lost", func(ctx SpecContext) {
		startManager()
		before := holder(ctx)
		other.Kill().Wait(testenv.Timeout)
		killed := time.Now()
		id := comment(ctx, t)
		Eventually(applied(ctx, t, id), failover).Should(BeTrue())
		AddReportEntry("taken over after", time.Since(killed).String())
		Expect(holder(ctx)).NotTo(Equal(before))
		Expect(t.Status.HistoryCount).To(BeEquivalentTo(count+1), "each once")
	})
})

var _ = Describe("Two API servers", func() {
	It("show each other's actions, and let none overwrite the other's", func(ctx SpecContext) {
		startManager()
		t := fixtures.Ticket("default", "vpn-2")
		Expect(k8s.Create(ctx, t)).To(Succeed())
		Eventually(func() v1alpha1.WireID { _ = k8s.Get(ctx, client.ObjectKeyFromObject(t), t); return t.Status.ID }, failover).ShouldNot(BeZero())
		servers := []*backend.Backend{serve(), serve()}
		var group sync.WaitGroup
		const each = 15
		for _, s := range servers {
			Eventually(func() bool { _, ok := s.TicketByID(t.Status.ID); return ok }).Should(BeTrue())
			group.Go(func() {
				defer GinkgoRecover()
				for range each {
					act(ctx, s, t.Status.ID)
				}
			})
		}
		group.Wait()
		for _, s := range servers {
			Eventually(func() int64 { shown, _ := s.TicketByID(t.Status.ID); return shown.Status.HistoryCount }).Should(BeEquivalentTo(2*each + 1))
		}
	})
})

func serve() *backend.Backend {
	GinkgoHelper()
	ctx, cancel := context.WithCancel(context.Background())
	b, err := backend.New(backend.Options{Config: environment.Config, Scheme: testenv.Scheme(), Clock: clock.RealClock{}, ActionTimeout: testenv.Timeout})
	Expect(err).NotTo(HaveOccurred())
	ended := make(chan error, 1)
	go func() { ended <- b.Start(ctx) }()
	DeferCleanup(func() {
		cancel()
		Expect(<-ended).To(Succeed())
	})
	Eventually(b.Synced()).Should(BeClosed())
	return b
}

// act comments on a ticket through a server, which shows it from then on.
func act(ctx context.Context, s *backend.Backend, id v1alpha1.WireID) {
	GinkgoHelper()
	t, ok := s.TicketByID(id)
	Expect(ok).To(BeTrue())
	application, ok := s.Directory().ApplicationObject("ops")
	Expect(ok).To(BeTrue())
	caller := backend.Caller{App: application, AppName: "ops", User: "lilei"}
	after, err := s.Act(ctx, caller, t, v1alpha1.TicketAction{Type: v1alpha1.ActionComment, Comment: "through one of two"})
	Expect(err).NotTo(HaveOccurred())
	shown, _ := s.TicketByID(id)
	Expect(shown.Status.HistoryCount).To(BeNumerically(">=", after.Status.HistoryCount))
}
