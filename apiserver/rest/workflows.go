// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
)

// workflow finds a workflow that the application is allowed.
func (r *request) workflow(id v1alpha1.WireID) (*v1alpha1.Workflow, error) {
	w, ok := r.api.backend.WorkflowByID(r.Context(), id)
	if !ok || id == 0 || !r.application().MayUse(w.Namespace, w.Name) {
		return nil, unknownWorkflow(id)
	}
	return w, nil
}

// workflows are those that the application is allowed, by id.
func (r *request) workflows() []*v1alpha1.Workflow {
	application := r.application()
	return slices.DeleteFunc(r.api.backend.Workflows(r.Context()), func(w *v1alpha1.Workflow) bool {
		return !application.MayUse(w.Namespace, w.Name)
	})
}

// graph is the graph that new tickets follow; a workflow that never compiled
// has none, and says why.
func (r *request) graph(w *v1alpha1.Workflow) (*engine.Graph, error) {
	if w.Status.Revision == "" {
		message := "it has not been judged yet"
		for _, condition := range w.Status.Conditions {
			if condition.Type == v1alpha1.ConditionReady {
				message = condition.Message
			}
		}
		return nil, backend.Failf(engine.ReasonWorkflowNotReady, "the workflow %q is not ready: %s", w.Name, message)
	}
	return r.api.backend.CurrentGraph(r.Context(), w)
}

// wireWorkflow is an item of the list: rest-behaviour.md §6.3.
type wireWorkflow struct {
	ID                  v1alpha1.WireID `json:"id"`
	Name                string          `json:"name"`
	Description         string          `json:"description"`
	Notices             string          `json:"notices"`
	ViewPermissionCheck bool            `json:"view_permission_check"`
	LimitExpression     string          `json:"limit_expression"`
	DisplayForm         string          `json:"display_form_str"`
	Creator             string          `json:"creator"`
	GmtCreated          string          `json:"gmt_created"`
	TitleTemplate       string          `json:"title_template"`
	ContentTemplate     string          `json:"content_template"`
	WorkflowAdmin       string          `json:"workflow_admin"`
}

func (r *Renderer) workflow(w *v1alpha1.Workflow) wireWorkflow {
	created := w.CreationTimestamp
	out := wireWorkflow{
		ID: w.Status.ID, Name: cmp.Or(w.Spec.DisplayName, w.Name), Description: w.Spec.Description,
		ViewPermissionCheck: w.Spec.Visibility != v1alpha1.VisibilityEveryone,
		LimitExpression:     limitExpression(w.Spec.Creation), DisplayForm: "[]",
		Creator: string(w.Spec.Creator), GmtCreated: r.time(&created), WorkflowAdmin: joined(w.Spec.Admins),
	}
	if w.Spec.DisplayFields != nil {
		if data, err := json.Marshal(w.Spec.DisplayFields); err == nil {
			out.DisplayForm = string(data)
		}
	}
	if n := w.Spec.Notifications; n != nil {
		out.Notices, out.TitleTemplate, out.ContentTemplate = joined(n.Notifiers), n.Title, n.Body
	}
	return out
}

// limitExpression is the creation rule as clients know it: rest-behaviour.md §5.9.
func limitExpression(rule *v1alpha1.CreationRule) string {
	out := map[string]any{}
	if rule != nil {
		for key, names := range map[string]string{
			"allow_persons": joined(rule.Users), "allow_depts": joined(rule.Departments), "allow_roles": joined(rule.UserRoles),
		} {
			if names != "" {
				out[key] = names
			}
		}
		if limit := rule.Limit; limit != nil && limit.Count != nil {
			out["period"], out["count"], out["level"] = limit.Period.Hours(), *limit.Count, 1
			if limit.Per == v1alpha1.LimitPerWorkflow {
				out["level"] = 2
			}
		}
	}
	data, err := json.Marshal(out)
	if err != nil {
		return "{}" // it holds texts and numbers only
	}
	return string(data)
}

func (a *API) listWorkflows(r *request) (answer, error) {
	page, perPage, err := r.paging()
	if err != nil {
		return answer{}, err
	}
	values := r.URL.Query()
	search := cmp.Or(values.Get("search_value"), values.Get("name"))
	managed, err := r.flag("from_admin")
	if err != nil {
		return answer{}, err
	}
	items := []wireWorkflow{}
	for _, w := range r.workflows() {
		item := a.render.workflow(w)
		if !strings.Contains(item.Name, search) || (managed != nil && *managed && !r.manages(w)) {
			continue
		}
		items = append(items, item)
	}
	return answer{data: pageOf(items, page, perPage)}, nil
}

func (r *request) manages(w *v1alpha1.Workflow) bool {
	graph := &engine.Graph{Namespace: w.Namespace, Name: w.Name, Spec: w.Spec}
	return engine.CanIntervene(graph, r.caller.User, v1alpha1.RequestedBy{}, r.api.backend.Directory())
}

// initState is the start state, what can be done there, and its form. Choices
// are an object in both profiles (decisions.md §1.3).
func (a *API) initState(r *request) (answer, error) {
	w, err := r.workflow(r.id)
	if err != nil {
		return answer{}, err
	}
	graph, err := r.graph(w)
	if err != nil {
		return answer{}, err
	}
	transitions := []map[string]any{}
	for _, t := range graph.Start.Transitions {
		transitions = append(transitions, map[string]any{"transition_id": t.ID, "transition_name": t.DisplayName})
	}
	return answer{data: struct {
		stateDict
		Transition []map[string]any `json:"transition"`
		FieldList  []wireField      `json:"field_list"`
	}{a.render.state(r.Context(), w, graph, graph.Start), transitions, startFields(graph)}}, nil
}

func startFields(graph *engine.Graph) []wireField {
	fields := []wireField{}
	if access, ok := graph.Start.Access("title"); ok {
		fields = append(fields, wireField{
			Key: "title", Name: "标题", OrderID: 20, TypeID: fieldTypeNumbers[v1alpha1.FieldString], Attribute: accessNumbers[access],
			Description: "工单的标题", Choice: map[string]string{}, BooleanLabels: map[string]string{}, Label: v1alpha1.JSONObject{},
		})
	}
	for _, field := range graph.Fields() {
		if access, ok := graph.Start.Access(v1alpha1.FormFieldName(field.Name)); ok {
			rendered := renderField(field, v1alpha1.ProfileR1)
			rendered.Attribute = accessNumbers[access]
			fields = append(fields, rendered)
		}
	}
	slices.SortStableFunc(fields, func(a, b wireField) int { return cmp.Compare(a.OrderID, b.OrderID) })
	return fields
}

func (a *API) listStates(r *request) (answer, error) {
	w, err := r.workflow(r.id)
	if err != nil {
		return answer{}, err
	}
	page, perPage, err := r.paging()
	if err != nil {
		return answer{}, err
	}
	graph, err := r.graph(w)
	if err != nil {
		return answer{}, err
	}
	type item struct {
		stateInfo
		ParticipantInfo participantInfo `json:"participant_info"`
	}
	search, items := r.URL.Query().Get("search_value"), []item{}
	for _, state := range graph.States {
		if !strings.Contains(state.DisplayName, search) {
			continue
		}
		items = append(items, item{
			stateInfo:       stateInfo{stateDict: a.render.state(r.Context(), w, graph, state), Form: form(state)},
			ParticipantInfo: a.render.configuredInfo(r.Context(), w.Namespace, state),
		})
	}
	return answer{data: pageOf(items, page, perPage)}, nil
}

func (a *API) showState(r *request) (answer, error) {
	w, ok := a.backend.WorkflowOfState(r.Context(), r.id)
	if !ok || !r.application().MayUse(w.Namespace, w.Name) {
		return answer{}, unknownState(r.id)
	}
	graph, err := r.graph(w)
	if err != nil {
		return answer{}, err
	}
	state, ok := graph.StateByID(r.id)
	if !ok {
		return answer{}, unknownState(r.id)
	}
	dict := a.render.state(r.Context(), w, graph, state)
	return answer{data: map[string]any{
		"id": dict.ID, "name": dict.Name, "workflow_id": dict.WorkflowID, "distribute_type_id": dict.DistributeTypeID,
		"is_hidden": dict.IsHidden, "order_id": dict.OrderID, "type_id": dict.TypeID, "participant_type_id": dict.ParticipantTypeID,
		"participant": dict.Participant, "state_field": form(state), "label": dict.Label,
		"creator": dict.Creator, "gmt_created": dict.GmtCreated,
	}}, nil
}
