// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command kubectl-ticket is `kubectl ticket`, a plugin for who works with tickets.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"ticketflow.dev/ticketflow/internal/plugin"
)

func main() {
	log.SetLogger(logr.Discard()) // what people should read is written to the streams
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	code := plugin.Run(ctx, plugin.Options{IOStreams: streams}, os.Args[1:])
	stop()
	os.Exit(code)
}
