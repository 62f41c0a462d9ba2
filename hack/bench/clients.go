// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // the documented signature
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const namespace = "bench"

// rawClient talks to the kube-apiserver about an object as large as a typical ticket.
type rawClient struct{ client client.Client }

func newRaw(kubeconfig string) (*rawClient, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
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

// restClient talks to /api/v1.0 as the application that manifests.yaml makes.
type restClient struct {
	base string
	http *http.Client
}

func (r *restClient) call(ctx context.Context, method, path string, body any, data any) error {
	var encoded []byte
	if body != nil {
		var err error
		if encoded, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	sum := md5.Sum([]byte(timestamp + "bench-token")) //nolint:gosec // the documented signature
	for name, value := range map[string]string{
		"appname": "bench", "username": "worker", "timestamp": timestamp, "signature": hex.EncodeToString(sum[:]),
	} {
		request.Header.Set(name, value)
	}
	response, err := r.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer := struct {
		Code int             `json:"code"`
		Msg  string          `json:"msg"`
		Data json.RawMessage `json:"data"`
	}{}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Code != 0 {
		return fmt.Errorf("%s %s: %s", method, path, answer.Msg)
	}
	if data != nil {
		return json.Unmarshal(answer.Data, data)
	}
	return nil
}

// open opens a ticket with 8 fields and answers its path.
func (r *restClient) open(ctx context.Context) (string, error) {
	body := payload(8, 40)
	body["workflow_id"], body["transition_id"], body["title"] = 1, 1, "a typical ticket"
	var opened struct {
		ID int64 `json:"ticket_id"`
	}
	err := r.call(ctx, http.MethodPost, "tickets", body, &opened)
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
		return r.call(ctx, http.MethodPatch, path, map[string]any{"transition_id": 2, "suggestion": "handled"}, nil)
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
					if err = r.call(ctx, http.MethodPatch, path, map[string]any{"transition_id": 2, "suggestion": "handled"}, nil); err != nil {
						return err
					}
				}
				return nil
			}
			return r.call(ctx, http.MethodGet, path+suffix, nil, nil)
		}
	}
}
