// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/clock"

	"ticketflow.dev/ticketflow/controllers/script"
	"ticketflow.dev/ticketflow/controllers/script/process"
)

// crashVariable makes the test's own program a manager that runs a script in a
// folder until it is killed.
const crashVariable = "TICKETFLOW_TEST_MANAGER"

func TestMain(m *testing.M) {
	if folder := os.Getenv(crashVariable); folder != "" {
		runner := &process.Runner{Dir: filepath.Join(folder, "runs"), Clock: clock.RealClock{}}
		_, err := runner.Run(context.Background(), crashTask(folder))
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestLimits(t *testing.T) {
	cases := map[string]struct {
		interpreter, source string
		limits              corev1.ResourceList
		succeeds            bool
		message             string
	}{
		"memory is bounded": {
			interpreter: "python3", source: "x = bytearray(1500 << 20)", message: "MemoryError",
		},
		"as much memory as the script says": {
			interpreter: "python3", source: "x = bytearray(300 << 20)", message: "MemoryError",
			limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
		},
		"memory within the bound is there": {
			interpreter: "python3", source: "x = bytearray(300 << 20); print(len(x) >> 20)", succeeds: true, message: "300",
		},
		"files do not grow beyond the bound": {
			interpreter: "python3", source: "open('big', 'wb').truncate(101 << 20)", message: "File too large",
		},
		"not everything can be opened at once": {
			interpreter: "python3", source: "all = [open('/dev/null') for _ in range(2000)]", message: "Too many open files",
		},
		"time on the processor is bounded by the timeout": {
			interpreter: "sh", source: "ulimit -t; ulimit -c", succeeds: true, message: "20\n0",
		},
		"more processors are more time on them": {
			interpreter: "sh", source: "ulimit -t", succeeds: true, message: "50",
			limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2500m")},
		},
		"no descriptor of the manager's is seen": {
			interpreter: "sh", source: "ls /proc/$$/fd | tr '\\n' ' '", succeeds: true, message: "0 1 10 2",
		},
	}
	// As a manager may have got it from whoever started it.
	inherited, err := syscall.Open("/dev/null", syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(inherited)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			task := newTask(c.interpreter, c.source)
			task.Script.Spec.Resources = &corev1.ResourceRequirements{Limits: c.limits}
			result := run(t, task)
			if result.Succeeded != c.succeeds || !strings.Contains(result.Message, c.message) {
				t.Errorf("got %+v, want %v with %q", result, c.succeeds, c.message)
			}
		})
	}
}

// crashTask notes its own process and one that escapes, and goes on.
func crashTask(folder string) script.Task {
	return newTask("sh", fmt.Sprintf("%s echo $$ > %s; sleep 300", escape(filepath.Join(folder, "escaped")), filepath.Join(folder, "main")))
}

func TestWhatAKilledManagerLeavesIsEndedByTheNext(t *testing.T) {
	folder := t.TempDir()
	manager := exec.Command(os.Args[0])
	manager.Env = append(os.Environ(), crashVariable+"="+folder)
	manager.Stderr = os.Stderr
	if err := manager.Start(); err != nil {
		t.Fatal(err)
	}
	mainFile, escaped := filepath.Join(folder, "main"), filepath.Join(folder, "escaped")
	waitFor(t, func() bool { data, _ := os.ReadFile(mainFile); return len(data) > 0 })
	if err := manager.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = manager.Wait()
	expectGone(t, mainFile) // by the kernel, at once
	if !alive(pidIn(t, escaped)) {
		t.Fatal("the process that left the group has ended by itself: nothing is shown")
	}

	// What happens to have the number of one of ours, or its name, is left alone.
	stranger := exec.Command("sleep", "300")
	stranger.Env = []string{"TICKETFLOW_RUN=run-1"}
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer stranger.Wait() //nolint:errcheck // it is killed
	defer stranger.Process.Kill()

	runner := &process.Runner{Dir: filepath.Join(folder, "runs"), Clock: clock.RealClock{}}
	t.Cleanup(runner.Shutdown)
	if err := runner.Sweep(); err != nil {
		t.Fatal(err)
	}
	expectGone(t, escaped) // not only before the next run
	task := newTask("sh", fmt.Sprintf("grep -sv ') Z ' /proc/$(cat %s)/stat || echo alone; ls", escaped))
	result, err := runner.Run(t.Context(), task)
	if err != nil || result.Message != "alone\nticket.json\n" {
		t.Errorf("got %+v, %v", result, err)
	}
	if err := stranger.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("a stranger was killed: %v", err)
	}
}
