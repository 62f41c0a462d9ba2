// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
)

// completionTime is how long whoever presses the tab key waits.
const completionTime = 3 * time.Second

// completer offers words for an argument; the arguments before it are given.
// What cannot be asked for offers nothing.
type completer func(ctx context.Context, c *cluster, arguments []string) []cobra.Completion

// completion is what cobra asks for words.
type completion = func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective)

// complete makes cobra's function of completers, one an argument.
func (s *session) complete(each ...completer) completion {
	return func(c *cobra.Command, arguments []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(arguments) >= len(each) || each[len(arguments)] == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		cluster, err := s.connect()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(c.Context(), completionTime)
		defer cancel()
		var out []cobra.Completion
		for _, word := range each[len(arguments)](ctx, cluster, arguments) {
			if strings.HasPrefix(word, begun) {
				out = append(out, word)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

func (s *session) completeTicketThen(next completer) completion {
	return s.complete(completeTickets, next)
}

func (s *session) completeWorkflow(c *cobra.Command, arguments []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return s.complete(completeWorkflows)(c, arguments, begun)
}

func (s *session) completeWorkflowOrTicket(c *cobra.Command, arguments []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return s.complete(func(ctx context.Context, c *cluster, arguments []string) []cobra.Completion {
		return append(completeWorkflows(ctx, c, arguments), completeTickets(ctx, c, arguments)...)
	})(c, arguments, begun)
}

// completeTickets offers a namespace's tickets with their titles.
func completeTickets(ctx context.Context, c *cluster, _ []string) []cobra.Completion {
	var out []cobra.Completion
	_ = pages(ctx, c.client, func(page *restv1.StoredTicketList) { // what was read is offered
		for i := range page.Items {
			t := &page.Items[i]
			out = append(out, cobra.CompletionWithDesc(t.Name, shorten(oneLine(string(t.Status.State)+" "+t.Status.Title), titleRunes)))
		}
	}, client.InNamespace(c.namespace))
	return out
}

func completeWorkflows(ctx context.Context, c *cluster, _ []string) []cobra.Completion {
	var out []cobra.Completion
	_ = pages(ctx, c.client, func(page *restv1.WorkflowList) { // what was read is offered
		for i := range page.Items {
			out = append(out, cobra.CompletionWithDesc(page.Items[i].Name, oneLine(page.Items[i].DisplayName)))
		}
	}, client.InNamespace(c.namespace))
	return out
}

func completeUsers(ctx context.Context, c *cluster, _ []string) []cobra.Completion {
	var out []cobra.Completion
	_ = pages(ctx, c.client, func(page *v1alpha1.UserList) { // what was read is offered
		for i := range page.Items {
			user := &page.Items[i]
			out = append(out, cobra.CompletionWithDesc(directory.UserName(user), oneLine(user.Spec.DisplayName)))
		}
	})
	return out
}

// completeTransitions offers what leads on from the state of the ticket named
// before.
func completeTransitions(ctx context.Context, c *cluster, arguments []string) []cobra.Completion {
	state := c.stateOf(ctx, arguments)
	if state == nil {
		return nil
	}
	return transitionWords(state.Transitions)
}

func transitionWords(transitions []*engine.Transition) []cobra.Completion {
	out := make([]cobra.Completion, 0, len(transitions))
	for _, t := range transitions {
		word := string(t.Name)
		if t.DisplayName != word {
			word = cobra.CompletionWithDesc(word, oneLine(t.DisplayName))
		}
		out = append(out, word)
	}
	return out
}

// stateOf is the state of the ticket that is named first; nil if it cannot be told.
func (c *cluster) stateOf(ctx context.Context, arguments []string) *engine.State {
	t, err := c.ticket(ctx, arguments[0])
	if err != nil {
		return nil
	}
	state, _ := t.graph.State(t.Status.State)
	return state
}

// startOf is the start state of the workflow that is named first; nil if it
// cannot be told.
func (c *cluster) startOf(ctx context.Context, arguments []string) *engine.State {
	graph, err := c.workflow(ctx, arguments[0])
	if err != nil {
		return nil
	}
	return graph.Start
}

func (s *session) completeFieldsOfTicket(c *cobra.Command, arguments []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return s.completeFields((*cluster).stateOf, c, arguments, begun)
}

func (s *session) completeFieldsOfWorkflow(c *cobra.Command, arguments []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return s.completeFields((*cluster).startOf, c, arguments, begun)
}

// completeFields offers the fields that a form takes, each with its equals sign.
func (s *session) completeFields(find func(*cluster, context.Context, []string) *engine.State, c *cobra.Command, arguments []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	words := func(ctx context.Context, c *cluster, _ []string) []cobra.Completion {
		var out []cobra.Completion
		if len(arguments) == 0 {
			return nil
		}
		if state := find(c, ctx, arguments); state != nil {
			for _, name := range fillable(state) {
				out = append(out, name+"=")
			}
		}
		return out
	}
	out, directive := s.complete(words)(c, nil, begun)
	return out, directive | cobra.ShellCompDirectiveNoSpace
}

// completeStartTransitions offers what a ticket can be opened with.
func (s *session) completeStartTransitions(c *cobra.Command, arguments []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return s.complete(func(ctx context.Context, c *cluster, _ []string) []cobra.Completion {
		if len(arguments) == 0 {
			return nil
		}
		if start := c.startOf(ctx, arguments); start != nil {
			return transitionWords(start.Transitions)
		}
		return nil
	})(c, nil, begun)
}

// oneLine makes a description of words that may hold anything: line ends and
// tabs mean something to shells.
func oneLine(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }
