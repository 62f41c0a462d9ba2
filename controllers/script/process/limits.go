// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"ticketflow.dev/ticketflow/controllers/script"
)

// What a script that says nothing else may use.
const (
	maxData      = 1 << 30   // bytes of memory, each process
	maxFileSize  = 100 << 20 // bytes, each file
	maxOpenFiles = 1024      // each process
	maxProcesses = 512       // of the user that scripts run as
)

const (
	// endTime is how long processes may take to die once they are killed.
	endTime  = 2 * time.Second
	endPause = 10 * time.Millisecond
)

// limits are shell commands that set a run's limits before the script's first
// instruction. A limit that is stricter already stays as it is.
func (r *Runner) limits(task script.Task) string {
	var given corev1.ResourceList
	if task.Script.Spec.Resources != nil {
		given = task.Script.Spec.Resources.Limits
	}
	memory, cpus := int64(maxData), 1.0
	if limit, ok := given[corev1.ResourceMemory]; ok {
		memory = limit.Value()
	}
	if limit, ok := given[corev1.ResourceCPU]; ok && limit.Cmp(resource.MustParse("1")) > 0 {
		cpus = limit.AsApproximateFloat64()
	}
	seconds := int64(math.Ceil(task.Timeout.Seconds() * cpus))
	commands := fmt.Sprintf("ulimit -m %d || exit 126\n", mark(task.Name))
	for _, limit := range []string{
		"c 0", // no core dumps: they would have the secrets
		fmt.Sprintf("t %d", max(seconds, 1)),
		fmt.Sprintf("d %d", memory>>10),
		fmt.Sprintf("f %d", maxFileSize/512),
		fmt.Sprintf("n %d", maxOpenFiles),
	} {
		commands += "ulimit -" + limit + " 2>/dev/null\n"
	}
	if r.UID != 0 { // or else all that the user runs would count, scripts or not
		commands += fmt.Sprintf("ulimit -u %[1]d 2>/dev/null || ulimit -p %[1]d 2>/dev/null\n", maxProcesses) // bash, dash
	}
	return commands
}

// mark is what a run's processes are known by, in KiB: a limit on resident
// memory, which Linux keeps and hands down but does not enforce. Whatever a
// process does, leave its group and session, clear its environment or change
// its name, it keeps it and so do its children; only one that is privileged
// can raise it. It is larger than any limit that somebody would mean.
func mark(name string) uint64 {
	sum := sha256.Sum256([]byte(name))
	return 1<<41 | binary.BigEndian.Uint64(sum[:])>>24
}

// end kills whatever bears a run's mark, until nothing does.
func (r *Runner) end(name string) {
	line := strconv.AppendUint(nil, mark(name)<<10, 10)
	for deadline := r.Clock.Now().Add(endTime); r.Clock.Now().Before(deadline); r.Clock.Sleep(endPause) {
		if !killMarked(line) {
			return
		}
	}
}

// killMarked kills the processes with a mark, and says whether there were any.
func killMarked(mark []byte) bool {
	found := false
	folders, _ := filepath.Glob("/proc/[0-9]*") // the pattern is right
	for _, folder := range folders {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil || !bears(folder, mark) {
			continue
		}
		// Its number may go to another process at any time, but not once it is
		// held.
		process, err := os.FindProcess(pid)
		if err != nil {
			continue
		}
		if bears(folder, mark) {
			found = true
			_ = process.Kill() // it may have ended just now
		}
		_ = process.Release()
	}
	return found
}

// bears says whether a process has a mark and has not ended.
func bears(folder string, mark []byte) bool {
	limits, err := os.ReadFile(filepath.Join(folder, "limits"))
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(limits, []byte("Max resident set"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	fields := bytes.Fields(line) // soft, hard, unit
	if len(fields) < 2 || !bytes.Equal(fields[1], mark) {
		return false
	}
	stat, err := os.ReadFile(filepath.Join(folder, "stat"))
	return err == nil && !bytes.Contains(stat, []byte(") Z ")) && !bytes.Contains(stat, []byte(") X "))
}

// endGroup kills every process of a group; it is all right if none is left.
func endGroup(group int) { _ = syscall.Kill(-group, syscall.SIGKILL) }
