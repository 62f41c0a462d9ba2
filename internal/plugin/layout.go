// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"slices"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// Measures of a drawing, in pixels.
const (
	lineHeight = 16
	cellWidth  = 7 // of a terminal's cell, of which wide letters take two
	boxPadding = 14
	portGap    = 12
	rowGap     = 30
	laneGap    = 22
	labelGap   = 6
	margin     = 16
	// labelCells is how much of a label is drawn; all of it is in the tooltip.
	labelCells = 44
)

// side is where an arc runs.
type side int

const (
	// down is the gap between two neighbours.
	down side = iota
	// right is for arcs that leave states out.
	right
	// left is for arcs that lead back.
	left
)

// sketch is a graph with a place for everything: the states below one another in
// their order, what leads on to the next between them, what leaves some out on
// the right, what leads back on the left. Nothing ever runs through a state.
type sketch struct {
	boxes []*box
	arcs  []*arc
	// x is the left edge of the boxes, which are as wide as one another.
	x, boxWidth, width, height int
}

// box is a state.
type box struct {
	state     *engine.State
	y, height int
}

// label is one transition on an arc.
type label struct {
	text           string
	refuses, timed bool
}

// arc is all that leads from one state to another.
type arc struct {
	from, to int
	labels   []label
	side     side
	// lane counts outwards; x is where it runs.
	lane, x    int
	fromY, toY int
}

// layout gives everything its place.
func layout(graph *engine.Graph) *sketch {
	s := &sketch{arcs: arcs(graph)}
	for _, state := range graph.States {
		s.boxes = append(s.boxes, &box{state: state})
		for _, line := range boxLines(state) {
			s.boxWidth = max(s.boxWidth, cells(line)*cellWidth+2*boxPadding)
		}
	}
	s.stack()
	s.ports(right)
	s.ports(left)
	s.x = margin + s.lanes(left, 0)
	edge := s.x + max(s.boxWidth, s.boxWidth/2+labelGap+s.downWidth())
	s.width = edge + s.lanes(right, edge) + margin
	for _, a := range s.arcs { // lanes on the left were counted from the boxes
		if a.side == left {
			a.x = s.x - a.x
		}
	}
	return s
}

// arcs are a graph's edges, those between the same states as one.
func arcs(graph *engine.Graph) []*arc {
	at := map[v1alpha1.Name]int{}
	for i, state := range graph.States {
		at[state.Name] = i
	}
	var out []*arc
	for _, e := range edges(graph) {
		from, to := at[e.from], at[e.to]
		i := slices.IndexFunc(out, func(a *arc) bool { return a.from == from && a.to == to })
		if i < 0 {
			a := &arc{from: from, to: to, side: left}
			switch {
			case to == from+1:
				a.side = down
			case to > from:
				a.side = right
			}
			i, out = len(out), append(out, a)
		}
		out[i].labels = append(out[i].labels, label{text: e.label, refuses: e.refuses, timed: e.timed})
	}
	return out
}

// boxLines are what is written into a state's box.
func boxLines(state *engine.State) []string {
	if state.DisplayName == "" || state.DisplayName == string(state.Name) {
		return []string{string(state.Name)}
	}
	return []string{string(state.Name), state.DisplayName}
}

// stack puts the boxes below one another, with room for what is written between
// them, and for all that comes in at their sides.
func (s *sketch) stack() {
	y := margin
	for row, b := range s.boxes {
		b.y = y
		b.height = max(lineHeight*len(boxLines(b.state))+boxPadding,
			portGap*(1+max(len(s.ends(row, left)), len(s.ends(row, right)))))
		y += b.height + rowGap
		for _, a := range s.arcs {
			if a.side == down && a.from == row {
				a.fromY, a.toY = b.y+b.height, y+lineHeight*len(a.labels)
				y = a.toY
			}
		}
	}
	s.height = y - rowGap + margin
}

// downWidth is how wide the labels between the boxes are.
func (s *sketch) downWidth() int {
	widest := 0
	for _, a := range s.arcs {
		if a.side == down {
			widest = max(widest, a.labelWidth())
		}
	}
	return widest
}

// end is where an arc meets a state.
type end struct {
	arc *arc
	// other is the state at the other end.
	other   int
	outward bool
}

// ends are where arcs meet a state on a side, from top to bottom: in this order
// they do not cross one another. What comes from above is above what comes from
// below, and of each the arc to the state further down comes first.
func (s *sketch) ends(row int, on side) []end {
	var out []end
	for _, a := range s.arcs {
		if a.side != on {
			continue
		}
		if a.from == row {
			out = append(out, end{arc: a, other: a.to, outward: true})
		}
		if a.to == row {
			out = append(out, end{arc: a, other: a.from})
		}
	}
	slices.SortStableFunc(out, func(a, b end) int {
		return cmp.Or(cmp.Compare(cmp.Compare(a.other, row), cmp.Compare(b.other, row)), cmp.Compare(b.other, a.other))
	})
	return out
}

// ports spreads the ends of arcs over their box's side.
func (s *sketch) ports(on side) {
	for row, b := range s.boxes {
		ends := s.ends(row, on)
		for i, e := range ends {
			y := b.y + b.height*(i+1)/(len(ends)+1)
			if e.outward {
				e.arc.fromY = y
			} else {
				e.arc.toY = y
			}
		}
	}
}

// lanes gives the arcs of a side their lanes, the shortest the innermost, and
// answers how wide the lanes are together. Lanes begin at an edge of the boxes.
func (s *sketch) lanes(on side, edge int) int {
	var placed []*arc
	for _, a := range s.arcs {
		if a.side == on {
			placed = append(placed, a)
		}
	}
	slices.SortStableFunc(placed, func(a, b *arc) int { return cmp.Compare(a.reach(), b.reach()) })
	var widths []int
	for i, a := range placed {
		for _, inner := range placed[:i] {
			if a.overlaps(inner) {
				a.lane = max(a.lane, inner.lane+1)
			}
		}
		if a.lane == len(widths) {
			widths = append(widths, 0)
		}
		widths[a.lane] = max(widths[a.lane], a.labelWidth())
	}
	for _, a := range placed {
		a.x = edge + laneGap
		for _, width := range widths[:a.lane] {
			a.x += width + laneGap
		}
	}
	all := 0
	for _, width := range widths {
		all += width + laneGap
	}
	return all
}

// top and bottom are how far an arc reaches, its labels included.
func (a *arc) top() int    { return min(a.fromY, a.toY, a.middle()-a.labelHeight()/2) }
func (a *arc) bottom() int { return max(a.fromY, a.toY, a.middle()+a.labelHeight()/2) }
func (a *arc) reach() int  { return a.bottom() - a.top() }
func (a *arc) middle() int { return (a.fromY + a.toY) / 2 }

func (a *arc) labelHeight() int { return lineHeight * len(a.labels) }

func (a *arc) overlaps(b *arc) bool { return a.top() <= b.bottom() && b.top() <= a.bottom() }

func (a *arc) labelWidth() int {
	widest := 0
	for _, l := range a.labels {
		widest = max(widest, cells(l.drawn())*cellWidth)
	}
	return widest
}

// drawn is as much of a label as there is room for.
func (l label) drawn() string { return shorten(l.text, labelCells) }

// refuses says whether nothing but refusals takes this way.
func (a *arc) refuses() bool {
	return !slices.ContainsFunc(a.labels, func(l label) bool { return !l.refuses })
}

// timed says whether nobody is needed to take this way.
func (a *arc) timed() bool {
	return !slices.ContainsFunc(a.labels, func(l label) bool { return !l.timed })
}
