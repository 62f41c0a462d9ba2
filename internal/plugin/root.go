// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package plugin is `kubectl ticket`: it lists and shows tickets, opens them,
// and asks for actions on them. What it asks for goes into spec.action as the
// user whom the kubeconfig logs in; the ticket reconciler decides, and the
// plugin waits for its word. It has no rules of its own.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"

	"ticketflow.dev/ticketflow/internal/version"
)

// Exit codes of the plugin.
const (
	// ExitOK: what was asked for was done.
	ExitOK = 0
	// ExitFailed: it was refused, or could not be done.
	ExitFailed = 1
	// ExitUsage: the command line was wrong.
	ExitUsage = 2
)

// defaultTimeout is how long an action's outcome is waited for.
const defaultTimeout = 30 * time.Second

// Options are what a caller of Run may replace.
type Options struct {
	genericiooptions.IOStreams
	// Clock that ages are told by.
	Clock clock.PassiveClock
	// Zone is the time zone that times are told in: that of the machine.
	Zone *time.Location
	// Terminal says whether a person sits there who can be asked and
	// sees colours; nil finds out from the streams.
	Terminal *bool
}

// Run runs the plugin with a command line and answers its exit code. Errors
// are told on the error stream.
func Run(ctx context.Context, o Options, arguments []string) int {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Zone == nil {
		o.Zone = time.Local //nolint:gosmopolitan // people read it
	}
	root := newRoot(&session{
		flags: genericclioptions.NewConfigFlags(true), IOStreams: o.IOStreams, clock: o.Clock, zone: o.Zone, terminal: o.Terminal,
	})
	root.SetArgs(append([]string{}, arguments...)) // cobra takes the process's own where there are none
	root.SetIn(o.In)
	root.SetOut(o.Out)
	root.SetErr(o.ErrOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	_, _ = fmt.Fprintln(o.ErrOut, clean(explain(err))) // nobody listens if this fails
	var usage *usageError
	if errors.As(err, &usage) {
		return ExitUsage
	}
	return ExitFailed
}

// usageWithoutOptions keeps the flags that every command has out of the help,
// as kubectl does.
var usageWithoutOptions = strings.NewReplacer(
	"{{if .HasAvailableLocalFlags}}", "{{if and .HasParent .HasAvailableLocalFlags}}",
	"{{if .HasAvailableInheritedFlags}}", "{{if false}}",
	`Use "{{.CommandPath}} [command] --help" for more information about a command.`,
	`Use "{{.CommandPath}} COMMAND --help" for more about a command, and "kubectl ticket options" for
the flags that every command has, such as --namespace, --context and --as.`,
)

// optionsCommand tells of the flags that every command has.
func optionsCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:               "options",
		Short:             "List the flags that every command has",
		Args:              takes(),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return s.write(c.InheritedFlags().FlagUsages()) }
	return c
}

// command is one of the plugin's commands.
type command func(*session) *cobra.Command

func newRoot(s *session) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-ticket",
		Short: "Work with tickets: requests that people open, approve, hand on and close",
		Long: "Work with tickets: requests that people open, approve, hand on and close.\n\n" +
			"A ticket is named by its name, or by its ID as `kubectl ticket list` shows it.\n" +
			"You act as the Ticketflow user that your Kubernetes user belongs to.",
		Version:       version.String(),
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl ticket"},
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noSuchCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usagef(c, "%v", err) })
	s.flags.AddFlags(root.PersistentFlags())
	root.PersistentFlags().BoolVar(&s.noColor, "no-color", false, "do not colour what is written to a terminal")
	root.SetUsageTemplate(usageWithoutOptions.Replace(root.UsageTemplate()))
	root.CompletionOptions.DisableDefaultCmd = true // kubectl completes plugins another way
	add(root, s, "Look:", listCommand, showCommand, graphCommand, verifyCommand)
	add(root, s, "Act:", newCommand, approveCommand, rejectCommand, doCommand, acceptCommand, deliverCommand,
		addNodeCommand, endAddNodeCommand, commentCommand, retreatCommand, retryCommand, closeCommand)
	add(root, s, "Write workflows:", workflowCommand)
	root.AddCommand(optionsCommand(s))
	return root
}

func add(root *cobra.Command, s *session, title string, commands ...command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, make := range commands {
		c := make(s)
		c.GroupID = title
		root.AddCommand(c)
	}
}

// noSuchCommand is the answer to a command that the plugin does not have.
func noSuchCommand(c *cobra.Command, arguments []string) error {
	if len(arguments) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(arguments[0]); len(near) > 0 {
		return usagef(c, "there is no command %q: did you mean %s?", arguments[0], strings.Join(near, " or "))
	}
	return usagef(c, "there is no command %q", arguments[0])
}

// takes demands arguments, which it names when one is missing.
func takes(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, arguments []string) error {
		switch {
		case len(arguments) < len(names):
			return usagef(c, "%s is missing", names[len(arguments)])
		case len(arguments) > len(names):
			return usagef(c, "%q is more than %s takes", arguments[len(names)], c.CommandPath())
		}
		return nil
	}
}
