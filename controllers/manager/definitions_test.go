// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package manager_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/fixtures"
)

// judged waits until a workflow's present generation was judged.
func judged(ctx context.Context, w *v1alpha1.Workflow) *metav1.Condition {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed())
		g.Expect(w.Status.ObservedGeneration).To(Equal(w.Generation))
	}).Should(Succeed())
	ready := meta.FindStatusCondition(w.Status.Conditions, v1alpha1.ConditionReady)
	Expect(ready).NotTo(BeNil())
	Expect(ready.ObservedGeneration).To(Equal(w.Generation))
	return ready
}

func edit(ctx context.Context, w *v1alpha1.Workflow, change func(*v1alpha1.WorkflowSpec)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(w), w); err != nil {
			return err
		}
		change(&w.Spec)
		return k8s.Update(ctx, w)
	}).Should(Succeed())
}

func breakIt(spec *v1alpha1.WorkflowSpec) {
	spec.States[1].Transitions[0].To = "nowhere"
	spec.States[3].Transitions = nil
}

var _ = Describe("a workflow", func() {
	It("is ready with ids of its parts and a revision, and names what it lacks outside", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		w := fixtures.Workflow(ns)
		create(ctx, w)
		ready := judged(ctx, w)
		Expect(ready.Reason).To(Equal(v1alpha1.ReasonReady))
		Expect(ready.Message).To(ContainSubstring("grant"), "the missing script is a warning")
		Expect(w.Status.ID).NotTo(BeZero())
		Expect(w.Status.StateIDs).To(HaveLen(6))
		Expect(w.Status.TransitionIDs).To(HaveKey("lead/approve"))
		Expect(w.Status.FieldIDs).To(HaveLen(2))
		Expect(w.Finalizers).To(ContainElement(v1alpha1.FinalizerInUse))
		revision := &appsv1.ControllerRevision{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: ns, Name: w.Status.Revision}, revision)).To(Succeed())
		Expect(metav1.IsControlledBy(revision, w)).To(BeTrue())

		create(ctx, fixtures.Grant(ns, "print()"))
		Eventually(func() string { return judged(ctx, w).Message }).Should(BeEmpty())
	})

	It("names all its problems, and opens no tickets", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		w := fixtures.Workflow(ns)
		breakIt(&w.Spec)
		create(ctx, w)
		ready := judged(ctx, w)
		Expect(ready.Reason).To(Equal(v1alpha1.ReasonInvalid))
		Expect(ready.Message).To(And(ContainSubstring("nowhere"), ContainSubstring("; "), ContainSubstring("grant")))
		Expect(w.Status.ID).NotTo(BeZero(), "REST clients can ask for it, and are told")
		Expect(w.Status.Revision).To(BeEmpty())
		expectRefused(ctx, fixtures.Ticket(ns, "vpn-1"), engine.ReasonWorkflowNotReady, "nowhere")
	})

	It("serves its last good revision after a bad edit, and says so", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		w := fixtures.Workflow(ns)
		create(ctx, w)
		judged(ctx, w)
		good := w.Status.Revision
		edit(ctx, w, breakIt)
		ready := judged(ctx, w)
		Expect(ready.Reason).To(Equal(v1alpha1.ReasonInvalid))
		Expect(ready.Message).To(ContainSubstring("older revision " + good + " still serves"))
		Expect(w.Status.Revision).To(Equal(good))
		ticket := fixtures.Ticket(ns, "vpn-1")
		create(ctx, ticket)
		inState(ctx, ticket, "lead")
		Expect(ticket.Status.WorkflowRevision).To(Equal(good))
	})

	It("leaves tickets on the revision that they began with", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		w, ticket := fixtures.Workflow(ns), fixtures.Ticket(ns, "vpn-1")
		create(ctx, w, ticket)
		inState(ctx, ticket, "lead")
		edit(ctx, w, func(spec *v1alpha1.WorkflowSpec) { spec.States[1].Transitions[0].Name = "agree" })
		judged(ctx, w)
		Expect(w.Status.Revision).NotTo(Equal(ticket.Status.WorkflowRevision))
		Expect(act(ctx, ticket, v1alpha1.TicketAction{Type: v1alpha1.ActionTransition, Actor: "zhangsan", Transition: "approve"})).To(applied())
	})

	It("opens no tickets while it is suspended", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		w := fixtures.Workflow(ns)
		create(ctx, w)
		judged(ctx, w)
		revision := w.Status.Revision
		edit(ctx, w, func(spec *v1alpha1.WorkflowSpec) { spec.Suspend = true })
		Expect(judged(ctx, w).Reason).To(Equal(v1alpha1.ReasonSuspended))
		Expect(w.Status.Revision).To(Equal(revision))
		expectRefused(ctx, fixtures.Ticket(ns, "vpn-1"), engine.ReasonWorkflowNotReady, "suspended")
	})

	It("keeps its ids over deletion and re-creation, and its revision for it", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		first, second := fixtures.Workflow(ns), fixtures.Workflow(ns)
		create(ctx, first)
		judged(ctx, first)
		Expect(k8s.Delete(ctx, first)).To(Succeed())
		Eventually(func() error { return k8s.Create(ctx, second) }).Should(Succeed(), "once the first is gone")
		judged(ctx, second)
		Expect(second.Status.ID).To(Equal(first.Status.ID))
		Expect(second.Status.TransitionIDs).To(Equal(first.Status.TransitionIDs))
		Expect(second.Status.Revision).To(Equal(first.Status.Revision))
		revision := &appsv1.ControllerRevision{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: ns, Name: second.Status.Revision}, revision)).To(Succeed())
		Expect(metav1.IsControlledBy(revision, second)).To(BeTrue(), "else the garbage collector takes it")
	})

	It("lets go of tickets that ended before it said how long they are kept", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		w := fixtures.Workflow(ns)
		w.Spec.Admins = []v1alpha1.UserName{"guiji"}
		ended, open := fixtures.Ticket(ns, "vpn-1"), fixtures.Ticket(ns, "vpn-2")
		create(ctx, w, ended, open)
		inState(ctx, ended, "lead")
		inState(ctx, open, "lead")
		Expect(act(ctx, ended, v1alpha1.TicketAction{Type: v1alpha1.ActionClose, Actor: "guiji"})).To(applied())
		Eventually(get(ctx, ended)).Should(HaveField("Annotations", HaveKey(v1alpha1.AnnotationOpened)))
		edit(ctx, w, func(spec *v1alpha1.WorkflowSpec) {
			spec.Retention = &v1alpha1.Retention{AfterFinished: metav1.Duration{Duration: time.Second}}
		})
		Eventually(func() bool { return apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(ended), ended)) }).Should(BeTrue())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(open), open)).To(Succeed())
	})

	It("keeps known ids, and says so where one belongs to another", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		first, second := fixtures.Workflow(ns), fixtures.Workflow(ns)
		first.Spec.ID, first.Spec.States[0].ID, first.Spec.States[0].Transitions[0].ID, first.Spec.Fields[0].ID = 2, 5, 7, 3
		create(ctx, first)
		Expect(judged(ctx, first).Reason).To(Equal(v1alpha1.ReasonReady))
		Expect(first.Status.ID).To(BeEquivalentTo(2))
		Expect(first.Status.StateIDs).To(HaveKeyWithValue("new", v1alpha1.WireID(5)))
		Expect(first.Status.TransitionIDs).To(HaveKeyWithValue("new/submit", v1alpha1.WireID(7)))
		Expect(first.Status.FieldIDs).To(HaveKeyWithValue("days", v1alpha1.WireID(3)))
		second.Name = "other"
		second.Spec.States[1].ID = 5
		create(ctx, second)
		ready := judged(ctx, second)
		Expect(ready.Reason).To(Equal(v1alpha1.ReasonIDTaken))
		Expect(ready.Message).To(ContainSubstring(ns + "/vpn/new"))
		Expect(second.Status.Revision).To(BeEmpty())
	})

	It("stays while unfinished tickets are on it", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		w, ticket := fixtures.Workflow(ns), fixtures.Ticket(ns, "vpn-1")
		w.Spec.Admins = []v1alpha1.UserName{"guiji"}
		create(ctx, w, ticket)
		inState(ctx, ticket, "lead")
		Expect(k8s.Delete(ctx, w)).To(Succeed())
		leaving := judged(ctx, w)
		Expect(leaving.Reason).To(Equal(v1alpha1.ReasonTerminating))
		Expect(leaving.Message).To(ContainSubstring("unfinished ticket"))
		expectRefused(ctx, fixtures.Ticket(ns, "vpn-2"), engine.ReasonWorkflowNotReady, "being deleted")
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed())
		Expect(act(ctx, ticket, v1alpha1.TicketAction{Type: v1alpha1.ActionSetState, Actor: "guiji", State: "end"})).To(applied())
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(w), w) }).Should(MatchError(ContainSubstring("not found")))
	})
})

// expectRefused creates a ticket and expects that it is not opened.
func expectRefused(ctx context.Context, ticket *v1alpha1.Ticket, reason engine.Reason, message string) {
	GinkgoHelper()
	create(ctx, ticket)
	var opened *metav1.Condition
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(ticket), ticket)).To(Succeed())
		opened = meta.FindStatusCondition(ticket.Status.Conditions, v1alpha1.ConditionOpened)
		g.Expect(opened).NotTo(BeNil())
	}).Should(Succeed())
	Expect(opened.Status).To(Equal(metav1.ConditionFalse))
	Expect(opened.Reason).To(Equal(string(reason)))
	Expect(opened.Message).To(ContainSubstring(message))
	Expect(ticket.Status.ID).To(BeZero())
}

var _ = Describe("people", func() {
	user := func(name string, spec v1alpha1.UserSpec) *v1alpha1.User {
		return &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
	}
	reason := func(ctx context.Context, u *v1alpha1.User) func() string {
		return func() string {
			if err := k8s.Get(ctx, client.ObjectKeyFromObject(u), u); err != nil {
				return err.Error()
			}
			ready := meta.FindStatusCondition(u.Status.Conditions, v1alpha1.ConditionReady)
			if ready == nil || u.Status.ObservedGeneration != u.Generation {
				return ""
			}
			return ready.Reason
		}
	}

	It("keep their ids over deletion and re-creation", func(ctx SpecContext) {
		first, second := user("hanmeimei", v1alpha1.UserSpec{}), user("hanmeimei", v1alpha1.UserSpec{})
		create(ctx, first)
		Eventually(reason(ctx, first)).Should(Equal(v1alpha1.ReasonReady))
		Expect(k8s.Delete(ctx, first)).To(Succeed())
		create(ctx, second)
		Eventually(reason(ctx, second)).Should(Equal(v1alpha1.ReasonReady))
		Expect(second.Status.ID).To(Equal(first.Status.ID))
	})

	It("are told when their id or name belongs to another, until it is free", func(ctx SpecContext) {
		one := user("a-one", v1alpha1.UserSpec{Username: "Same Name", ID: 77})
		create(ctx, one)
		Eventually(reason(ctx, one)).Should(Equal(v1alpha1.ReasonReady))
		Expect(one.Status.ID).To(BeEquivalentTo(77))
		named, numbered := user("b-two", v1alpha1.UserSpec{Username: "Same Name"}), user("c-three", v1alpha1.UserSpec{ID: 77})
		create(ctx, named, numbered)
		Eventually(reason(ctx, named)).Should(Equal(v1alpha1.ReasonNameTaken))
		Eventually(reason(ctx, numbered)).Should(Equal(v1alpha1.ReasonIDTaken))
		Expect(k8s.Delete(ctx, one)).To(Succeed())
		Eventually(reason(ctx, named)).Should(Equal(v1alpha1.ReasonReady))
		Consistently(reason(ctx, numbered), "200ms").Should(Equal(v1alpha1.ReasonIDTaken), "an id is never used again")
	})

	It("cannot bear a reserved name", func(ctx SpecContext) {
		robot, hook := user(v1alpha1.RobotUser, v1alpha1.UserSpec{}), user("d-four", v1alpha1.UserSpec{Username: v1alpha1.HookUser})
		create(ctx, robot, hook)
		Eventually(reason(ctx, robot)).Should(Equal(v1alpha1.ReasonNameReserved))
		Eventually(reason(ctx, hook)).Should(Equal(v1alpha1.ReasonNameReserved))
		Expect(robot.Status.ID).To(BeZero())
	})
})
