// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"strings"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
)

// stateDict is the full state dict of rest-behaviour.md §6.1 but for the form.
type stateDict struct {
	ID                    v1alpha1.WireID     `json:"id"`
	Creator               string              `json:"creator"`
	GmtCreated            string              `json:"gmt_created"`
	GmtModified           string              `json:"gmt_modified"`
	IsDeleted             bool                `json:"is_deleted"`
	Name                  string              `json:"name"`
	WorkflowID            v1alpha1.WireID     `json:"workflow_id"`
	IsHidden              bool                `json:"is_hidden"`
	OrderID               int32               `json:"order_id"`
	TypeID                int                 `json:"type_id"`
	EnableRetreat         bool                `json:"enable_retreat"`
	RememberLastManEnable bool                `json:"remember_last_man_enable"`
	ParticipantTypeID     int                 `json:"participant_type_id"`
	Participant           string              `json:"participant"`
	DistributeTypeID      int                 `json:"distribute_type_id"`
	Label                 v1alpha1.JSONObject `json:"label"`
}

func (r *Renderer) state(ctx context.Context, w *v1alpha1.Workflow, graph *engine.Graph, state *engine.State) stateDict {
	kind, participant, _ := r.configured(ctx, graph.Namespace, state)
	out := stateDict{
		ID: state.ID, Creator: string(graph.Spec.Creator), Name: state.DisplayName, WorkflowID: graph.IDs.Workflow,
		IsHidden: state.Hidden, OrderID: state.Order, TypeID: stateTypeNumbers[state.Type],
		EnableRetreat: state.AllowRetreat, RememberLastManEnable: state.RememberLastHandler,
		ParticipantTypeID: kind, Participant: participant,
		DistributeTypeID: distributionNumbers[state.Distribution], Label: state.Label,
	}
	if w != nil {
		created := w.CreationTimestamp
		out.GmtCreated, out.GmtModified = r.time(&created), r.time(&created)
	}
	return out
}

// form is a state's form as the wire has it: field key to access number.
func form(state *engine.State) map[string]int {
	out := make(map[string]int, len(state.Form))
	for _, entry := range state.Form {
		out[string(entry.Field)] = accessNumbers[entry.Access]
	}
	return out
}

// configured is who acts in a state, as it is written in the workflow
// (rest-behaviour.md §3.3). A hook's address and token are never shown (Q38).
func (r *Renderer) configured(ctx context.Context, namespace string, state *engine.State) (kind int, text, alias string) {
	p := state.Participants
	switch {
	case state.Type == v1alpha1.StateStart:
		return typeVariable, "creator", variableAliases["creator"]
	case state.Type == v1alpha1.StateEnd || p == nil:
		return typeNone, "", ""
	case len(p.Users) == 1:
		return typePersonal, joined(p.Users), r.aliases(p.Users)
	case p.Users != nil:
		return typeMulti, joined(p.Users), r.aliases(p.Users)
	case p.Departments != nil:
		text, alias = r.departments(ctx, p.Departments)
		return typeDepartment, text, alias
	case p.UserRoles != nil:
		text, alias = r.roles(ctx, p.UserRoles)
		return typeRole, text, alias
	case p.Variables != nil:
		text, alias = variables(p.Variables)
		return typeVariable, text, alias
	case p.Script != "":
		if script, ok := r.backend.Script(ctx, namespace, string(p.Script)); ok {
			return typeRobot, idText(script.Status.ID), script.Name
		}
		return typeRobot, "", ""
	case p.Fields != nil:
		return typeField, joined(p.Fields), joined(p.Fields)
	case p.ParentFields != nil:
		return typeParentField, joined(p.ParentFields), joined(p.ParentFields)
	case p.Hook != nil:
		return typeHook, "hook", "hook"
	}
	return typePersonal, v1alpha1.RobotUser, v1alpha1.RobotUser
}

var variableAliases = map[string]string{"creator": "工单创建人", "creator_tl": "工单创建人tl"}

func variables(all []v1alpha1.Variable) (text, alias string) {
	texts, aliases := make([]string, 0, len(all)), make([]string, 0, len(all))
	for _, variable := range all {
		name := "creator"
		if variable == v1alpha1.VariableCreatorLeader {
			name = "creator_tl"
		}
		texts, aliases = append(texts, name), append(aliases, variableAliases[name])
	}
	return strings.Join(texts, ","), strings.Join(aliases, ",")
}

func (r *Renderer) departments(ctx context.Context, names []v1alpha1.ObjectName) (text, alias string) {
	texts, aliases := make([]string, 0, len(names)), make([]string, 0, len(names))
	for _, name := range names {
		department, ok := r.backend.Department(ctx, string(name))
		if !ok {
			texts, aliases = append(texts, "0"), append(aliases, "未知")
			continue
		}
		texts, aliases = append(texts, idText(department.Status.ID)), append(aliases, directory.DepartmentDisplayName(department))
	}
	return strings.Join(texts, ","), strings.Join(aliases, ",")
}

func (r *Renderer) roles(ctx context.Context, names []v1alpha1.ObjectName) (text, alias string) {
	texts, aliases := make([]string, 0, len(names)), make([]string, 0, len(names))
	for _, name := range names {
		role, ok := r.backend.UserRole(ctx, string(name))
		if !ok {
			texts, aliases = append(texts, "0"), append(aliases, "未知")
			continue
		}
		texts, aliases = append(texts, idText(role.Status.ID)), append(aliases, directory.RoleDisplayName(role))
	}
	return strings.Join(texts, ","), strings.Join(aliases, ",")
}

// configuredTypeNames are participant_type_name of a state: rest-behaviour.md §3.3.
var configuredTypeNames = map[int]string{
	typePersonal: "个人", typeMulti: "多人", typeDepartment: "部门", typeRole: "角色", typeVariable: "变量", typeHook: "hook",
}

func (r *Renderer) configuredInfo(ctx context.Context, namespace string, state *engine.State) participantInfo {
	kind, text, alias := r.configured(ctx, namespace, state)
	return participantInfo{TypeID: kind, Text: text, Name: text, TypeName: configuredTypeNames[kind], Alias: alias}
}
