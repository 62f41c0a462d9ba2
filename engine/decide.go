// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"slices"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// rules is what each action does. A new action is added here, with its function
// in a file of its own or beside its siblings. A rule changes the turn's copy of
// the ticket, or refuses; what it changed before refusing is thrown away.
var rules map[v1alpha1.ActionType]func(*turn) *Refusal

func init() {
	// Not a literal, since rules reach take, which reaches other rules' helpers.
	rules = map[v1alpha1.ActionType]func(*turn) *Refusal{
		v1alpha1.ActionTransition:   (*turn).transition,
		v1alpha1.ActionAccept:       (*turn).accept,
		v1alpha1.ActionDeliver:      (*turn).deliver,
		v1alpha1.ActionAddSigner:    (*turn).addSigner,
		v1alpha1.ActionEndAddSigner: (*turn).endAddSigner,
		v1alpha1.ActionComment:      (*turn).comment,
		v1alpha1.ActionSetState:     (*turn).setState,
		v1alpha1.ActionSetFields:    (*turn).setFields,
		v1alpha1.ActionRetryScript:  (*turn).retryScript,
		v1alpha1.ActionHookCallback: (*turn).hookCallback,
		v1alpha1.ActionRetreat:      (*turn).retreat,
		v1alpha1.ActionClose:        (*turn).closeTicket,
		v1alpha1.ActionDelete:       (*turn).deleteTicket,
	}
}

const (
	// recentActions are remembered for answers and idempotency.
	maxRecentActions = 16
	// maxStatusBytes leaves room for spec and metadata below the 256 KiB that
	// a Ticket may have.
	maxStatusBytes = 200 * 1024
	// maxAskedBytes is what values may have, as they are asked for. They stay in
	// the spec even if the form has no place for them; those that it has are
	// stored twice, as values and in the history.
	maxAskedBytes = maxStatusBytes / 2
)

// turn is one decision under way, on a copy of the ticket.
type turn struct {
	graph  *Graph
	s      Snapshot
	before Snapshot // the ticket as it was
	state  *State
	dir    Directory
	now    metav1.Time
	zone   *time.Location // that times without one are in
	action v1alpha1.TicketAction
	actor  v1alpha1.UserName
	by     *v1alpha1.RequestedBy
}

func newTurn(g *Graph, s Snapshot, dir Directory, now time.Time) *turn {
	// Seconds are what survives being stored; a hash over more could not be verified.
	t := &turn{graph: g, before: s, dir: dir, now: metav1.NewTime(now.UTC().Truncate(time.Second)), zone: now.Location()}
	t.startOver()
	return t
}

// startOver throws away what the turn has changed of the ticket.
func (t *turn) startOver() {
	t.s = t.before
	t.s.Status = *t.before.Status.DeepCopy()
}

// Decide applies one command. A person's action that was decided already (its
// id is in recentActions or the history) changes nothing; an applied one is noted
// in recentActions. A refusal changes nothing: NoteRefusal records it. now is in
// the zone that a time sent without one is in.
func Decide(g *Graph, s Snapshot, c Command, dir Directory, now time.Time) (Snapshot, *Refusal) {
	t := newTurn(g, s, dir, now)
	state, ok := g.State(s.Status.State)
	if !ok {
		return s, refuse(ReasonInternal, "the workflow's revision has no state %q", s.Status.State)
	}
	t.state = state
	var refusal *Refusal
	switch c.Kind {
	case CommandAction:
		refusal = t.actOnce(c.Action)
	case CommandRunUnreached:
		refusal = t.runUnreached()
	case CommandRunFinished:
		refusal = t.runFinished()
	case CommandTimer:
		refusal = t.timer(c.Action.Transition)
	case CommandChildrenEnded:
		refusal = t.childrenEnded()
	default:
		refusal = refuse(ReasonInternal, "there is no command %q", c.Kind)
	}
	if refusal == nil {
		refusal = t.checkSize()
	}
	if refusal != nil {
		return s, refusal
	}
	return t.s, nil
}

// actOnce applies a person's action, unless it was applied already. One that the
// history knows, and recentActions no more, is noted there again: without an
// outcome it would keep every other action out.
func (t *turn) actOnce(action v1alpha1.TicketAction) *Refusal {
	if _, known := Outcome(&t.s.Status, action.ID); known {
		return nil
	}
	if !Applied(t.s.Status.History, action.ID) {
		return t.act(action)
	}
	t.remember(v1alpha1.RecentAction{ID: action.ID, Outcome: v1alpha1.ActionApplied})
	return nil
}

// act applies a person's action.
func (t *turn) act(action v1alpha1.TicketAction) *Refusal {
	t.action, t.actor, t.by = action, action.Actor, &action.By
	rule, ok := rules[action.Type]
	if !ok {
		return refuse(ReasonBadParameter, "there is no action %q", action.Type)
	}
	if r := t.speaks(); r != nil {
		return r
	}
	if r := checkComment(action.Comment); r != nil {
		return r
	}
	if r := checkAsked(action.Fields); r != nil {
		return r
	}
	if r := rule(t); r != nil {
		return r
	}
	t.remember(v1alpha1.RecentAction{ID: action.ID, Outcome: v1alpha1.ActionApplied})
	return nil
}

// speaks says whether the action may be asked on this word. A call-back comes
// from a machine: its application must be allowed the workflow, or the API
// server has checked the hook's own token. An application may also change fields
// and name nobody who does (decisions.md §4).
func (t *turn) speaks() *Refusal {
	called := t.action.Type == v1alpha1.ActionHookCallback
	switch {
	case called && t.action.By.User == v1alpha1.HookUser:
		return nil
	case called, t.action.Type == v1alpha1.ActionSetFields && t.byApplicationAlone():
		return mayUse(t.s.Namespace, t.graph.Name, t.action.By.Application, t.dir)
	}
	return Speaks(t.s.Namespace, t.graph.Name, string(t.actor), t.action.By, t.dir)
}

// byApplicationAlone says that an application asks in no user's name.
func (t *turn) byApplicationAlone() bool {
	return t.actor == v1alpha1.RobotUser && t.action.By.Application != ""
}

func checkComment(comment string) *Refusal {
	if n := utf8.RuneCountInString(comment); n > MaxComment {
		return refuse(ReasonTooLarge, "suggestion has %d characters, at most %d fit", n, MaxComment)
	}
	return nil
}

// checkAsked refuses more than could ever be stored, whatever of it counts.
func checkAsked(fields v1alpha1.JSONObject) *Refusal {
	if len(fields) == 0 {
		return nil
	}
	data, err := json.Marshal(fields)
	if err != nil || len(data) > maxAskedBytes {
		return refuse(ReasonTooLarge, "the fields have more than %d bytes", maxAskedBytes)
	}
	return nil
}

// checkSize refuses what would make the object too large to be stored.
func (t *turn) checkSize() *Refusal {
	kept, _ := Overflow(t.s.Status)
	data, err := json.Marshal(kept)
	if err != nil {
		return refuse(ReasonInternal, "the ticket cannot be written")
	}
	if len(data) > maxStatusBytes {
		return refuse(ReasonTooLarge, "the ticket would become larger than %d bytes", maxStatusBytes)
	}
	return nil
}

// NoteRefusal records in recentActions that an action was refused.
func NoteRefusal(s Snapshot, actionID string, r *Refusal) Snapshot {
	t := turn{s: s}
	t.s.Status = *s.Status.DeepCopy()
	t.remember(v1alpha1.RecentAction{
		ID: actionID, Outcome: v1alpha1.ActionRefused,
		Reason: string(r.Reason), Message: shorten(r.Message, 500),
	})
	return t.s
}

// Outcome finds an action's outcome in recentActions.
func Outcome(status *v1alpha1.TicketStatus, actionID string) (v1alpha1.RecentAction, bool) {
	for _, recent := range slices.Backward(status.RecentActions) {
		if recent.ID == actionID {
			return recent, true
		}
	}
	return v1alpha1.RecentAction{}, false
}

// Applied says whether an action is in a history, or a part of one.
func Applied(history []v1alpha1.HistoryEntry, actionID string) bool {
	return slices.ContainsFunc(history, func(e v1alpha1.HistoryEntry) bool { return e.ActionID == actionID })
}

func (t *turn) remember(recent v1alpha1.RecentAction) {
	actions := append(t.s.Status.RecentActions, recent)
	if len(actions) > maxRecentActions {
		actions = slices.Clone(actions[len(actions)-maxRecentActions:])
	}
	t.s.Status.RecentActions = actions
}
