// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

func TestAFailedScriptIsRepeatedByItself(t *testing.T) {
	w := newWalker(t, vpn)
	w.dir.Scripts["it/grant-vpn"] = engine.Script{Name: "grant-vpn", FileName: "grant.py", Active: true, Retries: 2}
	w.mustOpen("submit", v1alpha1.JSONObject{"days": int64(2)}).must("zhangsan", take("approve"))
	w.must("guiji", do(v1alpha1.ActionAccept)).must("guiji", take("done"))
	wants := func(attempt, repetition int32, pause time.Duration, by string) {
		t.Helper()
		want := &v1alpha1.WantedRun{Visit: w.s.Status.Visit, Attempt: attempt, Repetition: repetition, RequestedBy: by}
		if pause > 0 {
			want.NotBefore = &metav1.Time{Time: w.now.Add(pause)}
		}
		if diff := cmp.Diff(want, w.s.Status.Wanted); diff != "" {
			t.Fatalf("unexpected wish (-want +got):\n%s", diff)
		}
		if w.s.Status.LastRunFailed {
			t.Fatal("a run that is repeated counts as failed already")
		}
	}
	wants(1, 0, 0, "loonrobot")
	w.runs(v1alpha1.RunFailed, "one", nil)
	wants(2, 1, 2*time.Second, "loonrobot")
	if r := w.try("guiji", do(v1alpha1.ActionRetryScript)); r == nil || r.Reason != engine.ReasonNotRetryable {
		t.Errorf("a retry while the script is repeated anyway: %v", r)
	}
	w.runs(v1alpha1.RunFailed, "two", nil)
	wants(3, 2, 4*time.Second, "loonrobot")
	w.runs(v1alpha1.RunFailed, "three", nil)
	if !w.s.Status.LastRunFailed || w.s.Status.Wanted.Attempt != 3 {
		t.Fatalf("the last failure left no mark: %+v", w.s.Status.Wanted)
	}
	w.must("guiji", do(v1alpha1.ActionRetryScript))
	wants(4, 0, 0, "guiji_retry")
	w.runs(v1alpha1.RunFailed, "four", nil)
	wants(5, 1, 2*time.Second, "guiji_retry")
	w.runs(v1alpha1.RunSucceeded, "five", nil).at("confirm", "lilei")

	var told []string
	for _, e := range w.s.Status.History {
		if e.Script != nil {
			told = append(told, fmt.Sprintf("%s %d %s", e.Action, e.Script.Attempt, e.Comment))
		}
	}
	if diff := cmp.Diff([]string{"ScriptFailed 1 one", "ScriptFailed 2 two", "ScriptFailed 3 three", "ScriptFailed 4 four", "ScriptSucceeded 5 five"}, told); diff != "" {
		t.Errorf("the history does not have each attempt (-want +got):\n%s", diff)
	}
}

func TestWhatNoRepetitionMendsIsNotRepeated(t *testing.T) {
	cases := map[string]struct {
		script engine.Script
		phase  v1alpha1.RunPhase
		fields v1alpha1.JSONObject
	}{
		"a script that is inactive": {script: engine.Script{Name: "grant-vpn", Retries: 2}, phase: v1alpha1.RunFailed},
		"a script that has done its work, but set what is no field": {
			script: engine.Script{Name: "grant-vpn", Active: true, Retries: 2}, phase: v1alpha1.RunSucceeded, fields: v1alpha1.JSONObject{"nothing": "x"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWalker(t, vpn)
			w.dir.Scripts["it/grant-vpn"] = c.script
			w.mustOpen("submit", v1alpha1.JSONObject{"days": int64(2)}).must("zhangsan", take("approve"))
			w.must("guiji", do(v1alpha1.ActionAccept)).must("guiji", take("done")).runs(c.phase, "ran", c.fields)
			if !w.s.Status.LastRunFailed || w.s.Status.Wanted.Attempt != 1 {
				t.Errorf("it is repeated: %+v", w.s.Status.Wanted)
			}
		})
	}
}

func TestATransitionWithATimerMayOpenATicketAsInitStateListsIt(t *testing.T) {
	newWalker(t, `
fields: []
states:
- name: new
  type: Start
  transitions: [{name: submit, to: work}, {name: later, to: work, after: 1h}]
- {name: work, participants: {users: [zhangsan]}, transitions: [{name: done, to: end}]}
- {name: end, type: End}
`).mustOpen("later", nil).at("work", "zhangsan")
}
