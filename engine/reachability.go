// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import "ticketflow.dev/ticketflow/api/v1alpha1"

// checkReachability names states that no ticket can come to, and states from
// which none can come to an end.
func (c *compiler) checkReachability() {
	g := c.graph
	if g.Start == nil || g.FirstEnd == nil {
		return // named already; without them no state is reachable or ending
	}
	// Where a transition leads nowhere, that is what is wrong, not that its
	// state does not come to an end.
	dangling := len(c.problems) > 0
	onward := map[v1alpha1.Name][]v1alpha1.Name{}
	backward := map[v1alpha1.Name][]v1alpha1.Name{}
	ends := []v1alpha1.Name{}
	for _, state := range g.States {
		for _, t := range state.Transitions {
			for _, to := range t.targets() {
				onward[state.Name] = append(onward[state.Name], to)
				backward[to] = append(backward[to], state.Name)
			}
		}
		if state.Type == v1alpha1.StateEnd {
			ends = append(ends, state.Name)
		}
	}
	reachable, ending := walk(onward, g.Start.Name), walk(backward, ends...)
	for i := range g.Spec.States {
		name := g.Spec.States[i].Name
		switch {
		case !reachable[name]:
			c.problem(statePath(name), "the state is unreachable: no way leads here from the start")
		case !ending[name] && !dangling:
			c.problem(statePath(name), "the state is a dead end: no way leads from here to an end state")
		}
	}
}

// checkCircles names states that wait for sub-tickets only to lead back to
// themselves by others that do: once all have ended, nothing would stop a ticket.
func (c *compiler) checkCircles() {
	onward := map[v1alpha1.Name][]v1alpha1.Name{}
	for _, state := range c.graph.States {
		first, ok := state.firstTransition()
		if !ok || !waitsForChildren(state) {
			continue
		}
		for _, to := range first.targets() {
			if next, ok := c.graph.states[to]; ok && waitsForChildren(next) {
				onward[state.Name] = append(onward[state.Name], to)
			}
		}
	}
	for i := range c.graph.Spec.States {
		name := c.graph.Spec.States[i].Name
		if walk(onward, onward[name]...)[name] {
			c.problem(statePath(name)+".transitions", "the state waits for sub-tickets and leads back to itself by states that do nothing else")
		}
	}
}

func waitsForChildren(s *State) bool { return s.Participants != nil && s.Participants.Children != nil }

// targets are the states that a transition may lead to.
func (t *Transition) targets() []v1alpha1.Name {
	names := []v1alpha1.Name{t.To}
	for _, r := range t.Routes {
		names = append(names, r.To)
	}
	return names
}

func walk(edges map[v1alpha1.Name][]v1alpha1.Name, from ...v1alpha1.Name) map[v1alpha1.Name]bool {
	seen := map[v1alpha1.Name]bool{}
	for len(from) > 0 {
		name := from[0]
		from = from[1:]
		if !seen[name] {
			seen[name] = true
			from = append(from, edges[name]...)
		}
	}
	return seen
}
