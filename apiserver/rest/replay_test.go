// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"fmt"
	"io"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	. "github.com/onsi/gomega/gstruct"
)

// dataOf is ticket_data of a ticket's logs, oldest first.
func dataOf(ticket, user string) []any {
	GinkgoHelper()
	logs := as(user).get(ticket + "/flowlogs?ticket_data=1&per_page=100").ok().(map[string]any)["value"].([]any)
	out := make([]any, len(logs))
	for i, log := range logs {
		out[len(logs)-1-i] = log.(map[string]any)["ticket_data"]
	}
	return out
}

var _ = Describe("A time that says its zone", func() {
	It("is that of the clock on the server's wall, whoever decides about it", func() {
		at := func(ticket string) any {
			GinkgoHelper()
			for _, field := range detail(ticket, "lilei")["field_list"].([]any) {
				if field := field.(map[string]any); field["field_key"] == "at" {
					return field["field_value"]
				}
			}
			return nil
		}
		ticket := opened(as("lilei"), `{"workflow_id": 12, "transition_id": 121, "at": "2026-05-15T17:39:33Z"}`)
		Expect(at(ticket)).To(Equal("2026-05-16 01:39:33"))
		as("lilei").patch(ticket, `{"transition_id": 122, "at": "2026-05-15T19:00:00.000Z"}`).ok()
		Expect(at(ticket)).To(Equal("2026-05-16 03:00:00"))
		as("lilei").patch(ticket, `{"transition_id": 122, "at": "2026-05-16 04:00"}`).ok()
		Expect(at(ticket)).To(Equal("2026-05-16 04:00:00"))
		as("lilei").patch(ticket, `{"transition_id": 122, "at": "2026-05-15T15:00:00Z"}`).refused("InvalidFields", "at")
	})
})

var _ = Describe("What clients of the older system know", func() {
	It("has in a log's data the whole record as it then was", func() {
		ticket := opened(as("lilei"), `{"workflow_id": 7, "transition_id": 71, "who": ["lilei", "guiji"]}`)
		as("guiji").patch(ticket, `{"transition_id": 72}`).ok()
		as("wangwu").post(ticket+"/deliver", `{"target_username": "admin"}`).ok()
		as("admin").put(ticket+"/state", `{"state_id": 73}`).ok()
		drawn := detail(ticket, "lilei")["participant"].(string)
		as(drawn).post(ticket+"/add_node", `{"target_username": "zhangsan"}`).ok()

		data := dataOf(ticket, "lilei")
		record := detail(ticket, "lilei")
		for _, key := range []string{"field_list", "creator_info", "state_info"} {
			delete(record, key)
		}
		record["note"], record["who"], record["gmt_modified"] = nil, "lilei,guiji", data[4].(map[string]any)["gmt_modified"]
		Expect(data[4]).To(Equal(record), "after the last entry it is what it is now")
		Expect(data[0]).To(keys(Keys{
			"relation": Equal("lilei,guiji,wangwu,zhangsan"), "multi_all_person": MatchJSON(`{"guiji": {}, "wangwu": {}, "zhangsan": {}}`),
			"in_add_node": BeFalse(), "add_node_man": Equal(""), "script_run_last_result": BeTrue(),
		}))
		Expect(data[1]).To(keys(Keys{
			"participant":      Equal("wangwu,zhangsan"),
			"multi_all_person": MatchJSON(`{"guiji": {"transition_id": 72, "transition_name": "同意"}, "wangwu": {}, "zhangsan": {}}`),
		}))
		Expect(data[2]).To(keys(Keys{"relation": Equal("lilei,guiji,wangwu,zhangsan,admin"), "participant": Equal("admin,zhangsan")}))
		Expect(data[3]).To(keys(Keys{"state_id": BeEquivalentTo(73), "multi_all_person": Equal("{}"), "act_state_id": BeEquivalentTo(1)}))
		Expect(data[4]).To(keys(Keys{"in_add_node": BeTrue(), "add_node_man": Equal(drawn)}))
	})

	It("has in a log's data whether the last run failed", func() {
		ticket := opened(as("lilei"), `{"workflow_id": 2, "transition_id": 21}`)
		Eventually(func() any { return detail(ticket, "lilei")["script_run_last_result"] }).Should(BeFalse())
		Expect(dataOf(ticket, "lilei")).To(HaveExactElements(
			keys(Keys{"script_run_last_result": BeTrue()}), keys(Keys{"script_run_last_result": BeFalse()}),
		))
	})

	It("gives a state that waits for sub-tickets to the robot", func() {
		ticket := opened(as("lilei"), `{"workflow_id": 6, "transition_id": 61}`)
		Expect(as("lilei").get(ticket + "/participant_info").ok()).To(Equal(map[string]any{
			"participant_username_list": []any{"loonrobot"}, "participant_info_list": []any{},
		}))
	})

	It("has a parent gone on by the time that the end of its last sub-ticket is answered", func() {
		for range 5 {
			parent := opened(as("lilei"), `{"workflow_id": 6, "transition_id": 61}`)
			child := opened(as("lilei"), fmt.Sprintf(`{"workflow_id": 4, "transition_id": 41, "parent_ticket_id": %s, "parent_ticket_state_id": 62}`, idOf(parent)))
			as("guiji").patch(child, `{"transition_id": 42}`).ok()
			Expect(detail(parent, "lilei")).To(keys(Keys{"state_id": BeEquivalentTo(63)}))
			Expect(as("lilei").get("tickets?category=duty&ticket_ids=" + idOf(parent)).ok()).To(keys(Keys{"total": BeEquivalentTo(1)}))
		}
	})

	It("shows choices in the order in which the workflow has them", func() {
		response := as("lilei").ask(http.MethodGet, "workflows/5/custom_fields", "")
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(text)).To(ContainSubstring(`"field_choice":{"s":"small","l":"l","10":"10","9":"9"}`))
	})

	It("answers HEAD as it answers GET, without the body", func() {
		ask := func(method, path string) *http.Response {
			response := as("lilei").ask(method, path, "")
			Expect(response.Body.Close()).To(Succeed())
			return response
		}
		head, get := ask(http.MethodHead, "workflows/1/init_state"), ask(http.MethodGet, "workflows/1/init_state")
		Expect(head).To(HaveHTTPStatus(http.StatusOK))
		Expect(head.ContentLength).To(And(BeNumerically(">", 0), Equal(get.ContentLength)))
		Expect(ask(http.MethodHead, "tickets/1/accept")).To(HaveHTTPStatus(http.StatusMethodNotAllowed))
	})

	It("names a script by its file everywhere, as its logs do", func() {
		ticket := opened(as("lilei"), `{"workflow_id": 2, "transition_id": 21}`)
		Expect(as("lilei").get("tickets?category=owner&ticket_ids=" + idOf(ticket)).ok()).To(keys(Keys{"value": ConsistOf(keys(Keys{
			"participant_info": keys(Keys{"participant_type_id": BeEquivalentTo(6), "participant_alias": Equal("脚本:breaks.sh")}),
		}))}))
		Expect(as("lilei").get("workflows/2/states").ok()).To(keys(Keys{"value": ContainElement(keys(Keys{
			"id": BeEquivalentTo(22), "participant_info": keys(Keys{"participant_alias": Equal("breaks.sh")}),
		}))}))
		Expect(as("admin").get("workflows/run_scripts?search_value=breaks.sh").ok()).To(keys(Keys{"value": ConsistOf(keys(Keys{
			"name": Equal("breaks.sh"), "saved_name": Equal("breaks.sh"),
		}))}))
		Eventually(func() any { return as("lilei").through("old").get(ticket + "/flowlogs").ok().(map[string]any)["value"] }).Should(ContainElement(keys(Keys{
			"participant": MatchRegexp(`^脚本:\(id:\d+, name:breaks\.sh\)$`),
		})))
	})

	It("has the record of a close from before it, and what follows from after", func() {
		ticket := open(1)
		as("admin").post(ticket+"/close", `{"suggestion": "no more"}`).ok()
		as("lilei").post(ticket+"/comments", `{"suggestion": "a pity"}`).ok()
		Expect(dataOf(ticket, "lilei")).To(HaveExactElements(
			keys(Keys{"state_id": BeEquivalentTo(2), "participant": Equal("zhangsan"), "act_state_id": BeEquivalentTo(1)}),
			keys(Keys{"state_id": BeEquivalentTo(2), "participant": Equal("zhangsan"), "act_state_id": BeEquivalentTo(1)}),
			keys(Keys{"state_id": BeEquivalentTo(6), "participant": Equal(""), "act_state_id": BeEquivalentTo(5)}),
		))
	})

	It("says of a state whose people a field names which field, and calls nobody by its name", func() {
		info := func(kind int, fields string) any {
			return keys(Keys{"participant_info": Equal(map[string]any{
				"participant_type_id": float64(kind), "participant": fields, "participant_name": fields,
				"participant_type_name": "", "participant_alias": "",
			})})
		}
		Expect(as("lilei").get("workflows/9/states").ok()).To(keys(Keys{"value": ContainElements(info(7, "who,creator"), info(8, "who"))}))
	})

	It("reads what a form says twice as a list", func() {
		form := as("lilei").with("Content-Type", "application/x-www-form-urlencoded")
		ticket := opened(form, "workflow_id=7&transition_id=71&who=wangwu&who=guiji")
		Expect(dataOf(ticket, "lilei")).To(HaveExactElements(keys(Keys{"who": Equal("wangwu,guiji")})))
		form.post("tickets", "workflow_id=7&workflow_id=1&transition_id=71").refused("BadParameter", "workflow_id")
		form.post(ticket+"/comments", "suggestion=a&suggestion=b").refused("BadParameter", "suggestion")
	})

	It("reads a text that was left blank as the empty text, and one that was never sent as null", func() {
		values := func(ticket string) map[string]any {
			out := map[string]any{}
			for _, field := range detail(ticket, "zhangsan")["field_list"].([]any) {
				out[field.(map[string]any)["field_key"].(string)] = field.(map[string]any)["field_value"]
			}
			return out
		}
		blank := opened(as("lilei"), `{"workflow_id": 1, "transition_id": 1, "title": "t", "days": 1, "region": "", "reason": ""}`)
		Expect(values(blank)).To(HaveKeyWithValue("reason", ""))
		Expect(dataOf(blank, "lilei")).To(HaveExactElements(keys(Keys{"region": Equal(""), "reason": Equal("")})))
		as("lilei").patch(blank+"/fields", `{"reason": null}`).ok()
		Expect(values(blank)).To(HaveKeyWithValue("reason", BeNil()))
		unset := opened(as("lilei"), `{"workflow_id": 1, "transition_id": 1, "title": "t", "days": 1}`)
		Expect(values(unset)).To(HaveKeyWithValue("reason", BeNil()))

		several := opened(as("lilei"), `{"workflow_id": 7, "transition_id": 71, "who": []}`)
		Expect(dataOf(several, "lilei")).To(HaveExactElements(keys(Keys{"who": Equal("")})))
	})

	It("shows what notices say where a workflow says nothing of it", func() {
		templates := func(name string) any {
			return as("admin").get("workflows?name=" + name).ok().(map[string]any)["value"].([]any)[0]
		}
		Expect(templates("votes")).To(keys(Keys{
			"title_template": Equal("你有一个待办工单:{title}"), "content_template": Equal("标题:{title}, 创建时间:{gmt_created}"),
		}))
		Expect(templates("hooked")).To(keys(Keys{"title_template": Equal("待办: {title}"), "content_template": Equal("{title}")}))
	})

	It("shows labels of departments and roles as the texts that they were", func() {
		labelled := func(path string) any {
			return as("admin").get(path).ok().(map[string]any)["value"].([]any)[0].(map[string]any)["label"]
		}
		Expect(labelled("accounts/depts?search_value=b-1")).To(Equal(`{"ext":"b-1"}`))
		Expect(labelled("accounts/roles?search_value=审计")).To(Equal(`{"ext":"a-1"}`))
		Expect(labelled("accounts/roles?search_value=运维")).To(Equal("{}"))
		Expect(detail(open(1), "lilei")).To(keys(Keys{"creator_info": keys(Keys{"dept_info": keys(Keys{"label": Equal("")})})}))
	})
})
