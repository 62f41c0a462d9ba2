// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/auth"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/metrics"
)

// envelope is the form of every answer.
type envelope struct {
	Code   int           `json:"code"`
	Data   any           `json:"data"`
	Msg    string        `json:"msg"`
	Reason engine.Reason `json:"reason,omitempty"`
}

// exchange is what the chain notes about one request.
type exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	id     string
	route  string // the endpoint's pattern; empty where there is none
	caller backend.Caller
	known  bool // who calls is known: a user who is not is another
	start  time.Time
}

// ServeHTTP is the chain: request id, recover, in-flight limit, route, body,
// authenticate, handle, audit line. Every answer has the envelope.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{w: w, r: r, id: uuid.NewString(), start: a.backend.Now()}
	// A client asks again as soon as it has its answer. Where that is there before
	// its connection is read anew, Go goes on with this one while the requests of
	// others wait for up to 10 ms: they come first.
	runtime.Gosched()
	defer metrics.RequestBegins()()
	w.Header().Set("X-Request-Id", x.id)
	defer func() {
		if fault := recover(); fault != nil {
			a.log.Error(fmt.Errorf("panic: %v", fault), "Recovered from a panic", "request", x.id, "stack", string(debug.Stack()))
			a.refuse(x, backend.Failf(engine.ReasonInternal, internalText), http.StatusInternalServerError)
		}
	}()
	select {
	case a.inFlight <- struct{}{}:
		defer func() { <-a.inFlight }()
	default:
		a.fail(x, tooBusy())
		return
	}
	if err := a.backend.Ready(); err != nil {
		a.refuse(x, backend.Failf(backend.ReasonUnavailable, "the server is starting"), http.StatusServiceUnavailable)
		return
	}
	found, id, allowed := a.find(r.Method, r.URL.Path)
	switch {
	case found == nil && len(allowed) > 0:
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		a.refuse(x, noMethod(r.Method, r.URL.Path), http.StatusMethodNotAllowed)
	case found == nil:
		a.refuse(x, noEndpoint(r.URL.Path), http.StatusNotFound)
	default:
		a.serve(x, found, id)
	}
}

func (a *API) serve(x *exchange, found *route, id string) {
	x.route = base + found.path
	caller, failure := a.authenticate(x.r, found, id)
	x.caller = caller
	if failure != nil {
		a.fail(x, failure)
		return
	}
	caller.IdempotencyKey = cmp.Or(x.r.Header.Get("Idempotency-Key"), caller.Nonce)
	caller.Method, caller.Path = x.r.Method, x.r.URL.Path
	query, err := pairs(x.r.URL.RawQuery)
	if err != nil {
		a.fail(x, badParameter("the query", "has too many parameters"))
		return
	}
	req := &request{
		Request: x.r, api: a, route: found, caller: caller, id: wireID(id), query: query,
	}
	if err := a.prepare(x, req, found); err != nil {
		a.fail(x, err)
		return
	}
	x.known = true
	result, err := found.handle(req)
	if err != nil {
		a.fail(x, err)
		return
	}
	a.write(x, http.StatusOK, envelope{Code: 0, Data: result.data, Msg: result.msg})
}

// authenticate lets in applications and Kubernetes users, and to its own
// endpoint a hook by its token.
func (a *API) authenticate(r *http.Request, found *route, id string) (backend.Caller, *backend.Failure) {
	if !found.byHook || r.Header.Get("appname") != "" || r.Header.Get("Authorization") != "" {
		return a.auth.Authenticate(r)
	}
	t, ok := a.backend.TicketByID(wireID(id))
	if !ok {
		return backend.Caller{}, auth.BadHookSignature()
	}
	graph, err := a.backend.Graph(r.Context(), t)
	if err != nil {
		return backend.Caller{}, auth.BadHookSignature()
	}
	state, ok := graph.State(t.Status.State)
	if !ok || state.Participants == nil || state.Participants.Hook == nil || state.Participants.Hook.TokenSecretRef == nil {
		return backend.Caller{}, auth.BadHookSignature()
	}
	token := state.Participants.Hook.TokenSecretRef
	selector := corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: string(token.Name)}, Key: token.Key}
	if failure := a.auth.AuthenticateHook(r, t.Namespace, selector); failure != nil {
		return backend.Caller{}, failure
	}
	return backend.Caller{Hook: t}, nil
}

// prepare reads the body and checks what every endpoint does, in the order that
// clients know: body, ticket or workflow, user (rest-behaviour.md §4).
func (a *API) prepare(x *exchange, req *request, found *route) (err error) {
	if found.method != http.MethodGet { // clients send bodies with GET; they mean nothing
		if req.body, err = readBody(x.r, found.mustSay); err != nil {
			return err
		}
		if err = req.checkBody(); err != nil {
			return err
		}
	}
	if err = req.checkSubject(); err != nil {
		return err
	}
	return req.checkUser()
}

// fail answers a refusal, or hides a fault of ours behind a fixed text.
func (a *API) fail(x *exchange, err error) {
	var failure *backend.Failure
	if !errors.As(err, &failure) {
		a.log.Error(err, "Failed to serve a request", "request", x.id, "path", x.r.URL.Path)
		failure = backend.Failf(engine.ReasonInternal, internalText)
	}
	status := http.StatusOK
	if fault, ours := faults[failure.Reason]; ours {
		status = fault
	} else if x.caller.App != nil && x.caller.App.Spec.HTTPStatus == v1alpha1.HTTPStandard {
		status = Status(failure.Reason)
		if x.known && failure.Reason == engine.ReasonUnknownUser {
			status = http.StatusUnprocessableEntity // 401 would send a client to sign in anew
		}
	}
	a.refuse(x, failure, status)
}

func (a *API) refuse(x *exchange, failure *backend.Failure, status int) {
	a.write(x, status, envelope{Code: -1, Data: "", Msg: say(x.r, failure), Reason: failure.Reason})
}

func (a *API) write(x *exchange, status int, body envelope) {
	x.w.Header().Set("Content-Type", "application/json")
	out := &answering{ResponseWriter: x.w, status: status}
	if err := json.NewEncoder(out).Encode(body); err != nil && !out.begun {
		a.log.Error(err, "Failed to write an answer", "request", x.id)
		out.status = http.StatusInternalServerError
		_, _ = out.Write([]byte(`{"code":-1,"data":"","msg":"` + internalText + `","reason":"Internal"}`)) // the client is gone if this fails
	}
	status = out.status
	took := a.backend.Now().Sub(x.start)
	metrics.Request(x.route, x.r.Method, strconv.Itoa(status), string(body.Reason), took)
	a.log.Info("Served a request", "request", x.id, "application", x.caller.AppName, "user", x.caller.User,
		"method", x.r.Method, "path", x.r.URL.Path, "status", status, "reason", body.Reason,
		"milliseconds", took.Milliseconds())
}

// answering begins an answer with its status once there is something to write.
// An encoder writes all at once, so that the first length is that of the whole:
// told in advance, it spares the client the chunks and the waits between them.
type answering struct {
	http.ResponseWriter
	status int
	begun  bool
}

func (w *answering) Write(data []byte) (int, error) {
	if !w.begun {
		w.begun = true
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		w.WriteHeader(w.status)
	}
	return w.ResponseWriter.Write(data)
}

// faults are the reasons that are our fault: 5xx whatever the application wants
// (decisions.md §3.3).
var faults = map[engine.Reason]int{
	engine.ReasonInternal:     http.StatusInternalServerError,
	backend.ReasonUnavailable: http.StatusServiceUnavailable,
	backend.ReasonPending:     http.StatusGatewayTimeout,
}

// statuses are what refusals become where an application wants proper HTTP
// statuses (decisions.md §3.2); those not named are 422.
var statuses = map[engine.Reason]int{
	backend.ReasonMissingCredentials: http.StatusUnauthorized,
	engine.ReasonUnknownApplication:  http.StatusUnauthorized,
	backend.ReasonBadSignature:       http.StatusUnauthorized,
	backend.ReasonExpired:            http.StatusUnauthorized,
	backend.ReasonReplayed:           http.StatusUnauthorized,
	engine.ReasonUnknownUser:         http.StatusUnauthorized,
	backend.ReasonBadBody:            http.StatusBadRequest,
	engine.ReasonBadParameter:        http.StatusBadRequest,
	engine.ReasonUnknownKey:          http.StatusBadRequest,
	engine.ReasonTooLarge:            http.StatusBadRequest,
	engine.ReasonUnknownTicket:       http.StatusNotFound,
	engine.ReasonUnknownWorkflow:     http.StatusNotFound,
	engine.ReasonUnknownState:        http.StatusNotFound,
	engine.ReasonUnknownTransition:   http.StatusNotFound,
	engine.ReasonNotParticipant:      http.StatusForbidden,
	engine.ReasonNotCreator:          http.StatusForbidden,
	engine.ReasonNotAllowed:          http.StatusForbidden,
	engine.ReasonLimitReached:        http.StatusTooManyRequests,
	backend.ReasonBusy:               http.StatusTooManyRequests,
	engine.ReasonAcceptFirst:         http.StatusConflict,
	engine.ReasonNothingToAccept:     http.StatusConflict,
	engine.ReasonInAddNode:           http.StatusConflict,
	engine.ReasonNotInAddNode:        http.StatusConflict,
	engine.ReasonNothingToDo:         http.StatusConflict,
	engine.ReasonWrongState:          http.StatusConflict,
	engine.ReasonNotRetreatable:      http.StatusConflict,
	engine.ReasonNotRetryable:        http.StatusConflict,
	engine.ReasonNotWaitingForHook:   http.StatusConflict,
	engine.ReasonWorkflowNotReady:    http.StatusConflict,
	engine.ReasonConflict:            http.StatusConflict,
}

// Status is the proper HTTP status of a refusal.
func Status(reason engine.Reason) int {
	if status, ok := faults[reason]; ok {
		return status
	}
	if status, ok := statuses[reason]; ok {
		return status
	}
	return http.StatusUnprocessableEntity
}
