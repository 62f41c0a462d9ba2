// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

const (
	// soonest and latest bound how long a manager lives: some do not live to
	// see their caches filled.
	soonest = 200 * time.Millisecond
	latest  = 8 * time.Second
	// glance is how long to wait before looking again.
	glance = 50 * time.Millisecond
)

// kill kills the manager, waits until it was started again, and so on.
func (c *chaos) kill(ctx context.Context) error {
	chance, before := c.chance(0), 0
	for n := range c.kills {
		manager := 0
		for manager == 0 || manager == before {
			if err := pause(ctx, glance); err != nil {
				return fmt.Errorf("the manager was not started again after %d kills: %w", n, err)
			}
			processes, err := c.up.Processes()
			if err != nil {
				return err
			}
			manager = processes["manager"].PID
		}
		if err := pause(ctx, soonest+time.Duration(chance.Int64N(int64(latest-soonest)))); err != nil {
			return fmt.Errorf("there was time for %d kills only: %w", n, err)
		}
		if err := syscall.Kill(manager, syscall.SIGKILL); err != nil {
			return fmt.Errorf("the manager ended by itself: %w", err)
		}
		before = manager
	}
	return nil
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// leftBehind are processes that scripts of this run left behind, or of Ticketflow itself.
func (c *chaos) leftBehind() ([]string, error) {
	processes, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, process := range processes {
		environment, err := process.Environ()
		if err != nil {
			continue // it has ended, or is another's
		}
		command, err := process.CmdLine()
		if err != nil {
			continue
		}
		line := strings.Join(command, " ")
		if slices.Contains(environment, "EFFECTS="+c.effects) || strings.Contains(line, c.folder) {
			found = append(found, fmt.Sprintf("%d %s", process.PID, line))
		}
	}
	return found, nil
}

// nothingLeft looks for what is left once everything was stopped.
func (c *chaos) nothingLeft() error {
	var problems []error
	left, err := c.leftBehind()
	if err != nil {
		return err
	}
	for _, process := range left {
		problems = append(problems, fmt.Errorf("a process is left behind: %s", process))
	}
	overlaps, err := filepath.Glob(filepath.Join(c.effects, "*.overlap"))
	if err != nil {
		return err
	}
	for _, overlap := range overlaps {
		problems = append(problems, fmt.Errorf("a script ran twice at a time: %s", filepath.Base(overlap)))
	}
	return errors.Join(problems...)
}
