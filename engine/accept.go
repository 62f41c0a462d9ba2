// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import "ticketflow.dev/ticketflow/api/v1alpha1"

// acceptComment is what clients see as the comment of a claim.
const acceptComment = "接单处理"

// mustAccept is the rule for claiming (rest-behaviour.md §5.4): where a state is
// distributed by claim and several people wait there, one of them must accept
// the ticket before anybody may take a transition. Delivering and asking
// another signer need no claim (decisions.md §4).
func mustAccept(state *State, status *v1alpha1.TicketStatus) bool {
	return state.Distribution == v1alpha1.DistributionClaim &&
		status.Participants.Kind == v1alpha1.ParticipantsUsers &&
		len(status.Participants.Users) > 1 &&
		len(status.Signers) == 0
}

// accept claims the ticket: the actor becomes the only participant.
func (t *turn) accept() *Refusal {
	if r := t.mustParticipate(); r != nil {
		return r
	}
	if !mustAccept(t.state, &t.s.Status) {
		return refuse(ReasonNothingToAccept, "the ticket needs no accepting: state %q has one participant or is not distributed by claim", t.state.Name)
	}
	t.assign(t.actor)
	t.record(v1alpha1.HistoryEntry{Action: v1alpha1.HistoryAction(v1alpha1.ActionAccept), Comment: acceptComment})
	return nil
}
