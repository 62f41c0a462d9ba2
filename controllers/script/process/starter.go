// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"os/exec"
	"runtime"
)

// starter starts all processes from one thread that lives as long as the
// manager: a death signal follows the thread that started the process.
type starter struct {
	starts chan func()
}

func newStarter() *starter {
	s := &starter{starts: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for start := range s.starts {
			start()
		}
	}()
	return s
}

func (s *starter) start(cmd *exec.Cmd) error {
	result := make(chan error)
	s.starts <- func() { result <- cmd.Start() }
	return <-result
}

// stop ends the thread. What it has started must have ended.
func (s *starter) stop() { close(s.starts) }
