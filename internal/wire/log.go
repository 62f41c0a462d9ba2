// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"cmp"
	"slices"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
)

// logsPerTicket is how far apart the wire ids of two tickets' logs are.
const logsPerTicket = 100_000

// intervention is how a history action shows where no transition was taken:
// rest-behaviour.md §3.6.
type intervention struct {
	id   int
	name string
}

var interventions = map[v1alpha1.HistoryAction]intervention{
	"Deliver":                    {1, "转交操作"},
	"AddSigner":                  {2, "加签操作"},
	"EndAddSigner":               {3, "加签完成操作"},
	"Accept":                     {4, "接单操作"},
	"Comment":                    {5, "新增评论"},
	"Delete":                     {6, unknownOperation},
	"Close":                      {7, "强制关闭"},
	"SetState":                   {8, "强制修改状态"},
	"HookCallback":               {9, "hook操作"},
	"Retreat":                    {10, "撤回操作"},
	v1alpha1.HistoryHookFailed:   {0, unknownOperation},
	v1alpha1.HistoryScriptFailed: {0, unknownOperation},
}

const unknownOperation = "未知操作"

// unlogged are history actions that clients do not know as logs.
var unlogged = []v1alpha1.HistoryAction{"SetFields", "RetryScript"}

// Logged says whether clients know a history entry as a log.
func Logged(entry *v1alpha1.HistoryEntry) bool { return !slices.Contains(unlogged, entry.Action) }

// StepTransition is the transition that a log within a step tells of.
type StepTransition struct {
	ID   v1alpha1.WireID `json:"transition_id"`
	Name string          `json:"transition_name"`
}

// LogTransition is the transition that a log tells of, with its attribute, which
// a step has beside it (rest-behaviour.md §4.10, §4.11).
type LogTransition struct {
	StepTransition
	AttributeID int `json:"attribute_type_id"`
}

// LogState is the state that a log belongs to.
type LogState struct {
	ID   v1alpha1.WireID `json:"state_id"`
	Name string          `json:"state_name"`
}

// LogPerson is who did what a log tells of.
type LogPerson struct {
	TypeID int    `json:"participant_type_id"`
	Name   string `json:"participant"`
	Alias  string `json:"participant_alias"`
	Email  string `json:"participant_email"`
	Phone  string `json:"participant_phone"`
}

// LogRow is what logs and steps have in common.
type LogRow struct {
	ID          int64         `json:"id"`
	Transition  LogTransition `json:"transition"`
	InterveneID int           `json:"intervene_type_id"`
	TypeID      int           `json:"participant_type_id"`
	Participant string        `json:"participant"`
	Info        LogPerson     `json:"participant_info"`
	Suggestion  string        `json:"suggestion"`
	GmtCreated  string        `json:"gmt_created"`

	State LogState               `json:"-"`
	Entry *v1alpha1.HistoryEntry `json:"-"`
}

// Row writes one entry of a history.
func (w *Writer) Row(t *v1alpha1.Ticket, graph *engine.Graph, entry *v1alpha1.HistoryEntry, profile v1alpha1.Profile) LogRow {
	created := entry.Time
	row := LogRow{
		ID: int64(t.Status.ID)*logsPerTicket + entry.Seq, Suggestion: entry.Comment, GmtCreated: w.Time(&created),
		Info: w.person(t, entry, profile), Entry: entry,
	}
	row.TypeID, row.Participant = row.Info.TypeID, row.Info.Name
	row.State.Name = string(entry.State)
	state, ok := graph.State(entry.State)
	if ok {
		row.State = LogState{ID: state.ID, Name: state.DisplayName}
	}
	if entry.Transition != "" && ok {
		if taken, found := state.Transition(entry.Transition); found {
			row.Transition = LogTransition{StepTransition{taken.ID, taken.DisplayName}, Outcome[taken.Outcome]}
			return row
		}
	}
	shown, known := interventions[entry.Action]
	row.InterveneID = shown.id
	row.Transition = LogTransition{StepTransition{Name: shown.name}, Outcome[v1alpha1.OutcomeOther]}
	if !known {
		row.Transition.Name = unknownOperation
	}
	return row
}

// person is who did what a log says.
func (w *Writer) person(t *v1alpha1.Ticket, entry *v1alpha1.HistoryEntry, profile v1alpha1.Profile) LogPerson {
	if entry.Script != nil {
		name := cmp.Or(entry.Script.FileName, string(entry.Script.Name))
		if profile == v1alpha1.ProfileR1 {
			id := v1alpha1.WireID(0)
			if script, ok := w.People.ScriptObject(t.Namespace, string(entry.Script.Name)); ok {
				id = script.Status.ID
			}
			name = "脚本:(id:" + IDText(id) + ", name:" + name + ")"
		}
		return LogPerson{TypeID: TypeRobot, Name: name, Alias: name}
	}
	name := string(entry.Actor)
	saidByHook := entry.Action == v1alpha1.HistoryHookFailed || entry.Action == v1alpha1.HistoryHookSucceeded && entry.Transition == ""
	if name == v1alpha1.HookUser || saidByHook {
		return LogPerson{TypeID: TypeHook, Name: v1alpha1.HookUser, Alias: v1alpha1.HookUser}
	}
	out := LogPerson{TypeID: TypePersonal, Name: name, Alias: name}
	if user, ok := w.People.UserObject(name); ok {
		out.Alias, out.Email, out.Phone = directory.DisplayName(user), user.Spec.Email, user.Spec.Phone
	}
	return out
}

// Log is LOG of rest-behaviour.md §4.10.
type Log struct {
	LogRow
	TicketID    v1alpha1.WireID `json:"ticket_id"`
	State       LogState        `json:"state"`
	GmtModified string          `json:"gmt_modified"`
	TicketData  any             `json:"ticket_data,omitempty"`
}

// NewLog is a row as a log of its own.
func NewLog(t *v1alpha1.Ticket, row LogRow) Log {
	return Log{LogRow: row, TicketID: t.Status.ID, State: row.State, GmtModified: row.GmtCreated}
}
