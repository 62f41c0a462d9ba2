// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package script

import (
	"context"
	"time"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Task is one run of a script.
type Task struct {
	// Name of the run: hashed from ticket UID, visit and attempt. Whatever is
	// left of an earlier try of the same name is ended first.
	Name string
	// Ticket as the script gets to see it.
	Ticket *v1alpha1.Ticket
	// Script to run.
	Script *v1alpha1.Script
	// Source is the script's text.
	Source string
	// RequestedBy is who wanted the run: loonrobot, or <user>_retry.
	RequestedBy string
	// Env are the script's own variables.
	Env []Variable
	// Timeout for the script and all that it starts.
	Timeout time.Duration
}

// Variable is an environment variable.
type Variable struct {
	Name, Value string
	// Secret values are struck out of what the script prints.
	Secret bool
}

// Result is what became of a run.
type Result struct {
	// Succeeded says whether the script did.
	Succeeded bool
	// Message is what the script printed, or why it failed.
	Message string
	// Fields that the script sets.
	Fields v1alpha1.JSONObject
}

// Runner runs scripts. An error says that the run did not come to an end, as
// when the manager shuts down: it will be run again.
type Runner interface {
	Run(ctx context.Context, task Task) (Result, error)
}
