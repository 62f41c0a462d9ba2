// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound_test

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"ticketflow.dev/ticketflow/internal/outbound"
)

var now = clocktesting.NewFakePassiveClock(time.Unix(1523353173, 0))

func TestWhatIsSentIsSignedAndUnderstood(t *testing.T) {
	var got map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum := md5.Sum([]byte(r.Header.Get("timestamp") + "the-token"))
		if r.Header.Get("signature") != hex.EncodeToString(sum[:]) || r.Header.Get("timestamp") != "1523353173" {
			t.Errorf("not signed: %v", r.Header)
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, `{"code": 0, "msg": "made"}`)
	}))
	defer server.Close()
	answer, err := outbound.New([]string{"127.0.0.1"}, now).Post(t.Context(), server.URL, "the-token", map[string]any{"id": 17})
	if err != nil || answer != (outbound.Answer{Code: 0, Msg: "made"}) || got["id"] != 17.0 {
		t.Errorf("got %+v, %v; sent %v", answer, err, got)
	}
}

func TestWhatGoesWrong(t *testing.T) {
	mux := http.NewServeMux()
	text := func(path string, status int, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
	}
	text("/refused", 200, `{"code": -1, "msg": "no"}`)
	text("/broken", 500, `{"code": 0}`)
	text("/missing", 404, `{"code": 0}`)
	text("/busy", 429, `{"code": 0}`)
	text("/html", 200, `<html>`)
	text("/list", 200, `[]`)
	text("/codeless", 200, `{"msg": "x"}`)
	text("/huge", 200, `{"code": 0, "msg": "`+strings.Repeat("x", 70<<10)+`"}`)
	mux.Handle("/elsewhere", http.RedirectHandler("http://forbidden.example/?key=secret", http.StatusTemporaryRedirect))
	mux.Handle("/metadata", http.RedirectHandler("http://169.254.169.254/latest", http.StatusTemporaryRedirect))
	mux.Handle("/circle", http.RedirectHandler("/circle", http.StatusTemporaryRedirect))
	mux.Handle("/lost", http.RedirectHandler("/taken", http.StatusFound))
	text("/taken", 200, `{"code": 0}`)
	mux.Handle("/moved", http.RedirectHandler("/refused", http.StatusTemporaryRedirect))
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"code"`)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	secure := httptest.NewUnstartedServer(mux)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // what it says of the handshake
	secure.StartTLS()
	defer secure.Close()
	gone := httptest.NewServer(mux)
	gone.Close()
	here, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		allowed []string
		address string
		about   string
		again   bool
	}{
		"a server that is not there":                  {[]string{"127.0.0.1"}, gone.URL + "/?key=secret", "refused", true},
		"a certificate for another host":              {[]string{"127.0.0.1", "localhost"}, strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), "certificate", true},
		"an answer of 500":                            {[]string{"127.0.0.1"}, server.URL + "/broken", "500", true},
		"an answer that breaks off":                   {[]string{"127.0.0.1"}, server.URL + "/cut", "breaks off", true},
		"an answer of 404":                            {[]string{"127.0.0.1"}, server.URL + "/missing", "404", false},
		"an answer that is no JSON":                   {[]string{"127.0.0.1"}, server.URL + "/html", "JSON", false},
		"an answer that is no object":                 {[]string{"127.0.0.1"}, server.URL + "/list", "JSON", false},
		"an answer without a code":                    {[]string{"127.0.0.1"}, server.URL + "/codeless", "code", false},
		"an answer without end":                       {[]string{"127.0.0.1"}, server.URL + "/huge", "larger", false},
		"a host that is not allowed":                  {[]string{"hooks.example"}, server.URL, "--allow-hosts", false},
		"a redirect to a host that is not allowed":    {[]string{"127.0.0.1"}, server.URL + "/elsewhere", "--allow-hosts", false},
		"a redirect to metadata, though any host may": {[]string{"*", "localhost"}, server.URL + "/metadata", "link-local", false},
		"a redirect that loses the message":           {[]string{"127.0.0.1"}, server.URL + "/lost", "loses the message", false},
		"redirects without end":                       {[]string{"127.0.0.1"}, server.URL + "/circle", "redirects more", false},
		"a metadata address, though any host may":     {[]string{"*"}, "http://169.254.169.254/", "link-local", false},
		"this machine, though any host may":           {[]string{"*"}, server.URL, "this machine", false},
		"a name of this machine, without its address": {[]string{"*.example", "LOCALHOST.example", "*host"}, "http://localhost:" + here.Port(), "--allow-hosts", false},
		"another scheme":                              {[]string{"*"}, "file:///etc/passwd", "http", false},
		"an address that is none":                     {[]string{"*"}, "http://[::1", "URL", false},
		"an IPv4 address in IPv6 clothing":            {[]string{"*"}, "http://[::ffff:169.254.169.254]/", "link-local", false},
		"an IPv4 address behind NAT64":                {[]string{"*"}, "http://[64:ff9b::169.254.169.254]/", "link-local", false},
		"an IPv4 address through 6to4":                {[]string{"*"}, "http://[2002:a9fe:a9fe::1]/", "link-local", false},
		"an IPv4 address written as of old":           {[]string{"*"}, "http://[::169.254.169.254]/", "link-local", false},
		"this machine behind NAT64":                   {[]string{"*"}, "http://[64:ff9b::127.0.0.1]/", "this machine", false},
		"an answer that there were too many requests": {[]string{"127.0.0.1"}, server.URL + "/busy", "429", true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := outbound.New(tc.allowed, now).Post(t.Context(), tc.address, "the-token", nil)
			if err == nil || !strings.Contains(err.Error(), tc.about) {
				t.Fatalf("got %v, want it to say %q", err, tc.about)
			}
			if errors.Is(err, outbound.ErrTryAgain) != tc.again {
				t.Errorf("got %v, want to try again: %t", err, tc.again)
			}
			for _, untold := range []string{"secret", "the-token", "127.0.0.1", "169.254", here.Port(), ".example"} {
				if strings.Contains(err.Error(), untold) {
					t.Errorf("%s is told: %v", untold, err)
				}
			}
		})
	}
	t.Run("a redirect to an allowed place is followed", func(t *testing.T) {
		answer, err := outbound.New([]string{"127.0.0.1"}, now).Post(t.Context(), server.URL+"/moved", "", nil)
		if err != nil || answer.Code != -1 {
			t.Errorf("got %+v, %v", answer, err)
		}
	})
}

func TestAnAnswerThatTakesTooLongIsNotWaitedFor(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done() // until the other side gives up
	}))
	defer server.Close()
	client := outbound.New([]string{"127.0.0.1"}, now)
	client.Hurry(20 * time.Millisecond)
	_, err := client.Post(t.Context(), server.URL+"/?key=secret", "the-token", nil)
	if !errors.Is(err, outbound.ErrTryAgain) || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}
