// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"net"
	"strconv"
)

// enveloped is a listener whose connections put the envelope around what Go's
// server answers by itself: a request that is not HTTP, or has a control
// character in a header, never reaches a handler.
type enveloped struct{ net.Listener }

// Accept waits for the next connection.
func (l enveloped) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &envelopedConn{Conn: conn}, nil
}

type envelopedConn struct{ net.Conn }

// bareHeaders are what Go's server writes, in one piece, after the status line
// of an answer that no handler has made. No handler of ours answers plain text
// and closes the connection.
var bareHeaders = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

const bareBody = `{"code":-1,"data":"","msg":"the request cannot be read: it is not valid HTTP, or too large","reason":"BadParameter"}`

// Write writes, and replaces a bare answer.
func (c *envelopedConn) Write(data []byte) (int, error) {
	status, _, bare := bytes.Cut(data, bareHeaders)
	if !bare || !bytes.HasPrefix(status, []byte("HTTP/1.1 ")) || bytes.Contains(status, []byte("\r\n")) {
		return c.Conn.Write(data)
	}
	answer := append(bytes.Clone(status), "\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: "+strconv.Itoa(len(bareBody))+"\r\n\r\n"+bareBody...)
	if _, err := c.Conn.Write(answer); err != nil {
		return 0, err
	}
	return len(data), nil
}
