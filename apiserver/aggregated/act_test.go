// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	restclient "k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
)

const (
	group = "/apis/rest.ticketflow.dev/v1/"
	// desk is a namespace in which people have rights; in it they have none.
	desk = "desk"
)

// post sends what a user asks for, and answers what it is answered.
func post(ctx context.Context, user, path string, body map[string]any) (*unstructured.Unstructured, error) {
	GinkgoHelper()
	data, err := json.Marshal(body)
	Expect(err).NotTo(HaveOccurred())
	path, query, _ := strings.Cut(path, "?")
	request := clientOf(configOf(user)).Post().AbsPath(group+path).SetHeader("Content-Type", "application/json").Body(data)
	if name, value, found := strings.Cut(query, "="); found {
		request.Param(name, value)
	}
	result := request.Do(ctx)
	if err := result.Error(); err != nil {
		return nil, err
	}
	answer, err := result.Raw()
	Expect(err).NotTo(HaveOccurred())
	out := &unstructured.Unstructured{}
	return out, json.Unmarshal(answer, &out.Object)
}

func clientOf(config *restclient.Config) restclient.Interface {
	GinkgoHelper()
	config.APIPath, config.GroupVersion = "/apis", &restv1.GroupVersion
	config.NegotiatedSerializer = clientgoscheme.Codecs.WithoutConversion()
	made, err := restclient.RESTClientFor(config)
	Expect(err).NotTo(HaveOccurred())
	return made
}

// reasonOf is what /api/v1.0 would give as reason.
func reasonOf(err error) string {
	GinkgoHelper()
	status, ok := err.(apierrors.APIStatus)
	Expect(ok).To(BeTrue(), "%v", err)
	Expect(status.Status().Details).NotTo(BeNil(), "%v", err)
	Expect(status.Status().Details.Causes).To(HaveLen(1), "%+v", status.Status())
	return string(status.Status().Details.Causes[0].Type)
}

func stored(ctx context.Context, name string) *v1alpha1.Ticket {
	GinkgoHelper()
	t := &v1alpha1.Ticket{}
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: desk, Name: name}, t)).To(Succeed())
	return t
}

// handlers have the role of those who take part, in the desk's namespace.
func handlers(ctx context.Context, users ...string) {
	GinkgoHelper()
	have(ctx, "ticketflow-requester", users...)
}

func have(ctx context.Context, role string, users ...string) {
	GinkgoHelper()
	for _, user := range users {
		may(ctx, user, desk, rulesOf(role)...)
		Eventually(func() error { return ask(ctx, configOf(user), "none") }).Should(Satisfy(apierrors.IsNotFound))
	}
}

// ask asks for a ticket of the desk.
func ask(ctx context.Context, config *restclient.Config, name string) error {
	_, err := dynamic.NewForConfigOrDie(config).Resource(restv1.GroupVersion.WithResource("tickets")).
		Namespace(desk).Get(ctx, name, metav1.GetOptions{})
	return err
}

func opened(ctx context.Context) *unstructured.Unstructured {
	GinkgoHelper()
	t, err := post(ctx, "lilei", "namespaces/desk/tickets", map[string]any{
		"request": map[string]any{"workflow": "open-vpn", "title": "vpn", "fields": map[string]any{"days": 3}},
	})
	Expect(err).NotTo(HaveOccurred())
	return t
}

var _ = Describe("a ticket through kube-apiserver", Ordered, func() {
	BeforeAll(func(ctx SpecContext) { handlers(ctx, "lilei", "zhangsan", "guiji", "wangwu") })

	It("is refused at once what cannot be stored, and kept from nobody meanwhile", func(ctx SpecContext) {
		at := "namespaces/desk/tickets/" + opened(ctx).GetName() + "/fields"
		_, err := post(ctx, "lilei", at, map[string]any{"fields": map[string]any{"days": 4}, "clear": []string{"title", "title"}})
		Expect(reasonOf(err)).To(Equal("BadParameter"), "%v", err)
		Expect(err).To(MatchError(ContainSubstring("clear")))
		deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
		_, err = post(ctx, "zhangsan", strings.TrimSuffix(at, "fields")+"handle", map[string]any{
			"transition": "approve", "fields": map[string]any{"no-field": json.RawMessage(deep)},
		})
		if err != nil {
			Expect(apierrors.IsInternalError(err)).To(BeFalse(), "%v", err)
		}
		_, err = post(ctx, "lilei", at, map[string]any{"fields": map[string]any{"days": 4}})
		Expect(err).NotTo(HaveOccurred())
	})

	It("is opened and handled by those whose turn it is", func(ctx SpecContext) {
		t := opened(ctx)
		Expect(t.GetKind()).To(Equal("Ticket"))
		Expect(t.Object["value"]).To(HaveKeyWithValue("title", "vpn"))
		at := "namespaces/desk/tickets/" + t.GetName() + "/"

		_, err := post(ctx, "wangwu", at+"handle", map[string]any{"transition": "approve"})
		Expect(err).To(Satisfy(apierrors.IsForbidden))
		Expect(reasonOf(err)).To(Equal("NotParticipant"))
		_, err = post(ctx, "zhangsan", at+"handle", map[string]any{"transition": "nonsense"})
		Expect(err).To(Satisfy(apierrors.IsNotFound))
		Expect(reasonOf(err)).To(Equal("UnknownTransition"))

		_, err = post(ctx, "zhangsan", at+"handle", map[string]any{"transition": "approve", "comment": "fine"})
		Expect(err).NotTo(HaveOccurred())
		_, err = post(ctx, "guiji", at+"handle", map[string]any{"transition": "done"})
		Expect(err).To(Satisfy(apierrors.IsConflict))
		Expect(reasonOf(err)).To(Equal("AcceptFirst"))
		_, err = post(ctx, "guiji", at+"accept", nil)
		Expect(err).NotTo(HaveOccurred())
		_, err = post(ctx, "guiji", at+"add_node", map[string]any{"target": "zhangsan"})
		Expect(err).NotTo(HaveOccurred())
		_, err = post(ctx, "zhangsan", at+"add_node_end", map[string]any{"comment": "signed"})
		Expect(err).NotTo(HaveOccurred())
		_, err = post(ctx, "guiji", at+"deliver", map[string]any{"target": "wangwu"})
		Expect(err).NotTo(HaveOccurred())
		after, err := post(ctx, "wangwu", at+"comments", map[string]any{"comment": "mine now"})
		Expect(err).NotTo(HaveOccurred())
		Expect(after.Object["value"]).To(HaveKeyWithValue("participant", "wangwu"))

		done := stored(ctx, t.GetName())
		last := done.Status.History[len(done.Status.History)-1]
		Expect(last.Actor).To(BeEquivalentTo("wangwu"))
		Expect(last.By.User).To(BeEquivalentTo("wangwu"))
		Expect(last.Comment).To(Equal("mine now"))
	})

	It("has its fields set and emptied, and is closed by its workflow's admin", func(ctx SpecContext) {
		t := opened(ctx)
		at := "namespaces/desk/tickets/" + t.GetName() + "/"
		_, err := post(ctx, "lilei", at+"fields", map[string]any{"fields": map[string]any{"days": 9, "account": "li"}})
		Expect(err).NotTo(HaveOccurred())
		_, err = post(ctx, "lilei", at+"fields", map[string]any{"clear": []string{"account"}})
		Expect(err).NotTo(HaveOccurred())
		Expect(stored(ctx, t.GetName()).Status.Fields).To(Equal(v1alpha1.JSONObject{"days": int64(9)}))
		for _, deed := range []string{"close", "retreat", "retry_script"} {
			_, err = post(ctx, "lilei", at+deed, nil)
			Expect(reasonOf(err)).To(BeElementOf("NotAllowed", "NotRetreatable", "NotRetryable"), deed)
		}
		_, err = post(ctx, "boss", at+"close", nil)
		Expect(err).To(Satisfy(apierrors.IsForbidden))
		have(ctx, "ticketflow-admin", "boss")
		_, err = post(ctx, "boss", at+"state", map[string]any{"state": "ops"})
		Expect(err).NotTo(HaveOccurred())
		Expect(stored(ctx, t.GetName()).Status.State).To(BeEquivalentTo("ops"))
		_, err = post(ctx, "boss", at+"close", map[string]any{"comment": "no more"})
		Expect(err).NotTo(HaveOccurred())
		Expect(stored(ctx, t.GetName()).Status.Progress).To(Equal(v1alpha1.ProgressClosed))
	})

	It("is done by id what may be done by name, with the same rights", func(ctx SpecContext) {
		t := stored(ctx, opened(ctx).GetName())
		at := "ticketids/" + idOf(t) + "/"
		may(ctx, "zhangsan", "", rulesOf("ticketflow-by-id")...)
		may(ctx, "unbound", "", rulesOf("ticketflow-by-id")...)
		Eventually(func(g Gomega) {
			_, err := post(ctx, "unbound", at+"handle", map[string]any{"transition": "approve"})
			g.Expect(err).To(MatchError(ContainSubstring("may not look at it")))
		}).Should(Succeed())
		Eventually(func(g Gomega) {
			after, err := post(ctx, "zhangsan", at+"handle", map[string]any{"transition": "approve"})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(after.GetKind()).To(Equal("TicketID"))
		}).Should(Succeed())
		Expect(stored(ctx, t.Name).Status.State).To(BeEquivalentTo("ops"))
	})

	It("refuses who has the right to another deed only, and who is nobody", func(ctx SpecContext) {
		t := opened(ctx)
		at := "namespaces/desk/tickets/" + t.GetName() + "/"
		may(ctx, "commenter", desk, rbacv1.PolicyRule{
			APIGroups: []string{"rest.ticketflow.dev"}, Resources: []string{"tickets/comments"}, Verbs: []string{"create"},
		})
		Eventually(func(g Gomega) {
			_, err := post(ctx, "commenter", at+"comments", map[string]any{"comment": "hello"})
			g.Expect(err).To(MatchError(ContainSubstring("is no user")), "RBAC lets in, the directory does not")
			g.Expect(err).To(Satisfy(apierrors.IsForbidden))
		}).Should(Succeed())
		_, err := post(ctx, "commenter", at+"close", nil)
		Expect(err).To(MatchError(ContainSubstring("cannot create resource")))
		_, err = post(ctx, "commenter", "namespaces/desk/tickets", map[string]any{"request": map[string]any{"workflow": "open-vpn"}})
		Expect(err).To(MatchError(ContainSubstring("cannot create resource")))
	})

	It("takes nothing that it would not do", func(ctx SpecContext) {
		t := opened(ctx)
		at := "namespaces/desk/tickets/" + t.GetName() + "/"
		_, err := post(ctx, "lilei", at+"comments?dryRun=All", map[string]any{"comment": "x"})
		Expect(err).To(MatchError(ContainSubstring("dry run")))
		_, err = post(ctx, "lilei", at+"comments", map[string]any{"transition": "approve"})
		Expect(reasonOf(err)).To(Equal("UnknownKey"))
		Expect(err).To(MatchError(ContainSubstring("transition: does not belong to comments")))
		_, err = post(ctx, "lilei", at+"comments?fieldValidation=Strict", map[string]any{"coment": "x"})
		Expect(err).To(MatchError(ContainSubstring(`unknown field "coment"`)))
		_, err = post(ctx, "lilei", at+"deliver", nil)
		Expect(err).To(MatchError(ContainSubstring("target: is missing")))
		_, err = post(ctx, "lilei", "namespaces/desk/tickets", map[string]any{"request": map[string]any{"workflow": "none"}})
		Expect(reasonOf(err)).To(Equal("UnknownWorkflow"))
		_, err = post(ctx, "lilei", "namespaces/desk/tickets", map[string]any{"request": map[string]any{"workflow": "open-vpn", "title": "no days"}})
		Expect(err).To(Satisfy(apierrors.IsInvalid))
		Expect(reasonOf(err)).To(Equal("MissingFields"))
		_, err = post(ctx, "lilei", "namespaces/desk/tickets", map[string]any{})
		Expect(err).To(MatchError(ContainSubstring("request: is missing")))
	})

	It("does once what is asked twice under one key", func(ctx SpecContext) {
		body := map[string]any{"request": map[string]any{
			"workflow": "open-vpn", "title": "once", "fields": map[string]any{"days": 1}, "idempotencyKey": "k-1",
		}}
		first, err := post(ctx, "lilei", "namespaces/desk/tickets", body)
		Expect(err).NotTo(HaveOccurred())
		second, err := post(ctx, "lilei", "namespaces/desk/tickets", body)
		Expect(err).NotTo(HaveOccurred())
		Expect(second.GetUID()).To(Equal(first.GetUID()))
		at := "namespaces/desk/tickets/" + first.GetName() + "/comments"
		for range 2 {
			_, err = post(ctx, "lilei", at, map[string]any{"comment": "hello", "idempotencyKey": "k-2"})
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(stored(ctx, first.GetName()).Status.HistoryCount).To(BeEquivalentTo(2), "opened, and one comment")

		Expect(k8s.Delete(ctx, stored(ctx, first.GetName()))).To(Succeed())
		var again *unstructured.Unstructured
		Eventually(func() map[string]any {
			again, err = post(ctx, "lilei", "namespaces/desk/tickets", body)
			Expect(err).NotTo(HaveOccurred())
			value, _ := again.Object["value"].(map[string]any)
			return value
		}).Should(BeEmpty(), "once its deletion was seen")
		Expect(again.GetUID()).To(Equal(first.GetUID()), "and no other is opened")
	})

	It("is acted on for others by who may act as them, through an application", func(ctx SpecContext) {
		t := opened(ctx)
		at := "namespaces/desk/tickets/" + t.GetName() + "/"
		handlers(ctx, "portal")
		approve := func(actor, application string) error {
			_, err := post(ctx, "portal", at+"handle", map[string]any{"transition": "approve", "actor": actor, "application": application})
			return err
		}
		Expect(approve("zhangsan", "ops")).To(MatchError(ContainSubstring("may not act as this user")))
		may(ctx, "portal", "", rbacv1.PolicyRule{
			APIGroups: []string{"ticketflow.dev"}, Resources: []string{"actors"}, Verbs: []string{"act-as"}, ResourceNames: []string{"zhangsan"},
		})
		Eventually(func() error { return approve("zhangsan", "ops") }).Should(MatchError(ContainSubstring("may not act through this application")),
			"with any application, one would have what it was granted besides")
		may(ctx, "portal", "", rbacv1.PolicyRule{
			APIGroups: []string{"ticketflow.dev"}, Resources: []string{"applications"}, Verbs: []string{"act-as"}, ResourceNames: []string{"ops", "narrow", "none"},
		})
		Eventually(func(g Gomega) { g.Expect(reasonOf(approve("zhangsan", "none"))).To(Equal("UnknownApplication")) }).Should(Succeed())
		Expect(reasonOf(approve("zhangsan", ""))).To(Equal("BadParameter"))
		Expect(approve("guiji", "ops")).To(MatchError(ContainSubstring("may not act as this user")))
		Expect(reasonOf(approve("zhangsan", "narrow"))).To(Equal("UnknownApplication"), "it is for another workflow")
		Expect(approve("zhangsan", "ops")).To(Succeed())
		done := stored(ctx, t.GetName())
		last := done.Status.History[len(done.Status.History)-1]
		Expect(last.Actor).To(BeEquivalentTo("zhangsan"))
		Expect(last.By.Application).To(BeEquivalentTo("ops"))
		Eventually(audited.seen).Should(ContainElement(And(
			ContainSubstring(`"kubernetesUser"="portal" "user"="zhangsan" "application"="ops"`),
			ContainSubstring(`"subresource"="handle" "namespace"="desk" "name"="`+t.GetName()+`" "status"=201`),
		)))
	})
})

var _ = Describe("a list of tickets", func() {
	// listed are the names that a user finds in the desk's namespace.
	listed := func(ctx context.Context, user string, limit int64) (names []string, err error) {
		var next string
		for {
			list, err := dynamic.NewForConfigOrDie(configOf(user)).Resource(restv1.GroupVersion.WithResource("tickets")).
				Namespace(desk).List(ctx, metav1.ListOptions{Limit: limit, Continue: next})
			if err != nil {
				return nil, err
			}
			for _, each := range list.Items {
				names = append(names, each.GetName())
			}
			if next = list.GetContinue(); next == "" {
				return names, nil
			}
		}
	}

	DescribeTable("does not go on from what no list gave", func(ctx SpecContext, from string) {
		handlers(ctx, "lilei")
		_, err := dynamic.NewForConfigOrDie(configOf("lilei")).Resource(restv1.GroupVersion.WithResource("tickets")).
			Namespace(desk).List(ctx, metav1.ListOptions{Continue: from})
		Expect(err).To(Satisfy(apierrors.IsBadRequest))
		Expect(err).To(MatchError(ContainSubstring("continue")))
	},
		Entry("another token", "eyJ2IjoibWV0YSJ9"),
		Entry("a page before the first", "0"),
		Entry("more pages than there can be", "9223372036854775807"),
	)

	It("has what each ticket's own rule shows, page by page", func(ctx SpecContext) {
		create(ctx, workflow(desk, "secret-vpn", v1alpha1.VisibilityRelated))
		handlers(ctx, "lilei", "wangwu", "seer")
		everyones := opened(ctx).GetName()
		body := map[string]any{"request": map[string]any{"workflow": "secret-vpn", "title": "hush", "fields": map[string]any{"days": 3}}}
		var hers *unstructured.Unstructured
		Eventually(func() (err error) { // its workflow is judged first
			hers, err = post(ctx, "lilei", "namespaces/desk/tickets", body)
			return err
		}).Should(Succeed())
		all, err := listed(ctx, "lilei", 1)
		Expect(err).NotTo(HaveOccurred())
		Expect(all).To(ContainElements(everyones, hers.GetName()))
		Expect(all[0]).To(Equal(hers.GetName()), "the newest first")
		Expect(listed(ctx, "lilei", 0)).To(Equal(all))
		Expect(listed(ctx, "wangwu", 0)).To(And(ContainElement(everyones), Not(ContainElement(hers.GetName()))))
		Expect(listed(ctx, "seer", 0)).NotTo(ContainElement(hers.GetName()))
		may(ctx, "seer", desk, rbacv1.PolicyRule{APIGroups: []string{"ticketflow.dev"}, Resources: []string{"tickets"}, Verbs: []string{"list"}})
		Eventually(func() ([]string, error) { return listed(ctx, "seer", 0) }).Should(ContainElement(hers.GetName()))
		_, err = listed(ctx, "stranger", 0)
		Expect(err).To(Satisfy(apierrors.IsForbidden))
	})
})

var _ = Describe("who calls", func() {
	It("is not believed where kube-apiserver does not say so", func(ctx SpecContext) {
		handlers(ctx, "lilei")
		forged := func(config *restclient.Config) *restclient.Config {
			config.Wrap(func(next http.RoundTripper) http.RoundTripper {
				return roundTripper(func(r *http.Request) (*http.Response, error) {
					r.Header.Set("X-Remote-User", "lilei")
					r.Header.Set("X-Remote-Group", "system:masters")
					return next.RoundTrip(r)
				})
			})
			return config
		}
		name := opened(ctx).GetName()
		Expect(ask(ctx, configOf("lilei"), name)).To(Succeed())
		Expect(ask(ctx, direct("lilei"), name)).To(Succeed(), "her certificate is hers there too")
		anonymous := direct("mallory")
		anonymous.CertData, anonymous.KeyData = nil, nil
		for _, config := range []*restclient.Config{forged(configOf("mallory")), forged(direct("mallory")), forged(anonymous)} {
			err := ask(ctx, config, name)
			Expect(err).To(Or(Satisfy(apierrors.IsForbidden), Satisfy(apierrors.IsUnauthorized)))
			Expect(err.Error()).NotTo(ContainSubstring("lilei"))
		}
	})
})

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

var _ = Describe("discovery", func() {
	It("leaves the name tickets to what is stored, and answers with schemas", func(ctx SpecContext) {
		client := discovery.NewDiscoveryClientForConfigOrDie(configOf("lilei"))
		var groups []*metav1.APIGroup
		Eventually(func() (err error) { // what kube-apiserver has gathered so far
			groups, _, err = client.ServerGroupsAndResources()
			return err
		}).Should(Succeed())
		order := []string{}
		for _, g := range groups {
			if strings.HasSuffix(g.Name, "ticketflow.dev") {
				order = append(order, g.Name)
			}
		}
		Expect(order).To(Equal([]string{"ticketflow.dev", "rest.ticketflow.dev"}))
		Eventually(func(g Gomega) {
			schema, err := clientOf(restclient.CopyConfig(environment.Config)).Get().AbsPath("/openapi/v3/apis/rest.ticketflow.dev/v1").Do(ctx).Raw()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(string(schema)).To(And(ContainSubstring("dev.ticketflow.rest.v1.Action"), ContainSubstring("fromState")))
		}).Should(Succeed())
	})

	It("shows a ticket as a table", func(ctx SpecContext) {
		handlers(ctx, "lilei")
		t := stored(ctx, opened(ctx).GetName())
		var table metav1.Table
		data, err := clientOf(configOf("lilei")).Get().AbsPath(group+"namespaces/desk/tickets/"+t.Name).
			SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(ctx).Raw()
		Expect(err).NotTo(HaveOccurred())
		Expect(json.Unmarshal(data, &table)).To(Succeed())
		Expect(table.Kind).To(Equal("Table"))
		Expect(table.Rows).To(HaveLen(1))
		Expect(table.Rows[0].Cells).To(ContainElements(t.Name, t.Status.SerialNumber))
	})
})
