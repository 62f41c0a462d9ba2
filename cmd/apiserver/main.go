// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command apiserver serves Ticketflow's REST API.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"ticketflow.dev/ticketflow/apiserver/server"
)

func main() {
	options := server.NewOptions()
	options.AddFlags(pflag.CommandLine)
	pflag.Parse()
	ctrl.SetLogger(klog.Background())
	err := errors.Join(options.Validate()...)
	if err == nil {
		err = server.Run(ctrl.SetupSignalHandler(), options)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "apiserver:", err)
		os.Exit(1)
	}
}
