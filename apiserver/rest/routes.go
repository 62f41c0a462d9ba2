// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"net/http"

	"ticketflow.dev/ticketflow/internal/wire"
)

// route is an endpoint: how it is found, what it reads and what it answers. The
// OpenAPI document is written from it, and what it does not name cannot be read.
type route struct {
	method string
	// path below /api/v1.0/; a segment in braces stands for an id.
	path string
	// segments are the path's, split once for every request.
	segments []string
	summary  string
	handle   handler
	// needs says that the username must be there (rest-behaviour.md §1.5).
	needs bool
	// alone says that an application may do it in no user's name, where it may intervene.
	alone bool
	query []property
	body  []property
	// schema has the keys of the body checked before anything else is, as a strict
	// endpoint does (rest-behaviour.md §2.6).
	schema bool
	// strict refuses body keys that are not named in body; loose endpoints take
	// field keys too, or ignore what they do not know.
	strict bool
	// mustSay says that an empty body is refused (decisions.md §2).
	mustSay bool
	// byHook lets a hook's own token in besides applications.
	byHook bool
	// data is a zero value of each type that the answer's data may be of.
	data []any
}

// property is a parameter of the query or a key of the body.
type property struct {
	name     string
	kind     propertyKind
	required bool
	// requiredByR1 says that only the profile R1 demands it (decisions.md §1.3).
	requiredByR1 bool
	// onForm says that the engine checks it, with the rest of the form.
	onForm bool
	about  string
}

// propertyKind says how a property is written.
type propertyKind string

const (
	aText   propertyKind = "text"
	aNumber propertyKind = "number"
	anID    propertyKind = "id"
	aFlag   propertyKind = "flag"
	idList  propertyKind = "ids"
	aTime   propertyKind = "time"
	aDate   propertyKind = "date"
	aCat    propertyKind = "category"
	anObj   propertyKind = "object"
)

var (
	suggestion = property{name: "suggestion", kind: aText, about: "What is said with it; at most 10 000 characters."}
	target     = property{name: "target_username", kind: aText, required: true, about: "The user that it is handed to."}
	search     = property{name: "search_value", kind: aText, about: "Text that the name has in it."}
	pages      = []property{
		{name: "page", kind: aNumber, about: "Which page, from 1. Beyond the end the last one is answered."},
		{name: "per_page", kind: aNumber, about: "Size of a page, 1 to 20 000; default 10."},
	}
)

func with(all []property, more ...property) []property {
	return append(append([]property{}, all...), more...)
}

// table lists the endpoints.
func (a *API) table() []route {
	all := a.ticketRoutes()
	all = append(all, a.actionRoutes()...)
	all = append(all, a.workflowRoutes()...)
	return append(all, a.accountRoutes()...)
}

func (a *API) ticketRoutes() []route {
	get := http.MethodGet
	return []route{
		{method: get, path: "tickets", summary: "List tickets", handle: a.listTickets, data: []any{pagedOf[listItem]{}}, query: with(pages,
			property{name: "category", kind: aCat, required: true, about: "Whose: all that one may see, opened, to do, ever involved in, or handled by the user."},
			property{name: "sn", kind: aText, about: "Beginning of the serial number."},
			property{name: "title", kind: aText, about: "Text within the title, whatever the case."},
			property{name: "create_start", kind: aTime, about: "Opened then or later."},
			property{name: "create_end", kind: aTime, about: "Opened then or earlier."},
			property{name: "workflow_ids", kind: idList}, property{name: "state_ids", kind: idList}, property{name: "ticket_ids", kind: idList},
			property{name: "parent_ticket_id", kind: anID, about: "Sub-tickets of this ticket."},
			property{name: "is_end", kind: aFlag, about: "Only those that have ended, or have not."},
			property{name: "is_rejected", kind: aFlag, about: "Only those that were refused, or were not."},
			property{name: "act_state_id", kind: aNumber, about: "Progress: 0 draft, 1 in progress, 2 refused, 3 retreated, 4 finished, 5 closed."},
			property{name: "from_admin", kind: aText, about: "Anything but 0 and false: only workflows that the user manages."},
			property{name: "creator", kind: aText, about: "Who opened them; counts only with from_admin."},
			property{name: "reverse", kind: aFlag, about: "Newest first; the default."},
		)},
		{method: get, path: "tickets/states", summary: "States of several tickets", handle: a.batchStates, data: []any{map[string]wire.LogState{}},
			query: []property{{name: "ticket_ids", kind: idList, required: true}}},
		{method: get, path: "tickets/num_statistics", summary: "Tickets opened, by day and workflow", handle: a.statistics, needs: true, data: []any{[]dayCount{}},
			query: []property{{name: "start_date", kind: aDate, about: "First day."}, {name: "end_date", kind: aDate, about: "Last day."}}},
		{method: get, path: "tickets/{id}", summary: "One ticket, as the user sees it", handle: a.showTicket, needs: true, data: []any{valueOf[ticketDetail]{}}},
		{method: get, path: "tickets/{id}/transitions", summary: "What the user may do now", handle: a.listTransitions, needs: true, data: []any{valueOf[[]wireOption]{}}},
		{method: get, path: "tickets/{id}/flowlogs", summary: "What happened, newest first", handle: a.listFlowLogs, needs: true, data: []any{pagedOf[wire.Log]{}},
			query: with(pages, property{name: "ticket_data", kind: aFlag, about: "With the ticket's values after each entry, for a close before it."})},
		{method: get, path: "tickets/{id}/flowsteps", summary: "What happened, by state", handle: a.listFlowSteps, needs: true, data: []any{flowSteps{}}},
		{method: get, path: "tickets/{id}/participant_info", summary: "Who the ticket waits for", handle: a.participantInfo, data: []any{participantList{}}},
	}
}

func (a *API) actionRoutes() []route {
	post, patch := http.MethodPost, http.MethodPatch
	object := map[string]any{}
	transition := property{name: "transition_id", kind: anID, required: true, about: "The transition to take."}
	comment, title := []property{suggestion}, property{name: "title", kind: aText, onForm: true, about: "At most 500 characters."}
	return []route{
		{method: post, path: "tickets", summary: "Open a ticket", handle: a.createTicket, needs: true, mustSay: true, schema: true, data: []any{createdTicket{}}, body: []property{
			{name: "workflow_id", kind: anID, required: true}, transition, title, suggestion,
			{name: "parent_ticket_id", kind: anID, about: "The ticket that this one is a sub-ticket of."},
			{name: "parent_ticket_state_id", kind: anID, about: "The parent's state that it hangs on."},
		}},
		{method: patch, path: "tickets/{id}", summary: "Take a transition", handle: a.handleTicket, needs: true, mustSay: true,
			data: []any{"", handledTicket{}}, body: []property{transition, title, suggestion}},
		{method: http.MethodDelete, path: "tickets/{id}", summary: "Delete a ticket", handle: a.deleteTicket, needs: true, data: []any{object}, body: comment},
		{method: post, path: "tickets/{id}/accept", summary: "Claim a ticket", handle: a.accept, needs: true, data: []any{true, object}},
		{method: post, path: "tickets/{id}/deliver", summary: "Hand a ticket over", handle: a.deliver, needs: true, strict: true, data: []any{true},
			body: []property{target, suggestion, {name: "from_admin", kind: aFlag, about: "As an admin of the workflow."}}},
		{method: post, path: "tickets/{id}/add_node", summary: "Ask somebody to sign first", handle: a.addNode, needs: true, strict: true,
			data: []any{true, object}, body: []property{target, suggestion}},
		{method: post, path: "tickets/{id}/add_node_end", summary: "Return a ticket to whoever asked", handle: a.addNodeEnd, needs: true, strict: true,
			data: []any{true, object}, body: comment},
		{method: http.MethodPut, path: "tickets/{id}/state", summary: "Force a state", handle: a.setState, needs: true, strict: true, data: []any{"", object},
			body: []property{{name: "state_id", kind: anID, required: true}, suggestion}},
		{method: patch, path: "tickets/{id}/fields", summary: "Change fields", handle: a.setFields, alone: true, mustSay: true, data: []any{"", object},
			body: []property{title}},
		{method: post, path: "tickets/{id}/retry_script", summary: "Run a failed script or hook again", handle: a.retryScript, needs: true, data: []any{"", object}},
		{method: post, path: "tickets/{id}/comments", summary: "Comment on a ticket", handle: a.comment, needs: true, strict: true, data: []any{"", object},
			body: []property{{name: suggestion.name, kind: aText, requiredByR1: true, about: suggestion.about}}},
		{method: post, path: "tickets/{id}/close", summary: "Close a ticket by force", handle: a.closeTicket, needs: true, data: []any{""}, body: comment},
		{method: post, path: "tickets/{id}/retreat", summary: "Take a ticket back", handle: a.retreat, needs: true, data: []any{object}, body: comment},
		{method: post, path: "tickets/{id}/hook_call_back", summary: "Report what became of a hook", handle: a.hookCallBack, mustSay: true, byHook: true, data: []any{object},
			body: []property{
				{name: "result", kind: aFlag, about: "Whether it succeeded; default true."},
				{name: "msg", kind: aText, about: "What is to be said in the log."},
				{name: "field_value", kind: anObj, about: "Fields to set, by key."},
			}},
	}
}

func (a *API) workflowRoutes() []route {
	get, found := http.MethodGet, with(pages, search)
	return []route{
		{method: get, path: "workflows", summary: "List workflows", handle: a.listWorkflows, data: []any{pagedOf[wireWorkflow]{}}, query: with(found,
			property{name: "name", kind: aText, about: "As search_value."},
			property{name: "from_admin", kind: aFlag, about: "Only those that the user manages."})},
		{method: get, path: "workflows/user_admin", summary: "Workflows that the user manages", handle: a.managedWorkflows, needs: true, data: []any{[]managedWorkflow{}}},
		{method: get, path: "workflows/run_scripts", summary: "List scripts", handle: a.administrators(a.listScripts), needs: true, data: []any{pagedOf[wireScript]{}}, query: found},
		{method: get, path: "workflows/custom_notices", summary: "List notices", handle: a.administrators(a.listNotices), needs: true, data: []any{pagedOf[wireNotice]{}}, query: found},
		{method: get, path: "workflows/{id}", summary: "One workflow", handle: a.showWorkflow, data: []any{workflowDetail{}}},
		{method: get, path: "workflows/{id}/init_state", summary: "The start state and its form", handle: a.initState, needs: true, data: []any{startState{}}},
		{method: get, path: "workflows/{id}/states", summary: "States of a workflow", handle: a.listStates, data: []any{pagedOf[listedState]{}}, query: found},
		{method: get, path: "workflows/{id}/transitions", summary: "Transitions of a workflow", handle: a.listWorkflowTransitions, data: []any{pagedOf[wireTransition]{}}, query: found},
		{method: get, path: "workflows/{id}/custom_fields", summary: "Fields of a workflow", handle: a.listCustomFields, needs: true, data: []any{pagedOf[customField]{}}, query: found},
		{method: get, path: "workflows/states/{id}", summary: "One state", handle: a.showState, needs: true, data: []any{shownState{}}},
	}
}

func (a *API) accountRoutes() []route {
	get, found := http.MethodGet, with(pages, search)
	return []route{
		{method: get, path: "accounts/users", summary: "List users", handle: a.administrators(a.listUsers), needs: true, data: []any{pagedOf[wireUser]{}}, query: found},
		{method: get, path: "accounts/users/{id}/roles", summary: "A user's roles", handle: a.administrators(a.listUserRoles), needs: true,
			data: []any{pagedOf[userRole]{}}, query: []property{search}},
		{method: get, path: "accounts/roles", summary: "List roles", handle: a.administrators(a.listRoles), needs: true, data: []any{pagedOf[wireRole]{}}, query: found},
		{method: get, path: "accounts/roles/{id}/users", summary: "A role's users", handle: a.administrators(a.listRoleUsers), needs: true,
			data: []any{pagedOf[wireUser]{}}, query: []property{search}},
		{method: get, path: "accounts/depts", summary: "List departments", handle: a.administrators(a.listDepartments), needs: true, data: []any{pagedOf[wireDepartment]{}}, query: found},
		{method: get, path: "accounts/app_token", summary: "List applications", handle: a.administrators(a.listApplications), needs: true,
			data: []any{pagedOf[wireApplication]{}}, query: found},
	}
}
