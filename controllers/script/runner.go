// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package script

import (
	"context"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Task is one run of a script.
type Task struct {
	// Name of the run: hashed from ticket UID, visit and attempt.
	Name string
	// Ticket as the script gets to see it.
	Ticket *v1alpha1.Ticket
	// Script to run.
	Script *v1alpha1.Script
	// Source is the script's text.
	Source string
	// SourceHash is SHA-256 over it, as hex.
	SourceHash string
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
	// SourceHash of what has run, where the runner knows that better than
	// whoever reported the start: a crash may have come between, and an edit.
	SourceHash string
}

// Standing is how a run stands.
type Standing struct {
	// Known says that the runner has the run, or knows what became of it. One
	// that is not known was lost in a crash, and is to be started again.
	Known bool
	// Result of a run that has ended.
	Result *Result
	// Again is when to look again, if nothing wakes us before.
	Again time.Duration
}

// Runner runs scripts. It holds no worker up: a run is started, and looked at
// when something happens to it.
type Runner interface {
	// Watch has the reconciler woken when something happens to a run.
	Watch(mgr ctrl.Manager, b *builder.Builder) error
	// Start starts a run, unless one of that name was started before. If it
	// cannot be started, and trying again would not help, it says why.
	Start(ctx context.Context, task Task) (why string, err error)
	// Observe says how a ticket's run stands that was reported as running.
	Observe(ctx context.Context, t *v1alpha1.Ticket, run string) (Standing, error)
	// Drop lets go of a ticket's run. One that has not ended is ended.
	Drop(ctx context.Context, t *v1alpha1.Ticket, run string) error
}
