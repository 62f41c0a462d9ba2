// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	restclient "k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/backup"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/testenv"
)

// ask has mallory ask for an action on a ticket, and answers its outcome.
func ask(ctx context.Context, t *v1alpha1.Ticket, action v1alpha1.TicketAction) (v1alpha1.RecentAction, error) {
	GinkgoHelper()
	before := t.DeepCopy()
	t.Spec.Action = &action
	if err := mallory.Patch(ctx, t, client.MergeFrom(before)); err != nil {
		*t = *before
		return v1alpha1.RecentAction{}, err
	}
	var outcome v1alpha1.RecentAction
	Eventually(func(g Gomega) {
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
		found, decided := engine.Outcome(&t.Status, action.ID)
		g.Expect(decided).To(BeTrue())
		outcome = found
	}).Should(Succeed())
	return outcome, nil
}

var _ = Describe("Who writes tickets by kubectl", func() {
	It("is not believed to be somebody else", func(ctx SpecContext) {
		honest := ticket("honest")
		Expect(mallory.Create(ctx, honest)).To(Succeed(), "in her own name she may")
		opened(ctx, honest)

		forged := ticket("forged-creator")
		forged.Spec.Creator = "zhangsan"
		Expect(mallory.Create(ctx, forged)).To(Succeed(), "the policy knows her, not who zhangsan is")
		Expect(refused(ctx, forged)).To(Equal(string(engine.ReasonNotAllowed)))
		for _, by := range []v1alpha1.RequestedBy{{User: "zhangsan"}, {Application: "ops"}} {
			forged = ticket("forged-identity")
			forged.Spec.Creator, forged.Spec.By = "zhangsan", by
			Expect(mallory.Create(ctx, forged)).To(Satisfy(apierrors.IsForbidden))
		}
		robot := ticket("robot")
		robot.Spec.Creator = v1alpha1.RobotUser
		Expect(mallory.Create(ctx, robot)).To(Succeed())
		Expect(refused(ctx, robot)).To(Equal(string(engine.ReasonUnknownUser)))
	})

	It("acts as nobody else, on any ticket", func(ctx SpecContext) {
		t := ticket("acted-on")
		Expect(mallory.Create(ctx, t)).To(Succeed())
		opened(ctx, t)
		action := v1alpha1.TicketAction{ID: "as-the-leader", Type: v1alpha1.ActionTransition, Actor: "zhangsan", By: v1alpha1.RequestedBy{User: "mallory"}, Transition: "approve"}
		outcome, err := ask(ctx, t, action)
		Expect(err).NotTo(HaveOccurred())
		Expect(outcome.Outcome).To(Equal(v1alpha1.ActionRefused))
		Expect(outcome.Reason).To(Equal(string(engine.ReasonNotAllowed)))
		action.ID, action.Actor = "as-herself", "mallory"
		outcome, err = ask(ctx, t, action)
		Expect(err).NotTo(HaveOccurred())
		Expect(outcome.Reason).To(Equal(string(engine.ReasonNotParticipant)), "nor may she what her rights as a namespace's administrator do not say")
		for _, by := range []v1alpha1.RequestedBy{{User: "zhangsan"}, {Application: "ops"}} {
			action.ID, action.By = "in-another-s-name", by
			_, err = ask(ctx, t, action)
			Expect(err).To(Satisfy(apierrors.IsForbidden))
		}
		Expect(t.Status.State).To(BeEquivalentTo("lead"))
	})

	DescribeTable("changes nothing of what stands", func(ctx SpecContext, patch string) {
		t := ticket("")
		t.GenerateName = "standing-"
		Expect(mallory.Create(ctx, t)).To(Succeed())
		opened(ctx, t)
		for _, c := range []client.Client{mallory, admin} {
			err := c.Patch(ctx, t.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch)))
			Expect(apierrors.IsForbidden(err) || apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		}
	},
		Entry("its creator", `{"spec": {"creator": "lilei"}}`),
		Entry("whose word it was", `{"spec": {"by": {"user": "zhangsan"}}}`),
		Entry("its workflow", `{"spec": {"workflowRef": {"name": "another"}}}`),
		Entry("its title", `{"spec": {"title": "another"}}`),
		Entry("a title that it had, taken away", `{"spec": {"title": null}}`),
		Entry("one key of its fields for another", `{"spec": {"fields": {"days": null, "account": "x"}}}`),
		Entry("a parent that it did not have", `{"spec": {"parent": {"name": "honest"}}}`),
		Entry("an owner, with which it would go", `{"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"}]}}`),
		Entry("a finalizer, with which it would never go", `{"metadata": {"finalizers": ["example.com/never"]}}`),
		Entry("the stamp that it was opened", `{"metadata": {"annotations": {"ticketflow.dev/opened": "2020-01-01T00:00:00Z"}}}`),
		Entry("a label of ours", `{"metadata": {"labels": {"ticketflow.dev/ticket": "another"}}}`),
	)

	It("writes no status, not even as the cluster's administrator", func(ctx SpecContext) {
		t := ticket("status")
		Expect(mallory.Create(ctx, t)).To(Succeed())
		opened(ctx, t)
		change := client.RawPatch(types.MergePatchType, []byte(`{"status": {"state": "end", "progress": "Finished"}}`))
		for _, c := range []client.Client{mallory, admin} {
			Expect(c.Status().Patch(ctx, t.DeepCopy(), change)).To(Satisfy(apierrors.IsForbidden))
		}
		Expect(mallory.Patch(ctx, t, change)).To(Succeed(), "past the subresource it is not heard")
		Expect(t.Status.State).To(BeEquivalentTo("lead"))
	})

	It("does not keep others from it by asking for the same again", func(ctx SpecContext) {
		t := ticket("asked-again")
		Expect(mallory.Create(ctx, t)).To(Succeed())
		opened(ctx, t)
		said := v1alpha1.TicketAction{ID: "said-once", Type: v1alpha1.ActionComment, Actor: "mallory", By: v1alpha1.RequestedBy{User: "mallory"}, Comment: "once"}
		outcome, err := ask(ctx, t, said)
		Expect(err).NotTo(HaveOccurred())
		Expect(outcome.Outcome).To(Equal(v1alpha1.ActionApplied))
		for i := range 16 { // as many as a ticket remembers
			other := v1alpha1.TicketAction{ID: fmt.Sprintf("refused-%d", i), Type: v1alpha1.ActionAccept, Actor: "mallory", By: said.By}
			outcome, err = ask(ctx, t, other)
			Expect(err).NotTo(HaveOccurred())
			Expect(outcome.Outcome).To(Equal(v1alpha1.ActionRefused))
		}
		entries := t.Status.HistoryCount
		outcome, err = ask(ctx, t, said)
		Expect(err).NotTo(HaveOccurred())
		Expect(outcome.Outcome).To(Equal(v1alpha1.ActionApplied), "an action without an outcome would block all others")
		Expect(t.Status.HistoryCount).To(Equal(entries))
	})

	It("reaches into no other namespace", func(ctx SpecContext) {
		parent := fixtures.Ticket("elsewhere", "their-parent")
		create(ctx, parent)
		opened(ctx, parent)
		child := ticket("their-child")
		child.Spec.Parent = &v1alpha1.ParentReference{Name: "their-parent", State: "lead"}
		Expect(mallory.Create(ctx, child)).To(Succeed())
		Expect(refused(ctx, child)).To(Equal(string(engine.ReasonUnknownTicket)))

		stranger := as("stranger")
		bind(ctx, "stranger", "ticketflow-admin", "elsewhere")
		Eventually(func() error { return stranger.Get(ctx, client.ObjectKeyFromObject(parent), parent) }).Should(Succeed())
		for _, err := range []error{
			stranger.Get(ctx, client.ObjectKey{Namespace: "it", Name: "status"}, &v1alpha1.Ticket{}),
			stranger.List(ctx, &v1alpha1.TicketList{}),
			stranger.List(ctx, &v1alpha1.TicketList{}, client.InNamespace("it")),
			stranger.Create(ctx, ticket("from-elsewhere")),
			stranger.DeleteAllOf(ctx, &v1alpha1.Ticket{}, client.InNamespace("it")),
		} {
			Expect(err).To(Satisfy(apierrors.IsForbidden))
		}
	})
})

var _ = Describe("What the manager keeps", func() {
	It("is neither forged nor deleted", func(ctx SpecContext) {
		var revisions appsv1.ControllerRevisionList
		Expect(mallory.List(ctx, &revisions, client.InNamespace("it"))).To(Succeed())
		Expect(revisions.Items).NotTo(BeEmpty())
		genuine := &revisions.Items[0]
		Expect(mallory.Delete(ctx, genuine)).To(Satisfy(apierrors.IsForbidden))
		strip := client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"labels": {"ticketflow.dev/workflow": null}}}`))
		Expect(mallory.Patch(ctx, genuine.DeepCopy(), strip)).To(Satisfy(apierrors.IsForbidden))
		forged := &appsv1.ControllerRevision{
			ObjectMeta: metav1.ObjectMeta{Namespace: "it", Name: "vpn-forged", Labels: map[string]string{v1alpha1.LabelWorkflow: "vpn"}},
			Data:       runtime.RawExtension{Raw: genuine.Data.Raw},
		}
		Expect(mallory.Create(ctx, forged)).To(Satisfy(apierrors.IsForbidden))
		record := &v1alpha1.TicketRecord{ObjectMeta: metav1.ObjectMeta{Namespace: "it", Name: "honest-1"}}
		for _, err := range []error{mallory.Create(ctx, record), mallory.Delete(ctx, record)} {
			Expect(err).To(Satisfy(apierrors.IsForbidden))
		}
		w := fixtures.Workflow("it")
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed())
		none := client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`))
		Expect(mallory.Patch(ctx, w, none)).To(Satisfy(apierrors.IsForbidden), "with the workflow, its revisions would go")
	})

	It("is not written through the accounts of others", func(ctx SpecContext) {
		user, err := environment.AddUser(envtest.User{Name: "mallory"}, nil)
		Expect(err).NotTo(HaveOccurred())
		for _, account := range []string{"ticketflow-manager", "ticketflow-apiserver"} {
			Expect(asAccount(user.Config(), "system:serviceaccount:ticketflow-system:"+account).List(ctx, &v1alpha1.TicketList{})).
				To(Satisfy(apierrors.IsForbidden), account)
		}
		Expect(asAccount(user.Config(), backup.ImporterName(fixtures.SystemNamespace)).Create(ctx, ticket("imported"))).To(Satisfy(apierrors.IsForbidden))
		Expect(asAccount(user.Config(), "system:serviceaccount:it:ticketflow-manager").List(ctx, &v1alpha1.TicketList{})).
			To(Satisfy(apierrors.IsForbidden), "an account of her own with that name is another")
	})
})

func asAccount(config *restclient.Config, name string) client.Client {
	GinkgoHelper()
	config = restclient.CopyConfig(config)
	config.Impersonate.UserName = name
	c, err := client.New(config, client.Options{Scheme: testenv.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

// failed has a ticket of a workflow with one state that works by itself, and
// waits for its run to fail.
func failed(ctx context.Context, name string, participants v1alpha1.Participants) *v1alpha1.Ticket {
	GinkgoHelper()
	w := fixtures.Workflow("it")
	w.Name = name
	w.Spec.States[3].Participants = &participants
	w.Spec.States[0].Transitions[0].To = "grant"
	w.Spec.States[1].Participants.Variables = []v1alpha1.Variable{v1alpha1.VariableCreator}
	w.Spec.States[4].Transitions = append(w.Spec.States[4].Transitions, v1alpha1.Transition{Name: "again", To: "lead"})
	Expect(mallory.Create(ctx, w)).To(Succeed())
	t := ticket("on-" + name)
	t.Spec.WorkflowRef.Name = v1alpha1.ObjectName(name)
	Expect(mallory.Create(ctx, t)).To(Succeed())
	Eventually(func(g Gomega) {
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
		g.Expect(t.Status.Run).NotTo(BeNil(), "%v", t.Status.Conditions)
		g.Expect(t.Status.Run.Phase).To(Equal(v1alpha1.RunFailed))
	}).Should(Succeed())
	return t
}

var _ = Describe("Who writes workflows", func() {
	DescribeTable("sees by CEL nothing but fields, title and creator", func(ctx SpecContext, condition string) {
		w := fixtures.Workflow("it")
		w.Name, w.GenerateName = "", "curious-"
		w.Spec.States[1].Transitions[0].Routes = []v1alpha1.Route{{When: v1alpha1.CELExpression(condition), To: "ops"}}
		Expect(mallory.Create(ctx, w)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed())
			ready := meta.FindStatusCondition(w.Status.Conditions, v1alpha1.ConditionReady)
			g.Expect(ready).NotTo(BeNil())
			g.Expect(ready.Reason).To(Equal(v1alpha1.ReasonInvalid))
			g.Expect(ready.Message).To(ContainSubstring("wrong CEL"))
		}).Should(Succeed())
	},
		Entry("no other object", `self.metadata.name == "x"`),
		Entry("no secrets", `secrets["ops"].token != ""`),
		Entry("no rights", `authorizer.group("").resource("secrets").check("get").allowed()`),
		Entry("no requests", `http.get("https://example.com") == ""`),
		Entry("no environment", `env("HOME") != ""`),
		Entry("no endless work", `[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, fields.account.matches("(a+)+$")))))`),
	)

	It("has hooks called at no host that is not allowed", func(ctx SpecContext) {
		var calls atomic.Int32
		inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
		defer inside.Close()
		for i, address := range []string{inside.URL, "http://169.254.169.254/latest/meta-data", environment.Config.Host, "http://allowed.example@" + inside.Listener.Addr().String()} {
			t := failed(ctx, fmt.Sprintf("hook-%d", i), v1alpha1.Participants{Hook: &v1alpha1.Hook{URL: address}})
			Expect(t.Status.Run.Message).NotTo(BeEmpty())
		}
		Expect(calls.Load()).To(BeZero())
	})

	It("reads no Secret by naming it that its owner did not give", func(ctx SpecContext) {
		create(ctx, secret("it", "theirs", nil))
		s := fixtures.Grant("it", "import os; print(os.environ['STOLEN'])")
		s.Name = "thief"
		s.Spec.Env = []v1alpha1.EnvVar{{Name: "STOLEN", ValueFrom: &v1alpha1.EnvVarSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: "theirs", Key: "token"}}}}
		Expect(mallory.Create(ctx, s)).To(Succeed())
		byScript := failed(ctx, "by-script", v1alpha1.Participants{Script: "thief"})
		byHook := failed(ctx, "by-hook", v1alpha1.Participants{Hook: &v1alpha1.Hook{
			URL: "https://allowed.example/", TokenSecretRef: &v1alpha1.SecretKeyRef{Name: "theirs", Key: "token"},
		}})
		for _, t := range []*v1alpha1.Ticket{byScript, byHook} {
			Expect(t.Status.Run.Message).To(ContainSubstring("there is no Secret theirs with the label"))
			Expect(fmt.Sprintf("%+v", t.Status)).NotTo(ContainSubstring(token))
		}
		var events eventsv1.EventList
		Expect(admin.List(ctx, &events)).To(Succeed())
		Expect(fmt.Sprintf("%+v", events.Items)).NotTo(ContainSubstring(token))
	})
})

var _ = Describe("An application", func() {
	const anything = `{"workflow_id": %d, "transition_id": %d, "title": "t", "days": 2}`
	ids := func(ctx context.Context, namespace string) (int, int) {
		w := fixtures.Workflow(namespace)
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed())
		return int(w.Status.ID), int(w.Status.TransitionIDs["new/submit"])
	}
	application := func(name string, change func(*v1alpha1.ApplicationSpec)) *v1alpha1.Application {
		a := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ApplicationSpec{
			TokenSecretRef: v1alpha1.NamespacedSecretKeyRef{Namespace: fixtures.SystemNamespace, Name: "ops", Key: "token"},
			Workflows:      &v1alpha1.WorkflowScope{Names: []string{"it/vpn"}},
		}}
		if change != nil {
			change(&a.Spec)
		}
		return a
	}

	It("reaches no workflow outside its list, nor their tickets", func(ctx SpecContext) {
		create(ctx, application("narrow", nil))
		workflow, transition := ids(ctx, "it")
		Eventually(func() int {
			return call("narrow", token, "lilei", http.MethodPost, "tickets", fmt.Sprintf(anything, workflow, transition), nil).Code
		}).Should(BeZero())
		workflow, transition = ids(ctx, "elsewhere")
		Expect(call("narrow", token, "lilei", http.MethodPost, "tickets", fmt.Sprintf(anything, workflow, transition), nil).Reason).To(Equal("UnknownWorkflow"))
		theirs := fixtures.Ticket("elsewhere", "out-of-reach")
		create(ctx, theirs)
		path := fmt.Sprintf("tickets/%d", opened(ctx, theirs).Status.ID)
		Eventually(func() int { return call("ops", token, "lilei", http.MethodGet, path, "", nil).Code }).Should(BeZero(), "it is there")
		for endpoint, method := range map[string]string{
			path: http.MethodGet, path + "/flowlogs": http.MethodGet, path + "/flowsteps": http.MethodGet, path + "/transitions": http.MethodGet,
			path + "/comments": http.MethodPost, path + "/close": http.MethodPost, path + "/accept": http.MethodPost,
		} {
			Expect(call("narrow", token, "lilei", method, endpoint, `{"suggestion": "x"}`, nil).Reason).To(Equal("UnknownTicket"), endpoint)
		}
	})

	DescribeTable("has no token outside the system namespace, nor one without the label or with another use's", func(ctx SpecContext, name, namespace string, labels map[string]string) {
		create(ctx, secret(namespace, name, labels), application(name, func(spec *v1alpha1.ApplicationSpec) {
			spec.TokenSecretRef.Namespace, spec.TokenSecretRef.Name = namespace, v1alpha1.ObjectName(name)
		}))
		Eventually(func() string { return call(name, token, "lilei", http.MethodGet, "workflows", "", nil).Reason }).Should(Equal("BadSignature"))
	},
		Entry("in another namespace", "planted", "elsewhere", map[string]string{v1alpha1.LabelUse: string(v1alpha1.UseApplication)}),
		Entry("without the label", "unlabelled", fixtures.SystemNamespace, nil),
		Entry("for another use", "for-scripts", fixtures.SystemNamespace, map[string]string{v1alpha1.LabelUse: string(v1alpha1.UseScript)}),
	)

	It("is nobody by a header that a proxy might set, nor by an empty token", func(ctx SpecContext) {
		headers := map[string]string{"X-Remote-User": "admin", "X-Remote-Group": "system:masters", "X-Forwarded-User": "admin", "Impersonate-User": "admin"}
		Expect(call("ops", "wrong", "lilei", http.MethodGet, "workflows", "", headers).Reason).To(Equal("BadSignature"))
		headers["appname"] = ""
		Expect(call("", "", "admin", http.MethodGet, "workflows", "", headers).Reason).To(Equal("MissingCredentials"))
		create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.SystemNamespace, Name: "empty", Labels: map[string]string{v1alpha1.LabelUse: string(v1alpha1.UseApplication)}},
			Data:       map[string][]byte{"token": {}},
		}, application("empty", func(spec *v1alpha1.ApplicationSpec) { spec.TokenSecretRef.Name = "empty" }))
		Eventually(func() string { return call("empty", "", "lilei", http.MethodGet, "workflows", "", nil).Reason }).Should(Equal("BadSignature"))
	})
})
