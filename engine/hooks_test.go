// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

const hooked = `
states:
- {name: new, type: Start, transitions: [{name: go, to: call}]}
- {name: call, participants: {hook: {url: "https://example.com", wait: WAIT, extraInfo: {room: "12"}}}, transitions: [{name: called, to: check}]}
- {name: check, participants: {users: [zhangsan]}, transitions: [{name: ok, to: end}]}
- {name: end, type: End}
`

func callBack(succeeded bool) v1alpha1.TicketAction {
	action := do(v1alpha1.ActionHookCallback)
	action.Succeeded, action.Comment = ptr.To(succeeded), "from the other side"
	return action
}

func hookWalker(t *testing.T, wait string) *walker {
	return newWalker(t, strings.Replace(hooked, "WAIT", wait, 1)).mustOpen("go", nil)
}

func TestAHookThatDoesNotWaitMovesTheTicketWithWhatWasAnswered(t *testing.T) {
	w := hookWalker(t, "false")
	w.runs(v1alpha1.RunSucceeded, "made", nil).at("check", "zhangsan")
	if entry := last(&w.s.Status); entry.Action != v1alpha1.HistoryHookSucceeded || entry.Transition != "called" || entry.Comment != "made" || entry.Actor != v1alpha1.RobotUser {
		t.Errorf("recorded as %+v", entry)
	}
}

func TestAHookThatWaitsIsNotedOnceAndMovesWhenItCallsBack(t *testing.T) {
	w := hookWalker(t, "true")
	w.runs(v1alpha1.RunSucceeded, "taken", nil).at("call", "")
	if entry := last(&w.s.Status); entry.Action != v1alpha1.HistoryHookSucceeded || entry.Transition != "" || entry.Comment != "taken" {
		t.Errorf("recorded as %+v", entry)
	}
	if due, _ := engine.Due(w.graph, w.s, w.now); due != nil {
		t.Errorf("%s is due again", due.Kind)
	}
	again, refusal := engine.Decide(w.graph, w.s, engine.Command{Kind: engine.CommandRunFinished}, w.dir, w.now)
	if refusal != nil || cmp.Diff(w.s, again) != "" {
		t.Errorf("a repetition did something: %v\n%s", refusal, cmp.Diff(w.s, again))
	}
	w.must(v1alpha1.HookUser, callBack(true)).at("check", "zhangsan")
}

func TestWhatAHookWasSentAlongIsToldWhereItWasCalled(t *testing.T) {
	w := hookWalker(t, "true")
	w.runs(v1alpha1.RunSucceeded, "taken", nil)
	w.must(v1alpha1.HookUser, callBack(true))
	var got []any
	for i := range w.s.Status.History {
		if along := engine.SentAlong(w.graph, &w.s.Status.History[i]); along != nil {
			got = append(got, w.s.Status.History[i].Comment, along["room"])
		}
	}
	if diff := cmp.Diff([]any{"taken", "12"}, got); diff != "" {
		t.Errorf("told with (-want +got):\n%s", diff)
	}
}

func TestAHookThatReportsAFailureIsCalledAgainOnDemand(t *testing.T) {
	w := hookWalker(t, "true")
	w.runs(v1alpha1.RunSucceeded, "taken", nil)
	w.must(v1alpha1.HookUser, callBack(false)).at("call", "")
	if !w.s.Status.LastRunFailed || engine.RunWanted(&w.s.Status, v1alpha1.ParticipantsHook) != nil {
		t.Fatalf("it is called again by itself: %+v", w.s.Status)
	}
	w.must("lilei", do(v1alpha1.ActionRetryScript))
	wanted := engine.RunWanted(&w.s.Status, v1alpha1.ParticipantsHook)
	if wanted == nil || wanted.Attempt != 2 || wanted.Noted || w.s.Status.LastRunFailed {
		t.Fatalf("a retry asks for %+v", wanted)
	}
	w.runs(v1alpha1.RunFailed, "it answers 404", nil).at("call", "")
	if entry := last(&w.s.Status); entry.Action != v1alpha1.HistoryHookFailed || entry.Comment != "it answers 404" || !w.s.Status.LastRunFailed {
		t.Errorf("recorded as %+v", entry)
	}
}

func TestAHookThatCannotBeReachedHasFailedSoFarAndNeedNotBeWaitedFor(t *testing.T) {
	w := hookWalker(t, "false")
	calling := func(message string) {
		w.s.Status.Run = &v1alpha1.Run{Visit: w.s.Status.Wanted.Visit, Attempt: w.s.Status.Wanted.Attempt, Phase: v1alpha1.RunRunning, Message: message}
	}
	calling("")
	if engine.LastRunFailed(&w.s.Status) {
		t.Error("a call that is under way counts as failed")
	}
	if r := w.try("lilei", do(v1alpha1.ActionRetryScript)); r == nil || r.Reason != engine.ReasonNotRetryable {
		t.Errorf("a call that is under way is repeated: %v", r)
	}
	calling("connection refused")
	if !engine.LastRunFailed(&w.s.Status) || engine.RunWanted(&w.s.Status, v1alpha1.ParticipantsHook) == nil {
		t.Error("it has not failed, or is not called again by itself")
	}
	w.must("lilei", do(v1alpha1.ActionRetryScript))
	if wanted := engine.RunWanted(&w.s.Status, v1alpha1.ParticipantsHook); wanted == nil || wanted.Attempt != 2 || engine.LastRunFailed(&w.s.Status) {
		t.Errorf("a retry asks for %+v", wanted)
	}
}

func TestThatAHookCannotBeReachedIsInTheHistoryAtOnce(t *testing.T) {
	failures := func(w *walker) (comments []string) {
		for _, entry := range w.s.Status.History {
			if entry.Action == v1alpha1.HistoryHookFailed {
				comments = append(comments, entry.Comment)
				if !entry.After.LastRunFailed || entry.Actor != v1alpha1.RobotUser {
					t.Errorf("got failed %t by %s, want a failure by %s", entry.After.LastRunFailed, entry.Actor, v1alpha1.RobotUser)
				}
			}
		}
		return comments
	}
	ended := func(w *walker, phase v1alpha1.RunPhase, message string) *walker {
		w.s.Status.Run.Phase, w.s.Status.Run.Message = phase, message
		return w.due()
	}
	refused := func(t *testing.T) *walker {
		t.Helper()
		w := hookWalker(t, "false")
		w.s.Status.Run = &v1alpha1.Run{Visit: w.s.Status.Wanted.Visit, Attempt: w.s.Status.Wanted.Attempt, Phase: v1alpha1.RunRunning, Message: "connection refused"}
		w.due().at("call", "")
		w.s.Status.Run.Message = "connection reset" // it is called again
		if due, _ := engine.Due(w.graph, w.s, w.now); due != nil {
			t.Errorf("%s is due", due.Kind)
		}
		again, refusal := engine.Decide(w.graph, w.s, engine.Command{Kind: engine.CommandRunUnreached}, w.dir, w.now)
		if refusal != nil || cmp.Diff(w.s, again) != "" {
			t.Errorf("a repetition did something: %v", refusal)
		}
		return w
	}
	cases := map[string]struct {
		phase   v1alpha1.RunPhase
		message string
		state   v1alpha1.Name
		want    []string
	}{
		"it is reached after all":     {v1alpha1.RunSucceeded, "well", "check", []string{"connection refused"}},
		"it is given up":              {v1alpha1.RunFailed, "connection refused", "call", []string{"connection refused", "connection refused"}},
		"it is reached, and will not": {v1alpha1.RunFailed, "no such room", "call", []string{"connection refused", "no such room"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := ended(refused(t), tc.phase, tc.message)
			if w.s.Status.State != tc.state || w.s.Status.LastRunFailed != (tc.phase == v1alpha1.RunFailed) {
				t.Errorf("got state %s, failed %t", w.s.Status.State, w.s.Status.LastRunFailed)
			}
			if diff := cmp.Diff(tc.want, failures(w)); diff != "" {
				t.Errorf("failures in the history (-want +got):\n%s", diff)
			}
			if due, _ := engine.Due(w.graph, w.s, w.now); due != nil {
				t.Errorf("%s is due", due.Kind)
			}
		})
	}
}

func TestQ29TheLastWordOfAHookCounts(t *testing.T) {
	w := hookWalker(t, "true").runs(v1alpha1.RunSucceeded, "taken", nil)
	w.must(v1alpha1.HookUser, callBack(false)).must(v1alpha1.HookUser, callBack(true)).at("check", "zhangsan")
	if w.s.Status.LastRunFailed {
		t.Error("the last run counts as failed, though it called back with success")
	}
}

func TestOnlyAHooksOwnRunIsWantedOfIt(t *testing.T) {
	w := hookWalker(t, "false")
	if engine.RunWanted(&w.s.Status, v1alpha1.ParticipantsScript) != nil {
		t.Error("a script runs where a hook is to be called")
	}
	if hook, ok := engine.HookOf(w.graph, &w.s.Status); !ok || hook.URL != "https://example.com" {
		t.Errorf("the hook is %+v, %v", hook, ok)
	}
	w.s.Status.Run = &v1alpha1.Run{Visit: w.s.Status.Visit, Attempt: 1, Phase: v1alpha1.RunRunning}
	if engine.RunWanted(&w.s.Status, v1alpha1.ParticipantsHook) == nil {
		t.Error("a call that is under way has ended")
	}
	w.runs(v1alpha1.RunSucceeded, "", nil)
	if _, ok := engine.HookOf(w.graph, &w.s.Status); ok || engine.RunWanted(&w.s.Status, v1alpha1.ParticipantsHook) != nil {
		t.Error("a ticket that waits for a person has a hook")
	}
}

func TestACallBackCountsOnlyInTheStateThatItIsMeantFor(t *testing.T) {
	w := hookWalker(t, "true").runs(v1alpha1.RunSucceeded, "taken", nil)
	action := callBack(true)
	action.FromState = "another"
	if r := w.try(v1alpha1.HookUser, action); r == nil || r.Reason != engine.ReasonNotWaitingForHook {
		t.Errorf("it was taken where another hook is waited for: %v", r)
	}
	action.FromState = "call"
	w.must(v1alpha1.HookUser, action).at("check", "zhangsan")
}
