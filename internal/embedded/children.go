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

const (
	// stopTime is how long each program has to end by itself.
	stopTime = 20 * time.Second
	// shortestPause and longestPause bound how long to wait before a program
	// that has ended is started again: twice as long each time, unless it ran
	// for a while.
	shortestPause = time.Second
	longestPause  = 10 * time.Second
	aWhile        = 5 * time.Second
)

// children starts programs and ends them in the opposite order.
//
// Each has a process group of its own within this session, so that an interrupt
// from a terminal reaches only this program, which then stops them in order. If
// this program dies, however it dies, the kernel kills them.
type children struct {
	logs    string
	started []*child
	failed  chan *failure
	starts  chan func()
}

type child struct {
	name, program string
	arguments     []string
	memory        string // that its collector strives to keep to, as GOMEMLIMIT has it; "" for no limit
	command       *exec.Cmd
	begun         time.Time
	pause         time.Duration // before it was started
	ended         chan struct{}
}

// failure is a program that has ended although nobody stopped it.
type failure struct {
	child *child
	cause error
	tail  string // of its log
}

func (f *failure) Error() string {
	return fmt.Sprintf("%s has ended (%v); its log's last lines:\n%s", f.child.name, f.cause, f.tail)
}

func newChildren(logs string) *children {
	c := &children{logs: logs, failed: make(chan *failure, 16), starts: make(chan func())}
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

// ownMemory is what a program of our own strives to keep to: 100 000 tickets,
// which take a quarter of it, and the garbage of their use fit into it.
const ownMemory = "1400MiB"

// start runs a program; its output goes to a log that begins anew.
func (c *children) start(name, program string, arguments ...string) error {
	return c.launch(&child{name: name, program: program, arguments: arguments})
}

// startOwn is start for a program of our own.
func (c *children) startOwn(name, program string, arguments ...string) error {
	return c.launch(&child{name: name, program: program, arguments: arguments, memory: ownMemory})
}

func (c *children) launch(added *child) error {
	if err := os.Remove(c.log(added.name)); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("start %s: %w", added.name, err)
	}
	if err := c.run(added); err != nil {
		return err
	}
	c.started = append(c.started, added)
	return nil
}

func (c *children) log(name string) string { return filepath.Join(c.logs, name+".log") }

// run starts a child's process, for the first time or again.
func (c *children) run(one *child) error {
	log, err := os.OpenFile(c.log(one.name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", one.name, err)
	}
	defer func() { _ = log.Close() }() // the child has its own
	command := exec.Command(one.program, one.arguments...)
	command.Stdout, command.Stderr = log, log
	// These programs make much garbage and hold little: collecting it half as
	// often is worth a few hundred MiB. With many tickets it would be thousands:
	// our own have a bound.
	command.Env = append(os.Environ(), "GOGC=200")
	if one.memory != "" {
		command.Env = append(command.Env, "GOMEMLIMIT="+one.memory)
	}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	result := make(chan error)
	c.starts <- func() { result <- command.Start() }
	if err := <-result; err != nil {
		return fmt.Errorf("start %s: %w", one.name, err)
	}
	ended := make(chan struct{})
	one.command, one.begun, one.ended = command, time.Now(), ended
	go func() {
		err := command.Wait()
		close(ended)
		c.failed <- &failure{child: one, cause: cmpErr(err), tail: c.tail(one.name)}
	}()
	return nil
}

// again is after what time to start a program that has ended by itself.
func (f *failure) again(now time.Time) time.Duration {
	f.child.pause = min(2*f.child.pause, longestPause)
	if f.child.pause == 0 || now.Sub(f.child.begun) >= aWhile {
		f.child.pause = shortestPause
	}
	return f.child.pause
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
	data, err := os.ReadFile(c.log(name))
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
		case failure := <-c.failed:
			return failure
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", what, last)
		case <-ticker.C:
		}
	}
}
