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

func TestAParentThatComesBackWaitsForMoreSubTickets(t *testing.T) {
	w := newWalker(t, stuckProject).mustOpen("go", nil).at("develop", "")
	child := func(id v1alpha1.WireID, progress v1alpha1.Progress) v1alpha1.Ticket {
		child := v1alpha1.Ticket{Spec: v1alpha1.TicketSpec{Parent: &v1alpha1.ParentReference{Name: "project-1", State: "develop"}}}
		child.Status.ID, child.Status.Progress, child.Status.Participants.Kind = id, progress, v1alpha1.ParticipantsNone
		return child
	}
	count := func(children ...v1alpha1.Ticket) *walker {
		w.s.Status.Children = engine.CountChildren(w.graph, w.s.Status.Children, children)
		return w
	}
	nothingDue := func(why string) {
		t.Helper()
		if due, _ := engine.Due(w.graph, w.s, w.now); due != nil {
			t.Errorf("%s is due %s", due.Kind, why)
		}
	}
	old := child(7, v1alpha1.ProgressFinished)
	count(old).due().at("test", "guiji,wangwu")
	w.must("guiji", do(v1alpha1.ActionAccept)).must("guiji", take("more")).at("develop", "")
	count(old)
	nothingDue("for sub-tickets that it has gone on for")
	count(old, child(0, ""))
	nothingDue("while another is being opened")
	count(old, child(9, v1alpha1.ProgressInProgress))
	nothingDue("while another is under way")
	count(old, child(9, v1alpha1.ProgressClosed)).due().at("test", "guiji,wangwu")
	if got := w.s.Status.Children; got[0].Total != 2 || got[0].GoneOnFor != 9 {
		t.Errorf("counted %+v", got)
	}
}

func TestWhichStatesOfItsParentATicketMayHangOn(t *testing.T) {
	parent := newWalker(t, stuckProject).mustOpen("go", nil).at("develop", "")
	gone := parent.s
	gone.Status.Children = childrenOf("develop", 1, 1)
	gone.Status.Children[0].Newest = 7
	gone, _ = engine.Decide(parent.graph, gone, engine.Command{Kind: engine.CommandChildrenEnded}, parent.dir, parent.now)
	ended := gone
	ended.Status.State, ended.Status.Progress = "end", v1alpha1.ProgressFinished
	cases := map[string]struct {
		parent engine.Snapshot
		state  v1alpha1.Name
		want   engine.Reason
	}{
		"the one that it is in":               {parent.s, "develop", ""},
		"one that it has yet to come to":      {parent.s, "test", ""},
		"none":                                {ended, "", ""},
		"one that it has gone on from":        {gone, "develop", engine.ReasonParentElsewhere},
		"one of a parent that has ended":      {ended, "test", engine.ReasonParentElsewhere},
		"one that its workflow does not have": {parent.s, "nowhere", engine.ReasonParentElsewhere},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWalker(t, stuckProject)
			w.dir.Parents = map[string]engine.ParentTicket{"it/project-1": {Snapshot: tc.parent, Graph: parent.graph}}
			w.parent, w.parentState = "project-1", tc.state
			got := engine.Reason("")
			if r := w.open("go", nil); r != nil {
				got = r.Reason
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestWhoMayHangATicketOnAnother(t *testing.T) {
	everyone := "visibility: Everyone\n" + stuckProject
	cases := map[string]struct {
		workflow string
		creator  v1alpha1.UserName
		by       v1alpha1.RequestedBy
		want     engine.Reason
	}{
		"who opened the other":                                    {stuckProject, "lilei", portal(), ""},
		"who has nothing to do with it":                           {stuckProject, "other", portal(), engine.ReasonUnknownTicket},
		"anyone where everyone may look":                          {everyone, "other", portal(), ""},
		"anyone of whom an application speaks that may intervene": {stuckProject, "other", v1alpha1.RequestedBy{Application: "desk"}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			parent := newWalker(t, tc.workflow)
			if r := parent.open("go", nil); r != nil {
				t.Fatal(r)
			}
			dir := directory()
			dir.Applications["desk"] = engine.Application{Name: "desk", AllWorkflows: true, Intervene: true}
			dir.Parents = map[string]engine.ParentTicket{"it/project-1": {Snapshot: parent.s, Graph: parent.graph}}
			child := parent.s
			child.Name, child.Status = "part-1", v1alpha1.TicketStatus{}
			child.Spec.Creator, child.Spec.By = tc.creator, tc.by
			child.Spec.Parent = &v1alpha1.ParentReference{Name: "project-1", State: "develop"}
			_, r := engine.Open(parent.graph, child, engine.Identities{ID: 18, SerialNumber: "loonflow_202605150002", Revision: "vpn-1"}, dir, start)
			got := engine.Reason("")
			if r != nil {
				got = r.Reason
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
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
