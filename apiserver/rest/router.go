// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rest is the /api/v1.0 surface that existing clients know: its wire
// types, its handlers and its own short HTTP chain. Handlers translate: what a
// ticket may do is asked of the engine, through the backend.
package rest

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/auth"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
)

// Options of the surface.
type Options struct {
	// Location that times on the wire are in.
	Location *time.Location
	// Log has one line for every request.
	Log logr.Logger
	// MaxInFlight bounds how many requests are served at a time.
	MaxInFlight int
}

// API serves /api/v1.0.
type API struct {
	backend  *backend.Backend
	auth     auth.Authenticator
	render   *Renderer
	log      logr.Logger
	inFlight chan struct{}
	routes   []route
}

// handler answers a request or says why not: with a *backend.Failure where the
// client can mend it, with any other error where it is our fault.
type handler func(*request) (answer, error)

// answer is what a request is answered with.
type answer struct {
	data any
	msg  string
}

// route is an endpoint. A segment in braces stands for an id.
type route struct {
	method  string
	path    string
	handle  handler
	strict  []string // if not nil, the body keys that are known; others are refused
	needs   bool     // whether the username must be there (rest-behaviour.md §1.5)
	mustSay bool     // whether an empty body is refused (decisions.md §2)
}

const base = "/api/v1.0/"

// New makes the surface over a backend.
func New(b *backend.Backend, a auth.Authenticator, o Options) *API {
	api := &API{
		backend: b, auth: a, log: o.Log, inFlight: make(chan struct{}, o.MaxInFlight),
		render: NewRenderer(b, o.Location),
	}
	api.routes = []route{
		{method: http.MethodGet, path: "workflows", handle: api.listWorkflows},
		{method: http.MethodGet, path: "workflows/{id}/init_state", handle: api.initState, needs: true},
		{method: http.MethodGet, path: "workflows/{id}/states", handle: api.listStates},
		{method: http.MethodGet, path: "workflows/states/{id}", handle: api.showState, needs: true},
		{method: http.MethodGet, path: "tickets", handle: api.listTickets},
		{method: http.MethodPost, path: "tickets", handle: api.createTicket, needs: true, mustSay: true},
		{method: http.MethodGet, path: "tickets/states", handle: api.batchStates},
		{method: http.MethodGet, path: "tickets/{id}", handle: api.showTicket, needs: true},
		{method: http.MethodPatch, path: "tickets/{id}", handle: api.handleTicket, needs: true, mustSay: true},
		{method: http.MethodGet, path: "tickets/{id}/transitions", handle: api.listTransitions, needs: true},
		{method: http.MethodGet, path: "tickets/{id}/flowlogs", handle: api.listFlowLogs, needs: true},
		{method: http.MethodGet, path: "tickets/{id}/flowsteps", handle: api.listFlowSteps, needs: true},
		{method: http.MethodGet, path: "tickets/{id}/participant_info", handle: api.participantInfo},
		{method: http.MethodPost, path: "tickets/{id}/accept", handle: api.accept, needs: true},
		{method: http.MethodPost, path: "tickets/{id}/deliver", handle: api.deliver, needs: true, strict: []string{"target_username", "from_admin", "suggestion"}},
		{method: http.MethodPost, path: "tickets/{id}/add_node", handle: api.addNode, needs: true, strict: []string{"target_username", "suggestion"}},
		{method: http.MethodPost, path: "tickets/{id}/add_node_end", handle: api.addNodeEnd, needs: true, strict: []string{"suggestion"}},
		{method: http.MethodPut, path: "tickets/{id}/state", handle: api.setState, needs: true, strict: []string{"state_id", "suggestion"}},
		{method: http.MethodPatch, path: "tickets/{id}/fields", handle: api.setFields, needs: true, mustSay: true},
		{method: http.MethodPost, path: "tickets/{id}/retry_script", handle: api.retryScript, needs: true},
		{method: http.MethodPost, path: "tickets/{id}/comments", handle: api.comment, needs: true, strict: []string{"suggestion"}},
		{method: http.MethodPost, path: "tickets/{id}/close", handle: api.closeTicket, needs: true},
		{method: http.MethodPost, path: "tickets/{id}/retreat", handle: api.retreat, needs: true},
	}
	return api
}

// Renderer writes tickets as this surface does; the aggregated mount shares it.
func (a *API) Renderer() *Renderer { return a.render }

// find is the endpoint of a path, and the id in it. Where the path is there but
// not the method, allowed has the methods that are.
func (a *API) find(method, path string) (found *route, id string, allowed []string) {
	rest, ok := strings.CutPrefix(path, base)
	if !ok {
		return nil, "", nil
	}
	segments := strings.Split(rest, "/")
	for i := range a.routes {
		matched, ok := match(strings.Split(a.routes[i].path, "/"), segments)
		switch {
		case !ok:
		case a.routes[i].method == method:
			return &a.routes[i], matched, nil
		default:
			allowed = append(allowed, a.routes[i].method)
		}
	}
	return nil, "", allowed
}

func match(pattern, segments []string) (id string, ok bool) {
	if len(pattern) != len(segments) {
		return "", false
	}
	for i, part := range pattern {
		switch {
		case part == "{id}" && digits(segments[i]):
			id = segments[i]
		case part != segments[i]:
			return "", false
		}
	}
	return id, true
}

func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// wireID reads an id from a path; one that is too large is nobody's.
func wireID(text string) v1alpha1.WireID {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return math.MaxInt64
	}
	return v1alpha1.WireID(id)
}

// request is one request on its way through its handler.
type request struct {
	*http.Request
	api    *API
	caller backend.Caller
	id     v1alpha1.WireID
	body   map[string]any
}

func (r *request) profile() v1alpha1.Profile { return profileOf(r.caller.App) }

func profileOf(app *v1alpha1.Application) v1alpha1.Profile {
	if app != nil && app.Spec.Profile == v1alpha1.ProfileR1 {
		return v1alpha1.ProfileR1
	}
	return v1alpha1.ProfileDocumented
}

// application is what the engine needs to know of the caller's application.
func (r *request) application() engine.Application {
	application, _ := r.api.backend.Directory().Application(r.caller.AppName)
	return application
}

// ticket finds the ticket of the path and the graph it follows. A ticket of a
// workflow that the application is not allowed is unknown, telling nothing.
func (r *request) ticket() (*v1alpha1.Ticket, *engine.Graph, error) {
	t, ok := r.api.backend.TicketByID(r.id)
	if !ok || !r.application().MayUse(t.Namespace, string(t.Spec.WorkflowRef.Name)) {
		return nil, nil, unknownTicket(r.id)
	}
	graph, err := r.api.backend.Graph(r.Context(), t)
	return t, graph, err
}

// visibleTicket is ticket for who wants to look at it.
func (r *request) visibleTicket() (*v1alpha1.Ticket, *engine.Graph, error) {
	t, graph, err := r.ticket()
	if err != nil {
		return nil, nil, err
	}
	if !engine.CanView(graph, backend.Snapshot(t), r.caller.User, r.api.backend.Directory()) {
		return nil, nil, notAllowedToView(r.caller.User, r.id)
	}
	return t, graph, nil
}
