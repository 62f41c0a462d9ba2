// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"strings"
	"unicode"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// mermaid draws a graph as a Mermaid state diagram. States are numbered, since
// their names may hold what means something else there, such as "end".
func mermaid(graph *engine.Graph, current v1alpha1.Name) string {
	ids := map[v1alpha1.Name]string{}
	for i, state := range graph.States {
		ids[state.Name] = fmt.Sprintf("s%d", i+1)
	}
	out := &strings.Builder{}
	line := func(format string, arguments ...any) { _, _ = fmt.Fprintf(out, format+"\n", arguments...) }
	line("stateDiagram-v2")
	for _, state := range graph.States {
		line(`    state "%s" as %s`, mermaidText(named(string(state.Name), state.DisplayName)), ids[state.Name])
	}
	line("    [*] --> %s", ids[graph.Start.Name])
	for _, e := range edges(graph) {
		line("    %s --> %s: %s", ids[e.from], ids[e.to], mermaidText(e.label))
	}
	for _, state := range graph.States {
		if state.Type == v1alpha1.StateEnd {
			line("    %s --> [*]", ids[state.Name])
		}
	}
	if id, ok := ids[current]; ok {
		line("    classDef current fill:#ffe082,stroke:#bf6f00,stroke-width:3px,color:#000")
		line("    class %s current", id)
	}
	return out.String()
}

// edge leads from one state to another.
type edge struct {
	from, to v1alpha1.Name
	label    string
	// refuses says that it is a refusal, timed that it is taken by itself.
	refuses, timed bool
}

// edges are a graph's transitions with their routes, in wire order.
func edges(graph *engine.Graph) []edge {
	var out []edge
	for _, state := range graph.States {
		for _, t := range state.Transitions {
			label := named(string(t.Name), t.DisplayName)
			if t.Delay() > 0 {
				label += " after " + span(t.Delay())
			}
			e := edge{from: state.Name, refuses: t.Outcome == v1alpha1.OutcomeRefuse, timed: t.Delay() > 0}
			for _, route := range t.Routes {
				e.to, e.label = route.To, label+" if "+string(route.When)
				out = append(out, e)
			}
			e.to, e.label = t.To, label
			if len(t.Routes) > 0 {
				e.label += " else"
			}
			out = append(out, e)
		}
	}
	return out
}

// mermaidText writes what means something to Mermaid, or to HTML, as numbers.
func mermaidText(text string) string {
	out := &strings.Builder{}
	for _, r := range text {
		switch {
		case strings.ContainsRune(`#;:"<>&{}[]%\|`+"`", r):
			_, _ = fmt.Fprintf(out, "#%d;", r)
		case unicode.IsControl(r):
			out.WriteByte(' ')
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}
