// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated_test

import (
	"context"
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// read reads what is served under a path, as a user.
func read(ctx context.Context, user, path string, query map[string]string, into any) error {
	GinkgoHelper()
	request := clientOf(configOf(user)).Get().AbsPath(group + path)
	for name, value := range query {
		request.Param(name, value)
	}
	result := request.Do(ctx)
	if err := result.Error(); err != nil {
		return err
	}
	data, err := result.Raw()
	Expect(err).NotTo(HaveOccurred())
	Expect(json.Unmarshal(data, into)).To(Succeed())
	return nil
}

var _ = Describe("a ticket as it is stored", Ordered, func() {
	BeforeAll(func(ctx SpecContext) { handlers(ctx, "lilei", "zhangsan", "wangwu") })

	It("is shown with what it follows, and what its reader may do", func(ctx SpecContext) {
		name := opened(ctx).GetName()
		var seen restv1.StoredTicket
		Expect(read(ctx, "zhangsan", "namespaces/desk/storedtickets/"+name, nil, &seen)).To(Succeed())
		kept := stored(ctx, name)
		Expect(seen.Spec).To(Equal(kept.Spec))
		Expect(seen.Status.History).To(Equal(kept.Status.History))
		Expect(seen.Status.HeadHash).To(Equal(kept.Status.HeadHash))
		Expect(seen.Viewer).To(Equal(&restv1.Viewer{Kubernetes: "zhangsan", User: "zhangsan", May: []v1alpha1.ActionType{
			v1alpha1.ActionDeliver, v1alpha1.ActionAddSigner, v1alpha1.ActionComment,
		}}))
		Expect(seen.Definition.Workflow).To(Equal("open-vpn"))
		Expect(seen.Definition.IDs.Workflow).To(Equal(kept.Status.WorkflowID))
		Expect(seen.Definition.Spec.States).NotTo(BeEmpty())
	})

	It("is listed without history, by whose it is", func(ctx SpecContext) {
		name := opened(ctx).GetName()
		names := func(user, category string) (out []string) {
			var list restv1.StoredTicketList
			Expect(read(ctx, user, "namespaces/desk/storedtickets", map[string]string{"fieldSelector": "category=" + category}, &list)).To(Succeed())
			Expect(list.Viewer).To(Equal(&restv1.Viewer{Kubernetes: user, User: v1alpha1.UserName(user)}))
			for i := range list.Items {
				Expect(list.Items[i].Status.History).To(BeEmpty())
				Expect(list.Items[i].Status.HistoryCount).NotTo(BeZero())
				out = append(out, list.Items[i].Name)
			}
			return out
		}
		Expect(names("lilei", "owner")).To(ContainElement(name))
		Expect(names("zhangsan", "duty")).To(ContainElement(name))
		Expect(names("zhangsan", "owner")).NotTo(ContainElement(name))
		Expect(names("wangwu", "relation")).NotTo(ContainElement(name))
		Expect(names("wangwu", "all")).To(ContainElement(name), "everyone sees this workflow's")
	})

	DescribeTable("is not selected by what there is not", func(ctx SpecContext, selector, want string) {
		err := read(ctx, "lilei", "namespaces/desk/storedtickets", map[string]string{"fieldSelector": selector}, &restv1.StoredTicketList{})
		Expect(err).To(Satisfy(apierrors.IsBadRequest))
		Expect(err).To(MatchError(ContainSubstring(want)))
	},
		Entry("another field", "spec.creator=lilei", `selected by the field "category" alone`),
		Entry("another category", "category=mine", "category=C is what there is"),
		Entry("all but a category", "category!=duty", "category=C is what there is"),
	)
})

var _ = Describe("a workflow for those who open tickets", Ordered, func() {
	const secret = "https://user:sesame@deploy.example.com/hooks/sesame?token=sesame"

	BeforeAll(func(ctx SpecContext) {
		handlers(ctx, "lilei")
		w := workflow(desk, "hooked", v1alpha1.VisibilityEveryone)
		w.Spec.DisplayName = "Hooked"
		w.Spec.States[1].Participants = &v1alpha1.Participants{Hook: &v1alpha1.Hook{URL: secret, ExtraInfo: v1alpha1.JSONObject{"key": "sesame"}}}
		w.Spec.States[1].Transitions = w.Spec.States[1].Transitions[:1]
		create(ctx, w, &v1alpha1.Workflow{
			ObjectMeta: metav1.ObjectMeta{Namespace: desk, Name: "broken"},
			Spec:       v1alpha1.WorkflowSpec{States: []v1alpha1.State{{Name: "new", Type: v1alpha1.StateStart}}},
		})
	})

	It("is told whole, but for what a hook's address may keep secret", func(ctx SpecContext) {
		var seen restv1.Workflow
		Eventually(func(g Gomega) {
			g.Expect(read(ctx, "lilei", "namespaces/desk/workflows/hooked", nil, &seen)).To(Succeed())
			g.Expect(seen.Definition).NotTo(BeNil(), seen.Trouble)
		}).Should(Succeed())
		Expect(seen.Definition.Spec.States[1].Participants.Hook.URL).To(Equal("https://deploy.example.com"))
		data, err := json.Marshal(seen)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(data)).NotTo(ContainSubstring("sesame"))
	})

	It("says why no tickets are opened on it", func(ctx SpecContext) {
		Eventually(func(g Gomega) {
			var seen restv1.Workflow
			g.Expect(read(ctx, "lilei", "namespaces/desk/workflows/broken", nil, &seen)).To(Succeed())
			g.Expect(seen.Trouble).To(ContainSubstring("spec.states"))
			g.Expect(seen.Definition).To(BeNil())
		}).Should(Succeed())
	})

	It("is listed with what it is called", func(ctx SpecContext) {
		Eventually(func(g Gomega) {
			var list restv1.WorkflowList
			g.Expect(read(ctx, "lilei", "namespaces/desk/workflows", nil, &list)).To(Succeed())
			g.Expect(list.Items).To(ContainElement(And(HaveField("Name", "hooked"), HaveField("DisplayName", "Hooked"), HaveField("Definition", BeNil()))))
		}).Should(Succeed())
		Expect(read(ctx, "lilei", "namespaces/it/workflows", nil, &restv1.WorkflowList{})).To(Satisfy(apierrors.IsForbidden))
	})
})
