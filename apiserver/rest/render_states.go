// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"strings"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
	"ticketflow.dev/ticketflow/internal/wire"
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
		created := directory.CreatedAt(w)
		out.GmtCreated, out.GmtModified = r.wire.Time(&created), r.wire.Time(&created)
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
		return wire.TypeVariable, "creator", variableAliases["creator"]
	case state.Type == v1alpha1.StateEnd || p == nil:
		return wire.TypeNone, "", ""
	case len(p.Users) == 1:
		return wire.TypePersonal, wire.Joined(p.Users), r.aliases(p.Users)
	case p.Users != nil:
		return wire.TypeMulti, wire.Joined(p.Users), r.aliases(p.Users)
	case p.Departments != nil:
		text, alias = r.departments(ctx, p.Departments)
		return wire.TypeDepartment, text, alias
	case p.UserRoles != nil:
		text, alias = r.roles(ctx, p.UserRoles)
		return wire.TypeRole, text, alias
	case p.Variables != nil:
		text, alias = variables(p.Variables)
		return wire.TypeVariable, text, alias
	case p.Script != "":
		if script, ok := r.backend.Script(ctx, namespace, string(p.Script)); ok {
			return wire.TypeRobot, wire.IDText(script.Status.ID), directory.ScriptFileName(script)
		}
		return wire.TypeRobot, "", ""
	case p.Fields != nil:
		return wire.TypeField, wire.Joined(p.Fields), ""
	case p.ParentFields != nil:
		return wire.TypeParentField, wire.Joined(p.ParentFields), ""
	case p.Hook != nil:
		return wire.TypeHook, "hook", "hook"
	}
	return wire.TypePersonal, v1alpha1.RobotUser, v1alpha1.RobotUser
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
		texts, aliases = append(texts, wire.IDText(department.Status.ID)), append(aliases, directory.DepartmentDisplayName(department))
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
		texts, aliases = append(texts, wire.IDText(role.Status.ID)), append(aliases, directory.RoleDisplayName(role))
	}
	return strings.Join(texts, ","), strings.Join(aliases, ",")
}

// configuredTypeNames are participant_type_name of a state: rest-behaviour.md §3.3.
var configuredTypeNames = map[int]string{
	wire.TypePersonal: "个人", wire.TypeMulti: "多人", wire.TypeDepartment: "部门", wire.TypeRole: "角色", wire.TypeVariable: "变量", wire.TypeHook: "hook",
}

func (r *Renderer) configuredInfo(ctx context.Context, namespace string, state *engine.State) participantInfo {
	kind, text, alias := r.configured(ctx, namespace, state)
	return participantInfo{TypeID: kind, Text: text, Name: text, TypeName: configuredTypeNames[kind], Alias: alias}
}
