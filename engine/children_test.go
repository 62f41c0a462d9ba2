// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// stuckProject has sub-tickets that lead to a state of a role, and a timer.
const stuckProject = `
states:
- {name: new, type: Start, transitions: [{name: go, to: develop}]}
- {name: develop, participants: {children: {}}, transitions: [{name: developed, to: test}, {name: late, to: chase, after: 24h}]}
- {name: test, participants: {userRoles: [ops]}, transitions: [{name: ok, to: end}, {name: more, to: develop}]}
- {name: chase, participants: {users: [zhangsan]}, transitions: [{name: ok, to: end}]}
- {name: end, type: End}
`

func childrenOf(state v1alpha1.Name, ended, total int32) []v1alpha1.ChildrenCount {
	return []v1alpha1.ChildrenCount{{State: state, Ended: ended, Total: total}}
}

func TestAParentWhoseWayOnIsRefusedWaitsForARepairAndKeepsItsTimer(t *testing.T) {
	w := newWalker(t, stuckProject).mustOpen("go", nil).at("develop", "")
	w.dir.Roles["ops"] = nil
	w.s.Status.Children = childrenOf("develop", 1, 1)
	before := w.s
	decide := func() *engine.Refusal {
		command, _ := engine.Due(w.graph, w.s, w.now)
		if command == nil {
			t.Fatal("nothing is due")
		}
		next, refusal := engine.Decide(w.graph, w.s, *command, w.dir, w.now)
		w.s = next
		return refusal
	}
	if r := decide(); r == nil || r.Reason != engine.ReasonNoParticipants {
		t.Fatalf("got %v, want NoParticipants", r)
	}
	if diff := cmp.Diff(before, w.s); diff != "" {
		t.Errorf("a refusal changed something (-before +after):\n%s", diff)
	}
	w.now = start.Add(24 * time.Hour)
	if r := decide(); r != nil {
		t.Fatalf("the timer was kept from firing: %v", r)
	}
	w.at("chase", "zhangsan")

	w = newWalker(t, stuckProject).mustOpen("go", nil)
	w.dir.Roles["ops"] = nil
	w.s.Status.Children = childrenOf("develop", 1, 1)
	decide()
	w.dir.Roles["ops"] = []string{"guiji"}
	if r := decide(); r != nil {
		t.Fatalf("repaired, it is still refused: %v", r)
	}
	w.at("test", "guiji")
}

func TestOnlyTheRobotMovesAParentAndOnlyOnce(t *testing.T) {
	w := newWalker(t, stuckProject).mustOpen("go", nil).at("develop", "")
	if r := w.try("lilei", take("developed")); r == nil {
		t.Error("a person took the way of the sub-tickets")
	}
	w.s.Status.Children = childrenOf("develop", 2, 2)
	w.due().at("test", "guiji,wangwu")
	again, refusal := engine.Decide(w.graph, w.s, engine.Command{Kind: engine.CommandChildrenEnded}, w.dir, w.now)
	if refusal != nil || cmp.Diff(w.s, again) != "" {
		t.Errorf("a repetition did something: %v\n%s", refusal, cmp.Diff(w.s, again))
	}
	if due, _ := engine.Due(w.graph, w.s, w.now); due != nil {
		t.Errorf("%s is due in a state that waits for people", due.Kind)
	}
}

func TestAnEndedParentWaitsForNothing(t *testing.T) {
	w := newWalker(t, stuckProject).mustOpen("go", nil)
	w.dir.Applications["portal"] = engine.Application{Name: "portal", AllWorkflows: true, Intervene: true}
	w.must("other", do(v1alpha1.ActionClose))
	w.s.Status.Children = childrenOf("end", 1, 1)
	if due, next := engine.Due(w.graph, w.s, w.now.Add(48*time.Hour)); due != nil || !next.IsZero() {
		t.Errorf("got %v at %s, want nothing ever", due, next)
	}
}
