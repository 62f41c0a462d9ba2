// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package engine holds every rule about tickets. It is pure: no client, no
// clock, no logger, no goroutine. Values go in, values come out, and the same
// values always give the same answer, so that the API server can refuse early
// with the very rules by which the reconciler decides.
//
//   - Compile turns a workflow's spec into a Graph, or names its problems.
//   - Open lets a new ticket begin, Decide applies one Command to a ticket.
//   - Options lists what a user may do, CanView and CanIntervene answer who may.
//   - Due says which Command falls due by itself, and when the next one will.
//
// A new action is added in decide.go: one entry in the table of rules, one
// function beside its siblings.
package engine
