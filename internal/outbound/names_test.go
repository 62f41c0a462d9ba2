// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"ticketflow.dev/ticketflow/internal/outbound"
)

// names is a DNS server: it answers for every name what it is told to.
type names struct {
	conn net.PacketConn
	mu   sync.Mutex
	are  netip.Addr
}

func newNames(t *testing.T) *names {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &names{conn: conn}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			size, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return // closed
			}
			if answer, err := n.answer(buffer[:size]); err == nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return n
}

func (n *names) become(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.are = netip.MustParseAddr(address)
}

func (n *names) answer(query []byte) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil {
		return nil, err
	}
	message.Response, message.Authoritative, message.Additionals = true, true, nil
	for _, question := range message.Questions {
		header := dnsmessage.ResourceHeader{Name: question.Name, Class: question.Class, TTL: 0}
		switch {
		case question.Type == dnsmessage.TypeA && n.are.Is4():
			message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: n.are.As4()}})
		case question.Type == dnsmessage.TypeAAAA && n.are.Is6():
			message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: n.are.As16()}})
		}
	}
	return message.Pack()
}

func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", n.conn.LocalAddr().String())
	}}
}

func TestANameThatIsAllowedMayNotLeadToAForbiddenAddress(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"code": 0}`)
	}))
	defer server.Close()
	here, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	dns := newNames(t)
	client := outbound.New([]string{"hooks.example", "127.0.0.1"}, now)
	client.Resolve(dns.resolver())
	address := "http://hooks.example:" + here.Port()
	dns.become("127.0.0.1")
	if _, err := client.Post(t.Context(), address, "", nil); err != nil {
		t.Fatalf("where it leads to an allowed address: %v", err)
	}
	client.Disconnect() // a connection that is there is not looked up again
	for _, forbidden := range []string{"169.254.169.254", "fe80::1", "fd00:ec2::254", "224.0.0.1", "0.0.0.0", "64:ff9b::a9fe:a9fe"} {
		dns.become(forbidden)
		_, err := client.Post(t.Context(), address, "", nil)
		if !outbound.Forbidden(err) || errors.Is(err, outbound.ErrTryAgain) {
			t.Errorf("where it leads to %s now: %v", forbidden, err)
		}
	}
}

func TestARedirectToAnotherHostIsFollowedWithoutTheSignature(t *testing.T) {
	signed := map[string]bool{}
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != `"the ticket"` {
			t.Errorf("%s got %q, %v", r.URL.Path, body, err)
		}
		signed[r.URL.Path] = r.Header.Get("signature") != "" && r.Header.Get("timestamp") != ""
		_, _ = io.WriteString(w, `{"code": 0}`)
	})
	other := httptest.NewServer(answer)
	defer other.Close()
	mux := http.NewServeMux()
	mux.Handle("/same", answer)
	mux.Handle("/to-same", http.RedirectHandler("/same", http.StatusTemporaryRedirect))
	mux.Handle("/to-other", http.RedirectHandler(other.URL+"/other", http.StatusTemporaryRedirect))
	server := httptest.NewServer(mux)
	defer server.Close()
	client := outbound.New([]string{"127.0.0.1"}, now)
	for _, path := range []string{"/to-same", "/to-other"} {
		if _, err := client.Post(t.Context(), server.URL+path, "the-token", "the ticket"); err != nil {
			t.Error(err)
		}
	}
	if !signed["/same"] || signed["/other"] {
		t.Errorf("signed: %v", signed)
	}
}

func TestANameThatIsNotKnownMayBeLater(t *testing.T) {
	dns := newNames(t)
	dns.become("::1") // and so has no IPv4 address; the port is nobody's
	client := outbound.New([]string{"hooks.example", "localhost"}, now)
	client.Resolve(dns.resolver())
	_, err := client.Post(t.Context(), "http://hooks.example:1/?key=secret", "", nil)
	if !errors.Is(err, outbound.ErrTryAgain) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "hooks.example") {
		t.Errorf("got %v", err)
	}
}
