// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"strings"
)

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
	Reason Reason
	// Message is the phrase in English.
	Message string
	// Phrase can be said in other languages too. A refusal that was read from a
	// ticket's status has only its message.
	Phrase Phrase
}

// Refuse makes a Refusal of a phrase.
func Refuse(reason Reason, format string, args ...any) *Refusal {
	said := Phrase{Format: format, Args: args}
	return &Refusal{Reason: reason, Message: said.String(), Phrase: said}
}

// Error makes a Refusal an error.
func (r *Refusal) Error() string { return string(r.Reason) + ": " + r.Message }

func refuse(reason Reason, format string, args ...any) *Refusal {
	return Refuse(reason, format, args...)
}

// Phrase is a text and what it speaks of, kept apart so that it can be said in
// another language. Its format is that of package fmt, in English.
type Phrase struct {
	Format string
	Args   []any
}

// Phrases are several, said one after the other.
type Phrases []Phrase

// Say makes a Phrase.
func Say(format string, args ...any) Phrase { return Phrase{Format: format, Args: args} }

// String is the phrase in English.
func (p Phrase) String() string { return p.In(func(format string) string { return format }) }

// Error makes a Phrase an error, as one that says what is wrong with a value.
func (p Phrase) Error() string { return p.String() }

// In says the phrase, and those in it, as translated.
func (p Phrase) In(translate func(format string) string) string {
	args := make([]any, len(p.Args))
	for i, arg := range p.Args {
		switch inner := arg.(type) {
		case Phrase:
			args[i] = inner.In(translate)
		case Phrases:
			texts := make([]string, 0, len(inner))
			for _, each := range inner {
				texts = append(texts, each.In(translate))
			}
			args[i] = strings.Join(texts, "; ")
		default:
			args[i] = arg
		}
	}
	return fmt.Sprintf(translate(p.Format), args...)
}
