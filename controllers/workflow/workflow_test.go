// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package workflow_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/workflow"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/graphs"
	"ticketflow.dev/ticketflow/internal/ids"
	"ticketflow.dev/ticketflow/internal/testenv"
)

// What a workflow goes through with all controllers is in controllers/manager;
// these specs hold the clock.
var (
	environment *envtest.Environment
	k8s, cached client.Client
	clk         *clocktesting.FakeClock
	reconciler  *workflow.Reconciler
)

func TestWorkflow(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "workflow")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	environment, k8s = testenv.ForSpecs()
	local := testenv.Cached(environment)
	cached = local.GetClient()
	Expect(k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fixtures.SystemNamespace}})).To(Succeed())
	clk = clocktesting.NewFakeClock(time.Now())
	reconciler = &workflow.Reconciler{
		Client: cached, Live: k8s, Graphs: graphs.New(cached), Directory: directory.New(cached), Clock: clk,
		Registry: ids.NewRegistry(k8s, fixtures.SystemNamespace, nil),
	}
})

var _ = Describe("revisions", func() {
	revisions := func(ctx context.Context) []string {
		var all appsv1.ControllerRevisionList
		Expect(cached.List(ctx, &all, client.InNamespace("default"))).To(Succeed())
		var names []string
		for i := range all.Items {
			names = append(names, all.Items[i].Name)
		}
		return names
	}
	judge := func(ctx context.Context, w *v1alpha1.Workflow) time.Duration {
		GinkgoHelper()
		result, err := reconciler.Reconcile(ctx, w.DeepCopy())
		Expect(err).NotTo(HaveOccurred())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed())
		Eventually(func() []string { return revisions(ctx) }).Should(ContainElement(w.Status.Revision))
		return result.RequeueAfter
	}

	It("are kept while a ticket follows them, and pruned when nobody has for a while", func(ctx SpecContext) {
		w := fixtures.Workflow("default")
		Expect(k8s.Create(ctx, w)).To(Succeed())
		judge(ctx, w)
		first := w.Status.Revision
		t := fixtures.Ticket("default", "vpn-1")
		Expect(k8s.Create(ctx, t)).To(Succeed())
		t.Status.ID, t.Status.WorkflowRevision = 1, first
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		Eventually(func() string { _ = cached.Get(ctx, client.ObjectKeyFromObject(t), t); return t.Status.WorkflowRevision }).Should(Equal(first))

		for _, title := range []string{"second", "third"} {
			w.Spec.DisplayName = title
			Expect(k8s.Update(ctx, w)).To(Succeed())
			judge(ctx, w)
		}
		Expect(revisions(ctx)).To(HaveLen(3))
		Expect(judge(ctx, w)).To(BeNumerically(">", 0), "it looks again for the second")
		clk.Step(11 * time.Minute)
		judge(ctx, w)
		Eventually(func() []string { return revisions(ctx) }).Should(ConsistOf(first, w.Status.Revision))
	})

	It("are not taken from whoever was there first under their name", func(ctx SpecContext) {
		w := fixtures.Workflow("default")
		w.Name = "squatted"
		Expect(k8s.Create(ctx, w)).To(Succeed())
		judge(ctx, w)
		var genuine appsv1.ControllerRevision
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: "default", Name: w.Status.Revision}, &genuine)).To(Succeed())
		forged := &appsv1.ControllerRevision{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: genuine.Name},
			Data:       runtime.RawExtension{Raw: []byte(`{"workflow": "squatted"}`)},
		}
		Expect(k8s.Delete(ctx, &genuine)).To(Succeed())
		Expect(k8s.Create(ctx, forged)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(cached.Get(ctx, client.ObjectKeyFromObject(forged), forged)).To(Succeed())
			g.Expect(forged.Labels).To(BeEmpty())
		}).Should(Succeed())

		judge(ctx, w)
		var present appsv1.ControllerRevision
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(forged), &present)).To(Succeed())
		Expect(present.UID).NotTo(Equal(forged.UID))
		Expect(present.Data.Raw).To(MatchJSON(genuine.Data.Raw))
		Expect(present.Labels).To(Equal(genuine.Labels))
		Expect(metav1.IsControlledBy(&present, w)).To(BeTrue())
	})
})

var _ = Describe("a workflow that is to be deleted", func() {
	It("waits for a ticket until it is decided whether that is opened", func(ctx SpecContext) {
		w, t := fixtures.Workflow("leaving"), fixtures.Ticket("leaving", "undecided-1")
		Expect(k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "leaving"}})).To(Succeed())
		Expect(k8s.Create(ctx, w)).To(Succeed())
		_, err := reconciler.Reconcile(ctx, w.DeepCopy())
		Expect(err).NotTo(HaveOccurred())
		Expect(k8s.Create(ctx, t)).To(Succeed())
		Expect(k8s.Delete(ctx, w)).To(Succeed())
		shown := func(g Gomega) {
			g.Expect(cached.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
			g.Expect(cached.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed())
			g.Expect(w.DeletionTimestamp).NotTo(BeNil())
		}
		Eventually(shown).Should(Succeed())

		_, err = reconciler.Reconcile(ctx, w.DeepCopy())
		Expect(err).NotTo(HaveOccurred())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed(), "the ticket may be opened by now")

		meta.SetStatusCondition(&t.Status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionOpened, Status: metav1.ConditionFalse, Reason: string(engine.ReasonWorkflowNotReady),
		})
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		Eventually(func(g Gomega) {
			shown(g)
			g.Expect(t.Status.Conditions).NotTo(BeEmpty())
		}).Should(Succeed())
		_, err = reconciler.Reconcile(ctx, w.DeepCopy())
		Expect(err).NotTo(HaveOccurred())
		Expect(apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(w), w))).To(BeTrue(), "nothing is on it any more")
	})

	It("leaves to ended tickets what they follow", func(ctx SpecContext) {
		const namespace = "left"
		w, t := fixtures.Workflow(namespace), fixtures.Ticket(namespace, "ended-1")
		Expect(k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
		revision := func(name string) (*appsv1.ControllerRevision, error) {
			found := &appsv1.ControllerRevision{}
			return found, cached.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, found)
		}
		judge := func() string {
			GinkgoHelper()
			_, err := reconciler.Reconcile(ctx, w.DeepCopy())
			Expect(err).NotTo(HaveOccurred())
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed())
			Eventually(func() error { _, err := revision(w.Status.Revision); return err }).Should(Succeed())
			return w.Status.Revision
		}
		Expect(k8s.Create(ctx, w)).To(Succeed())
		followed := judge()
		Expect(k8s.Create(ctx, t)).To(Succeed())
		t.Status = v1alpha1.TicketStatus{ID: 1, WorkflowRevision: followed, State: "end", Progress: v1alpha1.ProgressFinished}
		t.Status.Participants.Kind = v1alpha1.ParticipantsNone
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		w.Spec.DisplayName = "newer"
		Expect(k8s.Update(ctx, w)).To(Succeed())
		unused := judge()

		Expect(k8s.Delete(ctx, w)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(cached.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed())
			g.Expect(w.DeletionTimestamp).NotTo(BeNil())
			g.Expect(cached.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
			g.Expect(t.Status.WorkflowRevision).To(Equal(followed))
		}).Should(Succeed())
		_, err := reconciler.Reconcile(ctx, w.DeepCopy())
		Expect(err).NotTo(HaveOccurred())
		Expect(apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(w), w))).To(BeTrue())
		owners := func(name string) []metav1.OwnerReference {
			found, err := revision(name)
			Expect(err).NotTo(HaveOccurred())
			return found.OwnerReferences
		}
		Eventually(owners).WithArguments(followed).Should(BeEmpty(), "the garbage collector leaves it alone")
		Expect(owners(unused)).To(HaveLen(1), "the garbage collector takes it")

		w = fixtures.Workflow(namespace)
		Expect(k8s.Create(ctx, w)).To(Succeed())
		Expect(judge()).To(Equal(followed), "it says the same")
		Eventually(owners).WithArguments(followed).Should(ConsistOf(HaveField("UID", w.UID)), "and takes it back")
	})
})
