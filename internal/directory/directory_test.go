// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package directory_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
	"ticketflow.dev/ticketflow/internal/testenv"
)

var (
	environment *envtest.Environment
	k8s         client.Client
	people      *directory.Directory
)

func TestDirectory(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "directory")
}

var _ = BeforeSuite(func() {
	environment, _ = testenv.ForSpecs()
	local := testenv.Cached(environment)
	k8s, people = local.GetClient(), directory.New(local.GetClient())
})

func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(k8s.Create(ctx, o)).To(Succeed())
	}
}

func user(name string, spec v1alpha1.UserSpec) *v1alpha1.User {
	return &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
}

func department(name, parent string) *v1alpha1.Department {
	return &v1alpha1.Department{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.DepartmentSpec{Parent: v1alpha1.ObjectName(parent), Leader: "boss", Approvers: []v1alpha1.UserName{"a", "b"}},
	}
}

var _ = Describe("the directory", func() {
	It("finds the active people of departments and all below, also in a circle (Q33, Q44)", func(ctx SpecContext) {
		create(ctx,
			department("top", "bottom"), department("middle", "top"), department("bottom", "middle"), department("aside", ""),
			user("t1", v1alpha1.UserSpec{Department: "top"}),
			user("m1", v1alpha1.UserSpec{Department: "middle", Username: "M One"}),
			user("b1", v1alpha1.UserSpec{Department: "bottom"}),
			user("b2", v1alpha1.UserSpec{Department: "bottom", Active: ptr.To(false)}),
			user("x1", v1alpha1.UserSpec{Department: "aside"}),
		)
		Eventually(func() []string { return people.PeopleIn([]string{"middle", "top", "nowhere"}) }).
			Should(Equal([]string{"M One", "b1", "t1"}))
		top, known := people.Department("top")
		Expect(known).To(BeTrue())
		Expect(top).To(Equal(engine.Department{Name: "top", Parent: "bottom", Leader: "boss", Approvers: []string{"a", "b"}}))
	})

	It("finds the active members of a role, and knows that there is no such role", func(ctx SpecContext) {
		create(ctx,
			user("r1", v1alpha1.UserSpec{}), user("r2", v1alpha1.UserSpec{Active: ptr.To(false)}),
			&v1alpha1.UserRole{ObjectMeta: metav1.ObjectMeta{Name: "some"}, Spec: v1alpha1.UserRoleSpec{Members: []v1alpha1.UserName{"r2", "r1", "stranger"}}},
		)
		Eventually(func() []string { members, _ := people.RoleMembers("some"); return members }).Should(Equal([]string{"r1"}))
		_, known := people.RoleMembers("none")
		Expect(known).To(BeFalse())
	})

	It("finds a Kubernetes user's person by name first, then by identity", func(ctx SpecContext) {
		create(ctx, user("k1", v1alpha1.UserSpec{Identities: []string{"oidc:k1", "k2"}}), user("k2", v1alpha1.UserSpec{Administrator: true}))
		name := func(identity string) func() string {
			return func() string { person, _ := people.UserOf(identity); return person.Name }
		}
		Eventually(name("oidc:k1")).Should(Equal("k1"))
		Eventually(name("k2")).Should(Equal("k2"))
		_, known := people.UserOf("")
		Expect(known).To(BeFalse())
	})

	It("does not count who has a name that is another's or reserved", func(ctx SpecContext) {
		first, second := user("n1", v1alpha1.UserSpec{Username: "name"}), user("n0", v1alpha1.UserSpec{Username: "name"})
		create(ctx, first, second, user("n3", v1alpha1.UserSpec{Username: v1alpha1.RobotUser}))
		second.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNameTaken, LastTransitionTime: metav1.Now(),
		}}
		Expect(k8s.Status().Update(ctx, second)).To(Succeed())
		Eventually(func() string {
			if found, ok := people.UserObject("name"); ok {
				return found.Name
			}
			return ""
		}).Should(Equal("n1"))
		_, known := people.User(v1alpha1.RobotUser)
		Expect(known).To(BeFalse())
	})

	It("remembers whom it was asked for, also whom there is not, until it forgets", func(ctx SpecContext) {
		remembering := people.Remembering()
		known := func(d *directory.Directory) func() bool {
			return func() bool { _, ok := d.User("late"); return ok }
		}
		Expect(known(remembering)()).To(BeFalse())
		create(ctx, user("late", v1alpha1.UserSpec{}))
		Eventually(known(people)).Should(BeTrue())
		Expect(known(remembering)()).To(BeFalse())
		remembering.Forget()
		Expect(known(remembering)()).To(BeTrue())

		_, ok := remembering.ApplicationObject("late")
		Expect(ok).To(BeFalse(), "an application of a user's name is another")
		for n := range 10_000 {
			remembering.ApplicationObject(fmt.Sprintf("nobody-%d", n))
		}
		create(ctx, &v1alpha1.Application{
			ObjectMeta: metav1.ObjectMeta{Name: "late"},
			Spec:       v1alpha1.ApplicationSpec{TokenSecretRef: v1alpha1.NamespacedSecretKeyRef{Namespace: "x", Name: "x", Key: "x"}},
		})
		Eventually(func() bool { _, ok := people.ApplicationObject("late"); return ok }).Should(BeTrue())
		_, ok = remembering.ApplicationObject("late")
		Expect(ok).To(BeTrue(), "it remembers no more than 10 000 answers")
	})

	It("knows what an application may do", func(ctx SpecContext) {
		create(ctx, &v1alpha1.Application{
			ObjectMeta: metav1.ObjectMeta{Name: "app"},
			Spec: v1alpha1.ApplicationSpec{
				AppName: "App One", UnknownUsers: v1alpha1.UnknownUsersAllow, Grants: []v1alpha1.Grant{v1alpha1.GrantIntervene},
				Workflows:      &v1alpha1.WorkflowScope{Names: []string{"it/vpn"}},
				TokenSecretRef: v1alpha1.NamespacedSecretKeyRef{Namespace: "x", Name: "x", Key: "x"},
			},
		})
		Eventually(func() engine.Application { found, _ := people.Application("App One"); return found }).Should(Equal(engine.Application{
			Name: "App One", AllowUnknownUsers: true, Intervene: true, Workflows: []string{"it/vpn"},
		}))
	})

	It("counts the tickets opened since a time, by one creator or all", func(ctx SpecContext) {
		now := time.Now().Truncate(time.Second)
		for name, ago := range map[string]time.Duration{
			"c1": time.Hour, "c2": 3 * time.Hour, "c3": 2 * time.Hour, "c4": 25 * time.Hour, "c5": 40 * 24 * time.Hour, "c6": -10 * time.Minute,
		} {
			t := &v1alpha1.Ticket{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
				Spec:       v1alpha1.TicketSpec{WorkflowRef: v1alpha1.WorkflowReference{Name: "w"}, Creator: "lilei", By: v1alpha1.RequestedBy{Application: "app"}},
			}
			if name == "c3" {
				t.Spec.Creator = "hanmeimei"
			}
			create(ctx, t)
			t.Status.ID, t.Status.OpenedAt = 1, ptr.To(metav1.NewTime(now.Add(-ago)))
			Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		}
		count := func(creator string, ago time.Duration) func() int {
			return func() int { return people.OpenedSince("default", "w", creator, now.Add(-ago), now) }
		}
		Eventually(count("", 3*time.Hour)).Should(Equal(4), "the beginning is part of the period, and what was opened by a clock that is ahead")
		Eventually(count("", 2*time.Hour)).Should(Equal(3))
		Eventually(count("lilei", 2*time.Hour)).Should(Equal(2))
		Eventually(count("", 25*time.Hour)).Should(Equal(5), "yesterday is another day of the index")
		Eventually(count("lilei", 40*24*time.Hour)).Should(Equal(5))
	})
})
