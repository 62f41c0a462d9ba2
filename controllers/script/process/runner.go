// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package process runs scripts as child processes of the manager, for the
// embedded default. Each run has its own process group and whatever else it
// starts ends with it, its own empty folder, limits, and no more environment
// than it needs. A script is not kept from what the user it runs as may do:
// that is what Jobs are for.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"ticketflow.dev/ticketflow/controllers/script"
)

const (
	// drainTime is how long what a script printed is waited for once all of
	// its processes have ended.
	drainTime = time.Second
	// atOnce is how many scripts run at once; the others wait for their turn.
	atOnce = 8
	// checkInterval is how often to look at a run although its end wakes us.
	checkInterval = time.Minute
)

// Runner runs scripts as child processes.
type Runner struct {
	// Dir has a folder for each run, for as long as it runs.
	Dir string
	// UID and GID to run scripts under; 0 is the manager's own.
	UID, GID uint32
	// Clock tells the time.
	Clock clock.Clock

	once      sync.Once
	leftovers error
	starter   *starter

	mutex   sync.Mutex
	runs    map[string]*run
	turns   chan struct{}
	closing chan struct{}
	closed  bool
	working sync.WaitGroup
	woken   chan event.GenericEvent
}

var _ script.Runner = &Runner{}

// Run runs a script to its end. An error says that it did not come to one, as
// when the manager shuts down.
func (r *Runner) Run(ctx context.Context, task script.Task) (script.Result, error) {
	p, err := r.prepare(task)
	if err != nil {
		return script.Result{}, err
	}
	defer p.remove()
	cmd, err := r.command(task, p)
	if err != nil {
		return script.Result{Message: err.Error()}, nil
	}
	out, err := r.start(cmd)
	if err != nil {
		// Such as an interpreter that is not there: nothing that would mend by itself.
		return script.Result{Message: "the script could not be started: " + err.Error()}, nil
	}
	exit, timedOut, err := r.await(ctx, cmd, task)
	out.finish(r.Clock.Now().Add(drainTime))
	if err != nil {
		return script.Result{}, err
	}
	secrets := script.SecretsOf(task.Env)
	switch {
	case timedOut:
		return out.failed(fmt.Sprintf("timed out after %s", task.Timeout), secrets), nil
	case exit != nil:
		return out.failed(exit.Error(), secrets), nil
	}
	return out.succeeded(p.Result, secrets), nil
}

// await waits until the script has ended, its time is up or the manager shuts
// down, and then ends all that it started. Only a shutdown is an error.
func (r *Runner) await(ctx context.Context, cmd *exec.Cmd, task script.Task) (exit error, timedOut bool, err error) {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	timer := r.Clock.NewTimer(task.Timeout)
	defer timer.Stop()
	defer r.end(task.Name)
	select {
	case exit = <-ended:
		endGroup(cmd.Process.Pid)
		return exit, false, nil
	case <-timer.C():
		timedOut = true
	case <-ctx.Done():
		err = fmt.Errorf("shut down while a script ran: %w", context.Cause(ctx))
	}
	endGroup(cmd.Process.Pid)
	<-ended //nolint:errcheck // it was killed: how it ended says nothing
	return nil, timedOut, err
}

// command is the script's command line, below the shell that sets its limits.
func (r *Runner) command(task script.Task, p *place) (*exec.Cmd, error) {
	line := task.CommandLine(p.Paths)
	program, err := find(line[0])
	if err != nil {
		return nil, fmt.Errorf("interpreter %s was not found", line[0])
	}
	limited := append([]string{"-c", r.limits(task) + `exec "$@"`, "sh", program}, line[1:]...)
	cmd := exec.Command("/bin/sh", limited...) //nolint:gosec // running scripts is what it is for
	cmd.Dir = p.Work
	cmd.Env = []string{"PATH=" + searchPath}
	for _, variable := range task.Variables(p.Paths) {
		cmd.Env = append(cmd.Env, variable.Name+"="+variable.Value)
	}
	// If the manager is killed, so is the script; what the script has started
	// by then is ended by the next manager.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if r.UID != 0 || r.GID != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: r.UID, Gid: r.GID}
	}
	return cmd, nil
}

// find finds a program where scripts find theirs, or else where the manager
// does, whose own places another user may not be able to reach.
func find(program string) (string, error) {
	if !strings.ContainsRune(program, filepath.Separator) {
		for _, dir := range filepath.SplitList(searchPath) {
			if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
				return path, nil
			}
		}
	}
	return exec.LookPath(program)
}

// start starts the script with its output going to bounded buffers.
func (r *Runner) start(cmd *exec.Cmd) (*output, error) {
	out, err := newOutput(cmd)
	if err != nil {
		return nil, err
	}
	if err := r.starter.start(cmd); err != nil {
		out.abandon()
		var path *os.PathError
		if errors.As(err, &path) {
			return nil, path.Err // without the path, which is nobody's business
		}
		return nil, err
	}
	out.started()
	return out, nil
}
