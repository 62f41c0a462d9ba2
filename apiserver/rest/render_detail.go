// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/wire"
)

// wireField is FIELD of rest-behaviour.md §4.3.
type wireField struct {
	Key           string              `json:"field_key"`
	Name          string              `json:"field_name"`
	Value         any                 `json:"field_value"`
	OrderID       int32               `json:"order_id"`
	TypeID        int                 `json:"field_type_id"`
	Attribute     int                 `json:"field_attribute"`
	Description   string              `json:"description"`
	Choice        any                 `json:"field_choice"`
	BooleanLabels map[string]string   `json:"boolean_field_display"`
	Default       *string             `json:"default_value"`
	Template      string              `json:"field_template"`
	Label         v1alpha1.JSONObject `json:"label"`
}

// ticketDetail is the detail of rest-behaviour.md §4.3.
type ticketDetail struct {
	wire.Ticket
	FieldList   []wireField `json:"field_list"`
	CreatorInfo creatorInfo `json:"creator_info"`
	StateInfo   stateInfo   `json:"state_info"`
}

type stateInfo struct {
	stateDict
	Form map[string]int `json:"state_field_str"`
}

// Detail is a ticket as a user sees it: who acts on it sees the state's form,
// who may look at it the workflow's display fields.
func (r *Renderer) Detail(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph, user string, profile v1alpha1.Profile) any {
	detail := ticketDetail{
		Ticket:      r.wire.Ticket(t, graph),
		CreatorInfo: r.creatorInfo(ctx, string(t.Spec.Creator)),
		FieldList:   r.fieldList(ctx, t, graph, user, profile),
	}
	if state, ok := graph.State(t.Status.State); ok {
		workflow, _ := r.backend.Workflow(ctx, t.Namespace, string(t.Spec.WorkflowRef.Name))
		detail.StateInfo = stateInfo{stateDict: r.state(ctx, workflow, graph, state), Form: form(state)}
	}
	return detail
}

func (r *Renderer) fieldList(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph, user string, profile v1alpha1.Profile) []wireField {
	shown := map[string]int{}
	state, ok := graph.State(t.Status.State)
	if ok && !engine.Ended(graph, &t.Status) && engine.IsParticipant(backend.Snapshot(t), user) {
		shown = form(state)
	} else {
		for _, name := range graph.Spec.DisplayFields {
			shown[string(name)] = accessNumbers[v1alpha1.AccessReadOnly]
		}
	}
	all := r.builtIn(ctx, t, graph, fieldChoice(nil, profile))
	for _, field := range graph.Fields() {
		rendered := renderField(field, profile)
		rendered.Value = t.Status.Fields[string(field.Name)]
		all = append(all, rendered)
	}
	out := []wireField{}
	for _, field := range all {
		if attribute, ok := shown[field.Key]; ok {
			field.Attribute = attribute
			out = append(out, field)
		}
	}
	slices.SortStableFunc(out, func(a, b wireField) int { return cmp.Compare(a.OrderID, b.OrderID) })
	return out
}

// renderField is a workflow's own field.
func renderField(field *engine.Field, profile v1alpha1.Profile) wireField {
	out := wireField{
		Key: string(field.Name), Name: field.DisplayName, OrderID: field.Order, TypeID: fieldTypeNumbers[field.Type],
		Description: field.Description, Choice: fieldChoice(choiceLabels(field.Choices), profile), BooleanLabels: field.BooleanLabels,
		Default: field.Default, Template: field.Template, Label: field.Label,
	}
	if out.BooleanLabels == nil {
		out.BooleanLabels = map[string]string{}
	}
	return out
}

// choiceLabels are a field's choices as clients know them: an object of labels by
// key. It is written in the order in which the workflow has them, since portals
// show it in that in which it came.
type choiceLabels []v1alpha1.Choice

// MarshalJSON writes the object.
func (c choiceLabels) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, choice := range c {
		member, err := json.Marshal(map[string]string{choice.Key: cmp.Or(choice.Label, choice.Key)})
		if err != nil {
			return nil, fmt.Errorf("write a choice: %w", err)
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, member[1:len(member)-1]...)
	}
	return append(out, '}'), nil
}

// fieldChoice shows choices, if there are any, as each profile has them: in a
// list of one object where the document says so (decisions.md §1.3).
func fieldChoice(choices choiceLabels, profile v1alpha1.Profile) any {
	switch {
	case profile != v1alpha1.ProfileDocumented:
		return choices
	case len(choices) == 0:
		return []choiceLabels{}
	}
	return []choiceLabels{choices}
}

// builtIn are the fields that every ticket has: rest-behaviour.md §4.3.
func (r *Renderer) builtIn(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph, choice any) []wireField {
	stateName, workflowName := "", workflowName(graph)
	if state, ok := graph.State(t.Status.State); ok {
		stateName = state.DisplayName
	}
	who := r.participantInfo(ctx, t, graph)
	field := func(key, name string, order int32, value any, description string) wireField {
		return wireField{
			Key: key, Name: name, OrderID: order, TypeID: fieldTypeNumbers[v1alpha1.FieldString], Value: value,
			Attribute: accessNumbers[v1alpha1.AccessReadOnly], Description: description,
			Choice: choice, BooleanLabels: map[string]string{}, Label: v1alpha1.JSONObject{},
		}
	}
	return []wireField{
		field("sn", "流水号", 10, t.Status.SerialNumber, "工单的流水号"),
		field("title", "标题", 20, t.Status.Title, "工单的标题"),
		field("state_id", "状态id", 40, t.Status.StateID, "工单当前状态的id"),
		field("state.state_name", "状态名", 41, stateName, "工单当前状态的名称"),
		field("participant_info.participant_name", "当前处理人", 50, who.Name, "工单的当前处理人"),
		field("participant_info.participant_alias", "当前处理人", 55, who.Alias, "工单当前处理人(alias)"),
		field("workflow.workflow_name", "工作流名称", 60, workflowName, "工单所属工作流的名称"),
		field("creator", "创建人", 80, string(t.Spec.Creator), "工单的创建人"),
		field("gmt_created", "创建时间", 100, r.wire.Time(t.Status.OpenedAt), "工单的创建时间"),
		field("gmt_modified", "更新时间", 120, r.wire.Time(t.Status.UpdatedAt), "工单的更新时间"),
	}
}

func workflowName(graph *engine.Graph) string { return cmp.Or(graph.Spec.DisplayName, graph.Name) }

// wireOption is ITEM of rest-behaviour.md §4.4, with both names of the alert flag.
type wireOption struct {
	ID          v1alpha1.WireID `json:"transition_id"`
	Name        string          `json:"transition_name"`
	FieldCheck  bool            `json:"field_require_check"`
	IsAccept    bool            `json:"is_accept"`
	InAddNode   bool            `json:"in_add_node"`
	AlertEnable bool            `json:"alert_enable"`
	EnableAlert bool            `json:"enable_alert"`
	AlertText   string          `json:"alert_text"`
	AttributeID int             `json:"attribute_type_id"`
}

// Transitions are what a user may do with a ticket; never null.
func (r *Renderer) Transitions(t *v1alpha1.Ticket, graph *engine.Graph, user string) any {
	out := []wireOption{}
	for _, option := range engine.Options(graph, backend.Snapshot(t), user) {
		switch option.Kind {
		case engine.OptionAccept:
			out = append(out, wireOption{Name: "接单", IsAccept: true, AttributeID: wire.Outcome[v1alpha1.OutcomeOther]})
		case engine.OptionEndAddSigner:
			out = append(out, wireOption{Name: "完成", InAddNode: true, AttributeID: wire.Outcome[v1alpha1.OutcomeOther]})
		case engine.OptionTransition:
			chosen := option.Transition
			out = append(out, wireOption{
				ID: chosen.ID, Name: chosen.DisplayName, FieldCheck: chosen.FieldCheck == v1alpha1.FieldCheckRequire,
				AlertEnable: chosen.Confirm != "", EnableAlert: chosen.Confirm != "", AlertText: chosen.Confirm,
				AttributeID: wire.Outcome[chosen.Outcome],
			})
		}
	}
	return valueOf[[]wireOption]{out}
}
