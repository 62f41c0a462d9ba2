// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	. "github.com/onsi/gomega/gstruct"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// openHooked opens a ticket that waits for a hook and answers its path.
func openHooked() string {
	GinkgoHelper()
	id := as("lilei").post("tickets", `{"workflow_id": 5, "transition_id": 51, "title": "hooked"}`).ok().(map[string]any)["ticket_id"]
	return fmt.Sprintf("tickets/%v", id)
}

// hookSigned is a caller without an application, who signs with a token.
func hookSigned(token string) caller {
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	sum := md5.Sum([]byte(timestamp + token))
	return caller{}.with("timestamp", timestamp).with("signature", hex.EncodeToString(sum[:]))
}

var _ = Describe("Deleting a ticket", func() {
	It("is for admins, and leaves nothing to be found", func() {
		ticket := open(3)
		as("lilei").delete(ticket).refused("NotAllowed", "lilei")
		Expect(as("admin").delete(ticket).ok()).To(BeEmpty())
		as("lilei").get(ticket).refused("UnknownTicket", strings.TrimPrefix(ticket, "tickets/"))
		Expect(as("admin").get("tickets?category=all&ticket_ids=" + strings.TrimPrefix(ticket, "tickets/")).ok()).To(keys(Keys{"total": BeEquivalentTo(0)}))
		as("admin").delete(ticket).refused("UnknownTicket", "no ticket")
	})
})

var _ = Describe("A hook's call-back", func() {
	It("moves the ticket on and sets fields, once", func() {
		ticket := openHooked()
		Expect(detail(ticket, "lilei")).To(keys(Keys{"participant_type_id": BeEquivalentTo(10), "participant": Equal("***"), "state_id": BeEquivalentTo(52)}))
		Expect(as("").post(ticket+"/hook_call_back", `{"result": true, "msg": "made", "field_value": {"note": "as asked"}}`).ok()).To(BeEmpty())
		Expect(detail(ticket, "guiji")).To(keys(Keys{"state_id": BeEquivalentTo(53), "participant": Equal("guiji")}))
		as("").post(ticket+"/hook_call_back", `{"result": true}`).refused("NotWaitingForHook", "check")
		newest := as("guiji").get(ticket + "/flowlogs?ticket_data=1").ok().(map[string]any)["value"].([]any)[0]
		Expect(newest).To(keys(Keys{
			"participant": Equal("loonrobot"), "suggestion": Equal("made"), "intervene_type_id": BeEquivalentTo(0),
			"transition": keys(Keys{"transition_id": BeEquivalentTo(52)}), "ticket_data": keys(Keys{"note": Equal("as asked"), "level": BeNil()}),
		}))
	})

	It("comes after a call whose log tells what was sent and what became of it", func() {
		logs := openHooked() + "/flowlogs?ticket_data=1"
		Eventually(func() any { return as("lilei").get(logs).ok().(map[string]any)["value"] }).Should(ContainElement(keys(Keys{
			"participant": Equal("hook"), "suggestion": ContainSubstring("not on the manager's --allow-hosts"),
			"ticket_data": keys(Keys{"title": Equal("hooked"), "extra_info": HaveKeyWithValue("room", "12")}),
		})))
	})

	It("tells of a failure and leaves the ticket waiting", func() {
		ticket := openHooked()
		as("").post(ticket+"/hook_call_back", `{"result": null}`).ok()
		as("").post(ticket+"/hook_call_back", `{"result": false, "msg": "no machine"}`).ok()
		Expect(detail(ticket, "lilei")).To(keys(Keys{"state_id": BeEquivalentTo(52), "script_run_last_result": BeFalse()}))
		logs := as("lilei").get(ticket + "/flowlogs").ok().(map[string]any)["value"].([]any)
		Expect(logs).To(ContainElement(keys(Keys{
			"intervene_type_id": BeEquivalentTo(9), "participant": Equal("hook"), "participant_type_id": BeEquivalentTo(10), "suggestion": Equal("no machine"),
			"transition": keys(Keys{"transition_name": Equal("hook操作"), "transition_id": BeEquivalentTo(0)}),
		})))
	})

	It("is taken by the hook's own token, on its own ticket alone", func() {
		ticket := openHooked()
		hookSigned("another-token").post(ticket+"/hook_call_back", `{"result": true}`).refused("BadSignature", "hook")
		hookSigned("the-hooks-own-token").post(open(2)+"/hook_call_back", `{"result": true}`).refused("BadSignature", "hook")
		hookSigned("the-hooks-own-token").post("tickets/987654/hook_call_back", `{"result": true}`).refused("BadSignature", "hook")
		hookSigned("the-hooks-own-token").post(ticket+"/comments", `{"suggestion": "x"}`).refused("MissingCredentials", "appname")
		hookSigned("the-hooks-own-token").post(ticket+"/hook_call_back", `{"result": true}`).ok()
		Expect(detail(ticket, "guiji")).To(keys(Keys{"state_id": BeEquivalentTo(53)}))
	})

	It("does not count for the hook of the next state, however many come at once", func() {
		ticket := opened(as("lilei"), `{"workflow_id": 8, "transition_id": 81}`)
		var calls sync.WaitGroup
		for range 10 {
			calls.Go(func() {
				defer GinkgoRecover()
				hookSigned("the-hooks-own-token").post(ticket+"/hook_call_back", `{"result": true}`)
			})
		}
		calls.Wait()
		Expect(detail(ticket, "lilei")).To(keys(Keys{"state_id": BeEquivalentTo(83)}))
		hookSigned("the-second-hooks-token").post(ticket+"/hook_call_back", `{"result": true}`).ok()
	})

	It("is refused with a reason where it is not right", func() {
		ticket := openHooked()
		as("").post(ticket+"/hook_call_back", ``).refused("BadBody", "empty")
		as("").post(ticket+"/hook_call_back", `{"result": "perhaps"}`).refused("BadParameter", "result")
		as("").post(ticket+"/hook_call_back", `{"field_value": [1]}`).refused("BadParameter", "field_value")
		as("").post(ticket+"/hook_call_back", `{"field_value": {"note": {}}}`).refused("InvalidFields", "note")
		as("").through("narrow").post(ticket+"/hook_call_back", `{"result": true}`).refused("UnknownTicket", "no ticket")
	})
})

var _ = Describe("Statistics", func() {
	It("count the tickets of workflows that one manages, by day", func() {
		openHooked()
		today := time.Now().In(zone).Format(time.DateOnly)
		Expect(as("guiji").get("tickets/num_statistics").ok()).To(ConsistOf(keys(Keys{
			"day": Equal(today), "type": Equal("hooked"), "count": BeNumerically(">", 0),
		})))
		Expect(as("guiji").get("tickets/num_statistics?start_date="+today+"&end_date="+today).ok()).To(HaveLen(1), "both days count")
		Expect(as("guiji").get("tickets/num_statistics?end_date=2018-04-10").ok()).To(BeEmpty())
		Expect(as("lilei").get("tickets/num_statistics").ok()).To(BeEmpty())
		as("guiji").get("tickets/num_statistics?start_date=yesterday").refused("BadParameter", "start_date is not a date like 2018-04-10")
	})
})

var _ = Describe("The parts of a workflow", func() {
	It("name departments by their ids, and 0 where there is none", func(ctx SpecContext) {
		w, department := &v1alpha1.Workflow{}, &v1alpha1.Department{}
		name := client.ObjectKey{Namespace: "it", Name: "hooked"}
		Expect(k8s.Get(ctx, client.ObjectKey{Name: "operations"}, department)).To(Succeed())
		Expect(k8s.Get(ctx, name, w)).To(Succeed())
		old := w.Spec.DeepCopy()
		w.Spec.States[2].Participants = &v1alpha1.Participants{Departments: []v1alpha1.ObjectName{"operations", "nowhere"}}
		Expect(k8s.Update(ctx, w)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(k8s.Get(ctx, name, w)).To(Succeed())
			w.Spec = *old
			Expect(k8s.Update(ctx, w)).To(Succeed())
			Eventually(func() any { return as("lilei").get("workflows/states/53").ok() }).Should(keys(Keys{"participant": Equal("guiji")}))
		})
		ids := Equal(fmt.Sprintf("%d,0", department.Status.ID))
		Eventually(func() any { return as("lilei").get("workflows/5/states").ok() }).Should(keys(Keys{"value": ContainElement(keys(Keys{
			"participant_info": keys(Keys{"participant_type_id": BeEquivalentTo(3), "participant": ids, "participant_alias": Equal("运维部,未知")}),
		}))}))
		Expect(as("lilei").get("workflows/states/53").ok()).To(keys(Keys{"participant": ids, "participant_type_id": BeEquivalentTo(3)}))
	})

	It("are shown to the applications that it is for", func() {
		Expect(as("").get("workflows/5").ok()).To(keys(Keys{
			"name": Equal("hooked"), "notices": Equal("7"), "view_permission_check": BeTrue(), "creator": Equal("admin"),
			"limit_expression": And(ContainSubstring(`"period":24`), ContainSubstring(`"level":2`), ContainSubstring(`"allow_persons":"lilei,guiji"`), MatchRegexp(`"allow_depts":"\d+,\d+"`)),
		}))
		transitions := as("").get("workflows/5/transitions").ok().(map[string]any)
		Expect(transitions["value"]).To(HaveExactElements(
			keys(Keys{"id": BeEquivalentTo(51), "name": Equal("提交"), "transition_type_id": BeEquivalentTo(1), "source_state_id": BeEquivalentTo(51), "field_require_check": BeTrue(),
				"destination_state_info": keys(Keys{"id": BeEquivalentTo(52), "name": Equal("called")}), "condition_expression": Equal(`[{"expression":"has(fields.level) && fields.level > 3","target_state_id":54}]`)}),
			keys(Keys{"id": BeEquivalentTo(52)}), keys(Keys{"id": BeEquivalentTo(53)}),
			keys(Keys{"id": BeEquivalentTo(54), "transition_type_id": BeEquivalentTo(2), "timer": BeEquivalentTo(86400), "condition_expression": Equal("[]")}),
		))
		Expect(as("lilei").get("workflows/5/custom_fields?search_value=" + "备注").ok()).To(keys(Keys{"value": ConsistOf(keys(Keys{
			"id": BeEquivalentTo(51), "field_key": Equal("note"), "field_type_id": BeEquivalentTo(5), "workflow_id": BeEquivalentTo(5), "default_value": BeNil(),
		}))}))
		for _, part := range []string{"", "/transitions", "/custom_fields", "/states", "/init_state"} {
			as("lilei").through("narrow").get("workflows/5"+part).refused("UnknownWorkflow", "5")
		}
		as("").get("workflows/5/custom_fields").refused("MissingCredentials", "username")
	})

	It("are listed for whoever manages the workflow", func() {
		Expect(as("guiji").get("workflows/user_admin").ok()).To(ConsistOf(keys(Keys{"id": BeEquivalentTo(5), "content_template": Equal("{title}")})))
		Expect(as("guiji").get("workflows?from_admin=1").ok()).To(keys(Keys{"total": BeEquivalentTo(1)}))
		Expect(as("lilei").get("workflows/user_admin").ok()).To(BeEmpty())
		as("").get("workflows?from_admin=1").refused("MissingCredentials", "username")
		as("").get("workflows?from_admin=0").ok()
	})
})

var _ = Describe("The reads for administrators", func() {
	paths := []string{"accounts/users", "accounts/roles", "accounts/depts", "accounts/app_token", "workflows/run_scripts", "workflows/custom_notices"}

	It("are refused to everybody else", func() {
		for _, path := range paths {
			as("guiji").get(path).refused("NotAllowed", "guiji")
			as("").get(path).refused("MissingCredentials", "username")
		}
	})

	It("show the directory, and no token", func() {
		for _, path := range paths {
			found := as("admin").get(path).ok()
			Expect(found).To(keys(Keys{"total": BeNumerically(">", 0), "page": BeEquivalentTo(1), "per_page": BeEquivalentTo(10)}))
			Expect(fmt.Sprint(found)).NotTo(Or(ContainSubstring("sample-token"), ContainSubstring("own-token"), ContainSubstring("key=secret"), ContainSubstring("pass@")))
		}
		users := as("admin").get("accounts/users?search_value=guiji").ok().(map[string]any)["value"].([]any)
		Expect(users).To(ConsistOf(keys(Keys{
			"alias": Equal("轨迹"), "is_active": BeTrue(), "is_admin": BeFalse(), "is_workflow_admin": BeTrue(), "dept_info": keys(Keys{"dept_name": Equal("运维部")}),
		})))
		user := fmt.Sprint(users[0].(map[string]any)["id"])
		roles := as("admin").get("accounts/users/" + user + "/roles").ok().(map[string]any)["value"].([]any)
		Expect(roles).To(ConsistOf(keys(Keys{"name": Equal("运维")})))
		Expect(as("admin").get(fmt.Sprintf("accounts/roles/%v/users", roles[0].(map[string]any)["id"])).ok()).To(keys(Keys{"total": BeEquivalentTo(2)}))
		Expect(as("admin").get("workflows/custom_notices").ok()).To(keys(Keys{"value": ConsistOf(keys(Keys{
			"id": BeEquivalentTo(7), "name": Equal("WeCom"), "hook_url": Equal("https://wecom.example/send"), "hook_token": Equal("***"),
		}))}))
		Expect(as("admin").get("accounts/app_token?search_value=strong").ok()).To(keys(Keys{"value": ConsistOf(keys(Keys{
			"app_name": Equal("strong"), "workflow_ids": Equal("1,5"), "token": Equal("***"),
		}))}))
		as("admin").get("accounts/users/987654/roles").refused("BadParameter", "user_id")
	})
})
