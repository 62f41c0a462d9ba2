// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ticketflow.dev/ticketflow/controllers/script"
	"ticketflow.dev/ticketflow/controllers/script/process"
)

func start(t *testing.T, runner *process.Runner, task script.Task) {
	t.Helper()
	if why, err := runner.Start(t.Context(), task); why != "" || err != nil {
		t.Fatalf("Start: %q, %v", why, err)
	}
}

func observe(t *testing.T, runner *process.Runner, task script.Task) script.Standing {
	t.Helper()
	standing, err := runner.Observe(t.Context(), task.Ticket, task.Name)
	if err != nil {
		t.Fatalf("Observe: %v", err)
	}
	return standing
}

func ended(t *testing.T, runner *process.Runner, task script.Task) script.Result {
	t.Helper()
	waitFor(t, func() bool { return observe(t, runner, task).Result != nil })
	return *observe(t, runner, task).Result
}

func TestARunIsStartedOnceAndItsResultKeptUntilDropped(t *testing.T) {
	runner, log := newRunner(t), filepath.Join(t.TempDir(), "log")
	task := newTask("sh", fmt.Sprintf("echo ran >> %s; echo done", log))
	if standing := observe(t, runner, task); standing.Known {
		t.Fatalf("a run that was never started is known: %+v", standing)
	}
	start(t, runner, task)
	start(t, runner, task)
	want := script.Result{Succeeded: true, Message: "done\n"}
	if diff := cmp.Diff(want, ended(t, runner, task)); diff != "" {
		t.Errorf("unexpected result (-want +got):\n%s", diff)
	}
	start(t, runner, task)
	if data, _ := os.ReadFile(log); string(data) != "ran\n" {
		t.Errorf("it ran more than once: %q", data)
	}
	if err := runner.Drop(t.Context(), task.Ticket, task.Name); err != nil {
		t.Fatal(err)
	}
	if standing := observe(t, runner, task); standing.Known {
		t.Errorf("it is known although it was dropped: %+v", standing)
	}
}

func TestDroppingARunEndsIt(t *testing.T) {
	runner, pidFile := newRunner(t), filepath.Join(t.TempDir(), "pid")
	task := newTask("sh", fmt.Sprintf("echo $$ > %s; sleep 300", pidFile))
	start(t, runner, task)
	waitFor(t, func() bool { data, _ := os.ReadFile(pidFile); return len(data) > 0 })
	if standing := observe(t, runner, task); !standing.Known || standing.Result != nil {
		t.Errorf("got %+v", standing)
	}
	if err := runner.Drop(t.Context(), task.Ticket, task.Name); err != nil {
		t.Fatal(err)
	}
	expectGone(t, pidFile)
}

func TestMoreRunsThanMayRunAtOnceWaitForTheirTurn(t *testing.T) {
	runner, folder := newRunner(t), t.TempDir()
	const count = 20
	tasks := make([]script.Task, count)
	for i := range tasks {
		tasks[i] = newTask("sh", fmt.Sprintf("mkdir %[1]s/$TICKETFLOW_RUN; ls %[1]s | wc -l; sleep 0.1; rmdir %[1]s/$TICKETFLOW_RUN", folder))
		tasks[i].Name = fmt.Sprintf("run-%d", i)
		start(t, runner, tasks[i])
	}
	for _, task := range tasks {
		var together int
		result := ended(t, runner, task)
		if _, err := fmt.Sscan(result.Message, &together); err != nil || together > 8 {
			t.Errorf("%s: %+v, %v", task.Name, result, err)
		}
	}
}
