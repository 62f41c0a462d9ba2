// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
	"ticketflow.dev/ticketflow/internal/wire"
)

// workflow finds a workflow that the caller may reach.
func (r *request) workflow(id v1alpha1.WireID) (*v1alpha1.Workflow, error) {
	w, ok := r.api.backend.WorkflowByID(r.Context(), id)
	if !ok || id == 0 || !r.mayUse(w.Namespace, w.Name) {
		return nil, unknownWorkflow(id)
	}
	return w, nil
}

// workflows are those that the caller may reach, by id.
func (r *request) workflows() iter.Seq[backend.Listed] { return r.among(r.api.backend.Workflows()) }

// among are those of the workflows that the caller may reach.
func (r *request) among(all []backend.Listed) iter.Seq[backend.Listed] {
	mayUse := r.reach()
	return func(yield func(backend.Listed) bool) {
		for _, w := range all {
			if mayUse(w.Namespace, w.Name) && !yield(w) {
				return
			}
		}
	}
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

func (r *Renderer) workflow(ctx context.Context, w *v1alpha1.Workflow) wireWorkflow {
	created := directory.CreatedAt(w)
	out := wireWorkflow{
		ID: w.Status.ID, Name: cmp.Or(w.Spec.DisplayName, w.Name), Description: w.Spec.Description,
		ViewPermissionCheck: w.Spec.Visibility != v1alpha1.VisibilityEveryone,
		LimitExpression:     r.limitExpression(ctx, w.Spec.Creation), DisplayForm: "[]",
		Creator: string(w.Spec.Creator), GmtCreated: r.wire.Time(&created), WorkflowAdmin: wire.Joined(w.Spec.Admins),
	}
	if w.Spec.DisplayFields != nil {
		out.DisplayForm = wire.JSONText(w.Spec.DisplayFields)
	}
	templates := cmp.Or(w.Spec.Notifications, &v1alpha1.Notifications{})
	out.Notices = r.notices(ctx, w.Namespace, templates.Notifiers)
	out.TitleTemplate, out.ContentTemplate = wire.Templates(templates)
	return out
}

// notices are the wire ids of notifiers; one that is not there is left out.
func (r *Renderer) notices(ctx context.Context, namespace string, names []v1alpha1.ObjectName) string {
	var ids []string
	for _, name := range names {
		if notifier, ok := r.backend.Notifier(ctx, namespace, string(name)); ok {
			ids = append(ids, wire.IDText(notifier.Status.ID))
		}
	}
	return strings.Join(ids, ",")
}

func noticeName(n *v1alpha1.Notifier) string { return cmp.Or(n.Spec.DisplayName, n.Name) }

// limitExpression is the creation rule as clients know it: rest-behaviour.md §5.9.
func (r *Renderer) limitExpression(ctx context.Context, rule *v1alpha1.CreationRule) string {
	out := map[string]any{}
	if rule != nil {
		departments, _ := r.departments(ctx, rule.Departments)
		roles, _ := r.roles(ctx, rule.UserRoles)
		for key, names := range map[string]string{"allow_persons": wire.Joined(rule.Users), "allow_depts": departments, "allow_roles": roles} {
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
	return wire.JSONText(out)
}

func (a *API) listWorkflows(r *request) (answer, error) {
	search := cmp.Or(r.asked("search_value"), r.asked("name"))
	fromAdmin, err := r.flag("from_admin")
	if err != nil {
		return answer{}, err
	}
	managed := fromAdmin != nil && *fromAdmin
	if managed && r.caller.User == "" {
		return answer{}, noUser(r.caller)
	}
	items, who := []wireWorkflow{}, r.onlooker()
	for w := range r.workflows() {
		item := r.api.render.workflow(r.Context(), w.Workflow)
		if !strings.Contains(item.Name, search) || managed && !who.Manages(&w.Spec) {
			continue
		}
		items = append(items, item)
	}
	return paged(r, items)
}

// managedWorkflow is a workflow as the user who manages it has it.
type managedWorkflow struct {
	ID v1alpha1.WireID `json:"id"`
	authorship
	Name                string `json:"name"`
	Description         string `json:"description"`
	Notices             string `json:"notices"`
	ViewPermissionCheck bool   `json:"view_permission_check"`
	LimitExpression     string `json:"limit_expression"`
	DisplayForm         string `json:"display_form_str"`
	TitleTemplate       string `json:"title_template"`
	ContentTemplate     string `json:"content_template"`
}

func (a *API) managedWorkflows(r *request) (answer, error) {
	items, who := []managedWorkflow{}, r.onlooker()
	for w := range r.workflows() {
		if !who.Manages(&w.Spec) {
			continue
		}
		full := r.api.render.workflow(r.Context(), w.Workflow)
		item := managedWorkflow{
			ID: full.ID, authorship: r.api.render.authorship(w), Name: full.Name, Description: full.Description, Notices: full.Notices,
			ViewPermissionCheck: full.ViewPermissionCheck, LimitExpression: full.LimitExpression, DisplayForm: full.DisplayForm,
			TitleTemplate: full.TitleTemplate, ContentTemplate: full.ContentTemplate,
		}
		item.Creator = full.Creator
		items = append(items, item)
	}
	return answer{data: items}, nil
}

// workflowDetail is data of rest-behaviour.md §6.3, GET workflows/{id}.
type workflowDetail struct {
	Name                string `json:"name"`
	Description         string `json:"description"`
	Notices             string `json:"notices"`
	ViewPermissionCheck bool   `json:"view_permission_check"`
	LimitExpression     string `json:"limit_expression"`
	DisplayForm         string `json:"display_form_str"`
	Creator             string `json:"creator"`
	GmtCreated          string `json:"gmt_created"`
}

func (a *API) showWorkflow(r *request) (answer, error) {
	w, err := r.workflow(r.id)
	if err != nil {
		return answer{}, err
	}
	full := r.api.render.workflow(r.Context(), w)
	return answer{data: workflowDetail{
		Name: full.Name, Description: full.Description, Notices: full.Notices, ViewPermissionCheck: full.ViewPermissionCheck,
		LimitExpression: full.LimitExpression, DisplayForm: full.DisplayForm, Creator: full.Creator, GmtCreated: full.GmtCreated,
	}}, nil
}

// onlooker is the user as who may see and manage workflows.
func (r *request) onlooker() engine.Onlooker { return engine.NewOnlooker(r.caller.User, r.people()) }

// startState is data of rest-behaviour.md §6.3, init_state.
type startState struct {
	stateDict
	Transition []startTransition `json:"transition"`
	FieldList  []wireField       `json:"field_list"`
}

type startTransition struct {
	ID   v1alpha1.WireID `json:"transition_id"`
	Name string          `json:"transition_name"`
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
	out := startState{
		stateDict: r.api.render.state(r.Context(), w, graph, graph.Start), Transition: []startTransition{}, FieldList: startFields(graph),
	}
	for _, t := range graph.Start.Transitions {
		out.Transition = append(out.Transition, startTransition{ID: t.ID, Name: t.DisplayName})
	}
	return answer{data: out}, nil
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

// listedState is an item of rest-behaviour.md §6.3, states.
type listedState struct {
	stateInfo
	ParticipantInfo participantInfo `json:"participant_info"`
}

func (a *API) listStates(r *request) (answer, error) {
	w, graph, err := r.judged()
	if err != nil {
		return answer{}, err
	}
	items := []listedState{}
	for _, state := range graph.States {
		if !r.found(state.DisplayName) {
			continue
		}
		items = append(items, listedState{
			stateInfo:       stateInfo{stateDict: r.api.render.state(r.Context(), w, graph, state), Form: form(state)},
			ParticipantInfo: r.api.render.configuredInfo(r.Context(), w.Namespace, state),
		})
	}
	return paged(r, items)
}

// judged is the workflow of the path and the graph that its new tickets follow.
func (r *request) judged() (*v1alpha1.Workflow, *engine.Graph, error) {
	w, err := r.workflow(r.id)
	if err != nil {
		return nil, nil, err
	}
	graph, err := r.graph(w)
	return w, graph, err
}

// shownState is data of rest-behaviour.md §6.3, workflows/states/{id}.
type shownState struct {
	ID                v1alpha1.WireID     `json:"id"`
	Name              string              `json:"name"`
	WorkflowID        v1alpha1.WireID     `json:"workflow_id"`
	DistributeTypeID  int                 `json:"distribute_type_id"`
	IsHidden          bool                `json:"is_hidden"`
	OrderID           int32               `json:"order_id"`
	TypeID            int                 `json:"type_id"`
	ParticipantTypeID int                 `json:"participant_type_id"`
	Participant       string              `json:"participant"`
	StateField        map[string]int      `json:"state_field"`
	Label             v1alpha1.JSONObject `json:"label"`
	Creator           string              `json:"creator"`
	GmtCreated        string              `json:"gmt_created"`
}

func (a *API) showState(r *request) (answer, error) {
	w, ok := a.backend.WorkflowOfState(r.id)
	if !ok || !r.mayUse(w.Namespace, w.Name) {
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
	dict := r.api.render.state(r.Context(), w, graph, state)
	return answer{data: shownState{
		ID: dict.ID, Name: dict.Name, WorkflowID: dict.WorkflowID, DistributeTypeID: dict.DistributeTypeID,
		IsHidden: dict.IsHidden, OrderID: dict.OrderID, TypeID: dict.TypeID, ParticipantTypeID: dict.ParticipantTypeID,
		Participant: dict.Participant, StateField: form(state), Label: dict.Label, Creator: dict.Creator, GmtCreated: dict.GmtCreated,
	}}, nil
}
