// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"net"
	"net/http"
)

// direct sends one request after the other on a connection of its own, in the
// goroutine that asks: the usual transport has two more for each connection,
// which take as much of the machine as the server that is measured.
type direct struct {
	connection net.Conn
	answers    *bufio.Reader
}

// RoundTrip implements http.RoundTripper. The answer before must have been read.
func (d *direct) RoundTrip(request *http.Request) (*http.Response, error) {
	if d.connection == nil {
		connection, err := (&net.Dialer{}).DialContext(request.Context(), "tcp", request.URL.Host)
		if err != nil {
			return nil, err
		}
		d.connection, d.answers = connection, bufio.NewReaderSize(connection, 64<<10)
	}
	if err := request.Write(d.connection); err != nil {
		return nil, err
	}
	return http.ReadResponse(d.answers, request)
}
