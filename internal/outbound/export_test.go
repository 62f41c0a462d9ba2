// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"net"
	"time"
)

// Resolve has the client look names up elsewhere.
func (c *Client) Resolve(with *net.Resolver) { c.dialer.Resolver = with }

// Hurry has the client wait no longer than this for an answer.
func (c *Client) Hurry(timeout time.Duration) { c.http.Timeout = timeout }

// Disconnect ends the connections that are kept for later.
func (c *Client) Disconnect() { c.http.CloseIdleConnections() }
