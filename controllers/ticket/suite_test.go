// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ticket_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/ticket"
	"ticketflow.dev/ticketflow/controllers/workflow"
	"ticketflow.dev/ticketflow/internal/directory"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/graphs"
	"ticketflow.dev/ticketflow/internal/ids"
	"ticketflow.dev/ticketflow/internal/testenv"
)

// These specs call Reconcile by hand, on tickets of their own choosing: fresh
// ones and stale ones. The cache runs, a manager does not.
var (
	environment *envtest.Environment
	k8s         client.Client // past the cache
	cached      client.Client
	store       cache.Cache
	told        *events.FakeRecorder
	clk         *clocktesting.FakeClock
	workflows   *workflow.Reconciler
	tickets     *ticket.Reconciler
)

func TestTicket(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "ticket")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	ctrl.SetLogger(klog.NewKlogr())
	environment, k8s = testenv.ForSpecs()
	local := testenv.Cached(environment, func(o *cluster.Options) {
		o.Client.Cache = &client.CacheOptions{DisableFor: []client.Object{&corev1.ConfigMap{}, &v1alpha1.TicketRecord{}}}
	})
	cached, store = local.GetClient(), local.GetCache()

	create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fixtures.SystemNamespace}})
	create(ctx, fixtures.People()...)
	people := directory.New(cached)
	Eventually(func() []string { names, _ := people.RoleMembers("ops"); return names }).Should(HaveLen(2))
	Eventually(func() bool { _, known := people.Application("ops"); return known }).Should(BeTrue())
	Eventually(func() []string { return people.PeopleIn([]string{"it"}) }).Should(HaveLen(2))

	clk = clocktesting.NewFakeClock(time.Now())
	compiled := graphs.New(cached)
	workflows = &workflow.Reconciler{
		Client: cached, Live: k8s, Graphs: compiled, Directory: people, Clock: clk,
		Registry: ids.NewRegistry(k8s, fixtures.SystemNamespace, nil),
	}
	tickets = &ticket.Reconciler{
		Client: cached, Live: k8s, Graphs: compiled, Directory: people, Clock: clk, Location: time.UTC,
		Counter: ids.NewCounter(k8s, fixtures.SystemNamespace, nil),
	}
})

var _ = BeforeEach(func() {
	told = events.NewFakeRecorder(100)
	tickets.Events = told
})

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

// judge has a workflow judged, and waits until the cache shows it.
func judge(ctx context.Context, w *v1alpha1.Workflow) {
	GinkgoHelper()
	create(ctx, w)
	_, err := workflows.Reconcile(ctx, w.DeepCopy())
	Expect(err).NotTo(HaveOccurred())
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed())
	Eventually(func(g Gomega) {
		shown := &v1alpha1.Workflow{}
		g.Expect(cached.Get(ctx, client.ObjectKeyFromObject(w), shown)).To(Succeed())
		g.Expect(shown.ResourceVersion).To(Equal(w.ResourceVersion))
		_, err := workflows.Graphs.Current(ctx, shown)
		g.Expect(err).NotTo(HaveOccurred())
	}).Should(Succeed())
}

// reconcile looks after a ticket as it is now.
func reconcile(ctx context.Context, t *v1alpha1.Ticket) time.Duration {
	GinkgoHelper()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
	result, err := tickets.Reconcile(ctx, t.DeepCopy())
	Expect(err).NotTo(HaveOccurred())
	if k8s.Get(ctx, client.ObjectKeyFromObject(t), t) != nil {
		t.UID = "" // gone
	}
	return result.RequeueAfter
}

// ask puts an action on a ticket.
func ask(ctx context.Context, t *v1alpha1.Ticket, action v1alpha1.TicketAction) {
	GinkgoHelper()
	action.By = fixtures.ByOps
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
	t.Spec.Action = &action
	Expect(k8s.Update(ctx, t)).To(Succeed())
}
