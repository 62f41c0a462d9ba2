// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Comments of what happens by itself, as clients know them.
const (
	timerComment    = "定时器流转"
	childrenComment = "所有子工单处理完毕，自动流转"
)

// How long to wait before a failed script is run again by itself: each pause is
// twice as long as the one before.
const (
	firstPause   = 2 * time.Second
	longestPause = time.Minute
)

// Due says which command falls due by itself, if one does, and when to ask
// again (zero: not before something happens).
func Due(g *Graph, s Snapshot, now time.Time) (due *Command, next time.Time) {
	if runWaits(&s.Status) {
		return &Command{Kind: CommandRunFinished}, now
	}
	if unreached(&s.Status) && !s.Status.Wanted.Unreached {
		return &Command{Kind: CommandRunUnreached}, now
	}
	if childrenDone(&s.Status) {
		return &Command{Kind: CommandChildrenEnded}, now
	}
	first, waits := NextTimer(&s.Status)
	if !waits || Ended(g, &s.Status) {
		return nil, time.Time{}
	}
	if first.At.After(now) {
		return nil, first.At.Time
	}
	return &Command{Kind: CommandTimer, Action: v1alpha1.TicketAction{Transition: first.Transition}}, now
}

// NextTimer is the timer that falls due first.
func NextTimer(status *v1alpha1.TicketStatus) (v1alpha1.Timer, bool) {
	if len(status.Timers) == 0 {
		return v1alpha1.Timer{}, false
	}
	return slices.MinFunc(status.Timers, func(a, b v1alpha1.Timer) int { return a.At.Compare(b.At.Time) }), true
}

// Answers says whether a run is the one that a ticket wants; without one of them
// it is not.
func Answers(run *v1alpha1.Run, wanted *v1alpha1.WantedRun) bool {
	return run != nil && wanted != nil && run.Visit == wanted.Visit && run.Attempt == wanted.Attempt
}

// runWaits says that the wanted run has ended and was not taken note of.
func runWaits(status *v1alpha1.TicketStatus) bool {
	wanted, run := status.Wanted, status.Run
	return Answers(run, wanted) && !wanted.Noted && !status.LastRunFailed && run.Phase != v1alpha1.RunRunning
}

// LastRunFailed says whether a script's last run or a hook's last call failed
// (Q29). A hook that cannot be reached is called again for a while: it has failed
// until it is, and somebody who has mended it need not wait.
func LastRunFailed(status *v1alpha1.TicketStatus) bool {
	return status.LastRunFailed || unreached(status)
}

// unreached says that a hook could not be reached and is called again.
func unreached(status *v1alpha1.TicketStatus) bool {
	run := status.Run
	return Answers(run, status.Wanted) && status.Participants.Kind == v1alpha1.ParticipantsHook &&
		run.Phase == v1alpha1.RunRunning && run.Message != ""
}

// RunWanted is the run that a ticket asks of a script or a hook and that has not
// ended; nil if there is none.
func RunWanted(status *v1alpha1.TicketStatus, kind v1alpha1.ParticipantsKind) *v1alpha1.WantedRun {
	wanted, run := status.Wanted, status.Run
	if wanted == nil || status.Participants.Kind != kind {
		return nil
	}
	if Answers(run, wanted) && run.Phase != v1alpha1.RunRunning {
		return nil
	}
	return wanted
}

// runUnreached records that a hook could not be reached, as soon as that is known
// (rest-behaviour.md §8.2): people see it while it is called again.
func (t *turn) runUnreached() *Refusal {
	if !unreached(&t.s.Status) || t.s.Status.Wanted.Unreached {
		return nil // a repetition
	}
	t.actor = v1alpha1.RobotUser
	t.s.Status.Wanted.Unreached = true
	t.record(v1alpha1.HistoryEntry{Action: v1alpha1.HistoryHookFailed, Comment: t.s.Status.Run.Message})
	return nil
}

// runFinished takes note of a run that has ended: on success the state's one
// transition is taken, on failure the ticket stays where it is until somebody
// retries or moves it (rest-behaviour.md §8.1). A hook may be waited for longer.
func (t *turn) runFinished() *Refusal {
	if !runWaits(&t.s.Status) {
		return nil // a repetition
	}
	t.actor = v1alpha1.RobotUser
	run := *t.s.Status.Run
	if run.Phase == v1alpha1.RunFailed {
		t.runFailed(run.Message)
		t.repeat()
		return nil
	}
	if t.waitsForCallback() {
		t.s.Status.Wanted.Noted = true
		t.record(v1alpha1.HistoryEntry{Action: v1alpha1.HistoryHookSucceeded, Comment: run.Message})
		return nil
	}
	chosen, ok := t.state.firstTransition()
	if !ok {
		return refuse(ReasonInternal, "state %q has no transition", t.state.Name)
	}
	changes, refusal := t.resultFields(run.Fields)
	if refusal == nil {
		t.store(changes)
		entry := t.runEntry(v1alpha1.HistoryScriptSucceeded, v1alpha1.HistoryHookSucceeded, run.Message)
		entry.Changes, entry.Transition, entry.Outcome = changes, chosen.Name, chosen.Outcome
		if refusal = t.take(chosen, entry); refusal == nil {
			return nil
		}
		t.startOver()
	}
	t.runFailed(fmt.Sprintf("the run succeeded, but the ticket could not go on: %s", refusal.Message))
	return nil
}

func (t *turn) runFailed(message string) {
	t.s.Status.LastRunFailed = true
	entry := t.runEntry(v1alpha1.HistoryScriptFailed, v1alpha1.HistoryHookFailed, message)
	if chosen, ok := t.state.firstTransition(); ok && entry.Action == v1alpha1.HistoryScriptFailed {
		entry.Transition = chosen.Name
	}
	t.record(entry)
}

// repeat asks for another attempt at a failed run, as the script's retries allow.
func (t *turn) repeat() {
	last := *t.s.Status.Wanted
	script, ok := t.dir.Script(t.s.Namespace, string(t.s.Status.Participants.Script))
	if t.s.Status.Participants.Kind != v1alpha1.ParticipantsScript || !ok || !repeats(&last, script) {
		return
	}
	t.want(last.Attempt+1, last.RequestedBy)
	pause := min(firstPause<<last.Repetition, longestPause)
	at := metav1.NewTime(t.now.Add(pause))
	t.s.Status.Wanted.Repetition, t.s.Status.Wanted.NotBefore = last.Repetition+1, &at
}

// repeats says whether a run, should it fail, is repeated by itself.
func repeats(wanted *v1alpha1.WantedRun, script Script) bool {
	return script.Active && wanted.Repetition < script.Retries
}

func (t *turn) runEntry(script, hook v1alpha1.HistoryAction, message string) v1alpha1.HistoryEntry {
	participants, run := t.s.Status.Participants, t.s.Status.Run
	entry := v1alpha1.HistoryEntry{Action: script, Comment: message}
	if participants.Kind == v1alpha1.ParticipantsHook {
		entry.Action = hook
		return entry
	}
	entry.Script = &v1alpha1.ScriptTrace{Name: participants.Script, SourceHash: run.SourceHash, Attempt: run.Attempt}
	if found, ok := t.dir.Script(t.s.Namespace, string(participants.Script)); ok {
		entry.Script.FileName = found.FileName
	}
	return entry
}

// resultFields reads the fields of a run's result as strictly as a person's.
func (t *turn) resultFields(fields v1alpha1.JSONObject) (v1alpha1.JSONObject, *Refusal) {
	changes, found := v1alpha1.JSONObject{}, &findings{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !t.graph.Settable(name) {
			found.invalid = append(found.invalid, Say("%s is no field of the workflow", name))
			continue
		}
		t.setChange(changes, found, name, fields[name])
	}
	return changes, found.refusal()
}

// retryScript asks for another attempt at a run that failed. It is for related people
// and admins; no application is granted it (decisions.md §4).
func (t *turn) retryScript() *Refusal {
	actor := string(t.actor)
	if !isRelated(&t.s.Status, actor) && !NewOnlooker(actor, t.dir).Manages(&t.graph.Spec) {
		return refuse(ReasonNotAllowed, "%q may not retry the script: that is for related people and admins", t.actor)
	}
	status := &t.s.Status
	if status.Wanted == nil || !LastRunFailed(status) {
		return refuse(ReasonNotRetryable, "there is no failed script or hook to retry in state %q", t.state.Name)
	}
	t.want(status.Wanted.Attempt+1, actor+"_retry")
	t.record(t.entry())
	return nil
}

// timer takes a timer transition that has fallen due. Nobody is there to fill
// a form, so none is demanded. If the ticket cannot go on, that is recorded and
// the timer is spent: it fires once.
func (t *turn) timer(name v1alpha1.Name) *Refusal {
	waits := slices.ContainsFunc(t.s.Status.Timers, func(timer v1alpha1.Timer) bool {
		return timer.Transition == name && !timer.At.After(t.now.Time)
	})
	chosen, ok := t.state.Transition(name)
	if !waits || !ok || Ended(t.graph, &t.s.Status) {
		return nil // void, or a repetition
	}
	return t.takeByItself(chosen, v1alpha1.HistoryTimer, timerComment)
}

func (t *turn) takeByItself(chosen *Transition, action v1alpha1.HistoryAction, comment string) *Refusal {
	t.actor = v1alpha1.RobotUser
	entry := v1alpha1.HistoryEntry{Action: action, Transition: chosen.Name, Outcome: chosen.Outcome, Comment: comment}
	refusal := t.take(chosen, entry)
	if refusal == nil {
		return nil
	}
	t.startOver()
	t.s.Status.Timers = slices.DeleteFunc(t.s.Status.Timers, func(timer v1alpha1.Timer) bool { return timer.Transition == chosen.Name })
	entry.Comment = comment + ": " + refusal.Message
	t.record(entry)
	return nil
}
