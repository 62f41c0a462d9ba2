// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"cmp"
	"context"
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

type logTransition struct {
	ID          v1alpha1.WireID `json:"transition_id"`
	Name        string          `json:"transition_name"`
	AttributeID int             `json:"attribute_type_id"`
}

type logState struct {
	ID   v1alpha1.WireID `json:"state_id"`
	Name string          `json:"state_name"`
}

type logPerson struct {
	TypeID int    `json:"participant_type_id"`
	Name   string `json:"participant"`
	Alias  string `json:"participant_alias"`
	Email  string `json:"participant_email"`
	Phone  string `json:"participant_phone"`
}

// logRow is what logs and steps have in common.
type logRow struct {
	ID          int64         `json:"id"`
	Transition  logTransition `json:"transition"`
	InterveneID int           `json:"intervene_type_id"`
	TypeID      int           `json:"participant_type_id"`
	Participant string        `json:"participant"`
	Info        logPerson     `json:"participant_info"`
	Suggestion  string        `json:"suggestion"`
	GmtCreated  string        `json:"gmt_created"`

	state logState
	entry *v1alpha1.HistoryEntry
}

// flowLog is LOG of rest-behaviour.md §4.10.
type flowLog struct {
	logRow
	TicketID    v1alpha1.WireID `json:"ticket_id"`
	State       logState        `json:"state"`
	GmtModified string          `json:"gmt_modified"`
	TicketData  any             `json:"ticket_data,omitempty"`
}

// rows are a ticket's logs, oldest first.
func (r *Renderer) rows(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph, profile v1alpha1.Profile) ([]logRow, []v1alpha1.HistoryEntry, error) {
	history, err := r.backend.History(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	out := make([]logRow, 0, len(history))
	for i := range history {
		if !slices.Contains(unlogged, history[i].Action) {
			out = append(out, r.row(ctx, t, graph, &history[i], profile))
		}
	}
	return out, history, nil
}

func (r *Renderer) row(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph, entry *v1alpha1.HistoryEntry, profile v1alpha1.Profile) logRow {
	created := entry.Time
	row := logRow{
		ID: int64(t.Status.ID)*logsPerTicket + entry.Seq, Suggestion: entry.Comment, GmtCreated: r.time(&created),
		Info: r.logPerson(ctx, t, entry, profile), entry: entry,
	}
	row.TypeID, row.Participant = row.Info.TypeID, row.Info.Name
	row.state.Name = string(entry.State)
	state, ok := graph.State(entry.State)
	if ok {
		row.state = logState{ID: state.ID, Name: state.DisplayName}
	}
	if entry.Transition != "" && ok {
		if taken, found := state.Transition(entry.Transition); found {
			row.Transition = logTransition{ID: taken.ID, Name: taken.DisplayName, AttributeID: outcomeNumbers[taken.Outcome]}
			return row
		}
	}
	shown, known := interventions[entry.Action]
	row.InterveneID = shown.id
	row.Transition = logTransition{Name: shown.name, AttributeID: outcomeNumbers[v1alpha1.OutcomeOther]}
	if !known {
		row.Transition.Name = unknownOperation
	}
	return row
}

// logPerson is who did what a log says.
func (r *Renderer) logPerson(ctx context.Context, t *v1alpha1.Ticket, entry *v1alpha1.HistoryEntry, profile v1alpha1.Profile) logPerson {
	if entry.Script != nil {
		name := cmp.Or(entry.Script.FileName, string(entry.Script.Name))
		if profile == v1alpha1.ProfileR1 {
			id := v1alpha1.WireID(0)
			if script, ok := r.backend.Script(ctx, t.Namespace, string(entry.Script.Name)); ok {
				id = script.Status.ID
			}
			name = "脚本:(id:" + idText(id) + ", name:" + name + ")"
		}
		return logPerson{TypeID: typeRobot, Name: name, Alias: name}
	}
	name := string(entry.Actor)
	if name == v1alpha1.HookUser || entry.Action == v1alpha1.HistoryHookFailed {
		return logPerson{TypeID: typeHook, Name: v1alpha1.HookUser, Alias: v1alpha1.HookUser}
	}
	out := logPerson{TypeID: typePersonal, Name: name, Alias: name}
	if user, ok := r.backend.Directory().UserObject(name); ok {
		out.Alias, out.Email, out.Phone = directory.DisplayName(user), user.Spec.Email, user.Spec.Phone
	}
	return out
}

// FlowLogs are a ticket's logs, newest first.
func (r *Renderer) FlowLogs(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph, profile v1alpha1.Profile, withData bool) ([]flowLog, error) {
	rows, history, err := r.rows(ctx, t, graph, profile)
	if err != nil {
		return nil, err
	}
	var data map[int64]map[string]any
	if withData {
		data = r.fold(ctx, t, graph, history)
	}
	out := make([]flowLog, 0, len(rows))
	for _, row := range slices.Backward(rows) {
		log := flowLog{logRow: row, TicketID: t.Status.ID, State: row.state, GmtModified: row.GmtCreated}
		if withData {
			log.TicketData = data[row.entry.Seq]
		}
		out = append(out, log)
	}
	return out, nil
}

// fold is the ticket's values after each entry, from the changes that each made.
func (r *Renderer) fold(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph, history []v1alpha1.HistoryEntry) map[int64]map[string]any {
	out := make(map[int64]map[string]any, len(history))
	values := map[string]any{}
	for _, field := range graph.Fields() {
		values[string(field.Name)] = nil
	}
	title := ""
	for i := range history {
		entry := &history[i]
		for name, value := range entry.Changes {
			if name == "title" {
				title, _ = value.(string)
				continue
			}
			values[name] = value
		}
		out[entry.Seq] = r.snapshot(ctx, t, graph, entry, title, values)
	}
	return out
}

func (r *Renderer) snapshot(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph, entry *v1alpha1.HistoryEntry, title string, values map[string]any) map[string]any {
	created := entry.Time
	kind, participant := r.participant(ctx, t.Namespace, &entry.After.Participants)
	data := map[string]any{
		"id": t.Status.ID, "creator": t.Spec.Creator, "gmt_created": r.time(t.Status.OpenedAt), "gmt_modified": r.time(&created),
		"is_deleted": false, "title": title, "workflow_id": t.Status.WorkflowID, "sn": t.Status.SerialNumber,
		"state_id": 0, "parent_ticket_id": t.Status.ParentID, "parent_ticket_state_id": t.Status.ParentStateID,
		"participant_type_id": kind, "participant": participant, "act_state_id": progressNumbers[entry.After.Progress],
	}
	if state, ok := graph.State(entry.After.State); ok {
		data["state_id"] = state.ID
	}
	for name, value := range values {
		data[name] = value
	}
	return data
}

// stepLog is SLOG of rest-behaviour.md §4.11.
type stepLog struct {
	logRow
	AttributeID int             `json:"attribute_type_id"`
	StateID     v1alpha1.WireID `json:"state_id"`
}

type flowStep struct {
	StateID v1alpha1.WireID `json:"state_id"`
	Name    string          `json:"state_name"`
	OrderID int32           `json:"order_id"`
	Logs    []stepLog       `json:"state_flow_log_list"`
}

type flowSteps struct {
	Value          []flowStep      `json:"value"`
	CurrentStateID v1alpha1.WireID `json:"current_state_id"`
}

// FlowSteps are a workflow's states with what happened in each; hidden ones are
// left out unless the ticket is there.
func (r *Renderer) FlowSteps(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph, profile v1alpha1.Profile) (any, error) {
	rows, _, err := r.rows(ctx, t, graph, profile)
	if err != nil {
		return nil, err
	}
	if profile == v1alpha1.ProfileR1 {
		slices.Reverse(rows)
	}
	steps := []flowStep{}
	for _, state := range graph.States {
		if state.Hidden && state.Name != t.Status.State {
			continue
		}
		step := flowStep{StateID: state.ID, Name: state.DisplayName, OrderID: state.Order, Logs: []stepLog{}}
		for _, row := range rows {
			if row.entry.State == state.Name {
				step.Logs = append(step.Logs, stepLog{logRow: row, AttributeID: row.Transition.AttributeID, StateID: state.ID})
			}
		}
		steps = append(steps, step)
	}
	return flowSteps{Value: steps, CurrentStateID: t.Status.StateID}, nil
}
