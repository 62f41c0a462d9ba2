// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	. "github.com/onsi/gomega/gstruct"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// opened opens a ticket and answers its path.
func opened(c caller, body string) string {
	GinkgoHelper()
	return fmt.Sprintf("tickets/%v", c.post("tickets", body).ok().(map[string]any)["ticket_id"])
}

func idOf(ticket string) string { return strings.TrimPrefix(ticket, "tickets/") }

// everyRead is each way to look at a ticket.
var everyRead = []string{"", "/flowlogs", "/flowsteps", "/participant_info"}

// everyWrite is each way to do something with a ticket.
var everyWrite = []struct{ method, path, body string }{
	{http.MethodPatch, "", `{"transition_id": 3}`}, {http.MethodPost, "/accept", ``}, {http.MethodPost, "/deliver", `{"target_username": "lilei"}`},
	{http.MethodPost, "/add_node", `{"target_username": "lilei"}`}, {http.MethodPost, "/add_node_end", `{}`}, {http.MethodPut, "/state", `{"state_id": 5}`},
	{http.MethodPatch, "/fields", `{"days": 1}`}, {http.MethodPost, "/retry_script", ``}, {http.MethodPost, "/comments", `{"suggestion": "x"}`},
	{http.MethodPost, "/close", `{}`}, {http.MethodPost, "/retreat", `{}`}, {http.MethodPost, "/hook_call_back", `{"result": true}`}, {http.MethodDelete, "", ``},
}

// The quirks of rest-behaviour.md §9 that the REST surface could have; those
// of the engine have theirs beside it.
var _ = Describe("The quirks of release r1.0.14", func() {
	It("Q2: a user must exist, and a reserved name is nobody's", func() {
		for _, user := range []string{"stranger", "gone", "loonrobot", "hook"} {
			as(user).get("tickets?category=owner").refused("UnknownUser", user)
		}
	})

	It("Q3: every answer is JSON in the envelope, and every refusal's data is empty text", func() {
		response, err := http.Get(server.URL + "/api/v1.0/tickets")
		Expect(err).NotTo(HaveOccurred())
		defer response.Body.Close()
		Expect(response.Header.Get("Content-Type")).To(Equal("application/json"))
		as("").with("signature", "x").get("tickets").refused("BadSignature", "signature")
	})

	It("Q4 Q5: a refusal says why, in words that are not internal", func() {
		refusal := as("lilei").post("tickets", `{"workflow_id": 1, "transition_id": 987654}`)
		refusal.refused("UnknownTransition", "987654")
		Expect(refusal.Msg).NotTo(Or(ContainSubstring("nil"), ContainSubstring("panic"), ContainSubstring(".go")))
		as("lilei").get("tickets/987654/flowlogs").refused("UnknownTicket", "987654")
		as("lilei").get("tickets/987654/flowsteps").refused("UnknownTicket", "987654")
	})

	It("Q6: what a client does wrong is never a fault of the server's", func() {
		ticket := open(2)
		as("admin").post(ticket+"/close", `{nonsense`).refused("BadBody", "JSON")
		as("lilei").post(ticket+"/retreat", `[]`).refused("BadBody", "JSON")
		as("lilei").patch(ticket, `"text"`).refused("BadBody", "JSON")
		as("lilei").patch(ticket+"/fields", ``).refused("BadBody", "empty")
		as("lilei").get("tickets/states").refused("BadParameter", "ticket_ids")
		as("lilei").get("tickets/states?ticket_ids=1,x").refused("BadParameter", "ticket_ids")
		as("lilei").get("tickets?category=all&reverse=perhaps").refused("BadParameter", "reverse")
		as("lilei").get(ticket+"/flowlogs?ticket_data=much").refused("BadParameter", "ticket_data")
		as("lilei").post(ticket+"/retreat", ``).ok()
		as("lilei").post(ticket+"/close", ``).ok()
	})

	It("Q7: an application without the workflow knows nothing of its tickets, whatever is asked", func() {
		ticket := open(2)
		for _, read := range append([]string{"/transitions"}, everyRead...) {
			as("lilei").through("narrow").get(ticket+read).refused("UnknownTicket", idOf(ticket))
		}
		for _, write := range everyWrite {
			as("admin").through("narrow").send(write.method, ticket+write.path, write.body).refused("UnknownTicket", "")
		}
		Expect(as("admin").through("narrow").get("tickets/num_statistics").ok()).To(BeEmpty())
		Expect(as("admin").through("narrow").get("tickets?category=all").ok()).To(keys(Keys{"total": BeEquivalentTo(0)}))
	})

	It("Q8: fields are changed by who may, by name and type, and in the history alone", func() {
		ticket := open(2)
		logs := as("lilei").get(ticket + "/flowlogs").ok().(map[string]any)["total"]
		as("lilei").patch(ticket+"/fields", `{"state_id": 6}`).refused("UnknownKey", "state_id")
		as("lilei").patch(ticket+"/fields", `{"days": 3, "suggestion": "x"}`).refused("UnknownKey", "suggestion")
		as("lilei").patch(ticket+"/fields", `{"days": "many", "mood": "x", "place": "y"}`).refused("UnknownKey", `"mood" is no field of the workflow; "place" is no field of the workflow; invalid fields: days`)
		as("lilei").patch(ticket+"/fields", `{"days": "many"}`).refused("InvalidFields", "days")
		as("wangwu").patch(ticket+"/fields", `{"days": 3}`).refused("NotAllowed", "wangwu")
		as("zhangsan").patch(ticket+"/fields", `{"days": "4", "title": "new title", "reason": null}`).ok()
		Expect(detail(ticket, "lilei")).To(keys(Keys{"title": Equal("new title"), "state_id": BeEquivalentTo(2)}))
		Expect(as("lilei").get(ticket + "/flowlogs").ok()).To(keys(Keys{"total": Equal(logs)}))
	})

	It("Q8: an application that may intervene changes fields without a username, no other does", func() {
		ticket := open(2)
		as("").patch(ticket+"/fields", `{"days": 3}`).refused("NotAllowed", "username")
		as("").through("desk").patch(ticket+"/fields", `{"days": 3}`).ok()
		Expect(detail(ticket, "lilei")).To(keys(Keys{"field_list": ContainElement(keys(Keys{"field_key": Equal("days"), "field_value": BeEquivalentTo(3)}))}))
	})

	It("Q8: the fields of an ended ticket are changed by those who may also reopen it", func() {
		ticket := open(2)
		as("admin").post(ticket+"/close", `{"suggestion": "no more"}`).ok()
		as("lilei").patch(ticket+"/fields", `{"days": 3}`).refused("WrongState", "ended")
		Expect(detail(ticket, "lilei")["field_list"]).To(ContainElement(keys(Keys{"field_key": Equal("days"), "field_value": BeEquivalentTo(2)})))
		as("admin").patch(ticket+"/fields", `{"days": 3}`).ok()
		Expect(detail(ticket, "admin")["field_list"]).To(ContainElement(keys(Keys{"field_key": Equal("days"), "field_value": BeEquivalentTo(3)})))
	})

	It("Q16: a vote is the transition's, however its id is written", func() {
		ticket := opened(as("lilei"), `{"workflow_id": 7, "transition_id": 71}`)
		Expect(detail(ticket, "lilei")).To(keys(Keys{"participant_type_id": BeEquivalentTo(2), "participant": Equal("guiji,wangwu,zhangsan")}))
		as("guiji").patch(ticket, `{"transition_id": "72"}`).ok()
		Expect(detail(ticket, "lilei")["multi_all_person"]).To(MatchJSON(
			`{"guiji": {"transition_id": 72, "transition_name": "同意"}, "wangwu": {}, "zhangsan": {}}`))
		as("wangwu").patch(ticket, `{"transition_id": 72}`).ok()
		item := as("lilei").get("tickets?category=owner&ticket_ids=" + idOf(ticket)).ok().(map[string]any)["value"].([]any)[0]
		Expect(item).To(keys(Keys{"participant_info": keys(Keys{
			"participant": Equal("zhangsan"), "participant_type_id": BeEquivalentTo(2), "participant_type_name": Equal("多人且全部处理"),
			"participant_alias": Equal("轨迹(guiji)已处理:同意;王五(wangwu)已处理:同意;张三(zhangsan)未处理:None"),
		})}))
		as("zhangsan").patch(ticket, `{"transition_id": 72.5}`).refused("BadParameter", "transition_id")
		as("zhangsan").patch(ticket, `{"transition_id": 72.0}`).ok()
		Expect(detail(ticket, "lilei")).To(keys(Keys{"state_id": BeEquivalentTo(73), "participant_type_id": BeEquivalentTo(1), "multi_all_person": Equal("{}")}), "Q45: drawn by lot is one person")
	})

	It("Q20: a ticket that was refused into its end is on nobody's list of what to do", func() {
		ticket := opened(as("lilei"), `{"workflow_id": 7, "transition_id": 71}`)
		listed := "&ticket_ids=" + idOf(ticket)
		Expect(as("wangwu").get("tickets?category=duty" + listed).ok()).To(keys(Keys{"total": BeEquivalentTo(1)}))
		as("guiji").patch(ticket, `{"transition_id": 73}`).ok()
		Expect(detail(ticket, "lilei")).To(keys(Keys{"state_id": BeEquivalentTo(74), "act_state_id": BeEquivalentTo(2)}))
		for _, user := range []string{"guiji", "wangwu", "zhangsan"} {
			Expect(as(user).get("tickets?category=duty"+listed).ok()).To(keys(Keys{"total": BeEquivalentTo(0)}), user)
		}
		Expect(as("lilei").get("tickets?category=owner&is_end=1&is_rejected=1" + listed).ok()).To(keys(Keys{"total": BeEquivalentTo(1)}))
	})

	It("Q23: a parent goes on once the sub-tickets of its state have ended, by force too", func() {
		parent := opened(as("lilei"), `{"workflow_id": 6, "transition_id": 61, "title": "project"}`)
		Expect(detail(parent, "lilei")).To(keys(Keys{"participant_type_id": BeEquivalentTo(1), "participant": Equal("loonrobot")}))
		body := fmt.Sprintf(`{"workflow_id": 4, "transition_id": 41, "parent_ticket_id": %s, "parent_ticket_state_id": "62"}`, idOf(parent))
		first, second := opened(as("lilei"), body), opened(as("lilei"), body)
		Expect(detail(first, "lilei")).To(keys(Keys{"parent_ticket_id": BeEquivalentTo(must(idOf(parent))), "parent_ticket_state_id": BeEquivalentTo(62)}))
		Expect(as("lilei").get("tickets?category=owner&parent_ticket_id=" + idOf(parent)).ok()).To(keys(Keys{"total": BeEquivalentTo(2)}))
		as("lilei").get("tickets?category=owner&parent_ticket_id="+idOf(parent)+",1").refused("BadParameter", "parent_ticket_id is not an id")
		as("guiji").patch(first, `{"transition_id": 42}`).ok()
		Expect(detail(parent, "lilei")).To(keys(Keys{"state_id": BeEquivalentTo(62)}))
		as("admin").post(second+"/close", `{}`).ok()
		Eventually(func() any { return detail(parent, "lilei")["state_id"] }).Should(BeEquivalentTo(63))
		newest := as("lilei").get(parent + "/flowlogs").ok().(map[string]any)["value"].([]any)[0]
		Expect(newest).To(keys(Keys{"participant": Equal("loonrobot"), "suggestion": Equal("所有子工单处理完毕，自动流转"), "transition": keys(Keys{"transition_id": BeEquivalentTo(62)})}))
		as("lilei").post("tickets", fmt.Sprintf(`{"workflow_id": 4, "transition_id": 41, "parent_ticket_id": %s, "parent_ticket_state_id": 42}`, idOf(parent))).
			refused("ParentElsewhere", "42")
	})

	It("Q23: whoever may not look at a parent can hang nothing on it, and is not told that there is one", func() {
		parent := opened(as("lilei"), `{"workflow_id": 6, "transition_id": 61, "title": "project"}`)
		body := `{"workflow_id": 4, "transition_id": 41, "parent_ticket_id": %s, "parent_ticket_state_id": 62}`
		for _, id := range []string{idOf(parent), "987654"} {
			as("zhangsan").post("tickets", fmt.Sprintf(body, id)).refused("UnknownTicket", "parent_ticket_id: there is no such ticket beside this one")
		}
	})

	It("Q24: what is refused leaves nothing behind", func() {
		before := as("lilei").get("tickets?category=owner").ok().(map[string]any)["total"]
		as("lilei").post("tickets", `{"workflow_id": 1, "transition_id": 1, "title": "t", "days": "many"}`).refused("InvalidFields", "days")
		Expect(as("lilei").get("tickets?category=owner").ok()).To(keys(Keys{"total": Equal(before)}))
	})

	It("Q25: serial numbers are never given twice", func() {
		seen := map[string]bool{}
		for range 5 {
			seen[detail(open(1), "lilei")["sn"].(string)] = true
		}
		Expect(seen).To(HaveLen(5))
	})

	It("Q27: a close is logged with the end state, and answered as the release did", func() {
		ticket := open(2)
		Expect(as("admin").post(ticket+"/close", `{"suggestion": "no more"}`).ok()).To(Equal(""))
		Expect(detail(ticket, "lilei")).To(keys(Keys{"act_state_id": BeEquivalentTo(5), "participant_type_id": BeEquivalentTo(0), "participant": Equal("")}))
		Expect(as("lilei").get(ticket + "/flowlogs").ok().(map[string]any)["value"].([]any)[0]).To(keys(Keys{
			"state": keys(Keys{"state_id": BeEquivalentTo(6)}), "suggestion": Equal("强制关闭工单:no more"), "intervene_type_id": BeEquivalentTo(7),
		}))
	})

	It("Q26: a forced state is of the ticket's own workflow, and progress and votes follow it", func() {
		ticket := opened(as("lilei"), `{"workflow_id": 7, "transition_id": 71}`)
		as("guiji").patch(ticket, `{"transition_id": 72}`).ok()
		as("admin").put(ticket+"/state", `{"state_id": 2}`).refused("UnknownState", "state_id: the ticket's workflow has no state with the id 2")
		as("admin").post(ticket+"/close", `{}`).ok()
		Expect(detail(ticket, "lilei")).To(keys(Keys{"act_state_id": BeEquivalentTo(5), "multi_all_person": Equal("{}")}))
		as("admin").put(ticket+"/state", `{"state_id": 72}`).ok()
		Expect(detail(ticket, "lilei")).To(keys(Keys{"act_state_id": BeEquivalentTo(1), "multi_all_person": MatchJSON(`{"guiji": {}, "wangwu": {}, "zhangsan": {}}`)}))
	})

	It("Q29 Q30: only a failed run is retried, and by who is related", func() {
		ticket := opened(as("lilei"), `{"workflow_id": 2, "transition_id": 21}`)
		Eventually(func() any { return detail(ticket, "lilei")["script_run_last_result"] }).Should(BeFalse())
		as("wangwu").post(ticket+"/retry_script", "").refused("NotAllowed", "wangwu")
		as("wangwu").through("desk").post(ticket+"/retry_script", "").refused("NotAllowed", "wangwu")
		as("lilei").post(open(1)+"/retry_script", "").refused("NotRetryable", "lead")
		as("admin").put(ticket+"/state", `{"state_id": 21}`).ok()
		Expect(detail(ticket, "lilei")).To(keys(Keys{"script_run_last_result": BeFalse()}), "it follows the last run")
		as("lilei").post(ticket+"/retry_script", "").refused("NotRetryable", "new")
	})

	It("Q34 Q36: a state that the workflow has no more breaks no log and no list", func() {
		ctx := context.Background()
		w := &v1alpha1.Workflow{}
		name := client.ObjectKey{Namespace: "it", Name: "shared"}
		ticket := opened(as("lilei"), `{"workflow_id": 4, "transition_id": 41}`)
		Expect(k8s.Get(ctx, name, w)).To(Succeed())
		old := w.Spec.DeepCopy()
		w.Spec.States[0].Transitions[0].To = "end"
		w.Spec.States = append(w.Spec.States[:1], w.Spec.States[2:]...)
		Expect(k8s.Update(ctx, w)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(as("lilei").get("workflows/4/states").Data).To(HaveKeyWithValue("total", BeEquivalentTo(2)))
		}).Should(Succeed())
		Expect(detail(ticket, "guiji")).To(keys(Keys{"state_id": BeEquivalentTo(42)}))
		Expect(as("guiji").get("tickets?category=duty&ticket_ids=" + idOf(ticket)).ok()).To(keys(Keys{"value": ConsistOf(keys(Keys{
			"state": keys(Keys{"state_name": Equal("both")}),
		}))}))
		as("guiji").patch(ticket, `{"transition_id": 42}`).ok()
		logs := as("guiji").get(ticket + "/flowlogs").ok().(map[string]any)["value"].([]any)
		Expect(logs[0]).To(keys(Keys{"state": keys(Keys{"state_id": BeEquivalentTo(42), "state_name": Equal("both")})}))
		Expect(k8s.Get(ctx, name, w)).To(Succeed())
		w.Spec = *old
		Expect(k8s.Update(ctx, w)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(as("lilei").get("workflows/4/states").Data).To(HaveKeyWithValue("total", BeEquivalentTo(3)))
		}).Should(Succeed())
	})

	It("Q36: from_admin restricts to what one manages, and page is echoed as asked", func() {
		open(1)
		total := func(query string) any {
			return as("lilei").get("tickets?category=all" + query).ok().(map[string]any)["total"]
		}
		for _, yes := range []string{"1", "true", "anything"} {
			Expect(total("&from_admin=" + yes)).To(BeEquivalentTo(0))
		}
		for _, no := range []string{"0", "False", ""} {
			Expect(total("&from_admin=" + no)).To(Equal(total("")))
		}
		Expect(as("admin").get("tickets?category=all&from_admin=1&creator=lilei&page=9999&per_page=1").ok()).To(keys(Keys{
			"total": BeNumerically(">", 0), "page": BeEquivalentTo(9999), "value": HaveLen(1),
		}))
		Expect(as("admin").get("tickets?category=all&page=-3&per_page=1").ok()).To(keys(Keys{"page": BeEquivalentTo(-3), "value": HaveLen(1)}))
	})

	It("Q37: states of several tickets are told of those that one may see", func() {
		mine, closed := open(1), open(1)
		as("admin").delete(closed).ok()
		asked := "tickets/states?ticket_ids=" + idOf(mine) + "," + idOf(closed) + ",987654"
		Expect(as("lilei").get(asked).ok()).To(And(HaveLen(1), HaveKey(idOf(mine))))
		Expect(as("wangwu").get(asked).ok()).To(BeEmpty())
		Expect(as("lilei").through("narrow").get(asked).ok()).To(BeEmpty())
	})

	It("Q38: a hook's address and token are shown nowhere", func() {
		ticket := openHooked()
		for _, path := range []string{"workflows/5/states", "workflows/states/52", ticket, ticket + "/participant_info", ticket + "/flowlogs?ticket_data=1"} {
			Expect(fmt.Sprint(as("lilei").get(path).ok())).NotTo(Or(ContainSubstring("127.0.0.1"), ContainSubstring("own-token"), ContainSubstring("tokenSecretRef")), path)
		}
	})

	It("Q39: statistics keep to their dates", func() {
		open(1)
		Expect(as("admin").get("tickets/num_statistics?start_date=2018-04-10&end_date=2018-04-11").ok()).To(BeEmpty())
		Expect(as("admin").get("tickets/num_statistics?start_date=2018-04-10").ok()).NotTo(BeEmpty())
	})

	It("Q40: a comment is kept whole or refused", func() {
		ticket, long := open(1), strings.Repeat("长", 10_000)
		as("lilei").post(ticket+"/comments", `{"suggestion": "`+long+`"}`).ok()
		Expect(as("lilei").get(ticket + "/flowlogs").ok().(map[string]any)["value"].([]any)[0]).To(keys(Keys{"suggestion": Equal(long)}))
		as("lilei").post(ticket+"/comments", `{"suggestion": "`+long+`!"}`).refused("TooLarge", "suggestion")
	})

	It("Q43: an application reads a workflow's parts by its signature", func() {
		for _, part := range []string{"", "/transitions", "/custom_fields"} {
			as("lilei").get("workflows/1" + part).ok()
		}
	})

	It("Q46: required is present and not empty, and a suggestion is no field", func() {
		as("lilei").post("tickets", `{"workflow_id": 1, "transition_id": 1, "title": "", "days": null}`).refused("MissingFields", "title, days")
		as("lilei").patch(open(1), `{"transition_id": 3}`).refused("NotParticipant", "lilei")
		as("lilei").patch(open(1), `{"transition_id": 987654}`).refused("NotParticipant", "lilei")
		as("zhangsan").patch(open(1), `{"transition_id": 1}`).
			refused("UnknownTransition", `transition_id: the ticket's state "发起人tl-审批中" has no transition with the id 1; it has 3 (同意), 4 (退回)`)
		as("zhangsan").patch(open(1), `{"transition_id": 987654}`).refused("UnknownTransition", "no transition with the id 987654; it has 3 (同意), 4 (退回)")
		as("admin").put(open(1)+"/state", `{"state_id": 987654}`).refused("UnknownState", "state_id: the ticket's workflow has no state with the id 987654")
	})

	It("Q47: what is not set is null in a log's data", func() {
		ticket := open(1)
		Expect(as("lilei").get(ticket + "/flowlogs?ticket_data=1").ok().(map[string]any)["value"].([]any)[0]).To(keys(Keys{
			"ticket_data": keys(Keys{"days": BeEquivalentTo(1), "reason": BeNil(), "title": Equal("vpn申请"), "act_state_id": BeEquivalentTo(1)}),
		}))
	})

	It("Q50 Q41: who has nothing to do with a ticket reads nothing of it and says nothing on it", func() {
		ticket := open(2)
		for _, read := range everyRead {
			as("wangwu").get(ticket+read).refused("NotAllowed", "wangwu")
		}
		as("wangwu").post(ticket+"/comments", `{"suggestion": "x"}`).refused("NotAllowed", "wangwu")
		Expect(as("wangwu").get("tickets?category=all&ticket_ids=" + idOf(ticket)).ok()).To(keys(Keys{"total": BeEquivalentTo(0)}))
	})

	It("Q51: a username in a body is not in the way", func() {
		as("lilei").post(open(1)+"/comments", `{"suggestion": "x", "username": "lilei"}`).ok()
		as("lilei").post(open(1)+"/comments", `{"suggestion": "x", "user": "lilei"}`).refused("UnknownKey", "user")
	})
})

func must(id string) int {
	GinkgoHelper()
	n, err := strconv.Atoi(id)
	Expect(err).NotTo(HaveOccurred())
	return n
}
