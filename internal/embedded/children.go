// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// stopTime is how long each program has to end by itself.
const stopTime = 20 * time.Second

// children starts programs and ends them in the opposite order.
//
// Each has a process group of its own within this session, so that an interrupt
// from a terminal reaches only this program, which then stops them in order. If
// this program dies, however it dies, the kernel kills them.
type children struct {
	logs    string
	started []*child
	failed  chan error
	starts  chan func()
}

type child struct {
	name    string
	command *exec.Cmd
	ended   chan struct{}
}

func newChildren(logs string) *children {
	c := &children{logs: logs, failed: make(chan error, 16), starts: make(chan func())}
	go func() {
		// The death signal follows the thread that started the child: it must
		// be one that lives as long as this program.
		runtime.LockOSThread()
		for start := range c.starts {
			start()
		}
	}()
	return c
}

// start runs a program; its output goes to a log that begins anew.
func (c *children) start(name, program string, arguments ...string) error {
	log, err := os.OpenFile(filepath.Join(c.logs, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	defer func() { _ = log.Close() }() // the child has its own
	command := exec.Command(program, arguments...)
	command.Stdout, command.Stderr = log, log
	// These programs make much garbage and hold little: collecting it half as
	// often is worth a few hundred MiB.
	command.Env = append(os.Environ(), "GOGC=200")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	result := make(chan error)
	c.starts <- func() { result <- command.Start() }
	if err := <-result; err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	added := &child{name: name, command: command, ended: make(chan struct{})}
	c.started = append(c.started, added)
	go func() {
		err := command.Wait()
		close(added.ended)
		c.failed <- fmt.Errorf("%s has ended (%w); its log's last lines:\n%s", name, cmpErr(err), c.tail(name))
	}()
	return nil
}

// cmpErr gives a clean end a name: none of the programs should end by itself.
func cmpErr(err error) error {
	if err == nil {
		return fmt.Errorf("exit status 0")
	}
	return err
}

// tail is the end of a program's log.
func (c *children) tail(name string) string {
	data, err := os.ReadFile(filepath.Join(c.logs, name+".log"))
	if err != nil {
		return "(it cannot be read)"
	}
	lines := strings.Split(string(bytes.TrimSpace(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}

// stop ends all programs, the last started first, each before the next.
func (c *children) stop() {
	for i := len(c.started) - 1; i >= 0; i-- {
		each := c.started[i]
		_ = each.command.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-each.ended:
		case <-time.After(stopTime):
			_ = each.command.Process.Kill() // it may have ended just now
			<-each.ended
		}
	}
	c.started = nil
}

// waitFor asks until the answer is yes, a program has ended, or time is up.
func (c *children) waitFor(ctx context.Context, what string, timeout time.Duration, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	var last error
	for {
		if last = ready(ctx); last == nil {
			return nil
		}
		select {
		case err := <-c.failed:
			return err
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", what, last)
		case <-ticker.C:
		}
	}
}
