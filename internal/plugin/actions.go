// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// actor asks for one action on one ticket.
type actor struct {
	*session
	output  *output
	comment string
	fields  []string
	timeout time.Duration
	yes     bool
	noInput bool

	command *cobra.Command
	cluster *cluster
	who     person
	ticket  *v1alpha1.Ticket
}

// deed is an action as a command of its own.
type deed struct {
	use, short, example string
	// arguments that the command takes besides the ticket.
	arguments []string
	// aliases of the command.
	aliases []string
	// done says what was done, as the beginning of a sentence.
	done string
	// moves says that the ticket may take a transition: fields can be given.
	moves bool
	// action is what is asked for with the arguments.
	action func(ctx context.Context, a *actor, arguments []string) (v1alpha1.TicketAction, error)
	// complete offers the arguments; nil offers none.
	complete completer
}

// simple is a deed that needs nothing but its type.
func simple(kind v1alpha1.ActionType) func(context.Context, *actor, []string) (v1alpha1.TicketAction, error) {
	return func(context.Context, *actor, []string) (v1alpha1.TicketAction, error) {
		return v1alpha1.TicketAction{Type: kind}, nil
	}
}

// toUser is a deed that hands the ticket to somebody.
func toUser(kind v1alpha1.ActionType) func(context.Context, *actor, []string) (v1alpha1.TicketAction, error) {
	return func(_ context.Context, _ *actor, arguments []string) (v1alpha1.TicketAction, error) {
		return v1alpha1.TicketAction{Type: kind, Target: v1alpha1.UserName(arguments[0])}, nil
	}
}

func acceptCommand(s *session) *cobra.Command {
	return s.deedCommand(deed{
		use: "accept", aliases: []string{"claim"}, short: "Claim a ticket that waits for several people",
		example: "  kubectl ticket accept 17",
		done:    "Claimed", action: simple(v1alpha1.ActionAccept),
	})
}

func deliverCommand(s *session) *cobra.Command {
	return s.deedCommand(deed{
		use: "deliver", arguments: []string{"USER"}, short: "Hand a ticket that waits for me to somebody else",
		example: "  kubectl ticket deliver 17 wangwu --comment 'I am away this week'",
		done:    "Delivered", action: toUser(v1alpha1.ActionDeliver), complete: completeUsers,
	})
}

func addNodeCommand(s *session) *cobra.Command {
	return s.deedCommand(deed{
		use: "add-node", arguments: []string{"USER"}, short: "Ask somebody to look at a ticket before I go on with it",
		example: "  kubectl ticket add-node 17 wangwu --comment 'is this network free?'",
		done:    "Asked", action: toUser(v1alpha1.ActionAddSigner), complete: completeUsers,
	})
}

func endAddNodeCommand(s *session) *cobra.Command {
	return s.deedCommand(deed{
		use: "end-add-node", short: "Give a ticket back to who asked me to look at it",
		example: "  kubectl ticket end-add-node 17 --comment 'it is'",
		done:    "Given back", action: simple(v1alpha1.ActionEndAddSigner),
	})
}

func retreatCommand(s *session) *cobra.Command {
	return s.deedCommand(deed{
		use: "retreat", short: "Take my ticket back, where its state allows that",
		example: "  kubectl ticket retreat 17 --comment 'I forgot something'",
		done:    "Taken back", action: simple(v1alpha1.ActionRetreat),
	})
}

func retryCommand(s *session) *cobra.Command {
	return s.deedCommand(deed{
		use: "retry", short: "Run the script or call the hook again that failed",
		example: "  kubectl ticket retry 17",
		done:    "Tried again", action: simple(v1alpha1.ActionRetryScript),
	})
}

func closeCommand(s *session) *cobra.Command {
	return s.deedCommand(deed{
		use: "close", short: "End a ticket by force, as an admin of its workflow, or my own draft",
		example: "  kubectl ticket close 17 --comment 'not needed any more'",
		done:    "Closed", action: simple(v1alpha1.ActionClose),
	})
}

func commentCommand(s *session) *cobra.Command {
	c := s.deedCommand(deed{
		use: "comment", arguments: []string{"TEXT"}, short: "Add a comment to a ticket's history; - reads it from the standard input",
		example: "  kubectl ticket comment 17 'the router is on its way'",
		done:    "Commented",
		action: func(_ context.Context, a *actor, arguments []string) (v1alpha1.TicketAction, error) {
			text := arguments[0]
			if text == "-" {
				read, err := io.ReadAll(io.LimitReader(a.In, 4*engine.MaxComment+1)) // a character has up to 4 bytes
				if err != nil {
					return v1alpha1.TicketAction{}, fmt.Errorf("read the comment: %w", err)
				}
				text = strings.TrimSpace(string(read))
			}
			if text == "" {
				return v1alpha1.TicketAction{}, usagef(a.command, "the comment is empty")
			}
			a.comment = text
			return v1alpha1.TicketAction{Type: v1alpha1.ActionComment}, nil
		},
	})
	must(c.Flags().MarkHidden("comment")) // the text is the comment
	return c
}

// deedCommand makes the command of a deed.
func (s *session) deedCommand(d deed) *cobra.Command {
	a := &actor{session: s}
	c := &cobra.Command{
		Use:     strings.Join(append([]string{d.use, "TICKET"}, d.arguments...), " "),
		Short:   d.short,
		Example: d.example,
		Aliases: d.aliases,
		Args:    takes(append([]string{"TICKET"}, d.arguments...)...),
		RunE: func(c *cobra.Command, arguments []string) error {
			a.command = c
			return a.run(c.Context(), d, arguments)
		},
		ValidArgsFunction: s.completeTicketThen(d.complete),
	}
	a.output = newOutput(c, false)
	flags := c.Flags()
	flags.StringVarP(&a.comment, "comment", "c", "", "a comment for the history")
	flags.DurationVar(&a.timeout, "timeout", defaultTimeout, "how long to wait for the outcome")
	if d.moves {
		flags.StringArrayVarP(&a.fields, "field", "f", nil, "a value for the state's form, as NAME=VALUE; NAME= empties it; may be given several times")
		flags.BoolVarP(&a.yes, "yes", "y", false, "do not ask whether I am sure where the workflow wants that asked")
		flags.BoolVar(&a.noInput, "no-input", false, "ask for nothing, even in a terminal")
		must(c.RegisterFlagCompletionFunc("field", s.completeFieldsOfTicket))
	}
	return c
}

func (a *actor) run(ctx context.Context, d deed, arguments []string) error {
	printer, err := a.output.printer(a.command)
	if err != nil {
		return err
	}
	if a.cluster, err = a.connect(); err != nil {
		return err
	}
	if a.ticket, err = a.cluster.ticket(ctx, arguments[0]); err != nil {
		return err
	}
	if a.ticket.Status.WorkflowRevision == "" {
		return a.cluster.notOpened(a.ticket)
	}
	if a.who, err = a.cluster.me(ctx); err != nil {
		return err
	}
	action, err := d.action(ctx, a, arguments[1:])
	if err != nil {
		return err
	}
	if action.Comment = a.comment; utf8.RuneCountInString(a.comment) > engine.MaxComment {
		return usagef(a.command, "the comment is longer than %d characters: put the text elsewhere and link to it", engine.MaxComment)
	}
	before, after, err := a.cluster.perform(ctx, a.ticket, a.who, action, a.timeout)
	if err != nil {
		return err
	}
	if printer != nil {
		return a.print(printer, after)
	}
	a.say("%s: %s", d.done, whereabouts(before, after))
	return nil
}

// whereabouts says in a sentence where a ticket has come.
func whereabouts(before, after *v1alpha1.Ticket) string {
	text := fmt.Sprintf("%s (ID %d) ", after.Name, after.Status.ID)
	if before.Status.State == "" || before.Status.State == after.Status.State {
		text += fmt.Sprintf("is in state %s", after.Status.State)
	} else {
		text += fmt.Sprintf("went from %s to %s", before.Status.State, after.Status.State)
	}
	if engine.HasEnded(&after.Status) {
		return text + fmt.Sprintf(" and has ended: %s.", after.Status.Progress)
	}
	return text + fmt.Sprintf(" and %s.", waiting(&after.Status.Participants))
}
