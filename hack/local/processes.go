// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"path/filepath"
	"time"

	"github.com/prometheus/procfs"
)

// Process is a program of Ticketflow's that runs, and what it has used so far.
type Process struct {
	PID    int
	Memory int // resident, in MiB
	CPU    time.Duration
}

// Processes are the programs that `up` started, by name. One that ends while it
// is looked at is left out.
func (t *Ticketflow) Processes() (map[string]Process, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	out := map[string]Process{}
	for _, process := range all {
		stat, err := process.Stat()
		if err != nil || stat.PPID != t.up.Process.Pid || stat.State == "Z" {
			continue
		}
		arguments, err := process.CmdLine()
		if err != nil || len(arguments) == 0 {
			continue
		}
		name := filepath.Base(arguments[0])
		if name == "ticketflow" && len(arguments) > 1 {
			name = arguments[1]
		}
		out[name] = Process{
			PID: process.PID, Memory: stat.ResidentMemory() >> 20, CPU: time.Duration(stat.CPUTime() * float64(time.Second)),
		}
	}
	return out, nil
}

// Stolen is the processor time, of all cores, that this machine has been refused so
// far by the one that it runs on: other machines had it.
func Stolen() (time.Duration, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, err
	}
	stat, err := fs.Stat()
	return time.Duration(stat.CPUTotal.Steal * float64(time.Second)), err
}
