// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command ticketflow is all of Ticketflow in one program: `up` brings up a
// control plane of its own with everything on it; `manager` and `apiserver` are
// the two parts, for a control plane that is there; `export` and `import` carry
// everything to another one.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	_ "golang.org/x/crypto/x509roots/fallback" // its image has no certificates of authorities
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"ticketflow.dev/ticketflow/apiserver/server"
	"ticketflow.dev/ticketflow/controllers/manager"
	"ticketflow.dev/ticketflow/internal/embedded"
	"ticketflow.dev/ticketflow/internal/version"
)

func main() {
	ctrl.SetLogger(klog.Background())
	root := &cobra.Command{
		Use:           "ticketflow",
		Short:         "Tickets on Kubernetes: requests that people open, approve, hand on and close",
		Version:       version.String(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(upCommand(), managerCommand(), apiserverCommand(), exportCommand(), importCommand())
	if err := root.ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "ticketflow:", err)
		os.Exit(1)
	}
}

// tellVersion has a log begin with what is running: an image's tag may lie.
func tellVersion(command *cobra.Command) {
	klog.Background().Info("Starting "+command.CommandPath(), "version", version.String())
}

func upCommand() *cobra.Command {
	options := embedded.NewOptions()
	command := &cobra.Command{
		Use:   "up",
		Short: "Bring up everything on this machine, on a control plane of its own",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			options.Out = command.OutOrStdout()
			return embedded.Up(command.Context(), options)
		},
	}
	options.AddFlags(command.Flags())
	return command
}

func managerCommand() *cobra.Command {
	options := manager.NewOptions()
	command := &cobra.Command{
		Use:   "manager",
		Short: "Run the controllers",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			tellVersion(command)
			return manager.Run(command.Context(), options)
		},
	}
	options.AddFlags(command.Flags())
	return command
}

func apiserverCommand() *cobra.Command {
	options := server.NewOptions()
	command := &cobra.Command{
		Use:   "apiserver",
		Short: "Serve the REST API and the aggregated API",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := errors.Join(options.Validate()...); err != nil {
				return err
			}
			tellVersion(command)
			return server.Run(command.Context(), options)
		},
	}
	options.AddFlags(command.Flags())
	return command
}
