// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command manager runs Ticketflow's controllers.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"
	ctrl "sigs.k8s.io/controller-runtime"

	"ticketflow.dev/ticketflow/controllers/manager"
)

func main() {
	options := manager.NewOptions()
	options.AddFlags(pflag.CommandLine)
	pflag.Parse()
	if err := manager.Run(ctrl.SetupSignalHandler(), options); err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}
