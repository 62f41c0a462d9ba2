// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

func approveCommand(s *session) *cobra.Command {
	return s.deedCommand(deed{
		use: "approve", short: "Take the one transition that accepts",
		example: "  kubectl ticket approve 17 --comment 'fine with me'",
		done:    "Approved", verb: "handle", moves: true, action: byOutcome(v1alpha1.OutcomeAccept, "accepts"),
	})
}

func rejectCommand(s *session) *cobra.Command {
	return s.deedCommand(deed{
		use: "reject", short: "Take the one transition that refuses",
		example: "  kubectl ticket reject 17 --comment 'which network?'",
		done:    "Rejected", verb: "handle", moves: true, action: byOutcome(v1alpha1.OutcomeRefuse, "refuses"),
	})
}

func doCommand(s *session) *cobra.Command {
	return s.deedCommand(deed{
		use: "do", arguments: []string{"TRANSITION"}, short: "Take a transition by its name",
		example: "  kubectl ticket do 17 done --field region=2 --comment prepared",
		done:    "Done", verb: "handle", moves: true, complete: completeTransitions,
		action: func(ctx context.Context, a *actor, arguments []string) (*restv1.Action, error) {
			return a.transition(ctx, func(state *engine.State, offered []*engine.Transition) (*engine.Transition, error) {
				for _, t := range offered {
					if string(t.Name) == arguments[0] || t.DisplayName == arguments[0] {
						return t, nil
					}
				}
				return nil, advise(fmt.Errorf("no transition %q leads on from state %s", arguments[0], state.Name), "There are: %s.", names(offered))
			})
		},
	})
}

// byOutcome takes the one transition that has an outcome.
func byOutcome(outcome v1alpha1.Outcome, does string) func(context.Context, *actor, []string) (*restv1.Action, error) {
	return func(ctx context.Context, a *actor, _ []string) (*restv1.Action, error) {
		return a.transition(ctx, func(state *engine.State, offered []*engine.Transition) (*engine.Transition, error) {
			// A timer is not what is meant, though people may take it too.
			fitting := slices.DeleteFunc(slices.Clone(offered), func(t *engine.Transition) bool { return t.Outcome != outcome || t.Delay() > 0 })
			switch {
			case len(fitting) == 1:
				return fitting[0], nil
			case len(fitting) > 1:
				return nil, advise(fmt.Errorf("several transitions of state %s would do: %s", state.Name, names(fitting)),
					"Say which: kubectl ticket do %s TRANSITION%s", a.ticket.Name, a.cluster.where(a.ticket))
			case len(offered) > 0:
				return nil, advise(fmt.Errorf("no transition of state %s %s; there are: %s", state.Name, does, names(offered)),
					"Say which: kubectl ticket do %s TRANSITION%s", a.ticket.Name, a.cluster.where(a.ticket))
			}
			return nil, advise(fmt.Errorf("no transition leads on from state %s", state.Name),
				"See where it stands: kubectl ticket show %s", a.cluster.handle(a.ticket))
		})
	}
}

// transition asks for the transition that is chosen of those that lead on from
// the ticket's state. Whether this person may is the server's to say.
func (a *actor) transition(ctx context.Context, choose func(*engine.State, []*engine.Transition) (*engine.Transition, error)) (*restv1.Action, error) {
	graph := a.ticket.graph
	state, ok := graph.State(a.ticket.Status.State)
	if !ok {
		return nil, fmt.Errorf("the revision %s has no state %q", a.ticket.Status.WorkflowRevision, a.ticket.Status.State)
	}
	chosen, err := choose(state, state.Transitions)
	if err != nil {
		return nil, err
	}
	values, err := a.formValues(a.command, graph, state, a.fields)
	if err != nil {
		return nil, err
	}
	if err := a.fillRequired(ctx, graph, state, chosen, &values); err != nil {
		return nil, err
	}
	if chosen.Confirm != "" && !a.yes && !a.noInput && a.isTerminal() {
		if err := a.confirm(ctx, chosen.Confirm); err != nil {
			return nil, err
		}
	}
	// fromState: what was chosen is the transition of this state, whatever
	// happens meanwhile.
	return &restv1.Action{
		Transition: chosen.Name, FromState: state.Name,
		Fields: values.set, Clear: values.clear,
	}, nil
}

// fillRequired fills in what the form demands and the flags leave out: with the
// value that the ticket has, as a form on a screen would, or by asking where
// somebody sits there for whom the ticket waits.
func (a *actor) fillRequired(ctx context.Context, graph *engine.Graph, state *engine.State, chosen *engine.Transition, given *values) error {
	if chosen.FieldCheck != v1alpha1.FieldCheckRequire {
		return nil
	}
	asks := a.isTerminal() && !a.noInput && engine.IsParticipant(snapshot(a.ticket.Ticket), string(a.ticket.viewer.User))
	for _, name := range fillable(state) {
		field := v1alpha1.FormFieldName(name)
		_, set := given.set[name]
		if access, _ := state.Access(field); set || access != v1alpha1.AccessRequired || slices.Contains(given.clear, field) {
			continue
		}
		if given.set == nil {
			given.set = v1alpha1.JSONObject{}
		}
		if value := a.stored(name); value != nil {
			given.set[name] = value
		} else if asks {
			if err := a.fillField(ctx, graph, name, true, given.set); err != nil {
				return err
			}
		}
	}
	return nil
}

// stored is the value that the ticket has; nil if none.
func (a *actor) stored(name string) any {
	var value any = a.ticket.Status.Title
	if name != titleField {
		value = a.ticket.Status.Fields[name]
	}
	if value == "" {
		return nil
	}
	return value
}

// names are transitions for people, with what they are called in the workflow's language.
func names(transitions []*engine.Transition) string {
	if len(transitions) == 0 {
		return "none"
	}
	out := make([]string, 0, len(transitions))
	for _, t := range transitions {
		out = append(out, named(string(t.Name), t.DisplayName))
	}
	return strings.Join(out, ", ")
}

// named is a name with what people read for it, where that differs.
func named(name, displayName string) string {
	if displayName == "" || displayName == name {
		return name
	}
	return fmt.Sprintf("%s (%s)", name, displayName)
}
