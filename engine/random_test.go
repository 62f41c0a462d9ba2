// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// everybody is who may be asked to do something in random workflows.
var everybody = []v1alpha1.UserName{"lilei", "zhangsan", "guiji", "wangwu", "b1", "b2", "b3", "admin", "other"}

// randomWorkflow draws a workflow that compiles: a chain of states from start to
// end, with further transitions across it.
func randomWorkflow(rt *rapid.T) string {
	n := rapid.IntRange(1, 5).Draw(rt, "states")
	name := func(i int) string {
		switch {
		case i <= 0:
			return "new"
		case i == n+1:
			return "end"
		case i > n:
			return "other-end"
		}
		return fmt.Sprintf("s%d", i)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "creator: admin\nvisibility: %s\n", rapid.SampledFrom([]string{"Related", "Everyone"}).Draw(rt, "visibility"))
	b.WriteString("fields:\n- {name: days, type: Integer, validation: 'self < 9'}\n- {name: who, type: Users}\n- {name: rate, type: Number}\nstates:\n")
	b.WriteString("- name: new\n  type: Start\n  form: [{field: days, access: Optional}, {field: who, access: Optional}, {field: rate, access: Optional}]\n")
	b.WriteString("  transitions: [{name: go, to: " + name(1) + "}, {name: save, to: new}, {name: drop, outcome: Refuse, to: other-end}]\n")
	for i := 1; i <= n; i++ {
		people := rapid.SampledFrom([]string{
			"{users: [guiji, wangwu, other]}", "{users: [zhangsan]}", "{departments: [board]}", "{userRoles: [ops]}", "{variables: [Creator]}",
			"{variables: [CreatorLeader, Creator]}", "{fields: [who]}", "{script: grant-vpn}", "{hook: {url: 'https://x.example'}}", "{children: {}}",
			"{parentFields: [boss]}", "{users: [gone]}", "{hook: {url: 'https://x.example', wait: true}}", "{fields: [creator, who]}", "",
		}).Draw(rt, "participants")
		alone := strings.Contains(people, "script") || strings.Contains(people, "hook") || strings.Contains(people, "children")
		fmt.Fprintf(&b, "- name: %s\n  allowRetreat: %t\n  form: [{field: days, access: %s}, {field: who, access: Optional}]\n", name(i), rapid.Bool().Draw(rt, "retreat"),
			rapid.SampledFrom([]string{"Optional", "Required", "ReadOnly"}).Draw(rt, "access"))
		if people != "" {
			fmt.Fprintf(&b, "  participants: %s\n", people)
		}
		fmt.Fprintf(&b, "  onEmpty: %s\n", rapid.SampledFrom([]string{"Refuse", "Skip", "Admins"}).Draw(rt, "onEmpty"))
		if !alone {
			distribution := rapid.SampledFrom([]string{"Claim", "Direct", "Random", "All"}).Draw(rt, "distribution")
			fmt.Fprintf(&b, "  distribution: %s\n  rememberLastHandler: %t\n", distribution, rapid.Bool().Draw(rt, "remember"))
			if distribution == "All" {
				fmt.Fprintf(&b, "  approval: {require: %s, onRefuse: %s}\n",
					rapid.SampledFrom([]string{"All", "Any", "{count: 2}", "{percent: 50}"}).Draw(rt, "require"),
					rapid.SampledFrom([]string{"FailFast", "Wait"}).Draw(rt, "onRefuse"))
			}
		}
		fmt.Fprintf(&b, "  transitions:\n  - {name: further, to: %s, fieldCheck: %s}\n", name(i+1), rapid.SampledFrom([]string{"Require", "Skip"}).Draw(rt, "check"))
		if alone {
			continue
		}
		if rapid.Bool().Draw(rt, "back") {
			fmt.Fprintf(&b, "  - {name: back, outcome: Refuse, to: %s}\n", name(rapid.IntRange(0, n+2).Draw(rt, "to")))
		}
		if rapid.Bool().Draw(rt, "across") {
			fmt.Fprintf(&b, "  - {name: across, to: %s, routes: [{when: '%s', to: %s}]}\n",
				name(rapid.IntRange(0, n+1).Draw(rt, "to")),
				rapid.SampledFrom([]string{"has(fields.days) && fields.days > 3", "fields.days > 3", "has(fields.rate) && fields.rate > 2"}).Draw(rt, "when"),
				name(rapid.IntRange(1, n+1).Draw(rt, "routed")))
		}
		if rapid.Bool().Draw(rt, "timed") {
			fmt.Fprintf(&b, "  - {name: late, to: %s, after: 1h}\n", name(i+1))
		}
	}
	b.WriteString("- {name: end, type: End}\n- {name: other-end, type: End, hidden: true}\n")
	return b.String()
}

// randomAction draws something to ask, sensible or not.
func randomAction(rt *rapid.T, g *engine.Graph) v1alpha1.TicketAction {
	action := v1alpha1.TicketAction{Type: rapid.SampledFrom([]v1alpha1.ActionType{
		v1alpha1.ActionTransition, v1alpha1.ActionTransition, v1alpha1.ActionTransition, v1alpha1.ActionTransition, v1alpha1.ActionAccept,
		v1alpha1.ActionDeliver, v1alpha1.ActionAddSigner, v1alpha1.ActionEndAddSigner, v1alpha1.ActionComment, v1alpha1.ActionSetState,
		v1alpha1.ActionSetFields, v1alpha1.ActionRetryScript, v1alpha1.ActionHookCallback, v1alpha1.ActionRetreat, v1alpha1.ActionClose,
	}).Draw(rt, "type")}
	switch action.Type {
	case v1alpha1.ActionTransition:
		action.Transition = rapid.SampledFrom([]v1alpha1.Name{"go", "save", "drop", "further", "back", "across", "late"}).Draw(rt, "transition")
		action.Fields = v1alpha1.JSONObject{"days": rapid.SampledFrom([]any{int64(2), int64(5), "5", int64(9), 2.7, nil}).Draw(rt, "days")}
		if rapid.Bool().Draw(rt, "rates") {
			action.Fields["rate"] = rapid.SampledFrom([]any{2.0, "2.5", int64(3)}).Draw(rt, "rate")
		}
		if rapid.Bool().Draw(rt, "names somebody") {
			action.Fields["who"] = rapid.SampledFrom([]string{"b1", "b1,b2", "gone", "lilei,nobody"}).Draw(rt, "who")
		}
	case v1alpha1.ActionDeliver, v1alpha1.ActionAddSigner:
		action.Target = rapid.SampledFrom(everybody).Draw(rt, "target")
		action.AsAdministrator = action.Type == v1alpha1.ActionDeliver && rapid.Bool().Draw(rt, "as administrator")
	case v1alpha1.ActionSetState:
		action.State = rapid.SampledFrom(g.States).Draw(rt, "state").Name
	case v1alpha1.ActionSetFields:
		action.Fields = v1alpha1.JSONObject{"who": rapid.SampledFrom([]any{"b3", "", nil}).Draw(rt, "who")}
	case v1alpha1.ActionHookCallback:
		succeeded := rapid.Bool().Draw(rt, "succeeded")
		action.Succeeded = &succeeded
	}
	return action
}

// TestWhateverTheWorkflow takes random actions through random workflows, with
// people who leave and come back: no dead vote, no stale participant, no lost
// signer, history only grows, finished stays finished but for an
// administrator's SetState, and an action twice changes nothing.
func TestWhateverTheWorkflow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := randomWorkflow(rt)
		s := spec(t, text)
		graph, problems := engine.Compile("it", "vpn", s, wireIDs(s))
		if len(problems) > 0 {
			rt.Fatalf("a drawn workflow has problems: %v\n%s", problems, text)
		}
		w := &walker{t: t, graph: graph, dir: directory(), now: start, parent: "project"}
		w.dir.Parents = map[string]engine.ParentTicket{"it/project": {Graph: graph, Snapshot: engine.Snapshot{
			Spec: v1alpha1.TicketSpec{Creator: "lilei"}, Status: v1alpha1.TicketStatus{ID: 3, Fields: v1alpha1.JSONObject{"boss": "b2,gone"}},
		}}}
		if w.open("go", v1alpha1.JSONObject{"who": "b1,b2"}) != nil {
			rt.Skip("nobody would act there at first")
		}
		checkHistory := historyChecker()
		for step := range rapid.IntRange(1, 30).Draw(rt, "steps") {
			before := w.s
			unchanged := before.Status.DeepCopy()
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(rt, "seconds")) * time.Second)
			randomStep(rt, w, step)
			if diff := cmp.Diff(*unchanged, before.Status); diff != "" {
				rt.Fatalf("a decision changed what it was given:\n%s", diff)
			}
			check(rt, w, before)
			checkSigners(rt, w, before)
			checkPresent(rt, w)
			checkOptions(rt, w, rapid.SampledFrom(everybody).Draw(rt, "asked for"))
			checkHistory(rt, w)
			w.s = stored(rt, w.s)
		}
	})
}

func randomStep(rt *rapid.T, w *walker, step int) {
	status := &w.s.Status
	if wanted := status.Wanted; wanted != nil && !status.LastRunFailed && rapid.Bool().Draw(rt, "run") {
		phase := rapid.SampledFrom([]v1alpha1.RunPhase{v1alpha1.RunSucceeded, v1alpha1.RunFailed}).Draw(rt, "phase")
		w.s.Status.Run = &v1alpha1.Run{Visit: wanted.Visit, Attempt: wanted.Attempt, Phase: phase, Message: "ran"}
	}
	if status.Participants.Kind == v1alpha1.ParticipantsChildren && rapid.Bool().Draw(rt, "children") {
		w.s.Status.Children = []v1alpha1.ChildrenCount{{State: status.State, Total: 2, Ended: int32(rapid.IntRange(1, 2).Draw(rt, "ended"))}}
	}
	if due, _ := engine.Due(w.graph, w.s, w.now); due != nil {
		next, refusal := engine.Decide(w.graph, w.s, *due, w.dir, w.now)
		if refusal != nil && due.Kind != engine.CommandChildrenEnded {
			rt.Fatalf("%s was refused: %v", due.Kind, refusal)
		}
		w.s = next
		if refusal == nil {
			return
		}
	}
	if rapid.IntRange(0, 9).Draw(rt, "leaves or returns") == 0 {
		name := string(rapid.SampledFrom(everybody[:7]).Draw(rt, "who"))
		person := w.dir.Users[name]
		person.Active = !person.Active
		w.dir.Users[name] = person
	}
	action := randomAction(rt, w.graph)
	action.ID = fmt.Sprintf("action-%d", step)
	actor := rapid.SampledFrom(everybody).Draw(rt, "actor")
	if w.try(actor, action) != nil {
		return
	}
	after := w.s
	w.try(actor, action)
	if diff := cmp.Diff(after, w.s); diff != "" {
		rt.Fatalf("the same action twice changed the ticket:\n%s", diff)
	}
}
