// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestWhatNoHandlerAnswersHasTheEnvelopeToo(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		MaxHeaderBytes: 4 << 10,
		Handler:        http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"code":0}`)) }),
	}
	go func() { _ = server.Serve(enveloped{listener}) }()
	defer func() { _ = server.Close() }()
	cases := map[string]struct {
		request string
		status  int
		code    int
	}{
		"a sound request is answered by its handler": {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200, 0},
		"a control character in a header":            {"GET / HTTP/1.1\r\nHost: x\r\nusername: a\x01b\r\n\r\n", 400, -1},
		"a path that is none":                        {"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, -1},
		"what is no HTTP":                            {"hello\r\n\r\n", 400, -1},
		"no host":                                    {"GET / HTTP/1.1\r\n\r\n", 400, -1},
		"headers too large":                          {"GET / HTTP/1.1\r\nHost: x\r\nx: " + strings.Repeat("x", 16<<10) + "\r\n\r\n", 431, -1},
		"an encoding that is not known":              {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: zip\r\n\r\n", 501, -1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := conn.Write([]byte(tc.request)); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			var body struct{ Code int }
			if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
				t.Fatalf("not JSON: %v", err)
			}
			if response.StatusCode != tc.status || body.Code != tc.code {
				t.Errorf("got %d with code %d, want %d with %d", response.StatusCode, body.Code, tc.status, tc.code)
			}
		})
	}
}
