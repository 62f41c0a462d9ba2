// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// everything is what can be asked in the vpn workflow.
var everything = []v1alpha1.TicketAction{
	take("submit"), take("approve"), take("reject"), take("agree"), take("refuse"), take("done"), take("ok"), take("again"),
	do(v1alpha1.ActionAccept), do(v1alpha1.ActionComment), do(v1alpha1.ActionEndAddSigner), do(v1alpha1.ActionRetreat),
	do(v1alpha1.ActionClose), do(v1alpha1.ActionRetryScript),
	{Type: v1alpha1.ActionDeliver, Target: "other"}, {Type: v1alpha1.ActionDeliver, Target: "b1"},
	{Type: v1alpha1.ActionAddSigner, Target: "lilei"}, {Type: v1alpha1.ActionAddSigner, Target: "b2"},
	{Type: v1alpha1.ActionSetState, State: "ops"}, {Type: v1alpha1.ActionSetState, State: "board"}, {Type: v1alpha1.ActionSetState, State: "end"},
	{Type: v1alpha1.ActionSetFields, Fields: v1alpha1.JSONObject{"days": int64(9)}},
}

// TestWhateverIsAsked takes random actions by random people, with timers and
// scripts between them, and looks at what must hold after each.
func TestWhateverIsAsked(t *testing.T) {
	people := []v1alpha1.UserName{"lilei", "zhangsan", "guiji", "wangwu", "b1", "b2", "b3", "admin", "other"}
	rapid.Check(t, func(rt *rapid.T) {
		w := newWalker(t, vpn).mustOpen("submit", v1alpha1.JSONObject{"days": int64(rapid.IntRange(1, 30).Draw(rt, "days"))})
		var all []v1alpha1.HistoryEntry
		previous := ""
		for step := range rapid.IntRange(1, 40).Draw(rt, "steps") {
			before := w.s
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(rt, "seconds")) * time.Second)
			if w.s.Status.Wanted != nil && !w.s.Status.LastRunFailed && rapid.Bool().Draw(rt, "run") {
				w.runs(rapid.SampledFrom([]v1alpha1.RunPhase{v1alpha1.RunSucceeded, v1alpha1.RunFailed}).Draw(rt, "phase"), "ran", nil)
			} else {
				action := rapid.SampledFrom(everything).Draw(rt, "action")
				action.ID = fmt.Sprintf("action-%d", step)
				w.try(rapid.SampledFrom(people).Draw(rt, "actor"), action)
			}
			check(rt, w, before)
			// What the reconciler does with history that is too long.
			kept, moved := engine.Overflow(w.s.Status)
			all, w.s.Status = append(all, moved...), kept
		}
		if err := engine.VerifyHistory(previous, append(all, w.s.Status.History...)); err != nil {
			rt.Fatalf("the history does not verify: %v", err)
		}
		if int64(len(all)+len(w.s.Status.History)) != w.s.Status.HistoryCount {
			rt.Fatalf("%d entries are counted, %d are there", w.s.Status.HistoryCount, len(all)+len(w.s.Status.History))
		}
	})
}

func check(rt *rapid.T, w *walker, before engine.Snapshot) {
	status := &w.s.Status
	state, ok := w.graph.State(status.State)
	if !ok {
		rt.Fatalf("the ticket is in no state: %q", status.State)
	}
	if status.HistoryCount < before.Status.HistoryCount {
		rt.Fatal("the history has shrunk")
	}
	for _, related := range before.Status.Related {
		if !slices.ContainsFunc(status.Related, func(r v1alpha1.RelatedUser) bool { return r.User == related.User }) {
			rt.Fatalf("%s is not related any more", related.User)
		}
	}
	if state.Type != v1alpha1.StateEnd && status.Participants.Kind == v1alpha1.ParticipantsUsers && len(status.Participants.Users) == 0 {
		rt.Fatalf("nobody can act in state %s", state.Name)
	}
	for _, vote := range status.Votes {
		if vote.Transition == "" && !slices.Contains(status.Participants.Users, vote.User) {
			rt.Fatalf("the seat of %s is dead", vote.User)
		}
	}
	if engine.Ended(w.graph, status) != engine.HasEnded(status) {
		rt.Fatalf("the index takes %s in %s for something else than the graph does", status.Progress, state.Name)
	}
	if engine.Ended(w.graph, &before.Status) && !engine.Ended(w.graph, status) && firstSince(&before.Status, status).Action != "SetState" {
		rt.Fatalf("an ended ticket was reopened by %s", firstSince(&before.Status, status).Action)
	}
	if state.Type == v1alpha1.StateEnd && (len(status.Signers) > 0 || len(status.Votes) > 0 || status.Wanted != nil) {
		rt.Fatal("something stayed behind in an ended ticket")
	}
	if _, err := json.Marshal(status); err != nil {
		rt.Fatal(err)
	}
}

// firstSince is the first entry that an action has left; those after it tell what
// the ticket was passed through.
func firstSince(before, status *v1alpha1.TicketStatus) v1alpha1.HistoryEntry {
	added := int(status.HistoryCount - before.HistoryCount)
	if added == 0 || added > len(status.History) {
		return v1alpha1.HistoryEntry{}
	}
	return status.History[len(status.History)-added]
}

func last(status *v1alpha1.TicketStatus) v1alpha1.HistoryEntry {
	if len(status.History) == 0 {
		return v1alpha1.HistoryEntry{}
	}
	return status.History[len(status.History)-1]
}

func TestChangedHistoryIsFound(t *testing.T) {
	w := atOps(t)
	for i := range w.s.Status.History {
		forged := w.s.Status.DeepCopy().History
		forged[i].Comment = "forged"
		if engine.VerifyHistory("", forged) == nil {
			t.Errorf("a change of entry %d was not found", i+1)
		}
	}
	gap := slices.Delete(w.s.Status.DeepCopy().History, 0, 1)
	if engine.VerifyHistory("", gap) == nil {
		t.Error("a missing entry was not found")
	}
}

var update = flag.Bool("update", false, "write the golden files anew")

// TestLifeStories tells whole lives as a trace and compares them with what was
// told before: -update writes them anew.
func TestLifeStories(t *testing.T) {
	stories := map[string]func(w *walker){
		"approved": func(w *walker) {
			w.mustOpen("submit", v1alpha1.JSONObject{"days": int64(2)}).must("zhangsan", take("approve"))
			w.must("guiji", do(v1alpha1.ActionAccept)).must("guiji", take("done")).runs(v1alpha1.RunSucceeded, "granted", nil).must("lilei", take("ok"))
		},
		"refused-by-the-board": func(w *walker) {
			w.mustOpen("submit", v1alpha1.JSONObject{"days": int64(20)}).must("zhangsan", take("approve"))
			w.must("b1", take("agree")).must("b3", take("refuse"))
		},
		"script-failed-and-retried": func(w *walker) {
			w.mustOpen("submit", v1alpha1.JSONObject{"days": int64(2)}).must("zhangsan", take("approve"))
			w.must("guiji", do(v1alpha1.ActionAccept)).must("guiji", take("done")).runs(v1alpha1.RunFailed, "exit status 1", nil)
			w.must("guiji", do(v1alpha1.ActionRetryScript)).runs(v1alpha1.RunSucceeded, "granted", nil)
		},
		"retreated-and-closed": func(w *walker) {
			w.mustOpen("submit", v1alpha1.JSONObject{"days": int64(2)}).must("lilei", do(v1alpha1.ActionRetreat)).must("lilei", do(v1alpha1.ActionClose))
		},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			w := newWalker(t, vpn)
			story(w)
			var lines []string
			for _, e := range w.s.Status.History {
				after := e.After
				lines = append(lines, fmt.Sprintf("%d %s: %s by %s %s-> %s %s %v %q", e.Seq, e.State, e.Action, e.Actor,
					strings.TrimLeft(string(e.Transition)+" ", " "), after.State, after.Progress, after.Participants.Users, e.Comment))
			}
			got := strings.Join(lines, "\n") + "\n"
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
