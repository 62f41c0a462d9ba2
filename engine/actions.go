// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"maps"
	"slices"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// closePrefix stands before the comment of a forced close, as clients know it.
const closePrefix = "强制关闭工单:"

func (t *turn) entry() v1alpha1.HistoryEntry {
	return v1alpha1.HistoryEntry{Action: v1alpha1.HistoryAction(t.action.Type), Comment: t.action.Comment}
}

// comment adds to the history and changes nothing else; ended tickets can be
// commented on too.
func (t *turn) comment() *Refusal {
	if !CanView(t.graph, t.s, string(t.actor), t.dir) {
		return refuse(ReasonNotAllowed, "%q has nothing to do with the ticket and may not look at it", t.actor)
	}
	updated := t.s.Status.UpdatedAt
	t.record(t.entry())
	t.s.Status.UpdatedAt = updated // the ticket is as it was (rest-behaviour.md §4.16)
	return nil
}

// deliver hands the ticket, or a seat in an All state, to somebody else. No
// claim is needed first (decisions.md §4).
func (t *turn) deliver() *Refusal {
	if t.action.AsAdministrator {
		if r := t.mustIntervene(Say("deliver as an administrator")); r != nil {
			return r
		}
		if Ended(t.graph, &t.s.Status) {
			return refuse(ReasonWrongState, "the ticket has ended: nobody can be given it")
		}
	} else if r := t.mustParticipate(); r != nil {
		return r
	}
	if r := t.targetUser(); r != nil {
		return r
	}
	t.handOver()
	entry := t.entry()
	entry.Target = t.action.Target
	t.record(entry)
	return nil
}

// handOver gives the actor's seat to the target where there are seats, else
// the whole ticket, as an administrator does in any case.
func (t *turn) handOver() {
	votes := t.s.Status.Votes
	mine := slices.IndexFunc(votes, func(v v1alpha1.Vote) bool { return v.User == t.actor })
	if mine < 0 || t.action.AsAdministrator {
		t.assign(t.action.Target)
		t.s.Status.Wanted = nil
		return
	}
	votes = slices.Delete(slices.Clone(votes), mine, mine+1)
	if !slices.ContainsFunc(votes, func(v v1alpha1.Vote) bool { return v.User == t.action.Target }) {
		votes = slices.Insert(votes, mine, v1alpha1.Vote{User: t.action.Target})
	}
	var pending []v1alpha1.UserName
	for _, vote := range votes {
		if vote.Transition == "" {
			pending = append(pending, vote.User)
		}
	}
	if len(pending) == 0 {
		// The target had voted already: it is asked again, so that the state
		// never waits for nobody.
		for i := range votes {
			if votes[i].User == t.action.Target {
				votes[i].Transition = ""
			}
		}
		pending = append(pending, t.action.Target)
	}
	slices.Sort(pending)
	t.s.Status.Votes, t.s.Status.Participants.Users = votes, pending
	t.relate(t.action.Target)
}

// addSigner asks somebody to look at the ticket before the actor goes on. It
// nests: each end returns to whoever asked (Q18).
func (t *turn) addSigner() *Refusal {
	if r := t.mustParticipate(); r != nil {
		return r
	}
	if r := t.targetUser(); r != nil {
		return r
	}
	if len(t.s.Status.Votes) > 0 {
		t.handOver()
	} else {
		signers := append(slices.Clone(t.s.Status.Signers), t.actor)
		t.assign(t.action.Target)
		t.s.Status.Signers = signers
	}
	entry := t.entry()
	entry.Target = t.action.Target
	t.record(entry)
	return nil
}

// endAddSigner returns the ticket to whoever asked last.
func (t *turn) endAddSigner() *Refusal {
	if r := t.mustParticipate(); r != nil {
		return r
	}
	signers := t.s.Status.Signers
	if len(signers) == 0 {
		return refuse(ReasonNotInAddNode, "nobody was asked to sign: there is no add_node to end")
	}
	last := signers[len(signers)-1]
	rest := slices.Clone(signers[:len(signers)-1])
	t.assign(last)
	t.s.Status.Signers = rest
	t.record(t.entry())
	return nil
}

// setState forces the ticket into a state, even out of its end. Who handled the
// state last has it only where nobody else would: an administrator begins it anew.
func (t *turn) setState() *Refusal {
	if r := t.mustIntervene(Say("force a state")); r != nil {
		return r
	}
	to, ok := t.graph.State(t.action.State)
	if !ok {
		return refuse(ReasonUnknownState, "the ticket's workflow has no state %q", t.action.State)
	}
	present, r := t.resolve(to)
	if r != nil {
		return r
	}
	entry := t.entry()
	forced := func(to *State) v1alpha1.Progress { return progressIn(to, v1alpha1.ProgressClosed) }
	if nobody(to, present) {
		return t.moveTo(to, entry, forced) // as the state wants it then
	}
	entry.State = t.state.Name
	t.enter(to, present)
	t.s.Status.Progress = forced(to)
	t.record(entry)
	return nil
}

// setFields changes values without moving the ticket (Q8). Ended is ended: what a
// finished ticket says is put right by those who may also reopen it.
func (t *turn) setFields() *Refusal {
	actor := string(t.actor)
	if t.byApplicationAlone() {
		actor = "" // nobody: what some user may is not the application's right
	}
	intervenes := CanIntervene(t.graph, actor, t.action.By, t.dir)
	if !intervenes && actor == "" {
		return refuse(ReasonNotAllowed, "without a username, fields are changed only by an application that may intervene")
	}
	if !intervenes && !IsParticipant(t.s, actor) && t.actor != t.s.Spec.Creator {
		return refuse(ReasonNotAllowed, "%q may not change fields: that is for participants, the creator and admins", t.actor)
	}
	if Ended(t.graph, &t.s.Status) && !intervenes {
		return refuse(ReasonWrongState, "the ticket has ended: only admins may change its fields")
	}
	asked := request{fields: t.action.Fields, clear: t.action.Clear}
	names := append(slices.Collect(maps.Keys(t.action.Fields)), texts(t.action.Clear)...)
	slices.Sort(names)
	if len(names) == 0 {
		return refuse(ReasonBadParameter, "no field is named")
	}
	changes, found := v1alpha1.JSONObject{}, &findings{}
	for _, name := range slices.Compact(names) {
		if !t.graph.Settable(name) {
			found.unknown = append(found.unknown, Say("%q is no field of the workflow", name))
			continue
		}
		raw, _ := asked.get(v1alpha1.FormFieldName(name))
		t.setChange(changes, found, name, raw)
	}
	if r := found.refusal(); r != nil {
		return r
	}
	t.store(changes)
	entry := t.entry()
	entry.Changes, entry.By = changes, t.by // by an application alone, too
	t.record(entry)
	return nil
}

// retreat takes the ticket back to its creator.
func (t *turn) retreat() *Refusal {
	if t.actor != t.s.Spec.Creator {
		return refuse(ReasonNotCreator, "only the creator %q may take the ticket back", t.s.Spec.Creator)
	}
	if !t.state.AllowRetreat || Ended(t.graph, &t.s.Status) {
		return refuse(ReasonNotRetreatable, "the ticket cannot be taken back from state %q", t.state.Name)
	}
	t.enter(t.graph.Start, people(t.s.Spec.Creator))
	t.s.Status.Progress = v1alpha1.ProgressRetreated
	t.record(t.entry())
	return nil
}

// closeTicket ends the ticket by force. It is logged with the end state, as
// clients know it (decisions.md §5).
func (t *turn) closeTicket() *Refusal {
	drafting := t.actor == t.s.Spec.Creator && t.state.Type == v1alpha1.StateStart
	if !drafting {
		if r := t.mustIntervene(Say("close the ticket")); r != nil {
			return r
		}
	}
	if Ended(t.graph, &t.s.Status) {
		return refuse(ReasonWrongState, "the ticket has ended already")
	}
	t.enter(t.graph.FirstEnd, v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsNone})
	t.s.Status.Progress = v1alpha1.ProgressClosed
	entry := t.entry()
	entry.Comment = closePrefix + entry.Comment
	t.record(entry)
	return nil
}

// deleteTicket records that the ticket is to go; the reconciler deletes it.
func (t *turn) deleteTicket() *Refusal {
	if r := t.mustIntervene(Say("delete the ticket")); r != nil {
		return r
	}
	t.record(t.entry())
	return nil
}
