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

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
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
	ticket  *seen
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
	// moves says that the ticket may take a transition: fields can be given; stays
	// that it does not leave its state.
	moves, stays bool
	// verb is the part of a ticket that is created.
	verb string
	// action is what is asked for with the arguments.
	action func(ctx context.Context, a *actor, arguments []string) (*restv1.Action, error)
	// complete offers the arguments; nil offers none.
	complete completer
}

// simply is a deed that needs no arguments.
func simply(context.Context, *actor, []string) (*restv1.Action, error) { return &restv1.Action{}, nil }

// toUser is a deed that hands the ticket to somebody.
func toUser(_ context.Context, _ *actor, arguments []string) (*restv1.Action, error) {
	return &restv1.Action{Target: v1alpha1.UserName(arguments[0])}, nil
}

func acceptCommand(s *session) *cobra.Command {
	return s.deedCommand(deed{
		use: "accept", aliases: []string{"claim"}, short: "Claim a ticket that waits for several people",
		example: "  kubectl ticket accept 17",
		done:    "Claimed", verb: "accept", stays: true, action: simply,
	})
}

func deliverCommand(s *session) *cobra.Command {
	return s.deedCommand(deed{
		use: "deliver", arguments: []string{"USER"}, short: "Hand a ticket that waits for me to somebody else",
		example: "  kubectl ticket deliver 17 wangwu --comment 'I am away this week'",
		done:    "Delivered", verb: "deliver", stays: true, action: toUser, complete: completeUsers,
	})
}

func addNodeCommand(s *session) *cobra.Command {
	return s.deedCommand(deed{
		use: "add-node", arguments: []string{"USER"}, short: "Ask somebody to look at a ticket before I go on with it",
		example: "  kubectl ticket add-node 17 wangwu --comment 'is this network free?'",
		done:    "Asked", verb: "add_node", stays: true, action: toUser, complete: completeUsers,
	})
}

func endAddNodeCommand(s *session) *cobra.Command {
	return s.deedCommand(deed{
		use: "end-add-node", short: "Give a ticket back to who asked me to look at it",
		example: "  kubectl ticket end-add-node 17 --comment 'it is'",
		done:    "Given back", verb: "add_node_end", stays: true, action: simply,
	})
}

func retreatCommand(s *session) *cobra.Command {
	return s.deedCommand(deed{
		use: "retreat", short: "Take my ticket back, where its state allows that",
		example: "  kubectl ticket retreat 17 --comment 'I forgot something'",
		done:    "Taken back", verb: "retreat", action: simply,
	})
}

func retryCommand(s *session) *cobra.Command {
	return s.deedCommand(deed{
		use: "retry", short: "Run the script or call the hook again that failed",
		example: "  kubectl ticket retry 17",
		done:    "Tried again", verb: "retry_script", action: simply,
	})
}

func closeCommand(s *session) *cobra.Command {
	return s.deedCommand(deed{
		use: "close", short: "End a ticket by force, as an admin of its workflow, or my own draft",
		example: "  kubectl ticket close 17 --comment 'not needed any more'",
		done:    "Closed", verb: "close", action: simply,
	})
}

func commentCommand(s *session) *cobra.Command {
	c := s.deedCommand(deed{
		use: "comment", arguments: []string{"TEXT"}, short: "Add a comment to a ticket's history; - reads it from the standard input",
		example: "  kubectl ticket comment 17 'the router is on its way'",
		done:    "Commented", verb: "comments", stays: true,
		action: func(_ context.Context, a *actor, arguments []string) (*restv1.Action, error) {
			text := arguments[0]
			if text == "-" {
				read, err := io.ReadAll(io.LimitReader(a.In, 4*engine.MaxComment+1)) // a character has up to 4 bytes
				if err != nil {
					return nil, fmt.Errorf("read the comment: %w", err)
				}
				text = strings.TrimSpace(string(read))
			}
			if text == "" {
				return nil, usagef(a.command, "the comment is empty")
			}
			a.comment = text
			return &restv1.Action{}, nil
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
	if err := mustBeUser(a.ticket.viewer); err != nil {
		return err
	}
	action, err := d.action(ctx, a, arguments[1:])
	if err != nil {
		return err
	}
	if action.Comment = a.comment; utf8.RuneCountInString(a.comment) > engine.MaxComment {
		return usagef(a.command, "the comment is longer than %d characters: put the text elsewhere and link to it", engine.MaxComment)
	}
	after, err := a.cluster.perform(ctx, a.ticket, d.verb, action, a.timeout)
	if err != nil {
		return err
	}
	if printer != nil {
		return a.print(printer, after.Ticket)
	}
	before := a.ticket.Status.State
	if d.stays {
		before = "" // where it has gone meanwhile is somebody else's doing
	}
	a.say("%s: %s", d.done, whereabouts(before, after.Ticket))
	return nil
}

// whereabouts says in a sentence where a ticket has come.
func whereabouts(before v1alpha1.Name, after *v1alpha1.Ticket) string {
	text := fmt.Sprintf("%s (ID %d) ", after.Name, after.Status.ID)
	if before == "" || before == after.Status.State {
		text += fmt.Sprintf("is in state %s", after.Status.State)
	} else {
		text += fmt.Sprintf("went from %s to %s", before, after.Status.State)
	}
	if engine.HasEnded(&after.Status) {
		return text + fmt.Sprintf(" and has ended: %s.", after.Status.Progress)
	}
	return text + fmt.Sprintf(" and %s.", waiting(&after.Status.Participants))
}
