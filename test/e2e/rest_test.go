//go:build e2e

// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// restService is the Service, and the name that its certificate is for.
const restService = "ticketflow-rest"

// application calls /api/v1.0 over TLS through the Service's cluster IP, signed
// as the sample application.
type application struct {
	base string
	http *http.Client
}

// newApplication trusts what the API server has published to the APIService.
// With keepAlive, requests share connections, as most clients' do.
func newApplication(ctx context.Context, keepAlive bool) *application {
	GinkgoHelper()
	var service corev1.Service
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: restService}, &service)).To(Succeed())
	api := &unstructured.Unstructured{}
	api.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"})
	Expect(k8s.Get(ctx, client.ObjectKey{Name: apiService}, api)).To(Succeed())
	roots := x509.NewCertPool()
	bundle, _, err := unstructured.NestedString(api.Object, "spec", "caBundle")
	Expect(err).NotTo(HaveOccurred())
	var pem []byte
	Expect(json.Unmarshal([]byte(strconv.Quote(bundle)), &pem)).To(Succeed())
	Expect(roots.AppendCertsFromPEM(pem)).To(BeTrue())
	return &application{
		base: "https://" + service.Spec.ClusterIP + "/api/v1.0/",
		http: &http.Client{
			Timeout: time.Minute,
			Transport: &http.Transport{
				TLSClientConfig:   &tls.Config{RootCAs: roots, ServerName: restService + "." + systemNamespace + ".svc"},
				ForceAttemptHTTP2: true, DisableKeepAlives: !keepAlive,
			},
		},
	}
}

// answer is the envelope.
type answer struct {
	Code   int             `json:"code"`
	Msg    string          `json:"msg"`
	Reason string          `json:"reason"`
	Data   json.RawMessage `json:"data"`
}

// send sends a request as a user and answers the envelope. Repetitions of the
// same key are applied once.
func (a *application) send(ctx context.Context, user, key, method, path string, body any) (answer, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return answer{}, err
	}
	request, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(encoded))
	if err != nil {
		return answer{}, err
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	sum := md5.Sum([]byte(timestamp + token))
	for name, value := range map[string]string{
		"appname": "ops", "username": user, "timestamp": timestamp, "signature": hex.EncodeToString(sum[:]), "Idempotency-Key": key,
	} {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	response, err := a.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	var out answer
	if err := json.Unmarshal(said, &out); err != nil || response.StatusCode != http.StatusOK {
		return out, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, said)
	}
	return out, nil
}

// call sends a request, demands that it is not refused, and answers its data.
func (a *application) call(ctx context.Context, user, method, path string, body any) json.RawMessage {
	GinkgoHelper()
	out, err := a.send(ctx, user, "", method, path, body)
	Expect(err).NotTo(HaveOccurred())
	Expect(out.Code).To(BeZero(), "%s %s: %s", method, path, out.Msg)
	return out.Data
}

// open opens a ticket on a workflow with its first transition, and answers its id.
func (a *application) open(ctx context.Context, user string, workflow int64, title string) int64 {
	GinkgoHelper()
	data := a.call(ctx, user, http.MethodPost, "tickets", map[string]any{
		"workflow_id": workflow, "transition_id": workflow, "title": title, "days": 3,
	})
	var opened struct {
		ID int64 `json:"ticket_id"`
	}
	Expect(json.Unmarshal(data, &opened)).To(Succeed())
	return opened.ID
}

// comments are what the ticket's logs say, oldest first.
func (a *application) comments(ctx context.Context, user string, ticket int64) []string {
	GinkgoHelper()
	var page struct {
		Value []struct {
			Suggestion string `json:"suggestion"`
		} `json:"value"`
	}
	data := a.call(ctx, user, http.MethodGet, fmt.Sprintf("tickets/%d/flowlogs?per_page=10000", ticket), nil)
	Expect(json.Unmarshal(data, &page)).To(Succeed())
	var out []string
	for i := range page.Value {
		out = append(out, page.Value[len(page.Value)-1-i].Suggestion)
	}
	return out
}

// state is the id of the state that the ticket is in, and detail all of it.
func (a *application) state(ctx context.Context, user string, ticket int64) func() int64 {
	return func() int64 { return a.detail(ctx, user, ticket).StateID }
}

type detail struct {
	StateID       int64 `json:"state_id"`
	ActState      int64 `json:"act_state_id"`
	ScriptSucceed bool  `json:"script_run_last_result"`
}

func (a *application) detail(ctx context.Context, user string, ticket int64) detail {
	GinkgoHelper()
	var out struct {
		Value detail `json:"value"`
	}
	Expect(json.Unmarshal(a.call(ctx, user, http.MethodGet, fmt.Sprintf("tickets/%d", ticket), nil), &out)).To(Succeed())
	return out.Value
}
