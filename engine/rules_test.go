// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/engine/enginetest"
)

// atOps brings a ticket to two people of operations, one of whom must claim it.
func atOps(t *testing.T) *walker {
	t.Helper()
	w := newWalker(t, vpn).mustOpen("submit", v1alpha1.JSONObject{"days": int64(2)})
	return w.must("zhangsan", take("approve")).at("ops", "guiji,wangwu")
}

// atBoard brings a ticket to three people who all vote.
func atBoard(t *testing.T) *walker {
	t.Helper()
	w := newWalker(t, vpn).mustOpen("submit", v1alpha1.JSONObject{"days": int64(9)})
	return w.must("zhangsan", take("approve")).at("board", "b1,b2,b3")
}

// by is an action on somebody's word.
func by(a v1alpha1.TicketAction, who v1alpha1.RequestedBy) v1alpha1.TicketAction {
	a.By = who
	return a
}

func TestRefusals(t *testing.T) {
	to := func(kind v1alpha1.ActionType, target v1alpha1.UserName) v1alpha1.TicketAction {
		return v1alpha1.TicketAction{Type: kind, Target: target}
	}
	cases := map[string]struct {
		actor  v1alpha1.UserName
		action v1alpha1.TicketAction
		want   engine.Reason
	}{
		"who is not a participant cannot handle":                  {"lilei", take("done"), engine.ReasonNotParticipant},
		"of several participants one must claim first":            {"guiji", take("done"), engine.ReasonAcceptFirst},
		"who is not a participant cannot claim":                   {"lilei", do(v1alpha1.ActionAccept), engine.ReasonNotParticipant},
		"a reserved name never acts":                              {"loonrobot", take("done"), engine.ReasonUnknownUser},
		"an unknown user never acts":                              {"stranger", take("done"), engine.ReasonUnknownUser},
		"who has left never acts":                                 {"gone", take("done"), engine.ReasonUnknownUser},
		"an unknown application vouches for nobody":               {"guiji", by(take("done"), v1alpha1.RequestedBy{Application: "ghost"}), engine.ReasonUnknownApplication},
		"an application without the workflow knows no ticket":     {"guiji", by(take("done"), v1alpha1.RequestedBy{Application: "narrow"}), engine.ReasonUnknownTicket},
		"a Kubernetes user is nobody else":                        {"guiji", by(take("done"), v1alpha1.RequestedBy{User: "oidc:lilei"}), engine.ReasonNotAllowed},
		"who has nothing to do with it cannot comment":            {"other", do(v1alpha1.ActionComment), engine.ReasonNotAllowed},
		"a state cannot be forced by who is no admin":             {"guiji", v1alpha1.TicketAction{Type: v1alpha1.ActionSetState, State: "end"}, engine.ReasonNotAllowed},
		"an unknown state cannot be forced":                       {"admin", v1alpha1.TicketAction{Type: v1alpha1.ActionSetState, State: "moon"}, engine.ReasonUnknownState},
		"nothing can be delivered to an unknown user":             {"guiji", to(v1alpha1.ActionDeliver, "stranger"), engine.ReasonUnknownUser},
		"nothing can be delivered to who has left":                {"guiji", to(v1alpha1.ActionDeliver, "gone"), engine.ReasonUnknownUser},
		"nothing can be delivered to a reserved name":             {"guiji", to(v1alpha1.ActionDeliver, "hook"), engine.ReasonUnknownUser},
		"an end of add_node needs a beginning":                    {"guiji", do(v1alpha1.ActionEndAddSigner), engine.ReasonNotInAddNode},
		"only the creator retreats":                               {"guiji", do(v1alpha1.ActionRetreat), engine.ReasonNotCreator},
		"a state that does not allow it is not retreated from":    {"lilei", do(v1alpha1.ActionRetreat), engine.ReasonNotRetreatable},
		"who is no admin does not close a ticket under way":       {"lilei", do(v1alpha1.ActionClose), engine.ReasonNotAllowed},
		"without a failed script there is nothing to retry":       {"lilei", do(v1alpha1.ActionRetryScript), engine.ReasonNotRetryable},
		"a hook is not called back where none is waited for":      {"guiji", do(v1alpha1.ActionHookCallback), engine.ReasonNotWaitingForHook},
		"an unknown key is refused among fields":                  {"lilei", v1alpha1.TicketAction{Type: v1alpha1.ActionSetFields, Fields: v1alpha1.JSONObject{"state_id": int64(1)}}, engine.ReasonUnknownKey},
		"a wrong value is refused among fields":                   {"lilei", v1alpha1.TicketAction{Type: v1alpha1.ActionSetFields, Fields: v1alpha1.JSONObject{"days": "many"}}, engine.ReasonInvalidFields},
		"a comment that is too long is refused, never cut":        {"lilei", v1alpha1.TicketAction{Type: v1alpha1.ActionComment, Comment: strings.Repeat("长", 10_001)}, engine.ReasonTooLarge},
		"a ticket is not deleted by who is no admin":              {"lilei", do(v1alpha1.ActionDelete), engine.ReasonNotAllowed},
		"delivering as an administrator is for administrators":    {"guiji", v1alpha1.TicketAction{Type: v1alpha1.ActionDeliver, Target: "lilei", AsAdministrator: true}, engine.ReasonNotAllowed},
		"a transition that means another state is not taken here": {"guiji", v1alpha1.TicketAction{Type: v1alpha1.ActionTransition, Transition: "done", FromState: "lead"}, engine.ReasonAcceptFirst},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := atOps(t)
			before := w.s
			refusal := w.try(tc.actor, tc.action)
			if refusal == nil || refusal.Reason != tc.want {
				t.Fatalf("got %v, want %s", refusal, tc.want)
			}
			if refusal.Message == "" {
				t.Error("the refusal does not say what it is about")
			}
			if diff := cmp.Diff(before, w.s); diff != "" {
				t.Errorf("a refusal changed the ticket (-before +after):\n%s", diff)
			}
		})
	}
}

func TestATransitionOfAnotherStateIsUnknown(t *testing.T) {
	w := atOps(t).must("guiji", do(v1alpha1.ActionAccept))
	for _, action := range []v1alpha1.TicketAction{take("approve"), take("#9"), {Type: v1alpha1.ActionTransition, Transition: "done", FromState: "lead"}} {
		if r := w.try("guiji", action); r == nil || r.Reason != engine.ReasonUnknownTransition {
			t.Errorf("%+v: got %v, want UnknownTransition", action, r)
		}
	}
	if r := w.try("guiji", take("approve")); r == nil || r.Message != `state "ops" has no transition "approve"; it has done, escalate` {
		t.Errorf("got %v, want what there is", r)
	}
}

func TestTheFieldsOfAnEndedTicketAreForThoseWhoMayReopenIt(t *testing.T) {
	change := v1alpha1.TicketAction{Type: v1alpha1.ActionSetFields, Fields: v1alpha1.JSONObject{"days": int64(9)}}
	cases := map[string]struct {
		actor  v1alpha1.UserName
		action v1alpha1.TicketAction
		want   engine.Reason
	}{
		"not for the creator":                   {"lilei", change, engine.ReasonWrongState},
		"not for who handled it":                {"guiji", change, engine.ReasonNotAllowed},
		"for a workflow's admin":                {"admin", change, ""},
		"through an application that may do so": {"lilei", by(change, v1alpha1.RequestedBy{Application: "desk"}), ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := atOps(t).must("admin", do(v1alpha1.ActionClose))
			refusal := w.try(tc.actor, tc.action)
			switch {
			case tc.want == "" && refusal != nil, tc.want != "" && (refusal == nil || refusal.Reason != tc.want):
				t.Fatalf("got %v, want %q", refusal, tc.want)
			case tc.want == "" && w.s.Status.Fields["days"] != int64(9):
				t.Errorf("got %v days, want 9", w.s.Status.Fields["days"])
			}
		})
	}
}

func TestAnApplicationChangesFieldsInItsOwnName(t *testing.T) {
	change := v1alpha1.TicketAction{Type: v1alpha1.ActionSetFields, Fields: v1alpha1.JSONObject{"days": int64(9)}}
	through := func(application string) v1alpha1.RequestedBy { return v1alpha1.RequestedBy{Application: application} }
	t.Run("where it may intervene", func(t *testing.T) {
		w := atOps(t).must(v1alpha1.RobotUser, by(change, through("desk")))
		entry := last(&w.s.Status)
		if w.s.Status.Fields["days"] != int64(9) || entry.Actor != v1alpha1.RobotUser || entry.By == nil || entry.By.Application != "desk" {
			t.Errorf("got %v days, by %s of %v", w.s.Status.Fields["days"], entry.Actor, entry.By)
		}
	})
	cases := map[string]struct {
		action v1alpha1.TicketAction
		want   engine.Reason
	}{
		"not where it may not":                    {by(change, through("portal")), engine.ReasonNotAllowed},
		"not in a workflow that is not for it":    {by(change, through("narrow")), engine.ReasonUnknownTicket},
		"not if there is no such application":     {by(change, through("ghost")), engine.ReasonUnknownApplication},
		"a Kubernetes user does not":              {by(change, v1alpha1.RequestedBy{User: "oidc:guiji"}), engine.ReasonUnknownUser},
		"and does nothing else, intervene or not": {by(do(v1alpha1.ActionClose), through("desk")), engine.ReasonUnknownUser},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := atOps(t)
			// Nobody's rights are the application's: neither a seat nor a workflow of that name.
			w.s.Status.Participants.Users = append(w.s.Status.Participants.Users, v1alpha1.RobotUser)
			w.graph.Spec.Admins = append(w.graph.Spec.Admins, v1alpha1.RobotUser)
			if refusal := w.try(v1alpha1.RobotUser, tc.action); refusal == nil || refusal.Reason != tc.want {
				t.Errorf("got %v, want %s", refusal, tc.want)
			}
		})
	}
}

func TestOpening(t *testing.T) {
	three := int32(3)
	cases := map[string]struct {
		change     func(w *walker)
		transition v1alpha1.Name
		fields     v1alpha1.JSONObject
		want       engine.Reason
		about      string
	}{
		"all that is missing and wrong is told at once": {nil, "submit", v1alpha1.JSONObject{"region": "9", "rate": "x"}, engine.ReasonMissingFields, "days; invalid fields: region \"9\""},
		"a value must satisfy its rule":                 {nil, "submit", v1alpha1.JSONObject{"days": int64(31)}, engine.ReasonInvalidFields, "days"},
		"an empty value is a missing one (Q46)":         {nil, "submit", v1alpha1.JSONObject{"days": ""}, engine.ReasonMissingFields, "days"},
		"an unknown transition does not open":           {nil, "approve", v1alpha1.JSONObject{"days": int64(1)}, engine.ReasonUnknownTransition, "approve"},
		"of several transitions one must be named":      {nil, "", v1alpha1.JSONObject{"days": int64(1)}, engine.ReasonUnknownTransition, "several"},
		"a suspended workflow opens nothing":            {func(w *walker) { w.graph.Spec.Suspend = true }, "submit", v1alpha1.JSONObject{"days": int64(1)}, engine.ReasonWorkflowNotReady, "suspended"},
		"who is not among the users may not": {func(w *walker) {
			w.graph.Spec.Creation = &v1alpha1.CreationRule{Users: []v1alpha1.UserName{"guiji"}}
		}, "submit", nil, engine.ReasonNotAllowed, "users"},
		"who is in no such department may not": {func(w *walker) {
			w.graph.Spec.Creation = &v1alpha1.CreationRule{Departments: []v1alpha1.ObjectName{"board"}}
		}, "submit", nil, engine.ReasonNotAllowed, "department"},
		"who plays no such role may not": {func(w *walker) {
			w.graph.Spec.Creation = &v1alpha1.CreationRule{UserRoles: []v1alpha1.ObjectName{"ops"}}
		}, "submit", nil, engine.ReasonNotAllowed, "role"},
		"the limit counts inclusively (Q19)": {func(w *walker) {
			w.graph.Spec.Creation = &v1alpha1.CreationRule{Limit: &v1alpha1.CreationLimit{Count: &three}}
			w.graph.Spec.Creation.Limit.Period.Duration = time.Hour
			for _, ago := range []time.Duration{time.Hour, time.Minute, 0} {
				w.dir.Opened = append(w.dir.Opened, opening("lilei", ago))
			}
			w.dir.Opened = append(w.dir.Opened, opening("guiji", 0), opening("lilei", 2*time.Hour))
		}, "submit", nil, engine.ReasonLimitReached, "no more than 3"},
		"a limit of the workflow counts everybody's": {func(w *walker) {
			w.graph.Spec.Creation = &v1alpha1.CreationRule{Limit: &v1alpha1.CreationLimit{Count: &three, Per: v1alpha1.LimitPerWorkflow}}
			w.graph.Spec.Creation.Limit.Period.Duration = time.Hour
			w.dir.Opened = append(w.dir.Opened, opening("guiji", 0), opening("wangwu", time.Minute), opening("b1", time.Hour))
		}, "submit", nil, engine.ReasonLimitReached, "no more than 3"},
		"nobody would act: the leader has left (Q33)": {func(w *walker) {
			leader := w.dir.Users["zhangsan"]
			leader.Active = false
			w.dir.Users["zhangsan"] = leader
		}, "submit", v1alpha1.JSONObject{"days": int64(1)}, engine.ReasonNoParticipants, "lead"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWalker(t, vpn)
			if tc.change != nil {
				tc.change(w)
			}
			refusal := w.open(tc.transition, tc.fields)
			if refusal == nil || refusal.Reason != tc.want || !strings.Contains(refusal.Message, tc.about) {
				t.Errorf("got %v, want %s about %q", refusal, tc.want, tc.about)
			}
		})
	}
}

func TestTheTitleOfANewTicket(t *testing.T) {
	const without, shown = "", "{field: title, access: ReadOnly}, "
	cases := map[string]struct {
		form  string
		title any
		want  string // the title, or what the refusal says
	}{
		"is stored where the form lacks it":         {without, "vpn", "vpn"},
		"is stored where the form only shows it":    {shown, "vpn", "vpn"},
		"is written as a text":                      {without, int64(7), "7"},
		"may be left out where the form lacks it":   {without, nil, ""},
		"is refused with the rest of the form":      {"{field: title, access: Required}, ", []any{"x"}, "missing fields: days; invalid fields: title is not a text"},
		"is refused where the form lacks it":        {without, map[string]any{"a": true}, "missing fields: days; invalid fields: title is not a text"},
		"is refused where the form only shows it":   {shown, strings.Repeat("长", 501), "missing fields: days; invalid fields: title has 501 characters"},
		"is missing once where the form demands it": {"{field: title, access: Required}, ", "", "missing fields: title, days"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			g := compile(t, strings.Replace(vpn, "{field: title, access: Required}, ", tc.form, 1))
			s := engine.Snapshot{Namespace: "it", Name: "vpn-1", UID: "0190", Spec: v1alpha1.TicketSpec{
				Creator: "lilei", By: portal(), Transition: "submit", Fields: v1alpha1.JSONObject{"title": tc.title},
			}}
			if !strings.Contains(tc.want, "days") {
				s.Spec.Fields["days"] = int64(1)
			}
			next, refusal := engine.Open(g, s, engine.Identities{ID: 17, Revision: "vpn-1"}, directory(), start)
			got := next.Status.Title
			if refusal != nil {
				got = refusal.Message
			}
			if refused := strings.Contains(tc.want, "fields"); refused != (refusal != nil) || !strings.HasPrefix(got, tc.want) || !refused && got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestAllThatIsWrongWithFieldsIsToldAtOnce(t *testing.T) {
	fields := v1alpha1.JSONObject{"state_id": int64(1), "colour": "red", "days": "many", "region": "9"}
	refusal := atOps(t).try("lilei", v1alpha1.TicketAction{Type: v1alpha1.ActionSetFields, Fields: fields})
	if refusal == nil || refusal.Reason != engine.ReasonUnknownKey {
		t.Fatalf("got %v, want UnknownKey", refusal)
	}
	for name := range fields {
		if !strings.Contains(refusal.Message, name) {
			t.Errorf("%q does not name %s", refusal.Message, name)
		}
	}
}

func TestWhatConditionsSeeOfAField(t *testing.T) {
	const over, own, fails = "end", "work", ""
	cases := map[string]struct {
		when   string
		fields v1alpha1.JSONObject
		want   v1alpha1.Name
	}{
		"a text that was filled":                           {"fields.note == 'x'", v1alpha1.JSONObject{"note": "x"}, over},
		"a text that was filled is":                        {"has(fields.note)", v1alpha1.JSONObject{"note": "x"}, over},
		"a text that was left blank is the empty text":     {"fields.note == ''", v1alpha1.JSONObject{"note": ""}, over},
		"and matches no other":                             {"fields.note == 'x'", v1alpha1.JSONObject{"note": ""}, own},
		"but was not filled":                               {"has(fields.note)", v1alpha1.JSONObject{"note": ""}, own},
		"nor a list of nothing":                            {"has(fields.people)", v1alpha1.JSONObject{"people": []any{}}, own},
		"which reads as the empty text":                    {"fields.people == ''", v1alpha1.JSONObject{"people": []any{}}, over},
		"a text that was never sent cannot be read":        {"fields.note == 'x'", nil, fails},
		"nor one that was sent as null":                    {"fields.note == 'x'", v1alpha1.JSONObject{"note": nil}, fails},
		"unless it is tested first":                        {"has(fields.note) && fields.note == 'x'", nil, own},
		"a number that was left blank cannot be read":      {"fields.days < 3", v1alpha1.JSONObject{"days": ""}, fails},
		"and was not filled":                               {"has(fields.days)", v1alpha1.JSONObject{"days": ""}, own},
		"a number is one, and 0 a number":                  {"has(fields.days) && fields.days < 3", v1alpha1.JSONObject{"days": int64(0)}, over},
		"a Number without a fraction is a fraction's peer": {"fields.rate * 1.5 > 2.9", v1alpha1.JSONObject{"rate": int64(2)}, over},
		"false is a value":                                 {"has(fields.sure) && !fields.sure", v1alpha1.JSONObject{"sure": false}, over},
		"a choice that was not made cannot be read":        {"fields.class != 'a'", v1alpha1.JSONObject{"class": ""}, fails},
		"nor one of several":                               {"!fields.extras.contains('a')", v1alpha1.JSONObject{"extras": []any{}}, fails},
		"nor was it filled":                                {"has(fields.class) || has(fields.extras)", v1alpha1.JSONObject{"class": "", "extras": ""}, own},
		"a choice that was made can":                       {"fields.class == 'a' && has(fields.class)", v1alpha1.JSONObject{"class": "a"}, over},
		"all that was filled can be gone through":          {"dyn(fields).all(k, k == 'note') && 'note' in dyn(fields) && size(dyn(fields)) == 1", v1alpha1.JSONObject{"note": "x", "people": ""}, over},
		"what was left blank is not among it":              {"size(dyn(fields)) == 0 && !('note' in dyn(fields))", v1alpha1.JSONObject{"note": ""}, over},
		"and it can be kept":                               {"{fields: 1}.size() == 1 && !(dyn(fields) in {'a': 1}) && [fields][0].note == 'x'", v1alpha1.JSONObject{"note": "x"}, over},
		"the fields are what they are":                     {"fields == fields && type(fields) == type(fields)", nil, over},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWalker(t, fmt.Sprintf(`
fields: [{name: note, type: String}, {name: people, type: Users}, {name: days, type: Integer}, {name: rate, type: Number}, {name: sure, type: Boolean},
  {name: class, type: Radio, choices: [{key: a}]}, {name: extras, type: Checkbox, choices: [{key: a}]}]
states:
- name: new
  type: Start
  form: [{field: note, access: Optional}, {field: people, access: Optional}, {field: days, access: Optional}, {field: rate, access: Optional}, {field: sure, access: Optional}, {field: class, access: Optional}, {field: extras, access: Optional}]
  transitions: [{name: go, to: work, routes: [{when: %q, to: end}]}]
- {name: work, participants: {users: [b1]}, transitions: [{name: ok, to: end}]}
- {name: end, type: End}
`, tc.when))
			switch refusal := w.open("go", tc.fields); {
			case tc.want == fails && (refusal == nil || refusal.Reason != engine.ReasonConditionFailed || !strings.Contains(refusal.Message, ", which has no value")):
				t.Errorf("got %v, want ConditionFailed that says what is not there", refusal)
			case tc.want != fails && (refusal != nil || w.s.Status.State != tc.want):
				t.Errorf("got %s (%v), want %s", w.s.Status.State, refusal, tc.want)
			}
		})
	}
}

func TestABlankFieldIsKeptAndNotFilled(t *testing.T) {
	asks := strings.Replace(council, "has(fields.note) && fields.note == 'over'", "has(fields.note)", 1)
	w := newWalker(t, asks).mustOpen("go", v1alpha1.JSONObject{"note": ""}).at("first", "b1,b2,b3")
	if note := w.s.Status.Fields["note"]; note != "" {
		t.Errorf("got %v, want the empty text that was sent", note)
	}
	newWalker(t, asks).mustOpen("go", v1alpha1.JSONObject{"note": "x"}).at("end", "")

	required := strings.Replace(council, "{field: note, access: Optional}", "{field: note, access: Required}", 1)
	refusal := newWalker(t, required).open("go", v1alpha1.JSONObject{"note": ""})
	if refusal == nil || refusal.Reason != engine.ReasonMissingFields {
		t.Errorf("got %v, want %s", refusal, engine.ReasonMissingFields)
	}
}

func TestABlankFieldNamesWhomItNamedBefore(t *testing.T) {
	const workflow = `
fields: [{name: owner, type: User}, {name: watchers, type: Users}]
states:
- {name: new, type: Start, form: [{field: owner, access: Optional}], transitions: [{name: go, to: work}, {name: ask, to: owner}]}
- name: work
  participants: {users: [b1, b2]}
  distribution: All
  form: [{field: owner, access: Optional}, {field: watchers, access: Optional}]
  transitions: [{name: further, to: owner}, {name: watch, to: watchers}]
- {name: owner, participants: {fields: [owner]}, distribution: Direct, transitions: [{name: ok, to: end}, {name: call, to: call}]}
- {name: watchers, participants: {fields: [watchers]}, distribution: Direct, transitions: [{name: ok, to: end}]}
- {name: call, participants: {hook: {url: "https://example.com", wait: true}}, form: [{field: owner, access: Optional}], transitions: [{name: back, to: owner}]}
- {name: end, type: End}
`
	onTheWay := func(t *testing.T) *walker {
		t.Helper()
		return newWalker(t, workflow).mustOpen("go", v1alpha1.JSONObject{"owner": "lilei"}).at("work", "b1,b2")
	}
	on := func(fields v1alpha1.JSONObject, cleared ...v1alpha1.FormFieldName) v1alpha1.TicketAction {
		return v1alpha1.TicketAction{Type: v1alpha1.ActionTransition, Transition: "further", Fields: fields, Clear: cleared}
	}
	t.Run("sent blank, and the blank is what is stored", func(t *testing.T) {
		w := onTheWay(t).must("b1", on(nil)).must("b2", on(v1alpha1.JSONObject{"owner": ""})).at("owner", "lilei")
		if owner := w.s.Status.Fields["owner"]; owner != "" {
			t.Errorf("got %v, want the blank that was sent", owner)
		}
	})
	t.Run("cleared", func(t *testing.T) {
		onTheWay(t).must("b1", on(nil)).must("b2", on(nil, "owner")).at("owner", "lilei")
	})
	t.Run("but not whom it named before an earlier action", func(t *testing.T) {
		w := onTheWay(t).must("b1", on(v1alpha1.JSONObject{"owner": ""}))
		if r := w.try("b2", on(nil)); r == nil || r.Reason != engine.ReasonNoParticipants {
			t.Errorf("got %v, want NoParticipants", r)
		}
	})
	t.Run("another name counts", func(t *testing.T) {
		onTheWay(t).must("b1", on(nil)).must("b2", on(v1alpha1.JSONObject{"owner": "guiji"})).at("owner", "guiji")
	})
	t.Run("a field that named nobody goes on naming nobody", func(t *testing.T) {
		w := onTheWay(t).must("b1", take("watch"))
		if r := w.try("b2", v1alpha1.TicketAction{
			Type: v1alpha1.ActionTransition, Transition: "watch", Fields: v1alpha1.JSONObject{"watchers": []any{}},
		}); r == nil || r.Reason != engine.ReasonNoParticipants {
			t.Errorf("got %v, want NoParticipants", r)
		}
		if r := newWalker(t, workflow).open("ask", v1alpha1.JSONObject{"owner": ""}); r == nil || r.Reason != engine.ReasonNoParticipants {
			t.Errorf("got %v, want NoParticipants for a new ticket", r)
		}
	})
	t.Run("sent blank by a hook that calls back", func(t *testing.T) {
		succeeded := true
		w := onTheWay(t).must("b1", on(nil)).must("b2", on(nil)).must("lilei", take("call"))
		w.must("", v1alpha1.TicketAction{
			Type: v1alpha1.ActionHookCallback, Succeeded: &succeeded, Fields: v1alpha1.JSONObject{"owner": ""},
			By: v1alpha1.RequestedBy{User: v1alpha1.HookUser},
		}).at("owner", "lilei")
	})
}

func TestATimeWithAZoneIsStoredInTheServers(t *testing.T) {
	w := newWalker(t, strings.Replace(council, "{name: note, type: String}", "{name: note, type: String}, {name: at, type: DateTime}", 1))
	w.now = start.In(time.FixedZone("", 8*60*60))
	w.mustOpen("go", nil)
	for sent, want := range map[string]string{
		"2026-05-15 17:39:33":       "2026-05-15 17:39:33",
		"2026-05-15T17:39:33Z":      "2026-05-16 01:39:33",
		"2026-05-15T17:39:33-01:00": "2026-05-16 02:39:33",
	} {
		w.must("lilei", v1alpha1.TicketAction{Type: v1alpha1.ActionSetFields, Fields: v1alpha1.JSONObject{"at": sent}})
		if got := w.s.Status.Fields["at"]; got != want {
			t.Errorf("%s: got %v, want %s", sent, got, want)
		}
	}
	if at := w.s.Status.OpenedAt; !at.Equal(&metav1.Time{Time: start}) || at.Location() != time.UTC {
		t.Errorf("opened at %v, want %v", at, start)
	}
}

func TestBuiltInFieldsNamePeople(t *testing.T) {
	workflow := func(people string) string {
		return `
fields: [{name: owner, type: User}]
states:
- {name: new, type: Start, form: [{field: owner, access: Optional}], transitions: [{name: go, to: work}, {name: ask, to: named}]}
- {name: work, participants: {users: [b1, b2]}, distribution: Direct, transitions: [{name: further, to: named}]}
- {name: named, participants: {` + people + `}, distribution: Direct, transitions: [{name: ok, to: end}]}
- {name: end, type: End}
`
	}
	t.Run("of the ticket", func(t *testing.T) {
		for people, want := range map[string]string{
			"fields: [creator]": "lilei", "fields: [participant]": "b1,b2", "fields: [participant_info.participant_name]": "b1,b2",
			"fields: [relation]": "b1,b2,lilei", "fields: [creator, owner]": "guiji,lilei",
		} {
			w := newWalker(t, workflow(people)).mustOpen("go", v1alpha1.JSONObject{"owner": "guiji"})
			w.must("b1", take("further")).at("named", want)
		}
	})
	t.Run("of the ticket as it was before the vote that moves it", func(t *testing.T) {
		voting := strings.Replace(workflow("fields: [participant]"), "distribution: Direct, transitions: [{name: further", "distribution: All, transitions: [{name: further", 1)
		voting = strings.Replace(voting, "{name: further, to: named}", "{name: further, outcome: Refuse, to: named}", 1)
		newWalker(t, voting).mustOpen("go", nil).must("b1", take("further")).at("named", "b1,b2")
	})
	t.Run("but not the robot, which never acts", func(t *testing.T) {
		w := newWalker(t, strings.Replace(workflow("fields: [relation]"), "users: [b1, b2]", "users: [b1, loonrobot]", 1))
		w.mustOpen("go", nil).must("b1", take("further")).at("named", "b1,lilei")
	})
	t.Run("of the parent", func(t *testing.T) {
		for field, want := range map[string]string{"creator": "lilei", "participant": "other", "relation": "b1,b2,lilei,other", "add_node_man": "b1"} {
			parent := newWalker(t, workflow("users: [b3]")).mustOpen("go", nil)
			parent.must("b1", v1alpha1.TicketAction{Type: v1alpha1.ActionAddSigner, Target: "other"})
			w := newWalker(t, workflow("parentFields: ["+field+"]"))
			w.dir.Parents = map[string]engine.ParentTicket{"it/project-1": {Snapshot: parent.s, Graph: parent.graph}}
			w.parent = "project-1"
			w.mustOpen("ask", nil).at("named", want)
		}
	})
	t.Run("but nobody where there is no name", func(t *testing.T) {
		for _, people := range []string{"fields: [add_node_man]", "fields: [sn]"} {
			if r := newWalker(t, workflow(people)).open("ask", nil); r == nil || r.Reason != engine.ReasonNoParticipants {
				t.Errorf("%s: got %v, want NoParticipants", people, r)
			}
		}
	})
}

func TestACommentLeavesTheTicketAsItWas(t *testing.T) {
	w := atOps(t)
	opened := w.s.Status.UpdatedAt
	w.now = start.Add(time.Hour)
	w.must("lilei", v1alpha1.TicketAction{Type: v1alpha1.ActionComment, Comment: "soon?"})
	if got := w.s.Status.UpdatedAt; !got.Equal(opened) || last(&w.s.Status).Comment != "soon?" {
		t.Errorf("updated at %v, want %v; the last entry says %q", got, opened, last(&w.s.Status).Comment)
	}
	w.must("guiji", do(v1alpha1.ActionAccept))
	if got := w.s.Status.UpdatedAt; !got.Time.Equal(w.now) {
		t.Errorf("claimed: updated at %v, want %v", got, w.now)
	}
}

func TestAnEmptyListRestrictsNobody(t *testing.T) {
	w := newWalker(t, vpn)
	w.graph.Spec.Creation = &v1alpha1.CreationRule{
		Users: []v1alpha1.UserName{}, Departments: []v1alpha1.ObjectName{}, UserRoles: []v1alpha1.ObjectName{},
	}
	w.mustOpen("submit", v1alpha1.JSONObject{"days": int64(1)})
}

func TestForceLeavesATicketToSomebody(t *testing.T) {
	for onEmpty, want := range map[string]string{"Refuse": "", "Skip": "b2", "Admins": "boss"} {
		workflow := `
admins: [boss]
states:
- {name: new, type: Start, transitions: [{name: go, to: work}, {name: aside, to: empty}]}
- {name: work, participants: {users: [b1]}, transitions: [{name: ok, to: end}]}
- {name: empty, participants: {users: [gone]}, onEmpty: ` + onEmpty + `, transitions: [{name: ok, to: next}]}
- {name: next, participants: {users: [b2]}, transitions: [{name: ok, to: end}]}
- {name: end, type: End}
`
		force := v1alpha1.TicketAction{Type: v1alpha1.ActionSetState, State: "empty"}
		forced := func(admin engine.Person) (*walker, *engine.Refusal) {
			w := newWalker(t, workflow).mustOpen("go", nil)
			w.dir.Users["boss"] = admin
			chief := enginetest.Person("chief", "")
			chief.Administrator = true
			w.dir.Users["chief"] = chief
			return w, w.try("chief", force)
		}
		switch w, r := forced(enginetest.Person("boss", "")); {
		case want == "" && (r == nil || r.Reason != engine.ReasonNoParticipants):
			t.Errorf("%s: got %v, want NoParticipants", onEmpty, r)
		case want != "" && (r != nil || w.users() != want):
			t.Errorf("%s: %s has it (%v), want %s", onEmpty, w.users(), r, want)
		}
		switch w, r := forced(engine.Person{Name: "boss"}); {
		case onEmpty == "Skip" && (r != nil || w.users() != want):
			t.Errorf("%s, and the admin has left: %s has it (%v), want %s", onEmpty, w.users(), r, want)
		case onEmpty != "Skip" && (r == nil || r.Reason != engine.ReasonNoParticipants):
			t.Errorf("%s, and the admin has left: got %v, want NoParticipants", onEmpty, r)
		}
	}
}

func TestATicketWaitsForNobodyWhoHasLeft(t *testing.T) {
	w := atOps(t).must("guiji", do(v1alpha1.ActionAccept)).must("guiji", take("done"))
	creator := w.dir.Users["lilei"]
	creator.Active = false
	w.dir.Users["lilei"] = creator
	w.runs(v1alpha1.RunSucceeded, "granted", nil).at("grant", "")
	if entry := last(&w.s.Status); entry.Action != v1alpha1.HistoryScriptFailed || !strings.Contains(entry.Comment, "confirm") {
		t.Errorf("got %s %q, want a failed run that names the state", entry.Action, entry.Comment)
	}
}

func TestADraftIsItsCreators(t *testing.T) {
	w := newWalker(t, vpn).mustOpen("save", nil).at("new", "lilei")
	if w.s.Status.Progress != v1alpha1.ProgressDraft {
		t.Errorf("got %s, want Draft", w.s.Status.Progress)
	}
	w.must("lilei", v1alpha1.TicketAction{Type: v1alpha1.ActionTransition, Transition: "submit", Fields: v1alpha1.JSONObject{"title": "t", "days": int64(2)}})
	w.at("lead", "zhangsan").must("zhangsan", take("reject")).at("new", "lilei")
	if w.s.Status.Progress != v1alpha1.ProgressRefused {
		t.Errorf("got %s, want Refused whatever the destination", w.s.Status.Progress)
	}
}

func TestQ48WhatAFormDoesNotAllowIsNeitherStoredNorSeen(t *testing.T) {
	w := newWalker(t, vpn).mustOpen("submit", v1alpha1.JSONObject{"days": int64(2), "ghost": "x"})
	w.must("zhangsan", v1alpha1.TicketAction{Type: v1alpha1.ActionTransition, Transition: "approve", Fields: v1alpha1.JSONObject{"days": int64(30)}})
	// days is not on the leader's form.
	w.at("ops", "guiji,wangwu")
	if diff := cmp.Diff(v1alpha1.JSONObject{"days": int64(2)}, w.s.Status.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestAnAbsentValueNeverGoesTheEasyWay(t *testing.T) {
	w := newWalker(t, vpn).mustOpen("submit", v1alpha1.JSONObject{"days": int64(2)})
	w.must("admin", v1alpha1.TicketAction{Type: v1alpha1.ActionSetFields, Clear: []v1alpha1.FormFieldName{"days"}})
	if r := w.try("zhangsan", take("approve")); r == nil || r.Reason != engine.ReasonConditionFailed {
		t.Errorf("got %v, want ConditionFailed", r)
	}
}

// patient has a state that waits for all votes, and one that sends back to it.
const patient = `
states:
- {name: new, type: Start, transitions: [{name: go, to: vote}]}
- name: vote
  participants: {users: [b1, b2, b3]}
  distribution: All
  approval: {onRefuse: Wait}
  transitions: [{name: agree, to: seen}, {name: refuse, outcome: Refuse, to: new}]
- {name: seen, participants: {variables: [Creator]}, transitions: [{name: ok, to: end}, {name: back, outcome: Refuse, to: vote}]}
- {name: end, type: End}
`

func TestVotes(t *testing.T) {
	t.Run("a refusal decides at once", func(t *testing.T) {
		w := atBoard(t).must("b2", take("refuse")).at("end", "")
		if w.s.Status.Progress != v1alpha1.ProgressRefused || !engine.Ended(w.graph, &w.s.Status) {
			t.Errorf("got %s, want Refused and ended (Q20)", w.s.Status.Progress)
		}
	})
	t.Run("votes can be revised until the ticket moves", func(t *testing.T) {
		w := atBoard(t).must("b1", take("agree")).at("board", "b2,b3")
		if got := len(engine.Options(w.graph, w.s, "b1")); got != 2 {
			t.Errorf("who has voted has %d options, want 2", got)
		}
		w.must("b1", take("agree")).at("board", "b2,b3").must("b1", take("refuse")).at("end", "")
	})
	t.Run("the progress tells of the newest vote", func(t *testing.T) {
		w := newWalker(t, patient).mustOpen("go", nil).at("vote", "b1,b2,b3")
		progress := func(want v1alpha1.Progress) {
			t.Helper()
			if got := w.s.Status.Progress; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		w.must("b1", take("refuse")).at("vote", "b2,b3")
		progress(v1alpha1.ProgressRefused)
		w.must("b1", take("agree")).at("vote", "b2,b3")
		progress(v1alpha1.ProgressInProgress)
		w.must("b2", take("agree")).must("b3", take("agree")).at("seen", "lilei")
		w.must("lilei", take("back")).at("vote", "b1,b2,b3")
		progress(v1alpha1.ProgressRefused)
		w.must("b2", take("agree")).at("vote", "b1,b3")
		progress(v1alpha1.ProgressInProgress)
	})
	t.Run("a seat is handed over", func(t *testing.T) {
		w := atBoard(t).must("b1", v1alpha1.TicketAction{Type: v1alpha1.ActionDeliver, Target: "other"}).at("board", "b2,b3,other")
		w.must("b2", take("agree")).must("b3", take("agree")).must("other", take("agree")).at("ops", "guiji,wangwu")
	})
	t.Run("a forced state leaves no vote behind (Q15)", func(t *testing.T) {
		w := atBoard(t).must("b1", take("agree"))
		w.must("admin", v1alpha1.TicketAction{Type: v1alpha1.ActionSetState, State: "ops"}).at("ops", "guiji,wangwu")
		if len(w.s.Status.Votes) != 0 {
			t.Errorf("votes stayed: %v", w.s.Status.Votes)
		}
	})
}

func TestAddedSignersNest(t *testing.T) {
	ask := func(target v1alpha1.UserName) v1alpha1.TicketAction {
		return v1alpha1.TicketAction{Type: v1alpha1.ActionAddSigner, Target: target}
	}
	w := atOps(t).must("guiji", ask("lilei")).at("ops", "lilei").must("lilei", ask("other")).at("ops", "other")
	if r := w.try("other", take("done")); r == nil || r.Reason != engine.ReasonInAddNode {
		t.Errorf("got %v, want InAddNode", r)
	}
	w.must("other", do(v1alpha1.ActionEndAddSigner)).at("ops", "lilei").must("lilei", do(v1alpha1.ActionEndAddSigner)).at("ops", "guiji")
	w.must("guiji", take("done")).at("grant", "")
}

func TestTimersFireOnce(t *testing.T) {
	w := atOps(t)
	if due, next := engine.Due(w.graph, w.s, w.now); due != nil || !next.Equal(start.Add(24*time.Hour)) {
		t.Fatalf("got %v at %s, want nothing before %s", due, next, start.Add(24*time.Hour))
	}
	w.must("lilei", do(v1alpha1.ActionComment)) // does not void it (Q22)
	w.now = start.Add(24 * time.Hour)
	w.due().at("board", "b1,b2,b3")
	again, refusal := engine.Decide(w.graph, w.s, engine.Command{Kind: engine.CommandTimer, Action: take("escalate")}, w.dir, w.now)
	if refusal != nil || again.Status.HistoryCount != w.s.Status.HistoryCount {
		t.Errorf("a timer of a state that was left fired: %v", refusal)
	}
}

func TestTheSameActionTwiceChangesNothing(t *testing.T) {
	w := atOps(t)
	action := v1alpha1.TicketAction{ID: "the-same-id", Type: v1alpha1.ActionComment, Comment: "once"}
	w.must("lilei", action)
	before := w.s
	w.must("lilei", action)
	if diff := cmp.Diff(before, w.s); diff != "" {
		t.Errorf("a repetition changed the ticket:\n%s", diff)
	}
}

func TestAClosedTicketIsReopenedByAnAdministratorAlone(t *testing.T) {
	w := atOps(t).must("admin", do(v1alpha1.ActionClose)).at("end", "")
	if w.s.Status.Participants.Kind != v1alpha1.ParticipantsNone || w.s.Status.Progress != v1alpha1.ProgressClosed {
		t.Errorf("got %s and %s, want None and Closed", w.s.Status.Participants.Kind, w.s.Status.Progress)
	}
	w.must("lilei", do(v1alpha1.ActionComment))
	w.must("admin", v1alpha1.TicketAction{Type: v1alpha1.ActionSetState, State: "confirm"}).at("confirm", "lilei")
	if w.s.Status.Progress != v1alpha1.ProgressInProgress {
		t.Errorf("got %s, want InProgress (Q26)", w.s.Status.Progress)
	}
}

func TestWhoMayLook(t *testing.T) {
	w := atOps(t)
	for user, want := range map[string]bool{"lilei": true, "zhangsan": true, "guiji": true, "admin": true, "other": false, "": false} {
		if got := engine.CanView(w.graph, w.s, user, w.dir); got != want {
			t.Errorf("%q: got %t, want %t", user, got, want)
		}
	}
	w.graph.Spec.Visibility = v1alpha1.VisibilityEveryone
	if !engine.CanView(w.graph, w.s, "", w.dir) {
		t.Error("everyone may look, nobody in particular too")
	}
}

func TestQ23AParentGoesOnOnceAllChildrenOfItsStateHaveEnded(t *testing.T) {
	const project = `
states:
- {name: new, type: Start, transitions: [{name: go, to: develop}]}
- {name: develop, participants: {children: {}}, transitions: [{name: developed, to: test}]}
- {name: test, participants: {users: [lilei]}, transitions: [{name: ok, to: end}]}
- {name: end, type: End}
`
	ended, refusedOpening := v1alpha1.TicketStatus{ID: 1, Progress: v1alpha1.ProgressClosed}, v1alpha1.TicketStatus{Conditions: []metav1.Condition{{Type: v1alpha1.ConditionOpened, Status: metav1.ConditionFalse}}}
	underWay := v1alpha1.TicketStatus{ID: 2, Progress: v1alpha1.ProgressInProgress, Participants: v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsScript}}
	child := func(state v1alpha1.Name, status v1alpha1.TicketStatus) v1alpha1.Ticket {
		return v1alpha1.Ticket{Spec: v1alpha1.TicketSpec{Parent: &v1alpha1.ParentReference{Name: "vpn-1", State: state}}, Status: status}
	}
	cases := map[string]struct {
		children []v1alpha1.Ticket
		want     v1alpha1.Name
	}{
		"with none yet, it waits":                           {nil, "develop"},
		"while one is under way, it waits":                  {[]v1alpha1.Ticket{child("develop", ended), child("develop", underWay)}, "develop"},
		"while one is being opened, it waits":               {[]v1alpha1.Ticket{child("develop", ended), child("develop", v1alpha1.TicketStatus{})}, "develop"},
		"those of another state do not count":               {[]v1alpha1.Ticket{child("test", ended)}, "develop"},
		"those of no state do not count":                    {[]v1alpha1.Ticket{child("", ended)}, "develop"},
		"those of a state that there is not do not count":   {[]v1alpha1.Ticket{child("nowhere", ended)}, "develop"},
		"once all have ended, however they did, it goes on": {[]v1alpha1.Ticket{child("develop", ended), child("develop", ended), child("test", underWay)}, "test"},
		"one whose opening was refused does not count":      {[]v1alpha1.Ticket{child("develop", ended), child("develop", refusedOpening)}, "test"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWalker(t, project).mustOpen("go", nil).at("develop", "")
			w.s.Status.Children = engine.CountChildren(w.graph, nil, tc.children)
			if due, _ := engine.Due(w.graph, w.s, w.now); due != nil {
				w.due()
				if got := last(&w.s.Status); got.Actor != "loonrobot" || got.Comment != "所有子工单处理完毕，自动流转" {
					t.Errorf("got %q by %s", got.Comment, got.Actor)
				}
			}
			if w.s.Status.State != tc.want {
				t.Errorf("got %s, want %s", w.s.Status.State, tc.want)
			}
		})
	}
}
