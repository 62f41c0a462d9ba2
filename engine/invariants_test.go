// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"encoding/json"
	"slices"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

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

// checkPresent: votes, signers, timers and runs are of the state that the ticket
// is in, on this visit, and of nothing that was before.
func checkPresent(rt *rapid.T, w *walker) {
	status := &w.s.Status
	state, _ := w.graph.State(status.State)
	if len(status.Votes) > 0 && (state.Distribution != v1alpha1.DistributionAll || status.Participants.Kind != v1alpha1.ParticipantsUsers || len(status.Signers) > 0) {
		rt.Fatalf("votes %v stayed behind in %s", status.Votes, state.Name)
	}
	if (len(status.Votes) > 0) != status.Participants.Several {
		rt.Fatalf("%s shows a vote that is none, or hides one: %v", state.Name, status.Votes)
	}
	for _, timer := range status.Timers {
		if transition, ok := state.Transition(timer.Transition); !ok || transition.Delay() == 0 || timer.At.Before(status.EnteredAt) {
			rt.Fatalf("the timer %v is none of state %s", timer, state.Name)
		}
	}
	if wanted := status.Wanted; wanted != nil {
		kind := status.Participants.Kind
		if wanted.Visit != status.Visit || kind != v1alpha1.ParticipantsScript && kind != v1alpha1.ParticipantsHook {
			rt.Fatalf("run %v is wanted in visit %d of %s, which belongs to %s", wanted, status.Visit, state.Name, kind)
		}
	}
	present := func(user v1alpha1.UserName) bool { return w.dir.Users[string(user)].Active }
	if users := status.Participants.Users; len(users) > 0 && !engine.Ended(w.graph, status) && slices.ContainsFunc(users, present) {
		if !slices.ContainsFunc(users, func(user v1alpha1.UserName) bool { return len(engine.Options(w.graph, w.s, string(user))) > 0 }) {
			rt.Fatalf("%v have %s and can do nothing", users, state.Name)
		}
	}
}

// checkOptions: what a user is offered can be done, and nothing else of its kind.
func checkOptions(rt *rapid.T, w *walker, user v1alpha1.UserName) {
	if !w.dir.Users[string(user)].Active {
		return
	}
	attempt := func(action v1alpha1.TicketAction) engine.Reason {
		tried := *w
		tried.s.Status = *w.s.Status.DeepCopy()
		if r := tried.try(user, action); r != nil {
			return r.Reason
		}
		return ""
	}
	options := engine.Options(w.graph, w.s, string(user))
	var offered []engine.OptionKind
	for _, option := range options {
		offered = append(offered, option.Kind)
		if option.Kind != engine.OptionTransition {
			continue
		}
		switch reason := attempt(take(option.Transition.Name)); reason {
		case "", engine.ReasonMissingFields, engine.ReasonNoParticipants, engine.ReasonConditionFailed:
		default:
			rt.Fatalf("%s is offered %s and refused it: %s", user, option.Transition.Name, reason)
		}
	}
	for kind, action := range map[engine.OptionKind]v1alpha1.ActionType{
		engine.OptionAccept: v1alpha1.ActionAccept, engine.OptionEndAddSigner: v1alpha1.ActionEndAddSigner,
	} {
		if reason := attempt(do(action)); (reason == "") != slices.Contains(offered, kind) {
			rt.Fatalf("%s is offered %v, and %s is answered %q", user, offered, action, reason)
		}
	}
	state, _ := w.graph.State(w.s.Status.State)
	for _, transition := range state.Transitions {
		if reason := attempt(take(transition.Name)); reason == "" && !slices.Contains(offered, engine.OptionTransition) {
			rt.Fatalf("%s is offered %v and may take %s all the same", user, offered, transition.Name)
		}
	}
}

// stored is a ticket as it comes back from where it is kept: what does not
// belong into the status any more is moved on, and JSON tells the rest.
func stored(rt *rapid.T, s engine.Snapshot) engine.Snapshot {
	kept, _ := engine.Overflow(s.Status)
	data, err := json.Marshal(kept)
	if err != nil {
		rt.Fatal(err)
	}
	s.Status = v1alpha1.TicketStatus{}
	if err := json.Unmarshal(data, &s.Status); err != nil {
		rt.Fatal(err)
	}
	again, err := json.Marshal(s.Status)
	if err != nil {
		rt.Fatal(err)
	}
	if diff := cmp.Diff(string(data), string(again)); diff != "" {
		rt.Fatalf("the ticket is another once it was stored:\n%s", diff)
	}
	return s
}

// historyChecker verifies that every entry follows on the one before, over all
// that a ticket goes through.
func historyChecker() func(rt *rapid.T, w *walker) {
	var seq int64
	hash := ""
	return func(rt *rapid.T, w *walker) {
		status := &w.s.Status
		at := slices.IndexFunc(status.History, func(e v1alpha1.HistoryEntry) bool { return e.Seq > seq })
		if at >= 0 {
			if err := engine.VerifyHistory(hash, status.History[at:]); err != nil {
				rt.Fatalf("the history does not go on: %v", err)
			}
			if first := status.History[at].Seq; first != seq+1 {
				rt.Fatalf("entry %d follows on %d", first, seq)
			}
		}
		seq, hash = status.HistoryCount, status.HeadHash
		if latest := last(status); latest.Seq != seq || latest.Hash != hash {
			rt.Fatalf("the newest entry is %d, counted are %d", latest.Seq, seq)
		}
	}
}
