// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package process runs scripts as child processes of the manager, for the
// embedded default. Each run has its own process group, which ends with it,
// its own empty folder and no more environment than it needs.
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

	"ticketflow.dev/ticketflow/controllers/script"
)

// drainTime is how long what a script printed is waited for once all of its
// process group has ended: a process that left the group may keep it open.
const drainTime = time.Second

// Runner runs scripts as child processes.
type Runner struct {
	// Dir has a folder for each run, for as long as it runs.
	Dir string
	// UID and GID to run scripts under; 0 is the manager's own.
	UID, GID uint32
	// Clock tells the time.
	Clock clock.Clock

	sweep     sync.Once
	leftovers error
}

var _ script.Runner = &Runner{}

// Run runs a script to its end.
func (r *Runner) Run(ctx context.Context, task script.Task) (script.Result, error) {
	place, err := r.prepare(task)
	if err != nil {
		return script.Result{}, err
	}
	defer place.remove()
	cmd, err := r.command(task, place)
	if err != nil {
		return script.Result{Message: err.Error()}, nil
	}
	out, err := start(cmd, place)
	if err != nil {
		// Such as an interpreter that is not there: nothing that would mend by itself.
		return script.Result{Message: "the script could not be started: " + err.Error()}, nil
	}
	exit, timedOut, err := r.await(ctx, cmd, task.Timeout)
	out.finish(r.Clock.Now().Add(drainTime))
	if err != nil {
		return script.Result{}, err
	}
	hide := hider(task.Env)
	switch {
	case timedOut:
		return script.Result{Message: failure(fmt.Sprintf("timed out after %s", task.Timeout), out, hide)}, nil
	case exit != nil:
		return script.Result{Message: failure(exit.Error(), out, hide)}, nil
	}
	return success(place, out, hide), nil
}

// await waits until the script has ended, its time is up or the manager shuts
// down, and then ends all of its process group. Only a shutdown is an error.
func (r *Runner) await(ctx context.Context, cmd *exec.Cmd, timeout time.Duration) (exit error, timedOut bool, err error) {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	timer := r.Clock.NewTimer(timeout)
	defer timer.Stop()
	select {
	case exit = <-ended:
		endGroup(cmd.Process.Pid)
		return exit, false, nil
	case <-timer.C():
		endGroup(cmd.Process.Pid)
		<-ended //nolint:errcheck // it was killed: how it ended says nothing
		return nil, true, nil
	case <-ctx.Done():
		endGroup(cmd.Process.Pid)
		<-ended //nolint:errcheck // it was killed: how it ended says nothing
		return nil, false, fmt.Errorf("shut down while a script ran: %w", context.Cause(ctx))
	}
}

// endGroup kills every process of a group; it is all right if none is left.
func endGroup(group int) { _ = syscall.Kill(-group, syscall.SIGKILL) }

// command is the script's command line. Nothing that comes from the ticket is
// in it.
func (r *Runner) command(task script.Task, place *place) (*exec.Cmd, error) {
	line := task.Script.Spec.Command
	if len(line) == 0 {
		interpreter := task.Script.Spec.Interpreter
		if interpreter == "" {
			interpreter = "python3"
		}
		line = []string{interpreter}
		if strings.Contains(filepath.Base(interpreter), "python") {
			line = append(line, place.bootstrap)
		}
	}
	program, err := find(line[0])
	if err != nil {
		return nil, fmt.Errorf("interpreter %s was not found", line[0])
	}
	cmd := exec.Command(program, append(append([]string{}, line[1:]...), place.script)...) //nolint:gosec // running scripts is what it is for
	cmd.Dir = place.work
	cmd.Env = environment(task, place)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
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
func start(cmd *exec.Cmd, place *place) (*output, error) {
	out, err := newOutput(cmd)
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		out.abandon()
		var path *os.PathError
		if errors.As(err, &path) {
			return nil, path.Err // without the path, which is nobody's business
		}
		return nil, err
	}
	place.note(cmd.Process.Pid)
	out.started()
	return out, nil
}
