// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
	"ticketflow.dev/ticketflow/internal/wire"
)

// Renderer writes tickets and workflows as clients know them.
type Renderer struct {
	backend *backend.Backend
	people  *directory.Directory
	wire    *wire.Writer
}

// NewRenderer writes times in a location.
func NewRenderer(b *backend.Backend, location *time.Location) *Renderer {
	people := b.Directory()
	return &Renderer{backend: b, people: people, wire: &wire.Writer{People: people, Location: location}}
}

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
	kind, text := r.wire.Participant(t.Namespace, p)
	info := participantInfo{TypeID: kind, Text: text, Name: text}
	switch {
	case p.Kind == v1alpha1.ParticipantsUsers && len(t.Status.Votes) > 0:
		info.TypeName, info.Alias = "多人且全部处理", r.votesAlias(&t.Status, graph)
	case kind == wire.TypePersonal:
		info.TypeName, info.Alias = "个人", r.alias(text)
	case kind == wire.TypeMulti:
		info.TypeName, info.Alias = "多人", r.aliases(p.Users)
	case kind == wire.TypeRobot:
		if script, ok := r.backend.Script(ctx, t.Namespace, string(p.Script)); ok {
			info.Alias = "脚本:" + directory.ScriptFileName(script)
		}
	}
	return info
}

func (r *Renderer) votesAlias(status *v1alpha1.TicketStatus, graph *engine.Graph) string {
	parts := make([]string, 0, len(status.Votes))
	for _, vote := range status.Votes {
		text := r.alias(string(vote.User)) + "(" + string(vote.User) + ")"
		if name, _, ok := wire.Voted(status, graph, vote); ok {
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
	if found, ok := r.people.UserObject(user); ok {
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
	user, ok := r.people.UserObject(name)
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
	Name         string           `json:"name"`
	ParentDeptID v1alpha1.WireID  `json:"parent_dept_id"`
	Leader       string           `json:"leader"`
	Approver     string           `json:"approver"`
	Label        string           `json:"label"`
	CreatorInfo  accountCreator   `json:"creator_info"`
	ParentInfo   departmentParent `json:"parent_dept_info"`
	LeaderInfo   departmentLeader `json:"leader_info"`
	ApproverInfo []approver       `json:"approver_info"`
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
	created := directory.CreatedAt(o)
	return authorship{GmtCreated: r.wire.Time(&created), GmtModified: r.wire.Time(&created)}
}

func (r *Renderer) department(ctx context.Context, d *v1alpha1.Department) wireDepartment {
	out := wireDepartment{
		ID: d.Status.ID, authorship: r.authorship(d), Name: directory.DepartmentDisplayName(d), Leader: string(d.Spec.Leader),
		Approver: wire.Joined(d.Spec.Approvers), Label: departmentLabel(d), ApproverInfo: []approver{},
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
	if found, ok := r.people.UserObject(user); ok {
		return found.Status.ID, directory.DisplayName(found)
	}
	return 0, user
}

// labelText is a label where clients know it as JSON text.
func labelText(label v1alpha1.JSONObject) string {
	if len(label) == 0 {
		return "{}"
	}
	return wire.JSONText(map[string]any(label)) // the type's own way to JSON would escape
}

// departmentLabel is a text that may be empty (rest-behaviour.md §7.2).
func departmentLabel(d *v1alpha1.Department) string {
	if len(d.Spec.Label) == 0 {
		return ""
	}
	return labelText(d.Spec.Label)
}
