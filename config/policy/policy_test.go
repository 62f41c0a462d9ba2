// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package policy_test attacks the admission policy on a real kube-apiserver.
package policy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/backup"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/testenv"
)

var (
	environment             *envtest.Environment
	manager, gateway, lilei client.Client
	server                  client.Client // our own API server
	admin, importer         client.Client // of the cluster; whom an import acts as
	count                   int
)

const (
	managerName = "system:serviceaccount:ticketflow-system:ticketflow-manager"
	apiserver   = "system:serviceaccount:ticketflow-system:ticketflow-apiserver"
)

var importerName = backup.ImporterName(fixtures.SystemNamespace)

func TestPolicy(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "policy")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	environment, admin = testenv.ForSpecs()
	apply(ctx, admin, "policy.yaml")
	apply(ctx, admin, "kept.yaml")

	// All may write everything of ours, so that only the policy stands in the
	// way; the gateway may act as anybody besides.
	everybody := []string{managerName, apiserver, importerName, "gateway", "lilei", collectorName, namespacesName, statefulSetsName, sharedName}
	grant(ctx, admin, "everything", everybody, []string{"*"}, "*")
	grant(ctx, admin, "actors", []string{"gateway", "deputy"}, []string{"act-as"}, "actors")
	grant(ctx, admin, "deputy", []string{"deputy"}, []string{"*"}, "tickets")
	manager, gateway, lilei = as(managerName), as("gateway"), as("lilei")
	server, importer = as(apiserver), as(importerName)
	collector, namespaces, statefulSets, shared = as(collectorName), as(namespacesName), as(statefulSetsName), as(sharedName)

	// The policy takes a moment to be in force.
	Eventually(func() error { return lilei.Create(ctx, ticket(func(t *v1alpha1.Ticket) { t.Spec.By.User = "admin" })) }).
		Should(Satisfy(apierrors.IsForbidden))
	Eventually(func() error { return lilei.Create(ctx, record(), client.DryRunAll) }).Should(Satisfy(apierrors.IsForbidden))
	Eventually(func() error { return lilei.Create(ctx, revision(), client.DryRunAll) }).Should(Satisfy(apierrors.IsForbidden))
})

func apply(ctx context.Context, c client.Client, path string) {
	data, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(&object.Object); errors.Is(err, io.EOF) {
			return
		} else {
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(c.Create(ctx, object)).To(Succeed())
	}
}

func grant(ctx context.Context, c client.Client, name string, users, verbs []string, resource string) {
	rule := rbacv1.PolicyRule{APIGroups: []string{"ticketflow.dev", "apps"}, Resources: []string{resource}, Verbs: verbs}
	if resource == "*" {
		// Every resource but actors: acting as others is what is tested.
		rule.Resources = []string{"controllerrevisions", "ticketrecords"}
		for _, kind := range []string{"tickets", "users", "departments", "userroles", "applications", "scripts", "notifiers", "workflows"} {
			rule.Resources = append(rule.Resources, kind, kind+"/status")
		}
	}
	Expect(c.Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{rule}})).To(Succeed())
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}}
	for _, user := range users {
		binding.Subjects = append(binding.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user})
	}
	Expect(c.Create(ctx, binding)).To(Succeed())
}

func as(user string) client.Client { return testenv.As(environment, user) }

// ticket is one that Li Lei may create, changed as a case wants it.
func ticket(change func(*v1alpha1.Ticket)) *v1alpha1.Ticket {
	count++
	t := &v1alpha1.Ticket{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("ticket-%d", count)},
		Spec: v1alpha1.TicketSpec{
			WorkflowRef: v1alpha1.WorkflowReference{Name: "vpn"}, Creator: "lilei", By: v1alpha1.RequestedBy{User: "lilei"},
			Fields: v1alpha1.JSONObject{"days": int64(5)},
		},
	}
	if change != nil {
		change(t)
	}
	return t
}

// action is one that Li Lei may ask for, changed as a case wants it.
func action(change func(*v1alpha1.TicketAction)) *v1alpha1.TicketAction {
	a := &v1alpha1.TicketAction{ID: "an-action", Type: v1alpha1.ActionSetFields, Actor: "lilei", By: v1alpha1.RequestedBy{User: "lilei"}, Fields: v1alpha1.JSONObject{"days": int64(1)}}
	if change != nil {
		change(a)
	}
	return a
}

// patch changes a ticket by a merge patch of what differs.
func patch(ctx context.Context, c client.Client, t *v1alpha1.Ticket, change func(*v1alpha1.Ticket)) error {
	changed := t.DeepCopy()
	change(changed)
	return c.Patch(ctx, changed, client.MergeFrom(t))
}

func byApplication(t *v1alpha1.Ticket) { t.Spec.By = v1alpha1.RequestedBy{Application: "ops"} }

var _ = Describe("Who opens a ticket", func() {
	DescribeTable("cannot pretend", func(ctx SpecContext, change func(*v1alpha1.Ticket)) {
		Expect(lilei.Create(ctx, ticket(change))).To(Satisfy(apierrors.IsForbidden))
	},
		Entry("to be another Kubernetes user", func(t *v1alpha1.Ticket) { t.Spec.By.User = "system:admin" }),
		Entry("to be an application", byApplication),
		Entry("that the manager has labelled it", func(t *v1alpha1.Ticket) { t.Labels = map[string]string{"ticketflow.dev/use": "x"} }),
		Entry("that it was opened before", func(t *v1alpha1.Ticket) { t.Annotations = map[string]string{v1alpha1.AnnotationOpened: "x"} }),
		Entry("that something owns it", func(t *v1alpha1.Ticket) {
			t.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x"}}
		}),
		Entry("that something must be done before it goes", func(t *v1alpha1.Ticket) { t.Finalizers = []string{"example.com/x"} }),
	)

	It("may speak for oneself, and for others by the verb act-as", func(ctx SpecContext) {
		Expect(lilei.Create(ctx, ticket(nil))).To(Succeed())
		Expect(gateway.Create(ctx, ticket(byApplication))).To(Succeed())
		Expect(server.Create(ctx, ticket(byApplication))).To(Succeed())
	})
})

var _ = Describe("Who asks for an action", func() {
	DescribeTable("cannot pretend", func(ctx SpecContext, change func(*v1alpha1.TicketAction)) {
		t := ticket(nil)
		Expect(lilei.Create(ctx, t)).To(Succeed())
		ask := func(t *v1alpha1.Ticket) { t.Spec.Action = action(change) }
		Expect(patch(ctx, lilei, t, ask)).To(Satisfy(apierrors.IsForbidden))
		Expect(patch(ctx, gateway, t, ask)).To(Succeed(), "the gateway may act as anybody")
	},
		Entry("to be another Kubernetes user", func(a *v1alpha1.TicketAction) { a.By.User = "system:admin" }),
		Entry("to be an application", func(a *v1alpha1.TicketAction) { a.By = v1alpha1.RequestedBy{Application: "ops"} }),
		Entry("to be an administrator", func(a *v1alpha1.TicketAction) {
			a.Type, a.Fields, a.Target, a.AsAdministrator = v1alpha1.ActionDeliver, nil, "guiji", true
		}),
		Entry("to be a hook that calls back", func(a *v1alpha1.TicketAction) {
			yes := true
			a.Type, a.Succeeded, a.By = v1alpha1.ActionHookCallback, &yes, v1alpha1.RequestedBy{Application: "ops"}
		}),
	)

	It("has no application's grants, nor a hook's word, by acting as somebody", func(ctx SpecContext) {
		deputy := as("deputy")
		t := ticket(nil)
		Expect(lilei.Create(ctx, t)).To(Succeed())
		through := action(func(a *v1alpha1.TicketAction) { a.By = v1alpha1.RequestedBy{Application: "ops"} })
		Expect(patch(ctx, deputy, t, func(t *v1alpha1.Ticket) { t.Spec.Action = through })).To(MatchError(ContainSubstring("act-as on that application")))
		Expect(deputy.Create(ctx, ticket(byApplication))).To(MatchError(ContainSubstring("act-as on that application")))
		yes := true
		hook := action(func(a *v1alpha1.TicketAction) {
			a.Type, a.Succeeded, a.By.User = v1alpha1.ActionHookCallback, &yes, v1alpha1.HookUser
		})
		for _, c := range []client.Client{deputy, gateway} {
			Expect(patch(ctx, c, t, func(t *v1alpha1.Ticket) { t.Spec.Action = hook })).To(MatchError(ContainSubstring("HookCallback")))
		}
		Expect(patch(ctx, deputy, t, func(t *v1alpha1.Ticket) { t.Spec.Action = action(nil) })).To(Succeed(), "but what the actor may")
	})

	It("may ask for oneself, once at a time, and rewrite nothing", func(ctx SpecContext) {
		t := ticket(nil)
		Expect(lilei.Create(ctx, t)).To(Succeed())
		Expect(patch(ctx, lilei, t, func(t *v1alpha1.Ticket) { t.Spec.Action = action(nil) })).To(Succeed())
		Expect(lilei.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
		for _, fields := range []v1alpha1.JSONObject{{"days": int64(30)}, {"hours": int64(1)}, nil} {
			for _, c := range []client.Client{gateway, server} {
				err := patch(ctx, c, t, func(t *v1alpha1.Ticket) { t.Spec.Action.Fields = fields })
				Expect(apierrors.IsForbidden(err) || apierrors.IsInvalid(err)).To(BeTrue(), "%v: %v", fields, err)
			}
		}
	})
})

var _ = Describe("A ticket that is there", func() {
	frozen := map[string]func(*v1alpha1.Ticket){
		"fields changed":               func(t *v1alpha1.Ticket) { t.Spec.Fields = v1alpha1.JSONObject{"days": int64(30)} },
		"one field for another":        func(t *v1alpha1.Ticket) { t.Spec.Fields = v1alpha1.JSONObject{"hours": int64(5)} },
		"fields gone":                  func(t *v1alpha1.Ticket) { t.Spec.Fields = nil },
		"a finalizer":                  func(t *v1alpha1.Ticket) { t.Finalizers = []string{"example.com/x"} },
		"a label of the manager":       func(t *v1alpha1.Ticket) { t.Labels = map[string]string{"ticketflow.dev/x": "y"} },
		"an annotation of the manager": func(t *v1alpha1.Ticket) { t.Annotations = map[string]string{v1alpha1.AnnotationOpened: "y"} },
		"an owner, which would delete it": func(t *v1alpha1.Ticket) {
			t.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x"}}
		},
	}
	It("stays as it is but for what is one's own", func(ctx SpecContext) {
		t := ticket(nil)
		Expect(lilei.Create(ctx, t)).To(Succeed())
		for what, change := range frozen {
			for _, c := range []client.Client{lilei, gateway, server} {
				err := patch(ctx, c, t, change)
				Expect(apierrors.IsForbidden(err) || apierrors.IsInvalid(err)).To(BeTrue(), "%s: %v", what, err)
			}
		}
		Expect(patch(ctx, lilei, t, func(t *v1alpha1.Ticket) { t.Annotations = map[string]string{"example.com/note": "mine"} })).To(Succeed())
		Expect(manager.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
		Expect(patch(ctx, manager, t, func(t *v1alpha1.Ticket) { t.Annotations[v1alpha1.AnnotationOpened] = "true" })).To(Succeed())
		Expect(lilei.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
		Expect(patch(ctx, lilei, t, func(t *v1alpha1.Ticket) { delete(t.Annotations, v1alpha1.AnnotationOpened) })).To(Satisfy(apierrors.IsForbidden))
	})

	It("has a status that the manager alone writes", func(ctx SpecContext) {
		t := ticket(nil)
		Expect(lilei.Create(ctx, t)).To(Succeed())
		t.Status.Title = "forged"
		for _, c := range []client.Client{lilei, gateway} {
			Expect(c.Status().Update(ctx, t.DeepCopy())).To(Satisfy(apierrors.IsForbidden))
		}
		Expect(manager.Status().Update(ctx, t)).To(Succeed())
	})
})

var _ = Describe("What the manager decided", func() {
	meta := metav1.ObjectMeta{Namespace: "default", Name: "somebody"}
	decided := map[string]func() client.Object{
		"a user's":       func() client.Object { return &v1alpha1.User{ObjectMeta: meta} },
		"a department's": func() client.Object { return &v1alpha1.Department{ObjectMeta: meta} },
		"a role's":       func() client.Object { return &v1alpha1.UserRole{ObjectMeta: meta} },
		"an application's": func() client.Object {
			return &v1alpha1.Application{ObjectMeta: meta, Spec: v1alpha1.ApplicationSpec{
				TokenSecretRef: v1alpha1.NamespacedSecretKeyRef{Namespace: "ticketflow-system", Name: "x", Key: "token"},
			}}
		},
		"a script's": func() client.Object {
			return &v1alpha1.Script{ObjectMeta: meta, Spec: v1alpha1.ScriptSpec{Source: "print()"}}
		},
		"a notifier's": func() client.Object {
			return &v1alpha1.Notifier{ObjectMeta: meta, Spec: v1alpha1.NotifierSpec{Webhook: &v1alpha1.Webhook{URL: "https://example.com"}}}
		},
		"a workflow's": func() client.Object { w := fixtures.Workflow("default"); w.Name = "somebodys"; return w },
		"a ticket's":   func() client.Object { return ticket(nil) },
	}
	for whose, newOne := range decided {
		It("is written by the manager and an import alone: "+whose+" status", func(ctx SpecContext) {
			object := newOne()
			Expect(lilei.Create(ctx, object)).To(Succeed())
			change := client.RawPatch(types.MergePatchType, []byte(`{"status": {"observedGeneration": 7}}`))
			for _, c := range []client.Client{lilei, gateway, server, admin, collector, shared} {
				err := c.Status().Patch(ctx, object.DeepCopyObject().(client.Object), change)
				Expect(err).To(Satisfy(apierrors.IsForbidden))
			}
			for _, c := range []client.Client{manager, importer} {
				Expect(c.Status().Patch(ctx, object, change)).To(Succeed())
			}
		})
	}
})

var _ = Describe("A workflow", func() {
	It("is kept by the manager's finalizer, which nobody else takes away", func(ctx SpecContext) {
		w := fixtures.Workflow("default")
		Expect(lilei.Create(ctx, w)).To(Succeed())
		before := w.DeepCopy()
		w.Finalizers = []string{v1alpha1.FinalizerInUse}
		Expect(manager.Patch(ctx, w, client.MergeFrom(before))).To(Succeed())
		strip := client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`))
		for _, c := range []client.Client{lilei, gateway, server, admin} {
			Expect(c.Patch(ctx, w.DeepCopy(), strip)).To(Satisfy(apierrors.IsForbidden))
		}
		Expect(lilei.Delete(ctx, w)).To(Succeed())
		Expect(lilei.Patch(ctx, w.DeepCopy(), strip)).To(Satisfy(apierrors.IsForbidden), "also while it is being deleted")
		Expect(manager.Patch(ctx, w, strip)).To(Succeed())
		Expect(lilei.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Satisfy(apierrors.IsNotFound))
	})
})
