// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/hack/local"
)

const namespace = "bench"

// rawClient talks to the kube-apiserver about an object as large as a typical ticket.
type rawClient struct{ client client.Client }

func newRaw(t *local.Ticketflow) (*rawClient, error) {
	config, err := t.Config()
	if err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{})
	return &rawClient{client: c}, err
}

func sample() *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": payload(8, 40)}}
	object.SetGroupVersionKind(schema.GroupVersionKind{Group: "bench.ticketflow.dev", Version: "v1", Kind: "Sample"})
	object.SetNamespace(namespace)
	object.SetGenerateName("sample-")
	return object
}

// payload is so many values of so many characters.
func payload(values, characters int) map[string]any {
	out := map[string]any{}
	for i := range values {
		out["value"+strconv.Itoa(i)] = strings.Repeat("x", characters)
	}
	return out
}

func (r *rawClient) create(int) func(context.Context) error {
	return func(ctx context.Context) error { return r.client.Create(ctx, sample()) }
}

// updateStatus writes a status as large as a ticket's: 8 fields, 6 history entries.
func (r *rawClient) updateStatus(int) func(context.Context) error {
	var object *unstructured.Unstructured
	n := 0
	return func(ctx context.Context) error {
		if object == nil {
			object = sample()
			return r.client.Create(ctx, object)
		}
		n++
		status := payload(8, 40)
		status["n"] = int64(n)
		history := make([]any, 0, 6)
		for range 6 {
			history = append(history, payload(12, 45))
		}
		status["history"] = history
		object.Object["status"] = status
		return r.client.Status().Update(ctx, object)
	}
}

// updateTicket writes the status of a typical ticket, of a kind that nobody watches
// and that has tickets' own schema: what kube-apiserver takes to check it.
func (b *bench) updateTicket(int) func(context.Context) error {
	object, n := &unstructured.Unstructured{}, int64(0)
	return func(ctx context.Context) error {
		if n++; n > 1 {
			object.Object["status"].(map[string]any)["visit"] = n
			return b.raw.client.Status().Update(ctx, object)
		}
		var err error
		if object.Object, err = b.template(ctx); err != nil {
			return err
		}
		status := object.Object["status"]
		delete(object.Object["spec"].(map[string]any), "action") // no new ticket may have one
		object.Object["metadata"] = map[string]any{"namespace": namespace, "generateName": "ticket-"}
		object.SetAPIVersion("bench.ticketflow.dev/v1alpha1")
		if err := b.raw.client.Create(ctx, object); err != nil {
			return err
		}
		object.Object["status"] = status
		return nil
	}
}

func (r *rawClient) get(int) func(context.Context) error {
	var object *unstructured.Unstructured
	return func(ctx context.Context) error {
		if object == nil {
			object = sample()
			return r.client.Create(ctx, object)
		}
		return r.client.Get(ctx, client.ObjectKeyFromObject(object), object)
	}
}

// restClient is the application that manifests.yaml makes.
type restClient struct{ *local.REST }

func newREST(t *local.Ticketflow) *restClient {
	return &restClient{&local.REST{
		Address: t.Address, Application: "bench", Token: "bench-token", User: "worker",
		HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}}
}

// alone is the same client on a connection of its own.
func (r *restClient) alone() *local.REST {
	own := *r.REST
	own.HTTP = &http.Client{Transport: &direct{}}
	return &own
}

// open opens a ticket with 8 fields and answers its path.
func (r *restClient) open(ctx context.Context) (string, error) {
	body := payload(8, 40)
	body["workflow_id"], body["transition_id"], body["title"] = 1, 1, "a typical ticket"
	var opened struct {
		ID int64 `json:"ticket_id"`
	}
	err := r.Call(ctx, http.MethodPost, "tickets", body, &opened)
	return "tickets/" + strconv.FormatInt(opened.ID, 10), err
}

func (r *restClient) create(int) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := r.open(ctx)
		return err
	}
}

// handle takes a transition that leads back to where it came from.
func (r *restClient) handle(int) func(context.Context) error {
	path := ""
	return func(ctx context.Context) error {
		var err error
		if path == "" {
			path, err = r.open(ctx)
			return err
		}
		return r.Call(ctx, http.MethodPatch, path, map[string]any{"transition_id": 2, "suggestion": "handled"}, nil)
	}
}

// read reads of a ticket that has six history entries.
func (r *restClient) read(suffix string) func(int) func(context.Context) error {
	return func(int) func(context.Context) error {
		path := ""
		return func(ctx context.Context) error {
			var err error
			if path == "" {
				if path, err = r.open(ctx); err != nil {
					return err
				}
				for range 5 {
					if err = r.Call(ctx, http.MethodPatch, path, map[string]any{"transition_id": 2, "suggestion": "handled"}, nil); err != nil {
						return err
					}
				}
				return nil
			}
			return r.Call(ctx, http.MethodGet, path+suffix, nil, nil)
		}
	}
}
