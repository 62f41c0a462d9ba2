// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"slices"
	"testing"
	"time"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// council has two states in a row in which everybody votes.
const council = `
creator: admin
fields: [{name: note, type: String}]
states:
- {name: new, type: Start, form: [{field: note, access: Optional}], transitions: [{name: go, to: first, routes: [{when: "has(fields.note) && fields.note == 'over'", to: end}]}]}
- name: first
  participants: {users: [b1, b2, b3]}
  distribution: All
  allowRetreat: true
  transitions: [{name: agree, to: second}, {name: also, to: second}, {name: decline, outcome: Refuse, to: end}, {name: late, to: work, after: 1h}]
- {name: second, participants: {users: [b1, b2]}, distribution: All, transitions: [{name: further, to: work}]}
- {name: work, participants: {users: [guiji, wangwu]}, rememberLastHandler: true, allowRetreat: true, transitions: [{name: done, to: check}, {name: late, to: check, after: 1h}]}
- {name: check, participants: {users: [lilei]}, transitions: [{name: again, to: work}, {name: ok, to: end}]}
- {name: end, type: End}
`

func atWork(t *testing.T) *walker {
	t.Helper()
	w := newWalker(t, council).mustOpen("go", nil)
	w.s.Status.Votes = nil // as an administrator would find it
	return w.must("admin", v1alpha1.TicketAction{Type: v1alpha1.ActionSetState, State: "work"}).at("work", "guiji,wangwu")
}

// TestQuirks looks that the quirks of rest-behaviour.md §9 that an engine could
// have are not ours. Those with more to them have a test of their own.
func TestQuirks(t *testing.T) {
	t.Run("Q9: what a person writes is a value in a condition, never part of it", func(t *testing.T) {
		for _, note := range []string{`''' or True or '''`, `' == '' || true || 'over`, `{note.__class__}`, "over\x00"} {
			newWalker(t, council).mustOpen("go", v1alpha1.JSONObject{"note": note}).at("first", "b1,b2,b3")
		}
		newWalker(t, council).mustOpen("go", v1alpha1.JSONObject{"note": "over"}).at("end", "")
	})
	t.Run("Q12: the last handler is who moved the ticket on, not who claimed or commented", func(t *testing.T) {
		w := atWork(t).must("wangwu", do(v1alpha1.ActionAccept)).must("wangwu", take("done")).at("check", "lilei")
		w.must("admin", do(v1alpha1.ActionComment)).must("lilei", take("again")).at("work", "wangwu")
	})
	t.Run("Q13: votes that differ decide by where most went, the first listed on a tie", func(t *testing.T) {
		w := newWalker(t, council).mustOpen("go", nil)
		w.must("b1", take("also")).must("b2", take("agree")).must("b3", take("also")).at("second", "b1,b2")
		if got := last(&w.s.Status).Transition; got != "also" {
			t.Errorf("the ticket took %s, want also", got)
		}
	})
	t.Run("Q14: an All state behind another has its own vote", func(t *testing.T) {
		w := newWalker(t, council).mustOpen("go", nil)
		for _, voter := range []v1alpha1.UserName{"b1", "b2", "b3"} {
			w.must(voter, take("agree"))
		}
		w.at("second", "b1,b2").must("b1", take("further")).at("second", "b2").must("b2", take("further")).at("work", "guiji,wangwu")
	})
	t.Run("Q15: nothing leaves a vote behind, and a timer is no voter", func(t *testing.T) {
		ways := map[string]func(w *walker){
			"a timer": func(w *walker) { w.now = start.Add(2 * time.Hour); w.due() },
			"force":   func(w *walker) { w.must("admin", v1alpha1.TicketAction{Type: v1alpha1.ActionSetState, State: "check"}) },
			"retreat": func(w *walker) { w.must("lilei", do(v1alpha1.ActionRetreat)) },
			"close":   func(w *walker) { w.must("admin", do(v1alpha1.ActionClose)) },
			"delivery by an administrator who has a seat": func(w *walker) {
				w.graph.Spec.Admins = []v1alpha1.UserName{"b2"}
				w.must("b2", v1alpha1.TicketAction{Type: v1alpha1.ActionDeliver, Target: "other", AsAdministrator: true}).at("first", "other")
			},
			"delivery by an administrator": func(w *walker) {
				w.must("admin", v1alpha1.TicketAction{Type: v1alpha1.ActionDeliver, Target: "other", AsAdministrator: true})
			},
		}
		for name, leave := range ways {
			w := newWalker(t, council).mustOpen("go", nil).must("b1", take("agree"))
			leave(w)
			if len(w.s.Status.Votes) != 0 {
				t.Errorf("%s left votes: %v", name, w.s.Status.Votes)
			}
		}
	})
	t.Run("Q17: nothing leaves an added signer behind", func(t *testing.T) {
		ways := map[string]func(w *walker){
			"a timer": func(w *walker) { w.now = start.Add(2 * time.Hour); w.due() },
			"force":   func(w *walker) { w.must("admin", v1alpha1.TicketAction{Type: v1alpha1.ActionSetState, State: "check"}) },
			"retreat": func(w *walker) { w.must("lilei", do(v1alpha1.ActionRetreat)) },
			"close":   func(w *walker) { w.must("admin", do(v1alpha1.ActionClose)) },
		}
		for name, leave := range ways {
			w := atWork(t).must("guiji", v1alpha1.TicketAction{Type: v1alpha1.ActionAddSigner, Target: "other"})
			leave(w)
			if len(w.s.Status.Signers) != 0 {
				t.Errorf("%s left signers: %v", name, w.s.Status.Signers)
			}
		}
	})
	t.Run("Q18: the end of add_node needs a beginning, and returns to whoever asked last", func(t *testing.T) {
		w := atWork(t)
		if r := w.try("guiji", do(v1alpha1.ActionEndAddSigner)); r == nil || r.Reason != engine.ReasonNotInAddNode {
			t.Errorf("got %v, want NotInAddNode", r)
		}
		w.must("guiji", v1alpha1.TicketAction{Type: v1alpha1.ActionAddSigner, Target: "other"})
		w.must("other", v1alpha1.TicketAction{Type: v1alpha1.ActionAddSigner, Target: "b1"})
		w.must("b1", do(v1alpha1.ActionEndAddSigner)).at("work", "other").must("other", do(v1alpha1.ActionEndAddSigner)).at("work", "guiji")
	})
	t.Run("Q21: nobody is an empty name", func(t *testing.T) {
		w := newWalker(t, council).mustOpen("go", v1alpha1.JSONObject{"note": "over"}).at("end", "")
		if slices.ContainsFunc(w.s.Status.Related, func(r v1alpha1.RelatedUser) bool { return r.User == "" }) {
			t.Error("an empty name is related")
		}
	})
	t.Run("Q22: a timer counts from entering the state, is void once it is left, and counts anew on coming back", func(t *testing.T) {
		w := atWork(t)
		w.now = start.Add(30 * time.Minute)
		w.must("guiji", do(v1alpha1.ActionAccept)).must("guiji", take("done")).must("lilei", take("again"))
		w.now = start.Add(time.Hour)
		if due, next := engine.Due(w.graph, w.s, w.now); due != nil || !next.Equal(start.Add(90*time.Minute)) {
			t.Errorf("got %v at %s, want nothing before %s", due, next, start.Add(90*time.Minute))
		}
	})
	t.Run("Q45: drawn by lot is one person, the same for the same ticket and visit", func(t *testing.T) {
		const random = `
states:
- {name: new, type: Start, transitions: [{name: go, to: work}]}
- {name: work, participants: {users: [b1, b2, b3]}, distribution: Random, transitions: [{name: ok, to: end}]}
- {name: end, type: End}
`
		first := newWalker(t, random).mustOpen("go", nil)
		again := newWalker(t, random).mustOpen("go", nil)
		if first.users() != again.users() || len(first.s.Status.Participants.Users) != 1 || first.s.Status.Participants.Several {
			t.Errorf("drawn: %q and %q", first.users(), again.users())
		}
	})
}
