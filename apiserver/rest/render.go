// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
)

// Renderer writes tickets and workflows as clients know them.
type Renderer struct {
	backend  *backend.Backend
	location *time.Location
}

// NewRenderer writes times in a location.
func NewRenderer(b *backend.Backend, location *time.Location) *Renderer {
	return &Renderer{backend: b, location: location}
}

// Numbers of participant types: rest-behaviour.md §3.3.
const (
	typeNone        = 0
	typePersonal    = 1
	typeMulti       = 2
	typeDepartment  = 3
	typeRole        = 4
	typeVariable    = 5
	typeRobot       = 6
	typeField       = 7
	typeParentField = 8
	typeHook        = 10
)

// mask stands for a hook's configuration and for tokens, which are never shown (Q38).
const mask = "***"

var progressNumbers = map[v1alpha1.Progress]int{
	v1alpha1.ProgressDraft: 0, v1alpha1.ProgressInProgress: 1, v1alpha1.ProgressRefused: 2,
	v1alpha1.ProgressRetreated: 3, v1alpha1.ProgressFinished: 4, v1alpha1.ProgressClosed: 5,
}

var outcomeNumbers = map[v1alpha1.Outcome]int{v1alpha1.OutcomeAccept: 1, v1alpha1.OutcomeRefuse: 2, v1alpha1.OutcomeOther: 3}

var accessNumbers = map[v1alpha1.Access]int{v1alpha1.AccessReadOnly: 1, v1alpha1.AccessRequired: 2, v1alpha1.AccessOptional: 3}

var stateTypeNumbers = map[v1alpha1.StateType]int{v1alpha1.StateNormal: 0, v1alpha1.StateStart: 1, v1alpha1.StateEnd: 2}

var distributionNumbers = map[v1alpha1.Distribution]int{
	v1alpha1.DistributionClaim: 1, v1alpha1.DistributionDirect: 2, v1alpha1.DistributionRandom: 3, v1alpha1.DistributionAll: 4,
}

var fieldTypeNumbers = map[v1alpha1.FieldType]int{
	v1alpha1.FieldString: 5, v1alpha1.FieldInteger: 10, v1alpha1.FieldNumber: 15, v1alpha1.FieldBoolean: 20,
	v1alpha1.FieldDate: 25, v1alpha1.FieldDateTime: 30, v1alpha1.FieldRadio: 35, v1alpha1.FieldCheckbox: 40,
	v1alpha1.FieldSelect: 45, v1alpha1.FieldMultiSelect: 50, v1alpha1.FieldText: 55, v1alpha1.FieldUser: 60,
	v1alpha1.FieldUsers: 70, v1alpha1.FieldAttachment: 80,
}

func (r *Renderer) time(t *metav1.Time) string {
	if t == nil {
		return ""
	}
	return t.In(r.location).Format(time.DateTime)
}

// rawTicket is the whole record of a ticket: RAW of rest-behaviour.md §3.11.
type rawTicket struct {
	ID                  v1alpha1.WireID `json:"id"`
	Creator             string          `json:"creator"`
	GmtCreated          string          `json:"gmt_created"`
	GmtModified         string          `json:"gmt_modified"`
	IsDeleted           bool            `json:"is_deleted"`
	Title               string          `json:"title"`
	WorkflowID          v1alpha1.WireID `json:"workflow_id"`
	SN                  string          `json:"sn"`
	StateID             v1alpha1.WireID `json:"state_id"`
	ParentTicketID      v1alpha1.WireID `json:"parent_ticket_id"`
	ParentTicketStateID v1alpha1.WireID `json:"parent_ticket_state_id"`
	ParticipantTypeID   int             `json:"participant_type_id"`
	Participant         string          `json:"participant"`
	Relation            string          `json:"relation"`
	InAddNode           bool            `json:"in_add_node"`
	AddNodeMan          string          `json:"add_node_man"`
	ScriptRunLastResult bool            `json:"script_run_last_result"`
	ActStateID          int             `json:"act_state_id"`
	MultiAllPerson      string          `json:"multi_all_person"`
}

func (r *Renderer) raw(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph) rawTicket {
	status := &t.Status
	kind, participant := r.participant(ctx, t.Namespace, &status.Participants)
	out := rawTicket{
		ID: status.ID, Creator: string(t.Spec.Creator),
		GmtCreated: r.time(status.OpenedAt), GmtModified: r.time(status.UpdatedAt),
		Title: status.Title, WorkflowID: status.WorkflowID, SN: status.SerialNumber, StateID: status.StateID,
		ParentTicketID: status.ParentID, ParentTicketStateID: status.ParentStateID,
		ParticipantTypeID: kind, Participant: participant,
		InAddNode: len(status.Signers) > 0, ScriptRunLastResult: !status.LastRunFailed,
		ActStateID: progressNumbers[status.Progress], MultiAllPerson: votesText(status, graph),
	}
	related := make([]string, 0, len(status.Related))
	for _, user := range status.Related {
		related = append(related, string(user.User))
	}
	out.Relation = strings.Join(related, ",")
	if n := len(status.Signers); n > 0 {
		out.AddNodeMan = string(status.Signers[n-1])
	}
	return out
}

// votesText is the votes of an All state as JSON text: name to {} or the vote.
func votesText(status *v1alpha1.TicketStatus, graph *engine.Graph) string {
	votes := map[string]any{}
	for _, vote := range status.Votes {
		given := map[string]any{}
		if name, id, ok := voted(status, graph, vote); ok {
			given["transition_id"], given["transition_name"] = id, name
		}
		votes[string(vote.User)] = given
	}
	data, err := json.Marshal(votes)
	if err != nil {
		return "{}" // it holds texts and numbers only
	}
	return string(data)
}

func voted(status *v1alpha1.TicketStatus, graph *engine.Graph, vote v1alpha1.Vote) (name string, id v1alpha1.WireID, ok bool) {
	state, found := graph.State(status.State)
	if !found || vote.Transition == "" {
		return "", 0, false
	}
	transition, ok := state.Transition(vote.Transition)
	if !ok {
		return "", 0, false
	}
	return transition.DisplayName, transition.ID, true
}

// participant is who a ticket waits for, as decisions.md §1.6 has it.
func (r *Renderer) participant(ctx context.Context, namespace string, p *v1alpha1.CurrentParticipants) (kind int, text string) {
	switch p.Kind {
	case v1alpha1.ParticipantsUsers:
		if p.Several || len(p.Users) > 1 {
			return typeMulti, joined(p.Users)
		}
		return typePersonal, joined(p.Users)
	case v1alpha1.ParticipantsScript:
		if script, ok := r.backend.Script(ctx, namespace, string(p.Script)); ok {
			return typeRobot, directory.IDKey(script.Status.ID)
		}
		return typeRobot, ""
	case v1alpha1.ParticipantsHook:
		return typeHook, mask
	case v1alpha1.ParticipantsChildren:
		return typePersonal, v1alpha1.RobotUser
	}
	return typeNone, ""
}

func joined[T ~string](names []T) string {
	texts := make([]string, 0, len(names))
	for _, name := range names {
		texts = append(texts, string(name))
	}
	return strings.Join(texts, ",")
}

// participantInfo is PINFO of rest-behaviour.md §4.1.
type participantInfo struct {
	TypeID   int    `json:"participant_type_id"`
	Text     string `json:"participant"`
	Name     string `json:"participant_name"`
	TypeName string `json:"participant_type_name"`
	Alias    string `json:"participant_alias"`
}

func (r *Renderer) participantInfo(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph) participantInfo {
	p := &t.Status.Participants
	kind, text := r.participant(ctx, t.Namespace, p)
	info := participantInfo{TypeID: kind, Text: text, Name: text}
	switch {
	case p.Kind == v1alpha1.ParticipantsUsers && len(t.Status.Votes) > 0:
		info.TypeName, info.Alias = "多人且全部处理", r.votesAlias(&t.Status, graph)
	case kind == typePersonal:
		info.TypeName, info.Alias = "个人", r.alias(text)
	case kind == typeMulti:
		info.TypeName, info.Alias = "多人", r.aliases(p.Users)
	case kind == typeRobot:
		if script, ok := r.backend.Script(ctx, t.Namespace, string(p.Script)); ok {
			info.Alias = "脚本:" + script.Name
		}
	}
	return info
}

func (r *Renderer) votesAlias(status *v1alpha1.TicketStatus, graph *engine.Graph) string {
	parts := make([]string, 0, len(status.Votes))
	for _, vote := range status.Votes {
		text := r.alias(string(vote.User)) + "(" + string(vote.User) + ")"
		if name, _, ok := voted(status, graph, vote); ok {
			text += "已处理:" + name
		} else {
			text += "未处理:None"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ";")
}

// alias is what people call a user; the user name where nobody knows.
func (r *Renderer) alias(user string) string {
	if found, ok := r.backend.Directory().UserObject(user); ok {
		return directory.DisplayName(found)
	}
	return user
}

func (r *Renderer) aliases(users []v1alpha1.UserName) string {
	texts := make([]string, 0, len(users))
	for _, user := range users {
		texts = append(texts, r.alias(string(user)))
	}
	return strings.Join(texts, ",")
}

// person is a user as participant_info_list has it.
type person struct {
	Username string `json:"username"`
	Alias    string `json:"alias"`
	Phone    string `json:"phone"`
	Email    string `json:"email"`
}

// creatorInfo is creator_info of rest-behaviour.md §4.1.
type creatorInfo struct {
	Username string `json:"username"`
	Alias    string `json:"alias"`
	IsActive bool   `json:"is_active"`
	Email    string `json:"email"`
	Phone    string `json:"phone"`
	DeptInfo any    `json:"dept_info"`
}

// noDepartment is dept_info of who is in none.
type noDepartment struct {
	ID   v1alpha1.WireID `json:"id"`
	Name string          `json:"name"`
}

func (r *Renderer) creatorInfo(ctx context.Context, name string) creatorInfo {
	user, ok := r.backend.Directory().UserObject(name)
	if !ok {
		return creatorInfo{Username: name, DeptInfo: empty}
	}
	info := creatorInfo{
		Username: name, Alias: directory.DisplayName(user), Email: user.Spec.Email, Phone: user.Spec.Phone,
		IsActive: user.Spec.Active == nil || *user.Spec.Active,
		DeptInfo: noDepartment{},
	}
	if department, found := r.backend.Department(ctx, string(user.Spec.Department)); found {
		info.DeptInfo = r.department(ctx, department)
	}
	return info
}

// wireDepartment is the form of rest-behaviour.md §7.2.
type wireDepartment struct {
	ID v1alpha1.WireID `json:"id"`
	authorship
	Name         string              `json:"name"`
	ParentDeptID v1alpha1.WireID     `json:"parent_dept_id"`
	Leader       string              `json:"leader"`
	Approver     string              `json:"approver"`
	Label        v1alpha1.JSONObject `json:"label"`
	CreatorInfo  accountCreator      `json:"creator_info"`
	ParentInfo   departmentParent    `json:"parent_dept_info"`
	LeaderInfo   departmentLeader    `json:"leader_info"`
	ApproverInfo []approver          `json:"approver_info"`
}

type departmentParent struct {
	ID   v1alpha1.WireID `json:"parent_dept_id"`
	Name string          `json:"parent_dept_name"`
}

type departmentLeader struct {
	Username string          `json:"leader_username"`
	Alias    string          `json:"leader_alias"`
	ID       v1alpha1.WireID `json:"leader_id"`
}

type approver struct {
	Name  string          `json:"approver_name"`
	Alias string          `json:"approver_alias"`
	ID    v1alpha1.WireID `json:"approver_id"`
}

func (r *Renderer) authorship(o metav1.Object) authorship {
	created := o.GetCreationTimestamp()
	return authorship{GmtCreated: r.time(&created), GmtModified: r.time(&created)}
}

func (r *Renderer) department(ctx context.Context, d *v1alpha1.Department) wireDepartment {
	out := wireDepartment{
		ID: d.Status.ID, authorship: r.authorship(d), Name: directory.DepartmentDisplayName(d), Leader: string(d.Spec.Leader),
		Approver: joined(d.Spec.Approvers), Label: d.Spec.Label, ApproverInfo: []approver{},
	}
	if parent, ok := r.backend.Department(ctx, string(d.Spec.Parent)); ok {
		out.ParentInfo = departmentParent{ID: parent.Status.ID, Name: directory.DepartmentDisplayName(parent)}
	} else if d.Spec.Parent != "" {
		out.ParentInfo.Name = "未知"
	}
	out.ParentDeptID = out.ParentInfo.ID
	out.LeaderInfo.Username = out.Leader
	out.LeaderInfo.ID, out.LeaderInfo.Alias = r.idAndAlias(out.Leader)
	for _, name := range d.Spec.Approvers {
		id, alias := r.idAndAlias(string(name))
		out.ApproverInfo = append(out.ApproverInfo, approver{Name: string(name), Alias: alias, ID: id})
	}
	return out
}

func (r *Renderer) idAndAlias(user string) (v1alpha1.WireID, string) {
	if found, ok := r.backend.Directory().UserObject(user); ok {
		return found.Status.ID, directory.DisplayName(found)
	}
	return 0, user
}

func idText(id v1alpha1.WireID) string { return strconv.FormatInt(int64(id), 10) }
