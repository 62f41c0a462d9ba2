// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"net/url"
	"slices"
	"strings"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
	"ticketflow.dev/ticketflow/internal/wire"
)

// The reads of rest-behaviour.md §7.6. They are for administrators
// (decisions.md §4), and show no token.

// administrators lets only administrators through to a handler.
func (a *API) administrators(handle handler) handler {
	return func(r *request) (answer, error) {
		if !engine.IsAdministrator(r.caller.User, r.people()) {
			return answer{}, administratorsOnly(r.caller.User)
		}
		return handle(r)
	}
}

// authorship is whose work an object is and when, as every record has it. Who
// created a resource is for Kubernetes' audit log to say.
type authorship struct {
	Creator     string `json:"creator"`
	GmtCreated  string `json:"gmt_created"`
	GmtModified string `json:"gmt_modified"`
	IsDeleted   bool   `json:"is_deleted"`
}

type accountCreator struct {
	ID       v1alpha1.WireID `json:"creator_id"`
	Alias    string          `json:"creator_alias"`
	Username string          `json:"creator_username"`
}

// wireUser is the form of rest-behaviour.md §7.1.
type wireUser struct {
	ID              v1alpha1.WireID `json:"id"`
	LastLogin       *string         `json:"last_login"`
	Username        string          `json:"username"`
	Alias           string          `json:"alias"`
	Email           string          `json:"email"`
	Phone           string          `json:"phone"`
	DeptInfo        userDepartment  `json:"dept_info"`
	IsActive        bool            `json:"is_active"`
	IsAdmin         bool            `json:"is_admin"`
	IsWorkflowAdmin bool            `json:"is_workflow_admin"`
	CreatorInfo     accountCreator  `json:"creator_info"`
	GmtCreated      string          `json:"gmt_created"`
	GmtModified     string          `json:"gmt_modified"`
	IsDeleted       bool            `json:"is_deleted"`
}

type userDepartment struct {
	ID   v1alpha1.WireID `json:"dept_id"`
	Name string          `json:"dept_name"`
}

func (r *request) user(u *v1alpha1.User) wireUser {
	created := directory.CreatedAt(u)
	out := wireUser{
		ID: u.Status.ID, Username: directory.UserName(u), Alias: directory.DisplayName(u), Email: u.Spec.Email, Phone: u.Spec.Phone,
		IsActive: u.Spec.Active == nil || *u.Spec.Active, IsAdmin: u.Spec.Administrator,
		GmtCreated: r.api.render.wire.Time(&created), GmtModified: r.api.render.wire.Time(&created),
	}
	out.IsWorkflowAdmin = slices.ContainsFunc(r.api.backend.Workflows(), func(w backend.Listed) bool {
		return engine.IsWorkflowAdmin(&w.Spec, out.Username)
	})
	if d, ok := r.api.backend.Department(r.Context(), string(u.Spec.Department)); ok {
		out.DeptInfo = userDepartment{ID: d.Status.ID, Name: directory.DepartmentDisplayName(d)}
	}
	return out
}

// found says whether one of the texts has what is searched for.
func (r *request) found(texts ...string) bool {
	search := r.asked("search_value")
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, search) })
}

func (a *API) listUsers(r *request) (answer, error) {
	items := []wireUser{}
	for _, u := range a.backend.Users(r.Context()) {
		if r.found(directory.UserName(u), directory.DisplayName(u)) {
			items = append(items, r.user(u))
		}
	}
	return paged(r, items)
}

// wireRole is the form of rest-behaviour.md §7.3.
type wireRole struct {
	ID v1alpha1.WireID `json:"id"`
	authorship
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Label       string         `json:"label"`
	CreatorInfo accountCreator `json:"creator_info"`
}

func (a *API) listRoles(r *request) (answer, error) {
	items := []wireRole{}
	for _, role := range a.backend.UserRoles(r.Context()) {
		name := directory.RoleDisplayName(role)
		if r.found(name, role.Spec.Description) {
			items = append(items, wireRole{
				ID: role.Status.ID, authorship: r.api.render.authorship(role), Name: name, Description: role.Spec.Description, Label: labelText(role.Spec.Label),
			})
		}
	}
	return paged(r, items)
}

// userRole is a role as a user's list of roles has it.
type userRole struct {
	ID          v1alpha1.WireID `json:"id"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Label       string          `json:"label"`
	Creator     string          `json:"creator"`
	GmtCreated  string          `json:"gmt_created"`
}

func (a *API) listUserRoles(r *request) (answer, error) {
	users := a.backend.Users(r.Context())
	at := slices.IndexFunc(users, func(u *v1alpha1.User) bool { return u.Status.ID == r.id })
	if at < 0 {
		return answer{}, badParameter("user_id", "is nobody's")
	}
	name, items := v1alpha1.UserName(directory.UserName(users[at])), []userRole{}
	for _, role := range a.backend.UserRoles(r.Context()) {
		if slices.Contains(role.Spec.Members, name) && r.found(directory.RoleDisplayName(role), role.Spec.Description) {
			created := directory.CreatedAt(role)
			items = append(items, userRole{
				ID: role.Status.ID, Name: directory.RoleDisplayName(role), Description: role.Spec.Description,
				Label: labelText(role.Spec.Label), GmtCreated: r.api.render.wire.Time(&created),
			})
		}
	}
	return unpaged(items), nil
}

func (a *API) listRoleUsers(r *request) (answer, error) {
	roles := a.backend.UserRoles(r.Context())
	at := slices.IndexFunc(roles, func(role *v1alpha1.UserRole) bool { return role.Status.ID == r.id })
	if at < 0 {
		return answer{}, badParameter("role_id", "is no role's")
	}
	items := []wireUser{}
	for _, member := range roles[at].Spec.Members {
		if u, ok := r.people().UserObject(string(member)); ok && r.found(directory.UserName(u), directory.DisplayName(u)) {
			items = append(items, r.user(u))
		}
	}
	return unpaged(items), nil
}

func (a *API) listDepartments(r *request) (answer, error) {
	items := []wireDepartment{}
	for _, d := range a.backend.Departments(r.Context()) {
		if r.found(directory.DepartmentDisplayName(d), departmentLabel(d)) {
			items = append(items, r.api.render.department(r.Context(), d))
		}
	}
	return paged(r, items)
}

// wireApplication is the form of rest-behaviour.md §7.4.
type wireApplication struct {
	ID v1alpha1.WireID `json:"id"`
	authorship
	AppName      string         `json:"app_name"`
	Token        string         `json:"token"`
	WorkflowIDs  string         `json:"workflow_ids"`
	SerialPrefix string         `json:"ticket_sn_prefix"`
	CreatorInfo  accountCreator `json:"creator_info"`
}

func (a *API) listApplications(r *request) (answer, error) {
	items := []wireApplication{}
	for _, app := range a.backend.Applications(r.Context()) {
		name := directory.AppName(app)
		if !r.found(name) {
			continue
		}
		known, _ := r.people().Application(name)
		items = append(items, wireApplication{
			ID: app.Status.ID, authorship: r.api.render.authorship(app), AppName: name, Token: wire.Mask,
			WorkflowIDs: r.workflowIDs(known), SerialPrefix: directory.SerialPrefix(app),
		})
	}
	return paged(r, items)
}

func (r *request) workflowIDs(app engine.Application) string {
	var ids []string
	for _, w := range r.api.backend.Workflows() {
		if app.MayUse(w.Namespace, w.Name) {
			ids = append(ids, wire.IDText(w.Status.ID))
		}
	}
	return strings.Join(ids, ",")
}

// wireScript is an item of rest-behaviour.md §6.3, run_scripts.
type wireScript struct {
	ID          v1alpha1.WireID `json:"id"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	SavedName   string          `json:"saved_name"`
	IsActive    bool            `json:"is_active"`
	Creator     string          `json:"creator"`
	GmtCreated  string          `json:"gmt_created"`
}

func (a *API) listScripts(r *request) (answer, error) {
	items := []wireScript{}
	for _, s := range a.backend.Scripts(r.Context()) {
		name := directory.ScriptFileName(s)
		if !r.found(name, s.Spec.Description) {
			continue
		}
		created := directory.CreatedAt(s)
		items = append(items, wireScript{
			ID: s.Status.ID, Name: name, Description: s.Spec.Description, SavedName: name,
			IsActive: s.Spec.Active == nil || *s.Spec.Active, GmtCreated: r.api.render.wire.Time(&created),
		})
	}
	return paged(r, items)
}

// wireNotice is an item of rest-behaviour.md §6.3, custom_notices.
type wireNotice struct {
	ID v1alpha1.WireID `json:"id"`
	authorship
	Name        string `json:"name"`
	Description string `json:"description"`
	HookURL     string `json:"hook_url"`
	HookToken   string `json:"hook_token"`
}

func (a *API) listNotices(r *request) (answer, error) {
	items := []wireNotice{}
	for _, n := range a.backend.Notifiers(r.Context()) {
		item := wireNotice{ID: n.Status.ID, authorship: r.api.render.authorship(n), Name: noticeName(n), Description: n.Spec.Description}
		if !r.found(item.Name, item.Description) {
			continue
		}
		if hook := n.Spec.Webhook; hook != nil {
			item.HookURL, item.HookToken = withoutSecrets(hook.URL), wire.Mask
		}
		items = append(items, item)
	}
	return paged(r, items)
}

// withoutSecrets is an address without user, password and query: services put
// keys there.
func withoutSecrets(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return wire.Mask
	}
	parsed.User, parsed.RawQuery, parsed.Fragment = nil, "", ""
	return parsed.String()
}
