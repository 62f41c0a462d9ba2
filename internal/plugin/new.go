// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// opener opens a ticket.
type opener struct {
	*session
	output                     *output
	title, transition, comment string
	parent                     string
	fields                     []string
	timeout                    time.Duration
	noInput                    bool

	command *cobra.Command
	cluster *cluster
	graph   *engine.Graph
}

func newCommand(s *session) *cobra.Command {
	o := &opener{session: s}
	c := &cobra.Command{
		Use:     "new WORKFLOW",
		Aliases: []string{"create", "open"},
		Short:   "Open a ticket",
		Long: "Open a ticket on a workflow. In a terminal, what the flags leave out of the start\n" +
			"state's form is asked for; an empty answer leaves an optional field out.",
		Example: "  kubectl ticket new vpn-access\n" +
			"  kubectl ticket new vpn-access --title 'VPN for the trip' --field days=5 --transition submit",
		Args: takes("WORKFLOW"),
		RunE: func(c *cobra.Command, arguments []string) error {
			o.command = c
			return o.run(c.Context(), arguments[0])
		},
		ValidArgsFunction: s.completeWorkflow,
	}
	o.output = newOutput(c, false)
	flags := c.Flags()
	flags.StringVarP(&o.title, "title", "t", "", "a line about the ticket")
	flags.StringArrayVarP(&o.fields, "field", "f", nil, "a value for the start form, as NAME=VALUE; may be given several times")
	flags.StringVar(&o.transition, "transition", "", "the transition to open with, where there are several")
	flags.StringVar(&o.parent, "parent", "", "the ticket that this one is a part of, which waits for it in the state that it is in")
	flags.StringVarP(&o.comment, "comment", "c", "", "a comment for the history")
	flags.DurationVar(&o.timeout, "timeout", defaultTimeout, "how long to wait for the outcome")
	flags.BoolVar(&o.noInput, "no-input", false, "ask for nothing, even in a terminal")
	must(c.RegisterFlagCompletionFunc("parent", s.completeTicketThen(nil)))
	must(c.RegisterFlagCompletionFunc("field", s.completeFieldsOfWorkflow))
	must(c.RegisterFlagCompletionFunc("transition", s.completeStartTransitions))
	return c
}

func (o *opener) run(ctx context.Context, workflow string) error {
	printer, err := o.output.printer(o.command)
	if err != nil {
		return err
	}
	if o.cluster, err = o.connect(); err != nil {
		return err
	}
	if o.graph, err = o.cluster.workflow(ctx, workflow); err != nil {
		return err
	}
	request := &restv1.Opening{Workflow: workflow, Comment: o.comment}
	if request.Parent, err = o.partOf(ctx); err != nil {
		return err
	}
	if err := o.fillIn(ctx, request); err != nil {
		return err
	}
	opened, err := o.open(ctx, request)
	if err != nil {
		return err
	}
	if printer != nil {
		return o.print(printer, opened.Ticket)
	}
	o.say("Opened: %s", whereabouts("", opened.Ticket))
	return nil
}

// partOf refers to the parent that is named, in the state that it is in now.
func (o *opener) partOf(ctx context.Context) (*v1alpha1.ParentReference, error) {
	if o.parent == "" {
		return nil, nil
	}
	parent, err := o.cluster.ticket(ctx, o.parent)
	switch {
	case err != nil:
		return nil, err
	case parent.Namespace != o.cluster.namespace:
		return nil, usagef(o.command, "--parent %s is in namespace %s: parent and sub-ticket must be in the same", o.parent, parent.Namespace)
	}
	return &v1alpha1.ParentReference{Name: v1alpha1.ObjectName(parent.Name), State: parent.Status.State}, nil
}

// fillIn takes title, transition and fields from the flags, and asks for the
// rest where somebody sits there.
func (o *opener) fillIn(ctx context.Context, request *restv1.Opening) error {
	given, err := o.formValues(o.command, o.graph, o.graph.Start, o.fields)
	if err != nil {
		return err
	}
	fields := given.set
	if fields == nil {
		fields = v1alpha1.JSONObject{}
	}
	if o.title != "" {
		fields[titleField] = o.title
	}
	asks := o.isTerminal() && !o.noInput
	chosen, err := o.choose(ctx, asks)
	if err != nil {
		return err
	}
	request.Transition = chosen.Name
	if asks {
		demanded := chosen.FieldCheck == v1alpha1.FieldCheckRequire
		if err := o.fill(ctx, o.graph, o.graph.Start, demanded, fields); err != nil {
			return err
		}
	}
	// The title has a place of its own, where it is stored whatever the form says.
	if title, ok := fields[titleField].(string); ok {
		request.Title = title
		delete(fields, titleField)
	}
	if len(fields) > 0 {
		request.Fields = fields
	}
	return nil
}

// choose is the transition to open with.
func (o *opener) choose(ctx context.Context, asks bool) (*engine.Transition, error) {
	offered := openings(o.graph)
	find := func(name string) *engine.Transition {
		for _, t := range offered {
			if string(t.Name) == name || t.DisplayName == name {
				return t
			}
		}
		return nil
	}
	switch chosen := find(o.transition); {
	case chosen != nil:
		return chosen, nil
	case o.transition != "":
		return nil, usagef(o.command, "--transition %s does not lead on from the start; there are: %s", o.transition, names(offered))
	case len(offered) == 1:
		return offered[0], nil
	case !asks:
		return nil, usagef(o.command, "the start has several transitions: say which with --transition; there are: %s", names(offered))
	}
	for {
		answer, err := o.question(ctx, fmt.Sprintf("Transition, one of %s [%s]: ", names(offered), offered[0].Name))
		if err != nil {
			return nil, err
		}
		if answer == "" {
			return offered[0], nil
		}
		if chosen := find(answer); chosen != nil {
			return chosen, nil
		}
		o.note("  there is no transition %q", answer)
	}
}

// openings are the transitions that a person can open a ticket with.
func openings(graph *engine.Graph) []*engine.Transition {
	var out []*engine.Transition
	for _, t := range graph.Start.Transitions {
		if t.Delay() == 0 {
			out = append(out, t)
		}
	}
	return out
}

// open asks for the ticket and waits until it is opened or refused.
func (o *opener) open(ctx context.Context, request *restv1.Opening) (*seen, error) {
	ticket := &restv1.Ticket{Request: request}
	served := &restv1.Ticket{}
	err := o.cluster.insist(ctx, o.timeout, &request.IdempotencyKey, func(ctx context.Context) error {
		return o.cluster.served.Post().Namespace(o.cluster.namespace).Resource("tickets").Body(ticket).Do(ctx).Into(served)
	})
	if err != nil {
		return nil, o.cluster.explained(ctx, err, o.timeout, "the ticket", "See whether it is there: kubectl ticket list --mine", "TICKET")
	}
	return o.cluster.after(ctx, client.ObjectKeyFromObject(served), served.ResourceVersion)
}
