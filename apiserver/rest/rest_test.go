// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	. "github.com/onsi/gomega/gstruct"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

func keys(k Keys) OmegaMatcher { return MatchKeys(IgnoreExtras, k) }

var _ = Describe("A ticket's life", func() {
	It("goes from opening to its end as the document shows", func() {
		ticket := open(5)
		Expect(detail(ticket, "lilei")).To(keys(Keys{
			"state_id": BeEquivalentTo(2), "participant_type_id": BeEquivalentTo(1), "participant": Equal("zhangsan"),
			"act_state_id": BeEquivalentTo(1), "sn": MatchRegexp(`^loonflow_\d{12}$`), "relation": Equal("lilei,zhangsan"),
			"script_run_last_result": BeTrue(), "multi_all_person": Equal("{}"),
		}))
		Expect(as("lilei").get(ticket + "/transitions").ok()).To(Equal(map[string]any{"value": []any{}}))
		Expect(as("zhangsan").get(ticket + "/transitions").ok()).To(keys(Keys{"value": HaveLen(2)}))

		Expect(as("zhangsan").patch(ticket, `{"transition_id": 3, "suggestion": "同意"}`).ok()).To(Equal(""))
		Expect(as("guiji").get(ticket + "/transitions").ok()).To(Equal(map[string]any{"value": []any{map[string]any{
			"transition_id": 0.0, "transition_name": "接单", "is_accept": true, "in_add_node": false, "field_require_check": false,
			"alert_enable": false, "enable_alert": false, "alert_text": "", "attribute_type_id": 3.0,
		}}}))
		as("guiji").patch(ticket, `{"transition_id": 5}`).refused("AcceptFirst", "ops")
		Expect(as("guiji").post(ticket+"/accept", "").ok()).To(BeTrue())
		as("wangwu").post(ticket+"/accept", "").refused("NotParticipant", "wangwu")
		as("guiji").patch(ticket, `{"transition_id": 5}`).ok()
		Eventually(func() any { return detail(ticket, "lilei")["state_id"] }).Should(BeEquivalentTo(5))

		Expect(as("lilei").patch(ticket, `{"transition_id": 7}`).ok()).To(Equal(""))
		Expect(detail(ticket, "lilei")).To(keys(Keys{
			"act_state_id": BeEquivalentTo(4), "participant_type_id": BeEquivalentTo(1), "participant": Equal(""),
		}))
		as("lilei").patch(ticket, `{"transition_id": 7}`).refused("NotParticipant", "ended")
		as("lilei").post(ticket+"/comments", `{"suggestion": "thanks"}`).ok()

		logs := as("lilei").get(ticket + "/flowlogs?per_page=3").ok()
		Expect(logs).To(keys(Keys{"total": BeEquivalentTo(7), "per_page": BeEquivalentTo(3), "value": HaveLen(3)}))
		newest := logs.(map[string]any)["value"].([]any)
		Expect(newest[0]).To(keys(Keys{"intervene_type_id": BeEquivalentTo(5), "transition": keys(Keys{"transition_name": Equal("新增评论")})}))
		Expect(newest[2]).To(keys(Keys{
			"participant_type_id": BeEquivalentTo(6), "participant": Equal("grant_vpn.py"), "suggestion": ContainSubstring("granted by ticket"),
		}))
		steps := as("lilei").get(ticket + "/flowsteps").ok().(map[string]any)
		Expect(steps["current_state_id"]).To(BeEquivalentTo(6))
		Expect(steps["value"]).To(HaveLen(6))
		first := steps["value"].([]any)[0].(map[string]any)["state_flow_log_list"].([]any)
		Expect(first).To(ConsistOf(keys(Keys{
			"transition":        And(HaveLen(2), HaveKey("transition_id"), HaveKey("transition_name")),
			"attribute_type_id": BeEquivalentTo(1),
		})), "the attribute is beside the transition, not in it")
	})

	It("waits at a script that failed until it is retried", func() {
		id := as("lilei").post("tickets", `{"workflow_id": 2, "transition_id": 21}`).ok().(map[string]any)["ticket_id"]
		ticket := fmt.Sprintf("tickets/%v", id)
		Eventually(func() any { return detail(ticket, "lilei")["script_run_last_result"] }).Should(BeFalse())
		Expect(detail(ticket, "lilei")).To(keys(Keys{"state_id": BeEquivalentTo(22), "participant_type_id": BeEquivalentTo(6)}))
		Expect(as("lilei").post(ticket+"/retry_script", "").Msg).To(Equal("Ticket script retry start successful"))
		Eventually(func() any {
			return as("lilei").get(ticket + "/flowlogs").ok().(map[string]any)["total"]
		}).Should(BeEquivalentTo(3), "the opening and two failed runs")
	})

	It("can be forced into a state by an administrator alone", func() {
		ticket := open(3)
		as("lilei").put(ticket+"/state", `{"state_id": 5}`).refused("NotAllowed", "lilei")
		as("admin").put(ticket+"/state", `{"state_id": 42}`).refused("UnknownState", "42")
		Expect(as("admin").put(ticket+"/state", `{"state_id": 5}`).ok()).To(Equal(""))
		Expect(as("lilei").get("tickets/states?ticket_ids=" + strings.TrimPrefix(ticket, "tickets/")).ok()).To(
			HaveKeyWithValue(strings.TrimPrefix(ticket, "tickets/"), keys(Keys{"state_id": BeEquivalentTo(5)})))
	})
})

var _ = Describe("What is not right", func() {
	DescribeTable("credentials are refused", func(c caller, reason, about string) {
		c.get("tickets?category=all").refused(reason, about)
	},
		Entry("without an appname", as("lilei").with("appname", ""), "MissingCredentials", "appname"),
		Entry("without a timestamp", as("lilei").with("timestamp", ""), "MissingCredentials", "timestamp"),
		Entry("without a signature", as("lilei").with("signature", ""), "MissingCredentials", "signature"),
		Entry("of an unknown application, whatever else is missing", as("lilei").through("nobody").with("timestamp", "").with("signature", ""), "UnknownApplication", "nobody"),
		Entry("of an unknown application", as("lilei").through("nobody"), "UnknownApplication", "nobody"),
		Entry("with a wrong signature", as("lilei").with("signature", "0123"), "BadSignature", "signature"),
		Entry("of another time", as("lilei").with("timestamp", "1500000000"), "BadSignature", "signature"),
		Entry("of an application whose secret is not marked", as("lilei").through("tokenless"), "BadSignature", "tokenless"),
		Entry("for an unknown user", as("stranger"), "UnknownUser", "stranger"),
		Entry("for a user who has left", as("gone"), "UnknownUser", "gone"),
		Entry("for a reserved name", as("loonrobot"), "UnknownUser", "loonrobot"),
	)

	DescribeTable("a new ticket is refused", func(body, reason, about string) {
		as("lilei").post("tickets", body).refused(reason, about)
	},
		Entry("with nothing in its body", ``, "BadBody", "empty"),
		Entry("with a body that is no JSON", `{no`, "BadBody", "JSON"),
		Entry("with a body that is no object", `[]`, "BadBody", "JSON"),
		Entry("without a workflow", `{"transition_id": 1}`, "BadParameter", "workflow_id"),
		Entry("with a boolean for an id", `{"workflow_id": true, "transition_id": 1}`, "BadParameter", "workflow_id"),
		Entry("of an unknown workflow", `{"workflow_id": 99, "transition_id": 1}`, "UnknownWorkflow", "99"),
		Entry("of a workflow that is not sound", `{"workflow_id": 3, "transition_id": 31}`, "WorkflowNotReady", "nowhere"),
		Entry("by a transition of another state", `{"workflow_id": 1, "transition_id": 3}`, "UnknownTransition", "3"),
		Entry("with fields missing", `{"workflow_id": 1, "transition_id": 1}`, "MissingFields", "title, days"),
		Entry("with a wrong value", `{"workflow_id": 1, "transition_id": 1, "title": "t", "days": 2.7}`, "InvalidFields", "days"),
		Entry("with a value out of bounds", `{"workflow_id": 1, "transition_id": 1, "title": "t", "days": 31}`, "InvalidFields", "days"),
		Entry("with a title that is none, told with the rest", `{"workflow_id": 1, "transition_id": 1, "title": {}, "days": 31}`, "InvalidFields", "title is not a text; days"),
		Entry("with a title that is too long", `{"workflow_id": 1, "transition_id": 1, "title": "`+strings.Repeat("长", 501)+`", "days": 31}`, "InvalidFields", "title has 501 characters, at most 500 fit; days"),
		Entry("with an unknown parent", `{"workflow_id": 1, "transition_id": 1, "title": "t", "days": 1, "parent_ticket_id": 987654}`, "UnknownTicket", "parent_ticket_id"),
	)

	// The order of rest-behaviour.md §4: body, application and ticket, user, the rest.
	DescribeTable("what clients know to be told first is told first", func(c caller, method, path, body, reason, about string) {
		c.send(method, path, body).refused(reason, about)
	},
		Entry("a form in parts, which is not read", as("lilei").with("Content-Type", "multipart/form-data; boundary=x"), "POST", "tickets", "--x--", "BadBody", "in parts"),
		Entry("an unknown key before all", as(""), "POST", "tickets/987654/add_node_end", `{"mood": "x"}`, "UnknownKey", "mood"),
		Entry("a missing key before an unknown ticket", as("lilei"), "POST", "tickets/987654/deliver", `{"suggestion": "x"}`, "BadParameter", "target_username is missing"),
		Entry("a wrong key before an unknown ticket", as("lilei"), "PUT", "tickets/987654/state", `{"state_id": "soon"}`, "BadParameter", "state_id is not an id"),
		Entry("a wrong flag before an unknown ticket", as("lilei"), "POST", "tickets/987654/deliver", `{"target_username": "lilei", "from_admin": "perhaps"}`, "BadParameter", "from_admin"),
		Entry("no state before an unknown ticket", as("lilei"), "PUT", "tickets/987654/state", `{"state_id": "0"}`, "BadParameter", "state_id is missing"),
		Entry("no transition before an unknown workflow", as("lilei"), "POST", "tickets", `{"workflow_id": 987654, "transition_id": 0}`, "BadParameter", "transition_id is missing"),
		Entry("no comment before an unknown ticket, where one is demanded", as("lilei").through("old"), "POST", "tickets/987654/comments", `{}`, "BadParameter", "suggestion is missing"),
		Entry("an unknown ticket where no comment is demanded", as("lilei"), "POST", "tickets/987654/comments", `{}`, "UnknownTicket", "987654"),
		Entry("who may not open a ticket before an unknown transition", as("admin"), "POST", "tickets", `{"workflow_id": 5, "transition_id": 987654}`, "NotAllowed", "admin"),
		Entry("an unknown transition to who may", as("lilei"), "POST", "tickets", `{"workflow_id": 5, "transition_id": 987654}`, "UnknownTransition", "transition_id: 987654"),
		Entry("a missing state before a missing username", as(""), "PUT", "tickets/987654/state", `{}`, "BadParameter", "state_id is missing"),
		Entry("an unknown ticket before a missing username", as(""), "GET", "tickets/987654", ``, "UnknownTicket", "987654"),
		Entry("an unknown ticket before an unknown user", as("stranger"), "GET", "tickets/987654/transitions", ``, "UnknownTicket", "987654"),
		Entry("an unknown ticket before a missing transition", as("lilei"), "PATCH", "tickets/987654", `{"suggestion": "x"}`, "UnknownTicket", "987654"),
		Entry("an unknown workflow before a missing username", as(""), "GET", "workflows/987654/init_state", ``, "UnknownWorkflow", "987654"),
		Entry("a missing transition before an unknown workflow", as("lilei"), "POST", "tickets", `{"workflow_id": 987654}`, "BadParameter", "transition_id is missing"),
		Entry("an unknown workflow of a new ticket before a missing username", as(""), "POST", "tickets", `{"workflow_id": 987654, "transition_id": 1}`, "UnknownWorkflow", "987654"),
		Entry("a missing username of a new ticket before its fields", as(""), "POST", "tickets", `{"workflow_id": 1, "transition_id": 1}`, "MissingCredentials", "username"),
	)

	DescribeTable("a list is refused", func(query, about string) {
		as("lilei").get("tickets?"+query).refused("BadParameter", about)
	},
		Entry("without a category", "", "category"),
		Entry("with an unknown category", "category=mine", "category"),
		Entry("with a page that is no number", "category=all&page=x", "page"),
		Entry("with pages of nothing", "category=all&per_page=0", "per_page"),
		Entry("with pages too large", "category=all&per_page=20001", "per_page"),
		Entry("with ids that are none", "category=all&ticket_ids=a", "ticket_ids"),
		Entry("with a time that is none", "category=all&create_start=soon", "create_start"),
	)

	It("is told to who may not look", func() {
		ticket := open(2)
		for _, read := range []string{"", "/flowlogs", "/flowsteps", "/participant_info"} {
			as("wangwu").get(ticket+read).refused("NotAllowed", "wangwu")
		}
		as("wangwu").post(ticket+"/comments", `{"suggestion": "x"}`).refused("NotAllowed", "wangwu")
		as("wangwu").patch(ticket, `{"transition_id": 3}`).refused("NotParticipant", "wangwu")
		as("lilei").through("narrow").get(ticket).refused("UnknownTicket", strings.TrimPrefix(ticket, "tickets/"))
		as("lilei").through("narrow").post("tickets", `{"workflow_id": 1, "transition_id": 1}`).refused("UnknownWorkflow", "1")
		as("").get(ticket).refused("MissingCredentials", "username")
		as("").get(ticket+"/participant_info").refused("NotAllowed", "no user is named")
	})

	It("is told by the rights that the workflow gives now, also about older tickets", func(ctx SpecContext) {
		w := guarded(ctx)
		ticket := opened(as("lilei"), `{"workflow_id": 900, "transition_id": 901}`)
		inList := func(user string) any {
			return as(user).get("tickets?category=all&ticket_ids=" + idOf(ticket)).ok().(map[string]any)["total"]
		}
		Expect(detail(ticket, "zhangsan")).To(HaveKey("id"), "an admin may look")
		as("wangwu").get(ticket).refused("NotAllowed", "wangwu")
		Expect(inList("wangwu")).To(BeEquivalentTo(0))

		before := w.DeepCopy()
		w.Spec.Admins = []v1alpha1.UserName{"wangwu"}
		Expect(k8s.Patch(ctx, w, client.MergeFrom(before))).To(Succeed())
		Eventually(func() any { return inList("wangwu") }).Should(BeEquivalentTo(1))
		Expect(inList("zhangsan")).To(BeEquivalentTo(0))
		Expect(detail(ticket, "wangwu")).To(HaveKey("id"))
		as("zhangsan").get(ticket).refused("NotAllowed", "zhangsan")
		as("zhangsan").put(ticket+"/state", `{"state_id": 903}`).refused("NotAllowed", "zhangsan")

		before = w.DeepCopy()
		w.Spec.Visibility = v1alpha1.VisibilityEveryone
		Expect(k8s.Patch(ctx, w, client.MergeFrom(before))).To(Succeed())
		Eventually(func() any { return inList("zhangsan") }).Should(BeEquivalentTo(1))
		Expect(detail(ticket, "zhangsan")).To(HaveKey("id"))
		as("zhangsan").put(ticket+"/state", `{"state_id": 903}`).refused("NotAllowed", "zhangsan")
		as("wangwu").put(ticket+"/state", `{"state_id": 903}`).ok()
	})

	It("has proper statuses where the application wants them", func() {
		Expect(as("lilei").through("old").get("tickets/987654").status).To(Equal(http.StatusNotFound))
		Expect(as("stranger").through("old").get("tickets?category=all").status).To(Equal(http.StatusUnauthorized))
		toStranger := as("zhangsan").through("old").post(open(1)+"/deliver", `{"target_username": "stranger"}`)
		toStranger.refused("UnknownUser", "target_username")
		Expect(toStranger.status).To(Equal(http.StatusUnprocessableEntity), "who asks is known")
		Expect(as("lilei").through("old").with("signature", "0123").get("tickets/1").status).To(Equal(http.StatusUnauthorized))
		Expect(as("lilei").get("nothing").status).To(Equal(http.StatusNotFound))
		Expect(as("lilei").send(http.MethodDelete, "tickets/1/accept", "").status).To(Equal(http.StatusMethodNotAllowed))
	})

	It("is an unknown key where the endpoint is strict", func() {
		as("admin").put(open(1)+"/state", `{"state_id": 5, "colour": "red"}`).refused("UnknownKey", "colour")
	})
})

var _ = Describe("Clients as they are seen on the wire", func() {
	It("may send forms and ids as text", func() {
		form := as("lilei").with("Content-Type", "application/x-www-form-urlencoded")
		form.post("tickets", "workflow_id=1&transition_id=1&title=form&days=3&username=ignored").ok()
		as("lilei").post("tickets", `{"workflow_id": "1", "transition_id": "1", "title": "text", "days": "3"}`).ok()
		as("lilei").post("tickets", `{"workflow_id": 1.0, "transition_id": 1e0, "title": "whole", "days": 3.0}`).ok()
		as("lilei").post("tickets", `{"workflow_id": 1.5, "transition_id": 1, "title": "broken", "days": 3}`).refused("BadParameter", "workflow_id is not an id")
		as("lilei").post("tickets", `{"workflow_id": 1e300, "transition_id": 1, "title": "huge", "days": 3}`).refused("BadParameter", "workflow_id is not an id")
		as("lilei").send(http.MethodGet, "tickets?category=all&unknown=&username=x", "{}").ok()
	})

	It("may begin a body with a mark of its encoding", func() {
		as("lilei").post("tickets", "\uFEFF"+`{"workflow_id": 1, "transition_id": 1, "title": "marked", "days": 3}`).ok()
	})

	It("may send far too much, and are told so", func() {
		as("lilei").post("tickets", `{"title": "`+strings.Repeat("x", 12<<20)+`"}`).refused("TooLarge", "the body is larger than 1048576 bytes")
	})

	It("may fill a text area with as much as a ticket has room for", func() {
		area := func(length int) answer {
			return as("lilei").post("tickets", `{"workflow_id": 1, "transition_id": 1, "title": "t", "days": 1, "reason": "`+strings.Repeat("x", length)+`"}`)
		}
		area(60_000).ok()
		area(110_000).refused("TooLarge", "the fields have more than")
	})

	It("may write what escapes nothing, and lose nothing by it", func() {
		form := as("lilei").with("Content-Type", "application/x-www-form-urlencoded")
		form.post("tickets", "workflow_id=1&transition_id=1&title=50%;+a+&days=3").ok()
		titled := func(query string) any {
			return as("lilei").get("tickets?category=owner&title=" + query).ok().(map[string]any)["total"]
		}
		Expect(titled("50%;")).To(BeEquivalentTo(1))
		Expect(titled("0%25%3B")).To(BeEquivalentTo(1))
		Expect(titled("nosuch;x")).To(BeEquivalentTo(0))
		Expect(titled("nosuch%")).To(BeEquivalentTo(0))
		as("lilei").get("tickets?category=owner&ticket_ids=1;2").refused("BadParameter", "ticket_ids")
		as("lilei").get("tickets?category=owner"+strings.Repeat("&a", 20_000)).refused("BadParameter", "the query has too many parameters")
		form.post("tickets", strings.Repeat("a&", 20_000)).refused("BadBody", "too many parameters")
	})

	DescribeTable("may write nothing but UTF-8, and lose nothing by the refusal", func(kind, body string) {
		ticket := open(4)
		as("lilei").with("Content-Type", kind).post(ticket+"/comments", body).refused("BadBody", "UTF-8")
		Expect(as("lilei").get(ticket + "/flowlogs").ok()).To(keys(Keys{"total": BeEquivalentTo(1)}))
	},
		Entry("as JSON", "application/json", "{\"suggestion\": \"\xc4\xe3\"}"),
		Entry("as half a character in JSON", "application/json", `{"suggestion": "\ud800"}`),
		Entry("as a form", "application/x-www-form-urlencoded", "suggestion=%c4%e3"),
		Entry("as a form that escapes nothing", "application/x-www-form-urlencoded", "suggestion=\xc4\xe3"),
	)

	It("may name people whom nobody knows, where the application says so", func(ctx SpecContext) {
		var trusting v1alpha1.Application
		Expect(k8s.Get(ctx, client.ObjectKey{Name: "desk"}, &trusting)).To(Succeed())
		trusting.ObjectMeta = metav1.ObjectMeta{Name: "trusting"}
		trusting.Spec.UnknownUsers = v1alpha1.UnknownUsersAllow
		Expect(k8s.Create(ctx, &trusting)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, &trusting)).To(Succeed()) })
		name := strings.Repeat("王", 100)
		stranger, leader := as(name).through("trusting"), as("zhangsan").through("trusting")
		Eventually(func() int { return stranger.get("workflows").Code }).Should(Equal(0))

		ticket := open(4)
		for _, none := range []string{"a,b", `a\u0007`, " a", strings.Repeat("x", 101)} {
			leader.post(ticket+"/deliver", fmt.Sprintf(`{"target_username": "%s"}`, none)).refused("UnknownUser", "target_username")
		}
		as("a,b").through("trusting").get("tickets?category=owner").refused("UnknownUser", "is not one user name")
		as(name+"x").through("trusting").get("tickets?category=owner").refused("UnknownUser", "too long")
		leader.post(ticket+"/deliver", fmt.Sprintf(`{"target_username": "%s"}`, name)).ok()
		stranger.patch(ticket, `{"transition_id": 3}`).ok()
	})

	It("may repeat a request that has a key", func() {
		once := as("lilei").with("Idempotency-Key", "once")
		body := `{"workflow_id": 1, "transition_id": 1, "title": "once", "days": 1}`
		first, again := once.post("tickets", body).ok(), once.post("tickets", body).ok()
		Expect(again).To(Equal(first))
		ticket := open(1)
		for range 3 {
			as("lilei").with("Idempotency-Key", "said").post(ticket+"/comments", `{"suggestion": "said once"}`).ok()
		}
		Expect(as("lilei").get(ticket + "/flowlogs").ok()).To(keys(Keys{"total": BeEquivalentTo(2)}))
		for range 20 {
			as("lilei").post(ticket+"/comments", `{"suggestion": "more"}`).ok()
		}
		as("lilei").with("Idempotency-Key", "said").post(ticket+"/comments", `{"suggestion": "said once"}`).ok()
		Expect(as("lilei").get(ticket+"/flowlogs").ok()).To(keys(Keys{"total": BeEquivalentTo(22)}), "long ago is not forgotten")

		opened := fmt.Sprintf("tickets/%v", first.(map[string]any)["ticket_id"])
		as("admin").delete(opened).ok()
		Eventually(func() string { return as("admin").get(opened).Reason }).Should(Equal("UnknownTicket"))
		Expect(once.post("tickets", body).ok()).To(Equal(first), "not another ticket")

		gone := as("admin").with("Idempotency-Key", "gone")
		gone.delete(ticket).ok()
		Eventually(func() string { return as("admin").get(ticket).Reason }).Should(Equal("UnknownTicket"))
		gone.delete(ticket).ok()
		as("lilei").with("Idempotency-Key", "gone").delete(ticket).refused("UnknownTicket", "")
		as("admin").with("Idempotency-Key", "other").delete(ticket).refused("UnknownTicket", "")
		as("admin").delete(ticket).refused("UnknownTicket", "")
		gone.delete(open(1)).ok()
	})

	It("may repeat what they did, also when it is not theirs to do any more", func() {
		ticket := open(4)
		did := []func(){}
		do := func(user, method, path, body string) {
			GinkgoHelper()
			key := fmt.Sprintf("step-%d", len(did))
			first := as(user).with("Idempotency-Key", key).send(method, ticket+path, body).ok()
			did = append(did, func() {
				GinkgoHelper()
				Expect(as(user).with("Idempotency-Key", key).send(method, ticket+path, body).ok()).To(Equal(first), key)
			})
			did[len(did)-1]()
		}
		do("lilei", http.MethodPost, "/retreat", `{}`)
		do("lilei", http.MethodPatch, "", `{"transition_id": 1, "title": "t", "days": 4}`)
		do("zhangsan", http.MethodPost, "/deliver", `{"target_username": "wangwu"}`)
		do("wangwu", http.MethodPost, "/add_node", `{"target_username": "guiji"}`)
		do("guiji", http.MethodPost, "/add_node_end", `{}`)
		do("wangwu", http.MethodPatch, "/fields", `{"days": 5}`)
		do("wangwu", http.MethodPatch, "", `{"transition_id": 3}`)
		do("guiji", http.MethodPost, "/accept", ``)
		do("guiji", http.MethodPost, "/comments", `{"suggestion": "x"}`)
		do("admin", http.MethodPut, "/state", `{"state_id": 2}`)
		do("admin", http.MethodPost, "/close", `{}`)
		total := as("admin").get(ticket + "/flowlogs").ok().(map[string]any)["total"]
		Expect(total).To(BeEquivalentTo(11), "all but the change of fields, and the opening")
		for _, again := range did {
			again()
		}
		Expect(as("admin").get(ticket + "/flowlogs").ok()).To(keys(Keys{"total": Equal(total)}))
	})

	It("may be of the old release", func() {
		ticket := open(4)
		old := as("lilei").through("old")
		Expect(old.post(ticket+"/comments", `{"suggestion": "x"}`)).To(HaveField("Msg", "add ticket comment successful"))
		old.post(ticket+"/comments", `{}`).refused("BadParameter", "suggestion")
		Expect(as("zhangsan").through("old").patch(ticket, `{"transition_id": 3}`).ok()).To(Equal(map[string]any{"value": true}))
		Expect(as("guiji").through("old").post(ticket+"/accept", "").ok()).To(BeEmpty())
	})

	It("see choices as their profile has them", func() {
		ticket := open(4)
		choices := func(c caller) []any {
			var out []any
			for _, field := range c.get(ticket).ok().(map[string]any)["value"].(map[string]any)["field_list"].([]any) {
				out = append(out, field.(map[string]any)["field_choice"])
			}
			return out
		}
		Expect(choices(as("lilei"))).To(And(Not(BeEmpty()), HaveEach(BeEmpty()), HaveEach(BeAssignableToTypeOf([]any{}))))
		Expect(choices(as("lilei").through("old"))).To(And(Not(BeEmpty()), HaveEach(BeAssignableToTypeOf(map[string]any{}))))
		as("zhangsan").patch(ticket, `{"transition_id": 3}`).ok()
		Expect(choices(as("guiji"))).To(ContainElement(Equal([]any{map[string]any{"1": "中国", "2": "美国"}})))
	})

	It("find what they have just done in every list", func() {
		ticket := open(6)
		id := strings.TrimPrefix(ticket, "tickets/")
		for user, category := range map[string]string{"lilei": "owner", "zhangsan": "duty"} {
			Expect(as(user).get("tickets?category=" + category + "&ticket_ids=" + id).ok()).To(keys(Keys{"total": BeEquivalentTo(1)}))
		}
		as("zhangsan").patch(ticket, `{"transition_id": 3}`).ok()
		Expect(as("zhangsan").get("tickets?category=duty&ticket_ids=" + id).ok()).To(keys(Keys{"total": BeEquivalentTo(0)}))
		Expect(as("zhangsan").get("tickets?category=worked&ticket_ids=" + id).ok()).To(keys(Keys{"total": BeEquivalentTo(1)}))
		Expect(as("wangwu").get("tickets?category=all&is_end=0&state_ids=3&ticket_ids=" + id).ok()).To(keys(Keys{
			"total": BeEquivalentTo(1),
			"value": ConsistOf(keys(Keys{
				"workflow": keys(Keys{"workflow_name": Equal("VPN申请")}), "workflow_info": keys(Keys{"workflow_id": BeEquivalentTo(1)}),
				"state":            keys(Keys{"state_id": BeEquivalentTo(3)}),
				"participant_info": keys(Keys{"participant_type_id": BeEquivalentTo(2), "participant_type_name": Equal("多人"), "participant_alias": Equal("轨迹,王五")}),
			})),
		}))
	})
})

var _ = Describe("Many at the same moment", func() {
	together := func(n int, do func(i int)) {
		var group sync.WaitGroup
		for i := range n {
			group.Go(func() {
				defer GinkgoRecover()
				do(i)
			})
		}
		group.Wait()
	}

	It("have a turn each, also beside a client that never pauses", func() {
		DeferCleanup(runtime.GOMAXPROCS, runtime.GOMAXPROCS(1))
		var turns atomic.Int64
		stopped, stop := context.WithCancel(context.Background())
		defer stop()
		go func() { // another who waits for the processor
			for ; stopped.Err() == nil; runtime.Gosched() {
				turns.Add(1)
			}
		}()
		Eventually(turns.Load).Should(BeNumerically(">", 0))
		for range 20 {
			before := turns.Load()
			server.Config.Handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/api/v1.0/tickets", nil))
			Expect(turns.Load()).To(BeNumerically(">", before))
		}
	})

	It("lets exactly one of two handle a ticket, and tells the other why", func() {
		for range 5 {
			id := as("lilei").post("tickets", `{"workflow_id": 4, "transition_id": 41}`).ok().(map[string]any)["ticket_id"]
			ticket := fmt.Sprintf("tickets/%v", id)
			answers := make([]answer, 2)
			together(2, func(i int) { answers[i] = as([]string{"guiji", "wangwu"}[i]).patch(ticket, `{"transition_id": 42}`) })
			Expect(answers).To(ConsistOf(HaveField("Code", 0), HaveField("Reason", "NotParticipant")))
			Expect(as("lilei").get(ticket + "/flowlogs").ok()).To(keys(Keys{"total": BeEquivalentTo(2)}))
		}
	})

	It("records each of twenty comments once", func() {
		ticket := open(7)
		together(20, func(i int) {
			as("lilei").post(ticket+"/comments", fmt.Sprintf(`{"suggestion": "comment %02d"}`, i)).ok()
		})
		logs := as("lilei").get(ticket + "/flowlogs?per_page=100").ok().(map[string]any)["value"].([]any)
		said := map[string]int{}
		for _, log := range logs {
			said[log.(map[string]any)["suggestion"].(string)]++
		}
		for i := range 20 {
			Expect(said).To(HaveKeyWithValue(fmt.Sprintf("comment %02d", i), 1))
		}
	})
})

var _ = Describe("A workflow", func() {
	It("shows its start state, what can be done there, and its form", func() {
		Expect(as("lilei").get("workflows/1/init_state").ok()).To(keys(Keys{
			"id": BeEquivalentTo(1), "type_id": BeEquivalentTo(1), "participant_type_id": BeEquivalentTo(5), "participant": Equal("creator"),
			"transition": HaveLen(2),
			"field_list": ConsistOf(
				keys(Keys{"field_key": Equal("title"), "field_attribute": BeEquivalentTo(2)}),
				keys(Keys{"field_key": Equal("days"), "field_type_id": BeEquivalentTo(10), "field_attribute": BeEquivalentTo(2)}),
				keys(Keys{"field_key": Equal("region"), "field_choice": Equal(map[string]any{"1": "中国", "2": "美国"}), "default_value": Equal("1")}),
				keys(Keys{"field_key": Equal("reason"), "field_type_id": BeEquivalentTo(55)}),
			),
		}))
	})

	It("shows its states, and one of them", func() {
		states := as("lilei").get("workflows/1/states").ok().(map[string]any)
		Expect(states["total"]).To(BeEquivalentTo(6))
		Expect(states["value"].([]any)[2]).To(keys(Keys{
			"id": BeEquivalentTo(3), "distribute_type_id": BeEquivalentTo(1), "participant_type_id": BeEquivalentTo(4),
			"participant_info": keys(Keys{"participant_type_name": Equal("角色"), "participant_alias": Equal("运维")}),
		}))
		Expect(as("lilei").get("workflows/states/4").ok()).To(keys(Keys{"name": Equal("授权脚本-自动执行中"), "participant_type_id": BeEquivalentTo(6)}))
		as("lilei").get("workflows/states/999").refused("UnknownState", "999")
		as("lilei").get("workflows/999/states").refused("UnknownWorkflow", "999")
	})
})

// guarded makes a workflow whose only admin is zhangsan, in a namespace of its own.
func guarded(ctx context.Context) *v1alpha1.Workflow {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "guarded-"}}
	Expect(k8s.Create(ctx, namespace)).To(Succeed())
	w := &v1alpha1.Workflow{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "guarded"},
		Spec: v1alpha1.WorkflowSpec{ID: 900, Admins: []v1alpha1.UserName{"zhangsan"}, States: []v1alpha1.State{
			{Name: "new", ID: 901, Type: v1alpha1.StateStart, Transitions: []v1alpha1.Transition{{Name: "go", ID: 901, To: "work"}}},
			{Name: "work", ID: 902, Participants: &v1alpha1.Participants{Users: []v1alpha1.UserName{"guiji"}}, Transitions: []v1alpha1.Transition{{Name: "done", ID: 902, To: "end"}}},
			{Name: "end", ID: 903, Type: v1alpha1.StateEnd},
		}},
	}
	Expect(k8s.Create(ctx, w)).To(Succeed())
	Eventually(func() int { return as("lilei").get("workflows/900").Code }).Should(Equal(0))
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed())
	return w
}
