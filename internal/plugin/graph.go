// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// drawings are the ways to draw a graph; current is the state that is marked,
// if one is.
var drawings = map[string]func(graph *engine.Graph, current v1alpha1.Name) string{
	"mermaid": mermaid, "svg": svg,
}

func graphCommand(s *session) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "graph WORKFLOW|TICKET",
		Short: "Draw a workflow, or the one that a ticket follows with the ticket's state marked",
		Long: "Draw a workflow, or the one that a ticket follows with the ticket's state marked.\n\n" +
			"A name is looked for among workflows first; workflow/NAME and ticket/NAME say which\n" +
			"is meant. A ticket's drawing is of the revision that it follows to its end.",
		Example:           "  kubectl ticket graph vpn-access\n  kubectl ticket graph 17 -o svg > ticket.svg",
		Args:              takes("WORKFLOW or TICKET"),
		ValidArgsFunction: s.completeWorkflowOrTicket,
	}
	c.Flags().StringVarP(&format, "output", "o", "mermaid", "how to draw it: mermaid, svg")
	must(c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"mermaid", "svg"}, cobra.ShellCompDirectiveNoFileComp)))
	c.RunE = func(c *cobra.Command, arguments []string) error {
		draw, ok := drawings[format]
		if !ok {
			return usagef(c, "there is no output format %q: it is one of mermaid, svg", format)
		}
		cluster, err := s.connect()
		if err != nil {
			return err
		}
		graph, current, err := cluster.named(c.Context(), arguments[0])
		if err != nil {
			return err
		}
		return s.write(draw(graph, current))
	}
	return c
}

// named finds the graph of a workflow or of a ticket, and the ticket's state.
func (c *cluster) named(ctx context.Context, name string) (*engine.Graph, v1alpha1.Name, error) {
	if kind, rest, ok := strings.Cut(name, "/"); ok {
		switch strings.SplitN(kind, ".", 2)[0] {
		case "workflow", "workflows", "twf":
			return c.graphOfWorkflow(ctx, rest)
		case "ticket", "tickets", "tkt":
			return c.graphOfTicket(ctx, rest)
		}
		return nil, "", advise(fmt.Errorf("%q is neither a workflow nor a ticket", name), "Write workflow/NAME or ticket/NAME.")
	}
	if _, err := strconv.Atoi(name); err == nil {
		return c.graphOfTicket(ctx, name)
	}
	graph, current, err := c.graphOfWorkflow(ctx, name)
	var missing *notThere
	if !errors.As(err, &missing) {
		return graph, current, err
	}
	graph, current, err = c.graphOfTicket(ctx, name)
	if errors.As(err, &missing) {
		return nil, "", advise(fmt.Errorf("there is neither a workflow nor a ticket %q in namespace %s", name, c.namespace),
			"See which there are: kubectl get workflows.rest.ticketflow.dev,tickets.rest.ticketflow.dev -A; choose a namespace with -n.")
	}
	return graph, current, err
}

func (c *cluster) graphOfWorkflow(ctx context.Context, name string) (*engine.Graph, v1alpha1.Name, error) {
	graph, err := c.workflow(ctx, name)
	return graph, "", err
}

func (c *cluster) graphOfTicket(ctx context.Context, name string) (*engine.Graph, v1alpha1.Name, error) {
	t, err := c.ticket(ctx, name)
	if err != nil {
		return nil, "", err
	}
	return t.graph, t.Status.State, nil
}
