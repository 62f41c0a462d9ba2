// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rest is the /api/v1.0 surface that existing clients know: its wire
// types, its handlers and its own short HTTP chain. Handlers translate: what a
// ticket may do is asked of the engine, through the backend.
package rest

import (
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/auth"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/internal/directory"
)

// Options of the surface.
type Options struct {
	// Location that times on the wire are in.
	Location *time.Location
	// Log has one line for every request.
	Log logr.Logger
	// MaxInFlight bounds how many requests are served at a time.
	MaxInFlight int
	// Rights says what Kubernetes users may; nil lets none of them in.
	Rights authorizer.Authorizer
}

// API serves /api/v1.0.
type API struct {
	backend  *backend.Backend
	auth     auth.Authenticator
	render   *Renderer
	rights   authorizer.Authorizer
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

const base = "/api/v1.0/"

// New makes the surface over a backend.
func New(b *backend.Backend, a auth.Authenticator, o Options) *API {
	api := &API{
		backend: b, auth: a, log: o.Log, rights: o.Rights, inFlight: make(chan struct{}, o.MaxInFlight),
		render: NewRenderer(b, o.Location),
	}
	api.routes = api.table()
	for i := range api.routes {
		api.routes[i].segments = strings.Split(api.routes[i].path, "/")
	}
	return api
}

// Renderer writes tickets as this surface does; the aggregated mount shares it.
func (a *API) Renderer() *Renderer { return a.render }

// find is the endpoint of a path, and the id in it. Where the path is there but
// not the method, allowed has the methods that are. HEAD is there with GET: HTTP
// has it so, and net/http leaves the body of its answer out.
func (a *API) find(method, path string) (found *route, id string, allowed []string) {
	rest, ok := strings.CutPrefix(path, base)
	if !ok {
		return nil, "", nil
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	segments := strings.Split(rest, "/")
	for i := range a.routes {
		matched, ok := match(a.routes[i].segments, segments)
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
	route  *route
	caller backend.Caller
	id     v1alpha1.WireID
	body   map[string]any
	query  url.Values
}

func (r *request) people() *directory.Directory { return r.api.backend.Directory() }

func (r *request) profile() v1alpha1.Profile { return profileOf(r.caller.App) }

func profileOf(app *v1alpha1.Application) v1alpha1.Profile {
	if app != nil && app.Spec.Profile == v1alpha1.ProfileR1 {
		return v1alpha1.ProfileR1
	}
	return v1alpha1.ProfileDocumented
}
