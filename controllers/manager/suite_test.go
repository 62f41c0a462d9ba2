// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package manager_test

import (
	"context"
	"fmt"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/manager"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/testenv"
)

var (
	environment *envtest.Environment
	k8s         client.Client
	running     *process
	scriptDir   string
)

func TestManager(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "manager")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	ctrl.SetLogger(klog.NewKlogr())
	environment, k8s = testenv.ForSpecs()
	create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fixtures.SystemNamespace}})
	scriptDir = GinkgoT().TempDir() + "/scripts"
	create(ctx, fixtures.People()...)
	running = startManager()
})

var _ = AfterSuite(func() {
	running.stop()
})

// process is a manager that runs in this one.
type process struct {
	cancel context.CancelFunc
	ended  chan error
}

func startManager(change ...func(*manager.Options)) *process {
	ctx, cancel := context.WithCancel(context.Background())
	options := manager.NewOptions()
	options.ScriptRunner = manager.RunnerProcess
	options.ScriptDir = scriptDir
	options.AllowHosts = []string{"127.0.0.1"}
	for _, each := range change {
		each(options)
	}
	mgr, err := manager.New(ctx, environment.Config, options)
	Expect(err).NotTo(HaveOccurred())
	p := &process{cancel: cancel, ended: make(chan error, 1)}
	go func() { p.ended <- mgr.Start(ctx) }()
	return p
}

func (p *process) stop() {
	p.cancel()
	Expect(<-p.ended).To(Succeed())
}

func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(k8s.Create(ctx, o)).To(Succeed())
	}
}

func newNamespace(ctx context.Context) string {
	GinkgoHelper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "it-"}}
	create(ctx, ns)
	return ns.Name
}

func get[T client.Object](ctx context.Context, o T) func() (T, error) {
	return func() (T, error) { return o, k8s.Get(ctx, client.ObjectKeyFromObject(o), o) }
}

// state waits until a ticket is in a state.
func inState(ctx context.Context, t *v1alpha1.Ticket, state v1alpha1.Name) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		_, err := get(ctx, t)()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(t.Status.State).To(Equal(state), "%s", describe(t))
	}).Should(Succeed())
}

func describe(t *v1alpha1.Ticket) string {
	return fmt.Sprintf("conditions %v, run %+v, recent %+v", t.Status.Conditions, t.Status.Run, t.Status.RecentActions)
}

var actions int

// act asks for an action and waits for its outcome.
func act(ctx context.Context, t *v1alpha1.Ticket, action v1alpha1.TicketAction) v1alpha1.RecentAction {
	GinkgoHelper()
	actions++
	action.ID = fmt.Sprintf("action-%06d", actions)
	action.By = fixtures.ByOps
	Eventually(func() error {
		if _, err := get(ctx, t)(); err != nil {
			return err
		}
		t.Spec.Action = &action
		return k8s.Update(ctx, t)
	}).Should(Succeed())
	return outcome(ctx, t, action.ID)
}

func outcome(ctx context.Context, t *v1alpha1.Ticket, id string) v1alpha1.RecentAction {
	GinkgoHelper()
	var found *v1alpha1.RecentAction
	Eventually(func(g Gomega) {
		_, err := get(ctx, t)()
		g.Expect(err).NotTo(HaveOccurred())
		for i := range t.Status.RecentActions {
			if t.Status.RecentActions[i].ID == id {
				found = &t.Status.RecentActions[i]
			}
		}
		g.Expect(found).NotTo(BeNil())
	}).Should(Succeed())
	return *found
}

func inactive(s *v1alpha1.Script) *v1alpha1.Script {
	s.Spec.Active = ptr.To(false)
	return s
}
