// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"encoding/xml"
	"fmt"
	"strings"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// svgHead begins a drawing. Fonts are named that have Chinese letters, on every
// system one; the ground is white, since viewers may be dark.
const svgHead = `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d">
<style>
text { font: 12px "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Micro Hei", sans-serif; fill: #202124 }
.name { font-weight: bold }
.label { fill: #3c4043; stroke: #fff; stroke-width: 4px; paint-order: stroke }
.refuses.label { fill: #b3261e }
rect { fill: #f1f3f4; stroke: #5f6368; stroke-width: 1.5px }
.end { stroke-width: 4px }
.current { fill: #ffe082; stroke: #bf6f00; stroke-width: 3px }
path { fill: none; stroke: #5f6368; stroke-width: 1.5px; marker-end: url(#arrow) }
path.refuses { stroke: #b3261e; marker-end: url(#refusal) }
path.timed { stroke-dasharray: 5 4 }
#arrow path, #refusal path { marker-end: none; stroke: none; fill: #5f6368 }
#refusal path { fill: #b3261e }
</style>
<defs>
<marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto" markerUnits="userSpaceOnUse"><path d="M0 0 8 4 0 8z"/></marker>
<marker id="refusal" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto" markerUnits="userSpaceOnUse"><path d="M0 0 8 4 0 8z"/></marker>
</defs>
<path d="M0 0h%[1]dv%[2]dH0z" style="fill: #fff; stroke: none; marker-end: none"/>
`

// svg draws a graph as a picture.
func svg(graph *engine.Graph, current v1alpha1.Name) string {
	s := layout(graph)
	out := &strings.Builder{}
	_, _ = fmt.Fprintf(out, svgHead, s.width, s.height)
	for _, a := range s.arcs {
		s.drawArc(out, a)
	}
	for _, b := range s.boxes {
		s.drawBox(out, b, b.state.Name == current)
	}
	for _, a := range s.arcs { // last, so that no line runs over a word
		s.drawLabels(out, a)
	}
	out.WriteString("</svg>\n")
	return out.String()
}

func (s *sketch) drawBox(out *strings.Builder, b *box, current bool) {
	class, radius := "state", 4
	switch b.state.Type {
	case v1alpha1.StateStart:
		class, radius = "start", 18
	case v1alpha1.StateEnd:
		class, radius = "end", 18
	}
	if current {
		class += " current"
	}
	_, _ = fmt.Fprintf(out, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="%d"/>`+"\n", class, s.x, b.y, s.boxWidth, b.height, radius)
	lines := boxLines(b.state)
	y := b.y + (b.height-lineHeight*len(lines))/2 + 12
	for i, line := range lines {
		class := "name"
		if i > 0 {
			class = "display"
		}
		_, _ = fmt.Fprintf(out, `<text class="%s" x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", class, s.x+s.boxWidth/2, y+i*lineHeight, xmlText(line))
	}
}

func (s *sketch) drawArc(out *strings.Builder, a *arc) {
	const corner = 8
	var path string
	switch a.side {
	case down:
		path = fmt.Sprintf("M%d %dV%d", s.x+s.boxWidth/2, a.fromY, a.toY)
	case right:
		edge := s.x + s.boxWidth
		path = fmt.Sprintf("M%d %dH%dq%d 0 %d %dV%dq0 %d %d %dH%d", edge, a.fromY, a.x-corner, corner, corner, corner,
			a.toY-corner, corner, -corner, corner, edge)
	case left:
		// A loop leaves below where it comes in, as what leads back does.
		from, to := max(a.fromY, a.toY), min(a.fromY, a.toY)
		path = fmt.Sprintf("M%d %dH%dq%d 0 %d %dV%dq0 %d %d %dH%d", s.x, from, a.x+corner, -corner, -corner, -min(corner, (from-to)/2),
			to+min(corner, (from-to)/2), -min(corner, (from-to)/2), corner, -min(corner, (from-to)/2), s.x)
	}
	_, _ = fmt.Fprintf(out, `<path%s d="%s"/>`+"\n", classes("", a.refuses(), a.timed()), path)
}

func (s *sketch) drawLabels(out *strings.Builder, a *arc) {
	x, anchor := a.x+labelGap, "start"
	switch a.side {
	case down:
		x = s.x + s.boxWidth/2 + labelGap
	case left:
		x, anchor = a.x-labelGap, "end"
	}
	y := a.middle() - a.labelHeight()/2 + 12
	for i, l := range a.labels {
		_, _ = fmt.Fprintf(out, `<text%s x="%d" y="%d" text-anchor="%s">%s`, classes("label", l.refuses, l.timed), x, y+i*lineHeight, anchor, xmlText(l.drawn()))
		if l.drawn() != l.text {
			_, _ = fmt.Fprintf(out, "<title>%s</title>", xmlText(l.text))
		}
		out.WriteString("</text>\n")
	}
}

func classes(class string, refuses, timed bool) string {
	if refuses {
		class = "refuses " + class
	}
	if timed {
		class = "timed " + class
	}
	if class = strings.TrimSpace(class); class == "" {
		return ""
	}
	return fmt.Sprintf(" class=%q", class)
}

// xmlText writes what means something to XML so that it does not.
func xmlText(text string) string {
	out := &strings.Builder{}
	_ = xml.EscapeText(out, []byte(text)) // a builder takes everything
	return out.String()
}
