// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"slices"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/wire"
)

// rows are a ticket's logs, oldest first.
func (r *Renderer) rows(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph, profile v1alpha1.Profile) ([]wire.LogRow, []v1alpha1.HistoryEntry, error) {
	history, err := r.backend.History(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	out := make([]wire.LogRow, 0, len(history))
	for i := range history {
		if wire.Logged(&history[i]) {
			out = append(out, r.wire.Row(t, graph, &history[i], profile))
		}
	}
	return out, history, nil
}

// FlowLogs are a ticket's logs, newest first.
func (r *Renderer) FlowLogs(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph, profile v1alpha1.Profile, withData bool) ([]wire.Log, error) {
	rows, history, err := r.rows(ctx, t, graph, profile)
	if err != nil {
		return nil, err
	}
	var data map[int64]map[string]any
	if withData {
		data = r.fold(t, graph, history)
	}
	out := make([]wire.Log, 0, len(rows))
	for _, row := range slices.Backward(rows) {
		log := wire.NewLog(t, row)
		if withData {
			log.TicketData = data[row.Entry.Seq]
		}
		out = append(out, log)
	}
	return out, nil
}

// fold is the ticket's values after each entry, from the changes that each made.
func (r *Renderer) fold(t *v1alpha1.Ticket, graph *engine.Graph, history []v1alpha1.HistoryEntry) map[int64]map[string]any {
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
		out[entry.Seq] = r.snapshot(t, graph, entry, title, values)
	}
	return out
}

func (r *Renderer) snapshot(t *v1alpha1.Ticket, graph *engine.Graph, entry *v1alpha1.HistoryEntry, title string, values map[string]any) map[string]any {
	created := entry.Time
	kind, participant := r.wire.Participant(t.Namespace, &entry.After.Participants)
	data := map[string]any{
		"id": t.Status.ID, "creator": t.Spec.Creator, "gmt_created": r.wire.Time(t.Status.OpenedAt), "gmt_modified": r.wire.Time(&created),
		"is_deleted": false, "title": title, "workflow_id": t.Status.WorkflowID, "sn": t.Status.SerialNumber,
		"state_id": 0, "parent_ticket_id": t.Status.ParentID, "parent_ticket_state_id": t.Status.ParentStateID,
		"participant_type_id": kind, "participant": participant, "act_state_id": wire.Progress[entry.After.Progress],
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
	wire.LogRow
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
			if row.Entry.State == state.Name {
				step.Logs = append(step.Logs, stepLog{LogRow: row, AttributeID: row.Transition.AttributeID, StateID: state.ID})
			}
		}
		steps = append(steps, step)
	}
	return flowSteps{Value: steps, CurrentStateID: t.Status.StateID}, nil
}
