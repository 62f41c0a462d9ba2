// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"ticketflow.dev/ticketflow/hack/local"
)

// receiver is the other side of hooks and notices. It breaks now and then, as
// the number of a ticket says, and keeps what it took.
type receiver struct {
	rest *local.REST

	mu       sync.Mutex
	ctx      context.Context
	calls    map[string]int    // by path and ticket, the broken ones, too
	told     map[int64]int     // calls of /tell that were taken, by ticket
	asked    map[int64]int     // calls of /ask that were taken, by ticket
	notices  map[int64][]int64 // numbers of entries, by ticket, in order
	problems []error
}

func newReceiver(rest *local.REST) *receiver {
	return &receiver{
		rest: rest, ctx: context.Background(),
		calls: map[string]int{}, told: map[int64]int{}, asked: map[int64]int{}, notices: map[int64][]int64{},
	}
}

// begin bounds the call-backs.
func (r *receiver) begin(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ctx = ctx
}

// listen serves on loopback until the program ends.
func (r *receiver) listen() (address string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { _ = http.Serve(listener, r) }() //nolint:gosec // on loopback, for a few minutes
	return listener.Addr().String(), nil
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var body struct {
		ID   int64 `json:"id"`
		Last struct {
			ID int64 `json:"id"`
		} `json:"last_flow_log"`
		Values struct {
			ID int64 `json:"id"`
		} `json:"ticket_value_info"`
	}
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		r.problems = append(r.problems, fmt.Errorf("a call of %s has no readable body: %w", request.URL.Path, err))
	}
	seconds, err := strconv.ParseInt(request.Header.Get("timestamp"), 10, 64)
	if _, want := local.Sign(receiverToken, time.Unix(seconds, 0)); err != nil || request.Header.Get("signature") != want {
		r.problems = append(r.problems, errors.New("a call is not signed"))
	}
	id := max(body.ID, body.Values.ID)
	key := fmt.Sprintf("%s %d", request.URL.Path, id)
	r.calls[key]++
	if r.calls[key] == 1 && r.breaks(w, id, request.URL.Path) {
		return
	}
	switch request.URL.Path {
	case "/tell":
		r.told[id]++
	case "/ask":
		r.asked[id]++
		if r.asked[id] == 1 {
			go r.callBack(r.ctx, id)
		}
	case "/notice":
		r.notices[id] = append(r.notices[id], body.Last.ID%100_000)
	}
	_, _ = io.WriteString(w, `{"code": 0, "msg": "taken"}`)
}

// breaks lets a ticket's first call go wrong in one way or another.
func (r *receiver) breaks(w http.ResponseWriter, id int64, path string) bool {
	switch {
	case id%7 == 1:
		w.WriteHeader(http.StatusServiceUnavailable)
	case id%7 == 2:
		panic(http.ErrAbortHandler) // the connection is closed
	case id%7 == 3 && path == "/tell": // somebody has to retry this
		_, _ = io.WriteString(w, `{"code": -1, "msg": "not now"}`)
	default:
		return false
	}
	return true
}

// callBack says once that what was asked is done.
func (r *receiver) callBack(ctx context.Context, id int64) {
	err := insist(ctx, fmt.Sprintf("ask-%d", id), func(key string) error {
		return r.rest.Once(ctx, key, http.MethodPost, fmt.Sprintf("tickets/%d/hook_call_back", id), map[string]any{"result": true, "msg": "done"}, nil)
	})
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.problems = append(r.problems, fmt.Errorf("ticket %d could not be called back: %w", id, err))
	}
}
