// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package notify_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/testenv"
)

var k8s client.Client

func TestNotify(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "notify")
}

var _ = BeforeSuite(func() {
	_, k8s = testenv.ForSpecs()
})

// colleagues is a directory of people with addresses.
type colleagues struct{}

func (colleagues) UserObject(name string) (*v1alpha1.User, bool) {
	if name == "stranger" {
		return nil, false
	}
	user := &v1alpha1.User{}
	user.Name = name
	user.Spec.DisplayName, user.Spec.Email = strings.ToUpper(name), name+"@example.com"
	return user, true
}

func (colleagues) ScriptObject(string, string) (*v1alpha1.Script, bool) { return nil, false }

// receiver is a webhook's other side.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	answer string
	got    []map[string]any
	signed []string
}

func newReceiver() *receiver {
	r := &receiver{status: http.StatusOK, answer: `{"code": 0}`}
	r.Server = httptest.NewServer(r)
	DeferCleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var body map[string]any
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		body = map[string]any{"error": err.Error()}
	}
	if r.status == http.StatusOK {
		r.got, r.signed = append(r.got, body), append(r.signed, request.Header.Get("signature"))
	}
	w.WriteHeader(r.status)
	_, _ = io.WriteString(w, r.answer)
}

func (r *receiver) answers(status int, answer string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.answer = status, answer
}

// titles are what it was told, as titles.
func (r *receiver) titles() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	titles := []string{}
	for _, body := range r.got {
		titles = append(titles, body["title_result"].(string))
	}
	return titles
}

// mailServer speaks as much SMTP as is needed to take messages.
type mailServer struct {
	net.Listener
	mu    sync.Mutex
	deny  bool
	mails []string // envelope and message
}

func newMailServer() *mailServer {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	m := &mailServer{Listener: listener}
	go m.serve()
	DeferCleanup(func() { _ = listener.Close() })
	return m
}

func (m *mailServer) serve() {
	for {
		conn, err := m.Accept()
		if err != nil {
			return
		}
		go m.talk(conn)
	}
}

func (m *mailServer) talk(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	say := func(line string) { _, _ = io.WriteString(conn, line+"\r\n") }
	say("220 mail.example ESMTP")
	var mail strings.Builder
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		line := lines.Text()
		switch verb, _, _ := strings.Cut(strings.ToUpper(line), " "); verb {
		case "EHLO":
			say("250 mail.example")
		case "RCPT":
			if m.denies() {
				say("550 no such mailbox")
				continue
			}
			mail.WriteString(line + "\n")
			say("250 ok")
		case "DATA":
			say("354 go on")
			for lines.Scan() && lines.Text() != "." {
				mail.WriteString(lines.Text() + "\n")
			}
			m.keep(mail.String())
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (m *mailServer) denies() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.deny
}

func (m *mailServer) keep(mail string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mails = append(m.mails, mail)
}

func (m *mailServer) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string{}, m.mails...)
}
