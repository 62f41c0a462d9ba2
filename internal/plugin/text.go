// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// text writes for people. Titles, comments and values are other people's words:
// what would steer a terminal is shown instead of sent.
type text struct {
	paint paint
	out   strings.Builder
}

func (t *text) line(format string, arguments ...any) {
	t.out.WriteString(strings.TrimRight(clean(fmt.Sprintf(format, arguments...)), " "))
	t.out.WriteByte('\n')
}

// title begins a part.
func (t *text) title(format string, arguments ...any) {
	t.out.WriteByte('\n')
	t.out.WriteString(t.paint.bold(clean(fmt.Sprintf(format, arguments...))))
	t.out.WriteByte('\n')
}

// grid writes rows whose columns are aligned.
func (t *text) grid(indent string, rows [][]string) {
	for _, line := range (&columns{gap: 2}).rows(rows) {
		t.out.WriteString(indent + t.paint.mark(line) + "\n")
	}
}

// clean shows control characters instead of sending them, line ends apart.
func clean(s string) string {
	var out strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || !unicode.IsControl(r):
			out.WriteRune(r)
		case r < ' ':
			out.WriteString("^" + string(r+'@')) // as terminals show them
		default:
			fmt.Fprintf(&out, "\\u%04x", r)
		}
	}
	return out.String()
}

// cells is how many cells of a terminal a text takes.
func cells(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case isWide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}

func isWide(r rune) bool {
	kind := width.LookupRune(r).Kind()
	return kind == width.EastAsianWide || kind == width.EastAsianFullwidth
}
