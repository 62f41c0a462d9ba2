// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// text writes for people. Titles, comments and values are other people's words:
// what would steer a terminal is shown instead of sent.
type text struct {
	out strings.Builder
}

func (t *text) line(format string, arguments ...any) {
	t.out.WriteString(strings.TrimRight(clean(fmt.Sprintf(format, arguments...)), " "))
	t.out.WriteByte('\n')
}

// grid writes rows whose columns are aligned, whatever the letters.
func (t *text) grid(indent string, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i := range row {
			row[i] = clean(row[i])
			if len(widths) <= i {
				widths = append(widths, 0)
			}
			if i < len(row)-1 { // the last may be as wide as it likes
				widths[i] = max(widths[i], cells(row[i]))
			}
		}
	}
	for _, row := range rows {
		line := indent
		for i, cell := range row {
			line += cell
			if i < len(row)-1 {
				line += strings.Repeat(" ", widths[i]-cells(cell)+2)
			}
		}
		t.out.WriteString(strings.TrimRight(line, " "))
		t.out.WriteByte('\n')
	}
}

func (t *text) flush(to io.Writer) error {
	if _, err := io.WriteString(to, t.out.String()); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
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
