// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"strings"
	"unicode/utf8"
)

// paint colours words for a terminal, or leaves them as they are. Nothing is
// said by colour alone.
type paint bool

// Marks of a timeline, which tell at a glance how something went.
const (
	markDone    = "✔"
	markRefused = "✘"
	markNow     = "●"
	markEnded   = "■"
	markOther   = "·"
)

// colours of marks, as terminals number them.
var colours = map[string]string{markDone: "32", markRefused: "31", markNow: "33", markEnded: "34"}

func (p paint) bold(s string) string { return p.with("1", s) }

// mark colours the mark that a line begins with, if it does.
func (p paint) mark(line string) string {
	_, size := utf8.DecodeRuneInString(line)
	if code, ok := colours[line[:size]]; ok {
		return p.with(code, line[:size]) + line[size:]
	}
	return line
}

func (p paint) with(code, s string) string {
	if !p || strings.TrimSpace(s) == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
