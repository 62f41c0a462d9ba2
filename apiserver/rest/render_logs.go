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
		if data, err = r.fold(t, graph, history); err != nil {
			return nil, err
		}
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

// fold is the ticket's whole record after each entry, from what each says; that
// of a close is from before it, as clients know it (rest-behaviour.md §4.19).
func (r *Renderer) fold(t *v1alpha1.Ticket, graph *engine.Graph, history []v1alpha1.HistoryEntry) (map[int64]map[string]any, error) {
	out := make(map[int64]map[string]any, len(history))
	then := &v1alpha1.Ticket{ObjectMeta: t.ObjectMeta, Spec: t.Spec}
	then.Status = v1alpha1.TicketStatus{
		ID: t.Status.ID, SerialNumber: t.Status.SerialNumber, OpenedAt: t.Status.OpenedAt, WorkflowID: t.Status.WorkflowID,
		ParentID: t.Status.ParentID, ParentStateID: t.Status.ParentStateID, Fields: v1alpha1.JSONObject{},
		Related: []v1alpha1.RelatedUser{{User: t.Spec.Creator}},
	}
	for i := range history {
		closes := history[i].Action == v1alpha1.HistoryAction(v1alpha1.ActionClose)
		if !closes {
			follow(&then.Status, &history[i], graph)
		}
		data, err := r.wire.Values(then, graph)
		if err != nil {
			return nil, err
		}
		if closes {
			follow(&then.Status, &history[i], graph)
		}
		if extra := engine.SentAlong(graph, &history[i]); extra != nil {
			data["extra_info"] = extra // as the hook got it (rest-behaviour.md §8.2)
		}
		out[history[i].Seq] = data
	}
	return out, nil
}

// follow makes of a status the one after an entry.
func follow(status *v1alpha1.TicketStatus, entry *v1alpha1.HistoryEntry, graph *engine.Graph) {
	for name, value := range entry.Changes {
		if name == "title" {
			status.Title, _ = value.(string)
		} else {
			status.Fields[name] = value
		}
	}
	after := &entry.After
	status.State, status.StateID, status.Progress, status.UpdatedAt = after.State, 0, after.Progress, &entry.Time
	if state, ok := graph.State(after.State); ok {
		status.StateID = state.ID
	}
	status.Participants, status.Signers, status.Votes, status.LastRunFailed = after.Participants, after.Signers, after.Votes, after.LastRunFailed
	involved := after.Participants.Users
	if entry.Action == v1alpha1.HistoryAction(v1alpha1.ActionTransition) {
		involved = append([]v1alpha1.UserName{entry.Actor}, involved...)
	}
	for _, user := range involved {
		if !slices.ContainsFunc(status.Related, func(r v1alpha1.RelatedUser) bool { return r.User == user }) {
			status.Related = append(status.Related, v1alpha1.RelatedUser{User: user})
		}
	}
}

// stepLog is SLOG of rest-behaviour.md §4.11, where the transition's attribute
// stands beside the transition and not in it, as it does in flowlogs.
type stepLog struct {
	wire.LogRow
	Transition  wire.StepTransition `json:"transition"`
	AttributeID int                 `json:"attribute_type_id"`
	StateID     v1alpha1.WireID     `json:"state_id"`
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
				step.Logs = append(step.Logs, stepLog{
					LogRow: row, Transition: row.Transition.StepTransition, AttributeID: row.Transition.AttributeID, StateID: state.ID,
				})
			}
		}
		steps = append(steps, step)
	}
	return flowSteps{Value: steps, CurrentStateID: t.Status.StateID}, nil
}
