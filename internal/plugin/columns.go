// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import "strings"

// columns writes rows whose columns are aligned, whatever the letters: Chinese
// ones take two cells of a terminal. Rows that come later keep to the widths of
// those before them. kubectl's own table printer counts letters.
type columns struct {
	gap    int
	widths []int
}

// rows are lines without the spaces at their ends. What would steer a terminal
// is shown instead of sent.
func (c *columns) rows(rows [][]string) []string {
	cleaned := make([][]string, 0, len(rows))
	for _, row := range rows {
		row := mapped(row, clean)
		for i := range row {
			if len(c.widths) <= i {
				c.widths = append(c.widths, 0)
			}
			if i < len(row)-1 { // the last may be as wide as it likes
				c.widths[i] = max(c.widths[i], cells(row[i]))
			}
		}
		cleaned = append(cleaned, row)
	}
	return mapped(cleaned, c.line)
}

func (c *columns) line(row []string) string {
	var line strings.Builder
	for i, cell := range row {
		line.WriteString(cell)
		if i < len(row)-1 {
			line.WriteString(strings.Repeat(" ", max(c.widths[i]-cells(cell), 0)+c.gap))
		}
	}
	return strings.TrimRight(line.String(), " ")
}

func mapped[A, B any](all []A, to func(A) B) []B {
	out := make([]B, 0, len(all))
	for _, one := range all {
		out = append(out, to(one))
	}
	return out
}
