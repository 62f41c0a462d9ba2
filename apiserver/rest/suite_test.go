// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/auth"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/apiserver/rest"
	"ticketflow.dev/ticketflow/controllers/manager"
	"ticketflow.dev/ticketflow/internal/testenv"
)

const systemNamespace = "ticketflow-system"

var (
	environment *envtest.Environment
	k8s         client.Client
	server      *httptest.Server
	stop        context.CancelFunc
	ended       chan error
	documented  routers.Router
)

func TestREST(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "rest")
}

// zone is the one that times on the wire are in: not that of anything else here.
var zone = func() *time.Location {
	found, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		panic(err)
	}
	return found
}()

// The suite runs what ships: the samples, a manager, the backend, and the
// surface behind real HTTP.
var _ = BeforeSuite(func() {
	ctrl.SetLogger(GinkgoLogr)
	environment, k8s = testenv.ForSpecs()
	var ctx context.Context
	ctx, stop = context.WithCancel(context.Background())
	Expect(k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: systemNamespace}})).To(Succeed())
	load(ctx, testenv.Path("config", "samples", "vpn-access.yaml"), testenv.Path("config", "samples", "people.yaml"),
		testenv.Path("config", "samples", "application.yaml"), "testdata/more.yaml")

	options := manager.NewOptions()
	options.ScriptRunner = manager.RunnerProcess
	options.TimeZone = zone.String()
	options.ScriptDir = GinkgoT().TempDir() + "/scripts"
	mgr, err := manager.New(ctx, environment.Config, options)
	Expect(err).NotTo(HaveOccurred())
	b, err := backend.New(backend.Options{
		Config: environment.Config, Scheme: testenv.Scheme(), Clock: clock.RealClock{}, Location: zone, ActionTimeout: testenv.Timeout,
	})
	Expect(err).NotTo(HaveOccurred())
	ended = make(chan error, 2)
	go func() { ended <- mgr.Start(ctx) }()
	go func() { ended <- b.Start(ctx) }()
	clients, err := kubernetes.NewForConfig(environment.Config)
	Expect(err).NotTo(HaveOccurred())
	bearer, err := auth.NewBearer(b.Directory(), clients)
	Expect(err).NotTo(HaveOccurred())
	rights, err := auth.NewAuthorizer(clients)
	Expect(err).NotTo(HaveOccurred())
	who := &auth.Either{Signature: auth.NewSignature(b.Directory(), k8s, systemNamespace, clock.RealClock{}), Bearer: bearer}
	api := rest.New(b, who, rest.Options{Location: zone, Log: requestLog(), MaxInFlight: 100, Rights: rights})
	document, err := rest.OpenAPI(true)
	Expect(err).NotTo(HaveOccurred())
	documented, err = legacy.NewRouter(document)
	Expect(err).NotTo(HaveOccurred())
	server = httptest.NewServer(api)
	Eventually(b.Synced()).Should(BeClosed())
	Eventually(func(g Gomega) {
		var workflows v1alpha1.WorkflowList
		g.Expect(k8s.List(ctx, &workflows)).To(Succeed())
		for _, w := range workflows.Items {
			g.Expect(w.Status.ObservedGeneration).To(Equal(w.Generation), w.Name)
		}
		g.Expect(as("lilei").get("workflows").ok()).To(HaveKeyWithValue("total", BeNumerically("==", len(workflows.Items))))
	}).Should(Succeed())
})

var _ = AfterSuite(func() {
	server.Close()
	stop()
	for range cap(ended) {
		Expect(<-ended).To(Succeed())
	}
})

func load(ctx context.Context, paths ...string) {
	for _, path := range paths {
		file, err := os.Open(path)
		Expect(err).NotTo(HaveOccurred())
		decoder := yaml.NewYAMLOrJSONDecoder(file, 4096)
		for {
			object := &unstructured.Unstructured{}
			err := decoder.Decode(&object.Object)
			if errors.Is(err, io.EOF) {
				break
			}
			Expect(err).NotTo(HaveOccurred())
			Expect(k8s.Create(ctx, object)).To(Succeed(), object.GetName())
		}
		Expect(file.Close()).To(Succeed())
	}
}

// caller makes signed requests.
type caller struct {
	user, app, token string
	headers          map[string]string
}

func as(user string) caller {
	return caller{user: user, app: "ops", token: "sample-token-do-not-keep"}
}

func (c caller) through(app string) caller {
	c.app = app
	return c
}

// with sets a header, or takes one away where the value is empty.
func (c caller) with(name, value string) caller {
	headers := map[string]string{name: value}
	for k, v := range c.headers {
		if _, set := headers[k]; !set {
			headers[k] = v
		}
	}
	c.headers = headers
	return c
}

// answer is an answer in its envelope.
type answer struct {
	status int
	Code   int    `json:"code"`
	Data   any    `json:"data"`
	Msg    string `json:"msg"`
	Reason string `json:"reason"`
}

func (c caller) get(path string) answer                { return c.send(http.MethodGet, path, "") }
func (c caller) post(path string, body string) answer  { return c.send(http.MethodPost, path, body) }
func (c caller) patch(path string, body string) answer { return c.send(http.MethodPatch, path, body) }
func (c caller) delete(path string) answer             { return c.send(http.MethodDelete, path, "") }
func (c caller) put(path string, body string) answer   { return c.send(http.MethodPut, path, body) }

func (c caller) send(method, path, body string) answer {
	GinkgoHelper()
	response := c.ask(method, path, body)
	defer response.Body.Close()
	return read(response.Request, response)
}

// ask is send where the answer's very form is looked at. Its body must be closed.
func (c caller) ask(method, path, body string) *http.Response {
	GinkgoHelper()
	request, err := http.NewRequest(method, server.URL+"/api/v1.0/"+path, bytes.NewBufferString(body))
	Expect(err).NotTo(HaveOccurred())
	request.Header = c.signed()
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	return response
}

// signed are the headers that say who calls.
func (c caller) signed() http.Header {
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	sum := md5.Sum([]byte(timestamp + c.token))
	headers := map[string]string{"appname": c.app, "timestamp": timestamp, "signature": hex.EncodeToString(sum[:]), "username": c.user}
	for name, value := range c.headers {
		headers[name] = value
	}
	all := http.Header{}
	for name, value := range headers {
		if value != "" {
			all.Set(name, value)
		}
	}
	return all
}

// read reads an answer, and holds it against the OpenAPI document: every key
// that is there is documented, and every key that is documented is there.
func read(request *http.Request, response *http.Response) answer {
	GinkgoHelper()
	data, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(response.ContentLength).To(BeEquivalentTo(len(data)), "no answer comes in chunks")
	out := answer{status: response.StatusCode}
	Expect(json.Unmarshal(data, &out)).To(Succeed(), "every answer has the envelope: %s", data)
	request.URL.Scheme, request.URL.Host = "", ""
	route, parameters, err := documented.FindRoute(request)
	if err != nil {
		Expect(out.Code).To(Equal(-1), "what is not documented is not served")
		return out
	}
	input := &openapi3filter.RequestValidationInput{Request: request, PathParams: parameters, Route: route}
	Expect(openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: response.StatusCode, Header: response.Header, Body: io.NopCloser(bytes.NewReader(data)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})).To(Succeed())
	return out
}

// ok expects a success and answers its data.
func (a answer) ok() any {
	GinkgoHelper()
	Expect(a.Code).To(Equal(0), "%s: %s", a.Reason, a.Msg)
	Expect(a.status).To(Equal(http.StatusOK))
	return a.Data
}

// refused expects a refusal that names what it is about.
func (a answer) refused(reason, about string) {
	GinkgoHelper()
	Expect(a.Code).To(Equal(-1))
	Expect(a.Reason).To(Equal(reason), a.Msg)
	Expect(a.Msg).To(ContainSubstring(about))
	Expect(a.Data).To(Equal(""))
	Expect(a.status).To(BeNumerically("<", 500), "never a 5xx for a client's mistake")
}

// open opens a ticket of the VPN workflow and answers its path.
func open(days int) string {
	GinkgoHelper()
	data := as("lilei").post("tickets", `{"workflow_id": 1, "transition_id": 1, "title": "vpn申请", "days": `+strconv.Itoa(days)+`}`).ok()
	id, ok := data.(map[string]any)["ticket_id"].(float64)
	Expect(ok).To(BeTrue())
	return "tickets/" + strconv.Itoa(int(id))
}

func detail(path, user string) map[string]any {
	GinkgoHelper()
	data := as(user).get(path).ok().(map[string]any)
	return data["value"].(map[string]any)
}

// requestLog is where the server tells of requests: Ginkgo keeps every line in
// memory, where those of a long time of fuzzing would not fit.
func requestLog() logr.Logger {
	if *fuzzTime > time.Minute {
		return logr.Discard()
	}
	return GinkgoLogr
}
