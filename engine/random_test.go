// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"fmt"
	"slices"
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
		case i > n:
			return "end"
		}
		return fmt.Sprintf("s%d", i)
	}
	var b strings.Builder
	b.WriteString("creator: admin\nfields:\n- {name: days, type: Integer}\n- {name: who, type: Users}\nstates:\n")
	b.WriteString("- name: new\n  type: Start\n  form: [{field: days, access: Optional}, {field: who, access: Optional}]\n")
	b.WriteString("  transitions: [{name: go, to: " + name(1) + "}, {name: save, to: new}]\n")
	for i := 1; i <= n; i++ {
		people := rapid.SampledFrom([]string{
			"{users: [guiji, wangwu, other]}", "{users: [zhangsan]}", "{departments: [board]}", "{userRoles: [ops]}", "{variables: [Creator]}",
			"{variables: [CreatorLeader, Creator]}", "{fields: [who]}", "{script: grant-vpn}", "{hook: {url: 'https://x.example'}}", "{children: {}}",
		}).Draw(rt, "participants")
		alone := strings.Contains(people, "script") || strings.Contains(people, "hook") || strings.Contains(people, "children")
		fmt.Fprintf(&b, "- name: %s\n  participants: %s\n  allowRetreat: %t\n  form: [{field: days, access: Optional}, {field: who, access: Optional}]\n", name(i), people, rapid.Bool().Draw(rt, "retreat"))
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
		fmt.Fprintf(&b, "  transitions:\n  - {name: further, to: %s}\n", name(i+1))
		if alone {
			continue
		}
		if rapid.Bool().Draw(rt, "back") {
			fmt.Fprintf(&b, "  - {name: back, outcome: Refuse, to: %s}\n", name(rapid.IntRange(0, n+1).Draw(rt, "to")))
		}
		if rapid.Bool().Draw(rt, "across") {
			fmt.Fprintf(&b, "  - {name: across, to: %s, routes: [{when: 'has(fields.days) && fields.days > 3', to: %s}]}\n",
				name(rapid.IntRange(0, n+1).Draw(rt, "to")), name(rapid.IntRange(1, n+1).Draw(rt, "routed")))
		}
		if rapid.Bool().Draw(rt, "timed") {
			fmt.Fprintf(&b, "  - {name: late, to: %s, after: 1h}\n", name(i+1))
		}
	}
	b.WriteString("- {name: end, type: End}\n")
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
		action.Transition = rapid.SampledFrom([]v1alpha1.Name{"go", "save", "further", "back", "across", "late"}).Draw(rt, "transition")
		action.Fields = v1alpha1.JSONObject{"days": int64(rapid.IntRange(0, 9).Draw(rt, "days"))}
		if rapid.Bool().Draw(rt, "names somebody") {
			action.Fields["who"] = rapid.SampledFrom([]string{"b1", "b1,b2", "gone", "lilei,nobody"}).Draw(rt, "who")
		}
	case v1alpha1.ActionDeliver, v1alpha1.ActionAddSigner:
		action.Target = rapid.SampledFrom(everybody).Draw(rt, "target")
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

// TestWhateverTheWorkflow takes random actions through random workflows: no dead
// vote, no stale participant, no lost signer, history only grows, finished stays
// finished but for an administrator's SetState, and an action twice changes nothing.
func TestWhateverTheWorkflow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := randomWorkflow(rt)
		s := spec(t, text)
		graph, problems := engine.Compile("it", "vpn", s, wireIDs(s))
		if len(problems) > 0 {
			rt.Fatalf("a drawn workflow has problems: %v\n%s", problems, text)
		}
		w := &walker{t: t, graph: graph, dir: directory(), now: start}
		if w.open("go", v1alpha1.JSONObject{"who": "b1,b2"}) != nil {
			rt.Skip("nobody would act there at first")
		}
		for step := range rapid.IntRange(1, 30).Draw(rt, "steps") {
			before := w.s
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(rt, "seconds")) * time.Second)
			randomStep(rt, w, step)
			check(rt, w, before)
			checkSigners(rt, w, before)
			w.s.Status, _ = engine.Overflow(w.s.Status)
		}
	})
}

func randomStep(rt *rapid.T, w *walker, step int) {
	if wanted := w.s.Status.Wanted; wanted != nil && !w.s.Status.LastRunFailed && rapid.Bool().Draw(rt, "run") {
		phase := rapid.SampledFrom([]v1alpha1.RunPhase{v1alpha1.RunSucceeded, v1alpha1.RunFailed}).Draw(rt, "phase")
		w.s.Status.Run = &v1alpha1.Run{Visit: wanted.Visit, Attempt: wanted.Attempt, Phase: phase, Message: "ran"}
	}
	if due, _ := engine.Due(w.graph, w.s, w.now); due != nil {
		next, refusal := engine.Decide(w.graph, w.s, *due, w.dir, w.now)
		if refusal != nil {
			rt.Fatalf("%s was refused: %v", due.Kind, refusal)
		}
		w.s = next
		return
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

// checkSigners: who asked somebody to sign has the ticket back, or the ticket
// has left the state, or an administrator has disposed of it.
func checkSigners(rt *rapid.T, w *walker, before engine.Snapshot) {
	had, has := before.Status.Signers, w.s.Status.Signers
	if len(has) >= len(had) || w.s.Status.Visit != before.Status.Visit {
		return
	}
	latest := last(&w.s.Status)
	switch {
	case latest.Action == v1alpha1.HistoryAction(v1alpha1.ActionEndAddSigner):
		if len(had)-len(has) != 1 || !slices.Contains(w.s.Status.Participants.Users, had[len(had)-1]) {
			rt.Fatalf("the end of add_node lost %v", had)
		}
	case latest.Action != v1alpha1.HistoryAction(v1alpha1.ActionDeliver):
		rt.Fatalf("%s lost the signers %v", latest.Action, had)
	}
}
