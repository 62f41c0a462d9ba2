// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"time"

	"github.com/prometheus/procfs"
)

// usage is what a process of `up` has used so far.
type usage struct {
	memory int // resident, in MiB
	cpu    time.Duration
}

// processes are what each process that `up` started has used, by name. One that
// ends while it is looked at is left out.
func processes(up int) (map[string]usage, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	out := map[string]usage{}
	for _, process := range all {
		stat, err := process.Stat()
		if err != nil || stat.PPID != up {
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
		out[name] = usage{memory: stat.ResidentMemory() >> 20, cpu: time.Duration(stat.CPUTime() * float64(time.Second))}
	}
	return out, nil
}
