// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ticket_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
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

var _ = Describe("a parent", func() {
	It("counts its sub-tickets, owns them, and goes on once they have ended", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		w := fixtures.Workflow(ns)
		judge(ctx, w)
		project := &v1alpha1.Workflow{}
		project.Namespace, project.Name = ns, "project"
		project.Spec.Creator = "guiji"
		project.Spec.States = []v1alpha1.State{
			{Name: "new", Type: v1alpha1.StateStart, Transitions: []v1alpha1.Transition{{Name: "go", To: "develop"}}},
			{Name: "develop", Participants: &v1alpha1.Participants{Children: &v1alpha1.Children{}}, Transitions: []v1alpha1.Transition{{Name: "developed", To: "end"}}},
			{Name: "end", Type: v1alpha1.StateEnd},
		}
		judge(ctx, project)
		parent := &v1alpha1.Ticket{}
		parent.Namespace, parent.Name = ns, "project-1"
		parent.Spec = v1alpha1.TicketSpec{WorkflowRef: v1alpha1.WorkflowReference{Name: "project"}, Creator: "lilei", By: fixtures.ByOps}
		create(ctx, parent)
		reconcile(ctx, parent)
		Expect(parent.Status.State).To(BeEquivalentTo("develop"))
		shown(ctx, parent)

		child := fixtures.Ticket(ns, "child-1")
		child.Spec.Parent = &v1alpha1.ParentReference{Name: "project-1", State: "develop"}
		create(ctx, child)
		reconcile(ctx, child)
		Expect(child.Status.ParentID).To(Equal(parent.Status.ID))
		reconcile(ctx, child)
		Expect(child.OwnerReferences).To(HaveExactElements(HaveField("UID", parent.UID)))
		shown(ctx, child)
		reconcile(ctx, parent)
		Expect(parent.Status.Children).To(Equal([]v1alpha1.ChildrenCount{{State: "develop", Total: 1}}))
		Expect(parent.Status.State).To(BeEquivalentTo("develop"), "one is under way")

		Expect(k8s.Delete(ctx, child)).To(Succeed())
		Eventually(func() error { return cached.Get(ctx, client.ObjectKeyFromObject(child), &v1alpha1.Ticket{}) }).ShouldNot(Succeed())
		reconcile(ctx, parent)
		Expect(parent.Status.Children).To(BeEmpty())
		Expect(parent.Status.State).To(BeEquivalentTo("develop"), "with none it waits")
	})
})
