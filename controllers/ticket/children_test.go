// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ticket_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/fixtures"
)

// shown waits until the cache shows a ticket as it is.
func shown(ctx context.Context, t *v1alpha1.Ticket) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		cachedTicket := &v1alpha1.Ticket{}
		g.Expect(cached.Get(ctx, client.ObjectKeyFromObject(t), cachedTicket)).To(Succeed())
		g.Expect(cachedTicket.ResourceVersion).To(Equal(t.ResourceVersion))
	}).Should(Succeed())
}

// project is a workflow that waits for sub-tickets, and then for the role.
func project(ns string, role v1alpha1.ObjectName) *v1alpha1.Workflow {
	w := &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "project"}}
	w.Spec.States = []v1alpha1.State{
		{Name: "new", Type: v1alpha1.StateStart, Transitions: []v1alpha1.Transition{{Name: "go", To: "develop"}}},
		{Name: "develop", Participants: &v1alpha1.Participants{Children: &v1alpha1.Children{}}, Transitions: []v1alpha1.Transition{{Name: "developed", To: "test"}}},
		{Name: "test", Participants: &v1alpha1.Participants{UserRoles: []v1alpha1.ObjectName{role}}, Transitions: []v1alpha1.Transition{{Name: "ok", To: "end"}}},
		{Name: "end", Type: v1alpha1.StateEnd},
	}
	w.Spec.Admins = []v1alpha1.UserName{"guiji"}
	return w
}

func projectTicket(ns string) *v1alpha1.Ticket {
	return &v1alpha1.Ticket{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "project-1"},
		Spec:       v1alpha1.TicketSpec{WorkflowRef: v1alpha1.WorkflowReference{Name: "project"}, Creator: "lilei", By: fixtures.ByOps},
	}
}

func childTicket(ns, name string) *v1alpha1.Ticket {
	t := fixtures.Ticket(ns, name)
	t.Spec.Parent = &v1alpha1.ParentReference{Name: "project-1", State: "develop"}
	return t
}

var _ = Describe("a parent", func() {
	var ns string
	var parent *v1alpha1.Ticket

	begin := func(ctx context.Context, role v1alpha1.ObjectName) {
		ns = newNamespace(ctx)
		w := fixtures.Workflow(ns)
		w.Spec.Admins = []v1alpha1.UserName{"guiji"}
		judge(ctx, w)
		judge(ctx, project(ns, role))
		parent = projectTicket(ns)
		create(ctx, parent)
		reconcile(ctx, parent)
		Expect(parent.Status.State).To(BeEquivalentTo("develop"))
		shown(ctx, parent)
	}
	open := func(ctx context.Context, name string) *v1alpha1.Ticket {
		child := childTicket(ns, name)
		create(ctx, child)
		reconcile(ctx, child)
		Expect(child.Status.ParentID).To(Equal(parent.Status.ID))
		Expect(child.OwnerReferences).To(HaveExactElements(HaveField("UID", parent.UID)), "it is the parent's from the moment that it is open")
		shown(ctx, child)
		return child
	}
	closeIt := func(ctx context.Context, t *v1alpha1.Ticket) {
		ask(ctx, t, v1alpha1.TicketAction{ID: "close-it", Type: v1alpha1.ActionClose, Actor: "guiji"})
		reconcile(ctx, t)
		Expect(t.Status.Progress).To(Equal(v1alpha1.ProgressClosed))
		shown(ctx, t)
	}

	It("counts its sub-tickets, owns them, and goes on once they have ended", func(ctx SpecContext) {
		begin(ctx, "ops")
		one, two := open(ctx, "child-1"), open(ctx, "child-2")
		reconcile(ctx, parent)
		Expect(parent.Status.Children).To(Equal([]v1alpha1.ChildrenCount{{State: "develop", Total: 2, Newest: two.Status.ID}}))
		closeIt(ctx, one)
		reconcile(ctx, parent)
		Expect(parent.Status.Children).To(Equal([]v1alpha1.ChildrenCount{{State: "develop", Total: 2, Ended: 1, Newest: two.Status.ID}}))
		Expect(parent.Status.State).To(BeEquivalentTo("develop"), "one is under way")
		closeIt(ctx, two)
		reconcile(ctx, parent)
		Expect(parent.Status.State).To(BeEquivalentTo("test"))
		history := parent.Status.HistoryCount
		reconcile(ctx, parent)
		Expect(parent.Status.HistoryCount).To(Equal(history), "once")
	})

	It("that comes back to the state waits for more of them, and takes none that are late", func(ctx SpecContext) {
		begin(ctx, "ops")
		closeIt(ctx, open(ctx, "child-1"))
		reconcile(ctx, parent)
		Expect(parent.Status.State).To(BeEquivalentTo("test"))
		shown(ctx, parent)
		late := childTicket(ns, "child-2")
		create(ctx, late)
		reconcile(ctx, late)
		Expect(condition(late, v1alpha1.ConditionOpened).Reason).To(Equal(string(engine.ReasonParentElsewhere)))
		shown(ctx, late)

		ask(ctx, parent, v1alpha1.TicketAction{ID: "force-it-back", Type: v1alpha1.ActionSetState, Actor: "guiji", State: "develop"})
		reconcile(ctx, parent)
		Expect(parent.Status.State).To(BeEquivalentTo("develop"))
		reconcile(ctx, parent)
		Expect(parent.Status.State).To(BeEquivalentTo("develop"), "it has gone on for the one that has ended")
		shown(ctx, parent)
		another := open(ctx, "child-3")
		reconcile(ctx, parent)
		Expect(parent.Status.State).To(BeEquivalentTo("develop"), "one is under way")
		closeIt(ctx, another)
		reconcile(ctx, parent)
		Expect(parent.Status.State).To(BeEquivalentTo("test"))
	})

	It("does not go on while one that it has not heard of is being opened", func(ctx SpecContext) {
		begin(ctx, "ops")
		closeIt(ctx, open(ctx, "child-1"))
		coming := childTicket(ns, "child-2")
		create(ctx, coming)
		shown(ctx, coming)
		reconcile(ctx, parent)
		Expect(parent.Status.State).To(BeEquivalentTo("develop"))
		Expect(parent.Status.Children).To(ConsistOf(And(HaveField("Total", BeEquivalentTo(2)), HaveField("Ended", BeEquivalentTo(1)))))
		reconcile(ctx, coming)
		shown(ctx, coming)
		closeIt(ctx, coming)
		reconcile(ctx, parent)
		Expect(parent.Status.State).To(BeEquivalentTo("test"))
	})

	It("is not moved by sub-tickets that end while it is elsewhere", func(ctx SpecContext) {
		begin(ctx, "ops")
		child := open(ctx, "child-1")
		ask(ctx, parent, v1alpha1.TicketAction{ID: "force-it-on", Type: v1alpha1.ActionSetState, Actor: "guiji", State: "test"})
		reconcile(ctx, parent)
		closeIt(ctx, child)
		reconcile(ctx, parent)
		Expect(parent.Status.State).To(BeEquivalentTo("test"))
		Expect(parent.Status.Children).To(ConsistOf(HaveField("Ended", BeEquivalentTo(1))))
		ask(ctx, parent, v1alpha1.TicketAction{ID: "force-it-back", Type: v1alpha1.ActionSetState, Actor: "guiji", State: "develop"})
		reconcile(ctx, parent)
		Expect(parent.Status.State).To(BeEquivalentTo("test"), "it comes back, and they have all ended")
		Expect(parent.Status.HistoryCount).To(BeEquivalentTo(4))
	})

	It("waits while it has none, also after the last was deleted", func(ctx SpecContext) {
		begin(ctx, "ops")
		child := open(ctx, "child-1")
		reconcile(ctx, parent)
		Expect(parent.Status.Children).To(HaveLen(1))
		Expect(k8s.Delete(ctx, child)).To(Succeed())
		Eventually(func() error { return cached.Get(ctx, client.ObjectKeyFromObject(child), &v1alpha1.Ticket{}) }).ShouldNot(Succeed())
		reconcile(ctx, parent)
		Expect(parent.Status.Children).To(BeEmpty())
		Expect(parent.Status.State).To(BeEquivalentTo("develop"))
	})

	It("that cannot go on says so, and goes on once that is repaired", func(ctx SpecContext) {
		role := &v1alpha1.UserRole{ObjectMeta: metav1.ObjectMeta{GenerateName: "testers-"}}
		create(ctx, role)
		begin(ctx, v1alpha1.ObjectName(role.Name))
		closeIt(ctx, open(ctx, "child-1"))
		Expect(reconcile(ctx, parent)).To(Equal(time.Minute))
		ready := condition(parent, v1alpha1.ConditionReady)
		Expect(ready.Reason).To(Equal(v1alpha1.ReasonStuck))
		Expect(ready.Message).To(ContainSubstring(`state "test"`))
		reconcile(ctx, parent) // is stamped
		before := parent.ResourceVersion
		reconcile(ctx, parent)
		Expect(parent.ResourceVersion).To(Equal(before), "it is said once")
		role.Spec.Members = []v1alpha1.UserName{"guiji"}
		Expect(k8s.Update(ctx, role)).To(Succeed())
		Eventually(func() []string { names, _ := tickets.Directory.RoleMembers(role.Name); return names }).Should(HaveLen(1))
		reconcile(ctx, parent)
		Expect(parent.Status.State).To(BeEquivalentTo("test"))
		Expect(condition(parent, v1alpha1.ConditionReady).Status).To(Equal(metav1.ConditionTrue))
	})
})

var _ = Describe("a sub-ticket", func() {
	It("waits for a parent that was applied together with it, and not for ever", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		judge(ctx, fixtures.Workflow(ns))
		judge(ctx, project(ns, "ops"))
		child, orphan, parent := childTicket(ns, "child-1"), childTicket(ns, "child-2"), projectTicket(ns)
		orphan.Spec.Parent.Name = "nobody"
		create(ctx, child, orphan, parent)
		clk.SetTime(parent.CreationTimestamp.Time)
		Expect(reconcile(ctx, child)).To(BeNumerically("<", time.Second))
		Expect(reconcile(ctx, orphan)).To(BeNumerically("<", time.Second))
		Expect(child.Status.Conditions).To(BeEmpty())
		reconcile(ctx, parent)
		shown(ctx, parent)
		reconcile(ctx, child)
		Expect(child.Status.ParentID).To(Equal(parent.Status.ID))
		clk.Step(10 * time.Second)
		reconcile(ctx, orphan)
		Expect(condition(orphan, v1alpha1.ConditionOpened).Reason).To(Equal(string(engine.ReasonUnknownTicket)))
	})

	It("that came back without its owner is given back to its parent", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		judge(ctx, fixtures.Workflow(ns))
		judge(ctx, project(ns, "ops"))
		child, parent := childTicket(ns, "child-1"), projectTicket(ns)
		create(ctx, parent, child)
		reconcile(ctx, parent)
		shown(ctx, parent)
		reconcile(ctx, child)
		child.OwnerReferences = nil
		Expect(k8s.Update(ctx, child)).To(Succeed())
		reconcile(ctx, child)
		Expect(child.OwnerReferences).To(HaveExactElements(HaveField("UID", parent.UID)))
	})

	It("that others own is its parent's as well, whatever they are", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		w := fixtures.Workflow(ns)
		judge(ctx, w)
		judge(ctx, project(ns, "ops"))
		child, parent := childTicket(ns, "child-1"), projectTicket(ns)
		child.OwnerReferences = []metav1.OwnerReference{
			{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "Workflow", Name: w.Name, UID: w.UID},
			{APIVersion: "elsewhere.example.com/v1", Kind: "Ticket", Name: "theirs", UID: "00000000-0000-0000-0000-000000000001"},
		}
		create(ctx, parent, child)
		reconcile(ctx, parent)
		shown(ctx, parent)
		reconcile(ctx, child)
		Expect(child.OwnerReferences).To(ConsistOf(
			HaveField("Kind", "Workflow"), HaveField("Name", "theirs"), HaveField("UID", parent.UID),
		))
	})
})
