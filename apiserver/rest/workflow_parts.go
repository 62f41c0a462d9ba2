// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"cmp"
	"slices"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/wire"
)

// Transition types: rest-behaviour.md §3.4.
const (
	transitionCommon = 1
	transitionTimer  = 2
)

// wireTransition is an item of rest-behaviour.md §6.3, transitions.
type wireTransition struct {
	ID v1alpha1.WireID `json:"id"`
	authorship
	Name               string          `json:"name"`
	WorkflowID         v1alpha1.WireID `json:"workflow_id"`
	TypeID             int             `json:"transition_type_id"`
	Timer              int64           `json:"timer"`
	SourceStateID      v1alpha1.WireID `json:"source_state_id"`
	DestinationStateID v1alpha1.WireID `json:"destination_state_id"`
	Conditions         string          `json:"condition_expression"`
	AttributeTypeID    int             `json:"attribute_type_id"`
	FieldRequireCheck  bool            `json:"field_require_check"`
	AlertEnable        bool            `json:"alert_enable"`
	AlertText          string          `json:"alert_text"`
	Source             stateName       `json:"source_state_info"`
	Destination        stateName       `json:"destination_state_info"`
}

type stateName struct {
	Name string          `json:"name"`
	ID   v1alpha1.WireID `json:"id"`
}

func (a *API) listWorkflowTransitions(r *request) (answer, error) {
	w, graph, err := r.judged()
	if err != nil {
		return answer{}, err
	}
	items := []wireTransition{}
	for _, state := range graph.States {
		for _, t := range state.Transitions {
			if r.found(t.DisplayName) {
				item := transitionDict(graph, state, t)
				item.authorship = r.api.render.authorship(w)
				item.Creator = string(graph.Spec.Creator)
				items = append(items, item)
			}
		}
	}
	slices.SortFunc(items, func(a, b wireTransition) int { return cmp.Compare(a.ID, b.ID) })
	return paged(r, items)
}

func transitionDict(graph *engine.Graph, from *engine.State, t *engine.Transition) wireTransition {
	out := wireTransition{
		ID: t.ID, Name: t.DisplayName, WorkflowID: graph.IDs.Workflow, TypeID: transitionCommon,
		SourceStateID: from.ID, Source: stateName{Name: from.DisplayName, ID: from.ID}, Conditions: conditions(graph, t),
		AttributeTypeID: wire.Outcome[t.Outcome], FieldRequireCheck: t.FieldCheck == v1alpha1.FieldCheckRequire,
		AlertEnable: t.Confirm != "", AlertText: t.Confirm,
	}
	if t.After != nil {
		out.TypeID, out.Timer = transitionTimer, int64(t.After.Seconds())
	}
	if to, ok := graph.State(t.To); ok {
		out.DestinationStateID, out.Destination = to.ID, stateName{Name: to.DisplayName, ID: to.ID}
	}
	return out
}

// conditions are a transition's routes as JSON text, as clients know it; the
// expressions are our CEL (decisions.md §1.5).
func conditions(graph *engine.Graph, t *engine.Transition) string {
	type condition struct {
		Expression    string          `json:"expression"`
		TargetStateID v1alpha1.WireID `json:"target_state_id"`
	}
	all := []condition{}
	for _, route := range t.Routes {
		to, _ := graph.State(route.To)
		all = append(all, condition{Expression: string(route.When), TargetStateID: to.ID})
	}
	return wire.JSONText(all)
}

// customField is an item of rest-behaviour.md §6.3, custom_fields.
type customField struct {
	ID v1alpha1.WireID `json:"id"`
	authorship
	WorkflowID    v1alpha1.WireID     `json:"workflow_id"`
	TypeID        int                 `json:"field_type_id"`
	Key           string              `json:"field_key"`
	Name          string              `json:"field_name"`
	OrderID       int32               `json:"order_id"`
	Default       *string             `json:"default_value"`
	Description   string              `json:"description"`
	Template      string              `json:"field_template"`
	BooleanLabels map[string]string   `json:"boolean_field_display"`
	Choice        choiceLabels        `json:"field_choice"`
	Label         v1alpha1.JSONObject `json:"label"`
}

func (a *API) listCustomFields(r *request) (answer, error) {
	w, graph, err := r.judged()
	if err != nil {
		return answer{}, err
	}
	items := []customField{}
	for _, field := range graph.Fields() {
		if !r.found(string(field.Name), field.Description, field.DisplayName) {
			continue
		}
		full := renderField(field, v1alpha1.ProfileR1)
		item := customField{
			ID: field.ID, authorship: r.api.render.authorship(w), WorkflowID: graph.IDs.Workflow, TypeID: full.TypeID, Key: full.Key, Name: full.Name,
			OrderID: full.OrderID, Default: full.Default, Description: full.Description, Template: full.Template,
			BooleanLabels: full.BooleanLabels, Choice: choiceLabels(field.Choices), Label: full.Label,
		}
		item.Creator = string(graph.Spec.Creator)
		items = append(items, item)
	}
	slices.SortFunc(items, func(a, b customField) int { return cmp.Compare(a.ID, b.ID) })
	return paged(r, items)
}
