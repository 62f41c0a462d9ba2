// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"errors"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// transition is the rule for a person who takes a transition. The order of its
// refusals is that of rest-behaviour.md §4.9.
func (t *turn) transition() *Refusal {
	if r := t.mustParticipate(); r != nil {
		return r
	}
	if mustAccept(t.state, &t.s.Status) {
		return refuse(ReasonAcceptFirst, "several people wait for the ticket in state %q: accept it first", t.state.Name)
	}
	if len(t.s.Status.Signers) > 0 {
		return refuse(ReasonInAddNode, "the ticket is with an added signer: only the end of add_node is possible")
	}
	chosen, ok := t.state.Transition(t.action.Transition)
	if from := t.action.FromState; from != "" && from != t.state.Name {
		return refuse(ReasonUnknownTransition, "transition %q leaves state %q, but the ticket is in state %q", t.action.Transition, from, t.state.Name)
	}
	if !ok {
		return refuse(ReasonUnknownTransition, "state %q has no transition %q; it has %s", t.state.Name, t.action.Transition, t.state.transitions())
	}
	changes, r := t.fill(t.state, chosen.FieldCheck, request{fields: t.action.Fields, clear: t.action.Clear})
	if r != nil {
		return r
	}
	t.store(changes)
	t.handled()
	entry := v1alpha1.HistoryEntry{
		Action: v1alpha1.HistoryAction(v1alpha1.ActionTransition), Transition: chosen.Name, Outcome: chosen.Outcome,
		Comment: t.action.Comment, Changes: changes,
	}
	if len(t.s.Status.Votes) > 0 {
		decided := t.vote(chosen)
		if decided == nil {
			// The progress tells of the newest vote (rest-behaviour.md §4.23).
			t.s.Status.Progress = progressBy(chosen, t.state)
			t.record(entry)
			return nil
		}
		chosen = decided
	}
	if t.state.RememberLastHandler {
		if t.s.Status.LastHandlers == nil {
			t.s.Status.LastHandlers = map[string]v1alpha1.UserName{}
		}
		t.s.Status.LastHandlers[string(t.state.Name)] = t.actor
	}
	return t.take(chosen, entry)
}

// take moves the ticket along a transition and records the entry.
func (t *turn) take(chosen *Transition, entry v1alpha1.HistoryEntry) *Refusal {
	to, r := t.route(chosen)
	if r != nil {
		return r
	}
	return t.moveTo(to, entry, func(to *State) v1alpha1.Progress {
		if entry.Action == v1alpha1.HistoryOpen { // what opens a ticket refuses nothing
			return progressIn(to, v1alpha1.ProgressFinished)
		}
		return progressBy(chosen, to)
	})
}

// moveTo brings the ticket to a state and records the entry. States that nobody can
// act in and that say so are passed through by their first transition.
func (t *turn) moveTo(first *State, entry v1alpha1.HistoryEntry, progress func(to *State) v1alpha1.Progress) *Refusal {
	entry.State = t.state.Name
	entries := []v1alpha1.HistoryEntry{entry}
	to := first
	for range len(t.graph.States) + 1 {
		present, next, r := t.arrive(to)
		if r != nil {
			return r
		}
		if next == nil {
			t.enter(to, present)
			t.s.Status.Progress = progress(to)
			for _, e := range entries {
				t.record(e)
			}
			return nil
		}
		entries = append(entries, v1alpha1.HistoryEntry{
			Action: v1alpha1.HistorySkipped, State: to.Name, Transition: next.Name,
			Outcome: next.Outcome, Actor: v1alpha1.RobotUser,
		})
		if to, r = t.route(next); r != nil {
			return r
		}
	}
	return refuse(ReasonNoParticipants, "state %q and those behind it skip each other in a circle: nobody would act", first.Name)
}

// route says where a transition leads: the first route whose condition holds,
// else its own target. A value that is absent refuses the action; it never
// goes the easy way (decisions.md §5).
func (t *turn) route(chosen *Transition) (*State, *Refusal) {
	variables := t.variables()
	for i, r := range chosen.routes {
		ok, err := holds(r.condition, variables)
		var absent absentField
		switch {
		case errors.As(err, &absent):
			return nil, refuse(ReasonConditionFailed, "transition %q: the condition %s reads the field %s, which has no value", chosen.Name, chosen.Routes[i].When, string(absent))
		case err != nil:
			return nil, refuse(ReasonConditionFailed, "transition %q: the condition %s cannot be decided: %v", chosen.Name, chosen.Routes[i].When, err)
		}
		if ok {
			return r.to, nil
		}
	}
	to, ok := t.graph.State(chosen.To)
	if !ok {
		return nil, refuse(ReasonInternal, "the workflow's revision has no state %q", chosen.To)
	}
	return to, nil
}

// arrive says who would act in a state; or, where nobody would and the state
// wants to be skipped, by which transition to go on.
func (t *turn) arrive(to *State) (v1alpha1.CurrentParticipants, *Transition, *Refusal) {
	if last, ok := t.s.Status.LastHandlers[string(to.Name)]; ok && to.RememberLastHandler {
		if remembered := t.withoutInactive([]v1alpha1.UserName{last}); len(remembered) > 0 {
			return people(remembered...), nil, nil
		}
	}
	present, r := t.resolve(to)
	if r != nil || !nobody(to, present) {
		return present, nil, r
	}
	switch to.OnEmpty {
	case v1alpha1.OnEmptySkip:
		if first, ok := to.firstTransition(); ok {
			return present, first, nil
		}
	case v1alpha1.OnEmptyAdmins:
		if admins := t.admins(); len(admins.Users) > 0 {
			return admins, nil, nil
		}
	}
	return present, nil, nobodyWouldAct(to)
}

// nobody says whether participants are people and there are none where some are needed.
func nobody(state *State, present v1alpha1.CurrentParticipants) bool {
	return present.Kind == v1alpha1.ParticipantsUsers && len(present.Users) == 0 && state.Type != v1alpha1.StateEnd
}

// admins are the workflow's admins who have not left.
func (t *turn) admins() v1alpha1.CurrentParticipants {
	return people(t.withoutInactive(userNames(t.graph.Admins()))...)
}

func nobodyWouldAct(state *State) *Refusal {
	return refuse(ReasonNoParticipants, "nobody would act in state %q: its participants resolve to no one", state.Name)
}

// firstTransition is the first in the spec that is no timer.
func (s *State) firstTransition() (*Transition, bool) {
	for _, spec := range s.State.Transitions {
		if spec.After == nil {
			return s.byName[spec.Name], true
		}
	}
	return nil, false
}

// enter puts the ticket into a state. Nothing of the state before stays: no
// vote, no added signer, no timer, no wanted run (Q15, Q17, Q18).
func (t *turn) enter(to *State, present v1alpha1.CurrentParticipants) {
	present, votes := t.distribute(to, present)
	status := &t.s.Status
	status.State, status.StateID, status.Visit = to.Name, to.ID, status.Visit+1
	status.EnteredAt = &t.now
	status.Participants, status.Votes, status.Signers = present, votes, nil
	status.Timers, status.Wanted = nil, nil
	for _, transition := range to.Transitions {
		if delay := transition.Delay(); delay > 0 {
			status.Timers = append(status.Timers, v1alpha1.Timer{Transition: transition.Name, At: metav1.NewTime(t.now.Add(delay))})
		}
	}
	slices.SortStableFunc(status.Timers, func(a, b v1alpha1.Timer) int { return a.At.Compare(b.At.Time) })
	if present.Kind == v1alpha1.ParticipantsScript || present.Kind == v1alpha1.ParticipantsHook {
		t.want(1, v1alpha1.RobotUser)
	}
	t.relate(present.Users...)
	t.state = to
}

// want asks for a run. The last run's failure is no news any more then.
func (t *turn) want(attempt int32, requestedBy string) {
	t.s.Status.Wanted = &v1alpha1.WantedRun{Visit: t.s.Status.Visit, Attempt: attempt, RequestedBy: requestedBy}
	t.s.Status.LastRunFailed = false
}

// progressIn is the progress of a ticket in a state; ended says which of the
// two ends it has come to.
func progressIn(state *State, ended v1alpha1.Progress) v1alpha1.Progress {
	switch state.Type {
	case v1alpha1.StateStart:
		return v1alpha1.ProgressDraft
	case v1alpha1.StateEnd:
		return ended
	}
	return v1alpha1.ProgressInProgress
}

// progressBy is the progress of a ticket that is in a state by a transition: one
// that refuses counts for more than where it leads.
func progressBy(taken *Transition, state *State) v1alpha1.Progress {
	if taken.Outcome == v1alpha1.OutcomeRefuse {
		return v1alpha1.ProgressRefused
	}
	return progressIn(state, v1alpha1.ProgressFinished)
}

// assign makes one user the only participant. In an All state this hands over
// nobody's seat; see handOver for that.
func (t *turn) assign(user v1alpha1.UserName) {
	t.s.Status.Participants = people(user)
	t.s.Status.Votes, t.s.Status.Signers = nil, nil
	t.relate(user)
}

// vote takes a seat's vote; it answers the transition that the votes have
// decided for, or nil while they have not (decisions.md §5).
func (t *turn) vote(chosen *Transition) *Transition {
	status := &t.s.Status
	pending := []v1alpha1.UserName{}
	for i := range status.Votes {
		if status.Votes[i].User == t.actor {
			status.Votes[i].Transition = chosen.Name
		}
		if status.Votes[i].Transition == "" {
			pending = append(pending, status.Votes[i].User)
		}
	}
	status.Participants.Users = pending
	if chosen.Outcome == v1alpha1.OutcomeRefuse && t.state.onRefuse() == v1alpha1.OnRefuseFailFast {
		return chosen
	}
	accepting, refusing := t.state.tally(status.Votes)
	switch {
	case accepting.total >= t.state.required(len(status.Votes)):
		return accepting.most
	case len(pending) == 0 && refusing.most != nil:
		return refusing.most
	case len(pending) == 0:
		return accepting.most
	}
	return nil
}

func (s *State) onRefuse() v1alpha1.OnRefuse {
	if s.Approval == nil {
		return v1alpha1.OnRefuseFailFast
	}
	return cmp.Or(s.Approval.OnRefuse, v1alpha1.OnRefuseFailFast)
}

// required is how many accepting votes of so many seats carry; never more than
// there are seats, so that no state waits for ever.
func (s *State) required(seats int) int {
	if s.Approval == nil || s.Approval.Require == nil {
		return seats
	}
	require := s.Approval.Require
	switch {
	case require.Word == v1alpha1.RequireAny:
		return 1
	case require.Count > 0:
		return min(int(require.Count), seats)
	case require.Percent > 0:
		return max(1, (seats*int(require.Percent)+99)/100)
	}
	return seats
}

// count is the votes of one kind: how many, and for which transition most.
type count struct {
	total int
	most  *Transition
}

// tally counts accepting and refusing votes; on a tie the transition listed
// first has most.
func (s *State) tally(votes []v1alpha1.Vote) (accepting, refusing count) {
	byTransition := map[v1alpha1.Name]int{}
	for _, vote := range votes {
		if vote.Transition != "" {
			byTransition[vote.Transition]++
		}
	}
	most := map[bool]int{}
	for _, spec := range s.State.Transitions {
		n := byTransition[spec.Name]
		side, refuses := &accepting, spec.Outcome == v1alpha1.OutcomeRefuse
		if refuses {
			side = &refusing
		}
		side.total += n
		if n > most[refuses] {
			most[refuses], side.most = n, s.byName[spec.Name]
		}
	}
	return accepting, refusing
}
