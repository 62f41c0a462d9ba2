// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import "fmt"

// Reason is why something was refused: the closed list of decisions.md §3.1,
// as far as it concerns tickets. The API server adds those of its own trade.
type Reason string

// Reasons the engine refuses for.
const (
	ReasonUnknownApplication Reason = "UnknownApplication"
	ReasonUnknownUser        Reason = "UnknownUser"
	ReasonBadParameter       Reason = "BadParameter"
	ReasonUnknownKey         Reason = "UnknownKey"
	ReasonTooLarge           Reason = "TooLarge"
	ReasonUnknownTicket      Reason = "UnknownTicket"
	ReasonUnknownWorkflow    Reason = "UnknownWorkflow"
	ReasonUnknownState       Reason = "UnknownState"
	ReasonUnknownTransition  Reason = "UnknownTransition"
	ReasonWorkflowNotReady   Reason = "WorkflowNotReady"
	ReasonNotParticipant     Reason = "NotParticipant"
	ReasonNotCreator         Reason = "NotCreator"
	ReasonNotAllowed         Reason = "NotAllowed"
	ReasonLimitReached       Reason = "LimitReached"
	ReasonAcceptFirst        Reason = "AcceptFirst"
	ReasonNothingToAccept    Reason = "NothingToAccept"
	ReasonInAddNode          Reason = "InAddNode"
	ReasonNotInAddNode       Reason = "NotInAddNode"
	ReasonNothingToDo        Reason = "NothingToDo"
	ReasonWrongState         Reason = "WrongState"
	ReasonNotRetreatable     Reason = "NotRetreatable"
	ReasonNotRetryable       Reason = "NotRetryable"
	ReasonNotWaitingForHook  Reason = "NotWaitingForHook"
	ReasonParentElsewhere    Reason = "ParentElsewhere"
	ReasonMissingFields      Reason = "MissingFields"
	ReasonInvalidFields      Reason = "InvalidFields"
	ReasonNoParticipants     Reason = "NoParticipants"
	ReasonConditionFailed    Reason = "ConditionFailed"
	ReasonConflict           Reason = "Conflict"
	ReasonInternal           Reason = "Internal"
)

// Refusal says why something was not done. Its message names the field,
// permission or transition that it is about and holds no internals.
type Refusal struct {
	Reason  Reason
	Message string
}

// Error makes a Refusal an error.
func (r *Refusal) Error() string { return string(r.Reason) + ": " + r.Message }

func refuse(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Message: fmt.Sprintf(format, args...)}
}
