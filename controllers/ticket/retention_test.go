// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ticket_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/ticket"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/graphs"
)

// keepFor makes a workflow keep finished tickets for so long, or for good.
func keepFor(ctx context.Context, w *v1alpha1.Workflow, d time.Duration) {
	GinkgoHelper()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed())
	w.Spec.Retention = nil
	if d > 0 {
		w.Spec.Retention = &v1alpha1.Retention{AfterFinished: metav1.Duration{Duration: d}}
	}
	Expect(k8s.Update(ctx, w)).To(Succeed())
	Eventually(func(g Gomega) {
		shown := &v1alpha1.Workflow{}
		g.Expect(cached.Get(ctx, client.ObjectKeyFromObject(w), shown)).To(Succeed())
		g.Expect(shown.ResourceVersion).To(Equal(w.ResourceVersion))
	}).Should(Succeed())
}

var _ = Describe("a finished ticket", func() {
	const month = 30 * 24 * time.Hour
	var ns string
	var w *v1alpha1.Workflow
	var t *v1alpha1.Ticket

	BeforeEach(func(ctx SpecContext) {
		ns = newNamespace(ctx)
		w = fixtures.Workflow(ns)
		w.Spec.Admins = []v1alpha1.UserName{"guiji"}
		w.Spec.Notifications = &v1alpha1.Notifications{Notifiers: []v1alpha1.ObjectName{"chat"}}
		judge(ctx, w)
		t = fixtures.Ticket(ns, "vpn-1")
		create(ctx, t)
		reconcile(ctx, t)
		ask(ctx, t, v1alpha1.TicketAction{ID: "close-it", Type: v1alpha1.ActionClose, Actor: "guiji"})
		reconcile(ctx, t)
		Expect(t.Status.Progress).To(Equal(v1alpha1.ProgressClosed))
		t.Status.Notified = []v1alpha1.NotifiedMark{{Notifier: "chat", Seq: t.Status.HistoryCount}}
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		reconcile(ctx, t) // is stamped
	})

	It("is kept for good where its workflow says nothing", func(ctx SpecContext) {
		clk.Step(10 * 12 * month)
		Expect(reconcile(ctx, t)).To(BeZero())
		Expect(t.UID).NotTo(BeEmpty())
	})

	It("goes when its time has come, also by a retention that came later", func(ctx SpecContext) {
		keepFor(ctx, w, month)
		Expect(reconcile(ctx, t)).To(BeNumerically("~", month, time.Minute))
		clk.Step(month - time.Hour)
		Expect(reconcile(ctx, t)).To(BeNumerically("~", time.Hour, time.Minute))
		clk.Step(time.Hour)
		reconcile(ctx, t)
		Expect(t.UID).To(BeEmpty(), "it is gone")
		Expect(counted(ns, "ticketflow_tickets_expired_total", "workflow", "vpn")).To(BeEquivalentTo(1))
	})

	It("goes also if nobody was there when its time came, and stays if that was not yet", func(ctx SpecContext) {
		keepFor(ctx, w, month)
		restarted := func() time.Duration {
			GinkgoHelper()
			started := &ticket.Reconciler{
				Client: cached, Live: k8s, Graphs: graphs.New(cached), Directory: tickets.Directory, Counter: tickets.Counter, Clock: clk, Location: time.UTC,
			}
			result, err := started.Reconcile(ctx, t.DeepCopy())
			Expect(err).NotTo(HaveOccurred())
			return result.RequeueAfter
		}
		clk.Step(month - time.Minute)
		Expect(restarted()).To(BeNumerically("~", time.Minute, 2*time.Second))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
		clk.Step(month)
		Expect(restarted()).To(BeZero())
		Expect(apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(t), t))).To(BeTrue())
	})

	It("stays while notices of it are outstanding", func(ctx SpecContext) {
		keepFor(ctx, w, month)
		t.Status.Notified = nil
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		clk.Step(2 * month)
		Expect(reconcile(ctx, t)).To(BeZero())
		Expect(t.UID).NotTo(BeEmpty())
		t.Status.Notified = []v1alpha1.NotifiedMark{{Notifier: "chat", Seq: t.Status.HistoryCount}}
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		reconcile(ctx, t)
		Expect(t.UID).To(BeEmpty(), "it is gone")
	})

	It("stays when the workflow changed its mind and the cache does not know it", func(ctx SpecContext) {
		keepFor(ctx, w, month)
		clk.Step(2 * month)
		lagging := &ticket.Reconciler{
			Client: &remembering{Client: cached, workflow: w.DeepCopy()}, Live: k8s, Graphs: tickets.Graphs,
			Directory: tickets.Directory, Counter: tickets.Counter, Clock: clk, Location: time.UTC,
		}
		keepFor(ctx, w, 0)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
		_, err := lagging.Reconcile(ctx, t.DeepCopy())
		Expect(err).NotTo(HaveOccurred())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
	})

	It("stays when it is reopened in the last moment", func(ctx SpecContext) {
		keepFor(ctx, w, month)
		stale := t.DeepCopy()
		ask(ctx, t, v1alpha1.TicketAction{ID: "reopen-it", Type: v1alpha1.ActionSetState, Actor: "guiji", State: "ops"})
		clk.Step(2 * month)
		result, err := tickets.Reconcile(ctx, stale)
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).NotTo(BeZero(), "a conflict is looked at again")
		reconcile(ctx, t)
		Expect(t.Status.State).To(BeEquivalentTo("ops"))
	})

	It("stays while its parent is under way, and takes no sub-ticket with it", func(ctx SpecContext) {
		keepFor(ctx, w, month)
		p := project(ns, "ops")
		judge(ctx, p)
		keepFor(ctx, p, month)
		parent, child := projectTicket(ns), childTicket(ns, "child-1")
		create(ctx, parent)
		reconcile(ctx, parent)
		shown(ctx, parent)
		create(ctx, child)
		reconcile(ctx, child)
		child.Status.Notified = []v1alpha1.NotifiedMark{{Notifier: "chat", Seq: 99}}
		Expect(k8s.Status().Update(ctx, child)).To(Succeed())
		closeAndWait := func(t *v1alpha1.Ticket) {
			ask(ctx, t, v1alpha1.TicketAction{ID: "close-it", Type: v1alpha1.ActionClose, Actor: "guiji"})
			reconcile(ctx, t)
			reconcile(ctx, t) // is stamped
			shown(ctx, t)
			clk.Step(2 * month)
		}
		closeAndWait(child)
		Expect(reconcile(ctx, child)).To(BeZero())
		Expect(child.UID).NotTo(BeEmpty(), "the parent counts it")
		closeAndWait(parent)
		Expect(reconcile(ctx, parent)).To(BeZero())
		Expect(parent.UID).NotTo(BeEmpty(), "it would take the sub-ticket with it")
		reconcile(ctx, child)
		Expect(child.UID).To(BeEmpty(), "nobody needs it")
		Eventually(func() string { reconcile(ctx, parent); return string(parent.UID) }).Should(BeEmpty(), "it has no sub-ticket any more")
	})
})

// remembering is a client whose cache shows a workflow as it was.
type remembering struct {
	client.Client
	workflow *v1alpha1.Workflow
}

func (c *remembering) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if w, ok := o.(*v1alpha1.Workflow); ok && key == client.ObjectKeyFromObject(c.workflow) {
		c.workflow.DeepCopyInto(w)
		return nil
	}
	return c.Client.Get(ctx, key, o, opts...)
}
