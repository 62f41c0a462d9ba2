// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/script"
	"ticketflow.dev/ticketflow/controllers/script/process"
	"ticketflow.dev/ticketflow/internal/testenv"
)

func newTask(interpreter, source string) script.Task {
	return script.Task{
		Name: "run-1",
		Ticket: &v1alpha1.Ticket{
			ObjectMeta: metav1.ObjectMeta{Namespace: "it", Name: "vpn-1"},
			Status:     v1alpha1.TicketStatus{ID: 17, State: "grant", Fields: v1alpha1.JSONObject{"days": int64(5)}},
		},
		Script:      &v1alpha1.Script{Spec: v1alpha1.ScriptSpec{Interpreter: interpreter}},
		Source:      source,
		RequestedBy: "zhang'san_retry",
		Timeout:     20 * time.Second,
	}
}

func newRunner(t *testing.T) *process.Runner {
	t.Helper()
	runner := &process.Runner{Dir: filepath.Join(t.TempDir(), "runs"), Clock: clock.RealClock{}}
	t.Cleanup(runner.Shutdown)
	return runner
}

func run(t *testing.T, task script.Task) script.Result {
	t.Helper()
	runner := newRunner(t)
	result, err := runner.Run(t.Context(), task)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	left, err := os.ReadDir(runner.Dir)
	if err != nil || len(left) != 0 {
		t.Errorf("the run left %v behind, %v", left, err)
	}
	return result
}

func TestRun(t *testing.T) {
	t.Setenv("MANAGERS_OWN", "private")
	cases := map[string]struct {
		interpreter, source string
		change              func(*script.Task)
		want                script.Result
	}{
		"standard output becomes the message of a script that succeeds": {
			interpreter: "sh", source: "echo granted; echo aside >&2",
			want: script.Result{Succeeded: true, Message: "granted\n"},
		},
		"the exit code decides, and a failure tells what was said last": {
			interpreter: "sh", source: "echo started; echo no such host >&2; exit 3",
			want: script.Result{Message: "exit status 3: no such host"},
		},
		"a failure without words on standard error tells standard output": {
			interpreter: "sh", source: "echo broken; exit 1",
			want: script.Result{Message: "broken"},
		},
		"Python scripts of the older system find their globals": {
			interpreter: "python3", source: "print(ticket_id + 1, action_from, __name__)",
			want: script.Result{Succeeded: true, Message: "18 zhang'san_retry __main__\n"},
		},
		"a Python script's exit code decides too": {
			interpreter: "python3", source: "import sys\nsys.exit(4)",
			want: script.Result{Message: "exit status 4"},
		},
		"what a Python script raises is told by its text": {
			interpreter: "python3", source: "print('started')\nraise ValueError('no such host')",
			want: script.Result{Message: "no such host"},
		},
		"what a Python script raises without a text is told by its name": {
			interpreter: "python3", source: "raise NotImplementedError",
			want: script.Result{Message: "NotImplementedError"},
		},
		"the ticket is there as a file": {
			interpreter: "python3",
			source:      "import json, os\nt = json.load(open('ticket.json'))\nprint(t['status']['fields']['days'], t['metadata']['name'], os.listdir('.'), os.environ['TICKETFLOW_STATE'])",
			want:        script.Result{Succeeded: true, Message: "5 vpn-1 ['ticket.json'] grant\n"},
		},
		"nothing of the manager's own environment is seen": {
			interpreter: "sh", source: "echo [$MANAGERS_OWN]",
			want: script.Result{Succeeded: true, Message: "[]\n"},
		},
		"own variables are set and secrets are struck out of the output": {
			interpreter: "sh", source: `echo $WHERE $TOKEN; test "$TOKEN" = s3cret-value`,
			change: func(task *script.Task) {
				task.Env = []script.Variable{{Name: "WHERE", Value: "here"}, {Name: "TOKEN", Value: "s3cret-value", Secret: true}}
			},
			want: script.Result{Succeeded: true, Message: "here ***\n"},
		},
		"a script's variables cannot pose as the ticket's": {
			interpreter: "sh", source: "echo $TICKETFLOW_TICKET_ID",
			change: func(task *script.Task) {
				task.Env = []script.Variable{{Name: "TICKETFLOW_TICKET_ID", Value: "99"}}
			},
			want: script.Result{Succeeded: true, Message: "17\n"},
		},
		"a result file sets fields and the comment": {
			interpreter: "sh", source: `echo noise; echo '{"fields": {"account": "vpn17", "n": 3}, "comment": "done"}' > $TICKETFLOW_RESULT_FILE`,
			want: script.Result{Succeeded: true, Message: "done", Fields: v1alpha1.JSONObject{"account": "vpn17", "n": int64(3)}},
		},
		"a result file that is a link is not followed": {
			interpreter: "sh", source: `ln -s /etc/hostname $TICKETFLOW_RESULT_FILE`,
			want: script.Result{Message: "the result file cannot be read"},
		},
		"a result file that is a pipe does not hold the run up": {
			interpreter: "sh", source: `mkfifo $TICKETFLOW_RESULT_FILE`,
			want: script.Result{Message: "the result file is not a file"},
		},
		"a command gets the script as its last argument": {
			source: "echo by command",
			change: func(task *script.Task) { task.Script.Spec.Command = []string{"sh", "-e"} },
			want:   script.Result{Succeeded: true, Message: "by command\n"},
		},
		"an interpreter that is not there is a failed run": {
			interpreter: "no-such-interpreter",
			want:        script.Result{Message: "interpreter no-such-interpreter was not found"},
		},
		"a script that waits for input finds none": {
			interpreter: "sh", source: "read x || echo none",
			want: script.Result{Succeeded: true, Message: "none\n"},
		},
		"output that is no text is made one": {
			interpreter: "sh", source: `printf 'a\377b'`,
			want: script.Result{Succeeded: true, Message: "a�b"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			task := newTask(c.interpreter, c.source)
			if c.change != nil {
				c.change(&task)
			}
			if diff := cmp.Diff(c.want, run(t, task)); diff != "" {
				t.Errorf("unexpected result (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPythonScriptTellsWhereItRaisedIfItIsAsked(t *testing.T) {
	task := newTask("python3", "print('started')\nraise ValueError('no such host')")
	task.Env = []script.Variable{{Name: "TICKETFLOW_TRACEBACK", Value: "1"}}
	result := run(t, task)
	if result.Succeeded || !strings.Contains(result.Message, "line 2") || !strings.HasSuffix(result.Message, "ValueError: no such host") {
		t.Errorf("got %+v", result)
	}
}

func TestQ11OutputIsBoundedAndDrained(t *testing.T) {
	result := run(t, newTask("sh", "yes 0123456789 | head -c 3000000; echo end >&2"))
	if !result.Succeeded || len(result.Message) > 16<<10 || !strings.HasPrefix(result.Message, "0123456789\n") {
		t.Errorf("succeeded %v with %d bytes", result.Succeeded, len(result.Message))
	}
}

// escape starts a process that leaves the group and the session and has nothing
// of the script's environment; its number is in a file.
func escape(pidFile string) string {
	return fmt.Sprintf("setsid env -i sh -c 'sleep 300 & echo $! > %s.new; mv %s.new %s' &\n while [ ! -e %s ]; do sleep 0.01; done\n", pidFile, pidFile, pidFile, pidFile)
}

func TestQ10TimeoutEndsTheWholeGroup(t *testing.T) {
	pidFile, escaped := filepath.Join(t.TempDir(), "pid"), filepath.Join(t.TempDir(), "escaped")
	task := newTask("sh", fmt.Sprintf("%s sleep 300 & echo $! > %s; echo waiting; wait", escape(escaped), pidFile))
	task.Timeout = 3 * time.Second
	result := run(t, task)
	if want := "timed out after 3s: waiting"; result.Succeeded || result.Message != want {
		t.Errorf("got %+v, want %q", result, want)
	}
	expectGone(t, pidFile)
	expectGone(t, escaped)
}

func TestWhatAScriptLeavesBehindEndsWithIt(t *testing.T) {
	pidFile, escaped := filepath.Join(t.TempDir(), "pid"), filepath.Join(t.TempDir(), "escaped")
	result := run(t, newTask("sh", fmt.Sprintf("%s sleep 300 & echo $! > %s; echo done", escape(escaped), pidFile)))
	if !result.Succeeded || result.Message != "done\n" {
		t.Errorf("got %+v", result)
	}
	expectGone(t, pidFile)
	expectGone(t, escaped)
}

func TestAShutdownEndsTheRunWithoutAResult(t *testing.T) {
	started, escaped := filepath.Join(t.TempDir(), "pid"), filepath.Join(t.TempDir(), "escaped")
	runner := newRunner(t)
	task := newTask("sh", fmt.Sprintf("%s echo $$ > %s; sleep 300", escape(escaped), started))
	if why, err := runner.Start(t.Context(), task); why != "" || err != nil {
		t.Fatal(why, err)
	}
	waitFor(t, func() bool { data, _ := os.ReadFile(started); return len(data) > 0 })
	runner.Shutdown()
	expectGone(t, started)
	expectGone(t, escaped)
	if standing, err := runner.Observe(t.Context(), task.Ticket, task.Name); err == nil || standing.Result != nil {
		t.Errorf("a run that was cut off came to a result: %+v, %v", standing, err)
	}
	if _, err := runner.Start(t.Context(), newTask("sh", "echo")); err == nil {
		t.Error("a run was started after the shutdown")
	}
}

func TestAFolderOfSomebodyElseIsNotUsed(t *testing.T) {
	runner := newRunner(t)
	if err := os.MkdirAll(runner.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(runner.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := runner.Run(t.Context(), newTask("sh", "echo")); err == nil {
		t.Error("a folder that anybody can write to was used")
	}
}

func TestRunsUnderAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can run scripts under another uid")
	}
	dir, err := os.MkdirTemp("", "runs") //nolint:usetesting // its own folder is for root alone
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is a test's
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	runner := &process.Runner{Dir: dir, UID: 65534, GID: 65534, Clock: clock.RealClock{}}
	defer runner.Shutdown()
	result, err := runner.Run(t.Context(), newTask("python3", "import os\nprint(os.getuid(), os.getgid(), os.getgroups())\nopen('x', 'w')\n"+
		"import resource as r\nprint(r.getrlimit(r.RLIMIT_NPROC))\ntry: r.setrlimit(r.RLIMIT_NOFILE, (4096, 4096))\nexcept ValueError as e: print(e)"))
	if want := "65534 65534 []\n(512, 512)\nnot allowed to raise maximum limit\n"; err != nil || result.Message != want {
		t.Errorf("got %+v, %v", result, err)
	}
}

func expectGone(t *testing.T, pidFile string) {
	t.Helper()
	pid := pidIn(t, pidFile)
	waitFor(t, func() bool { return !alive(pid) })
}

func pidIn(t *testing.T, file string) int {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// alive says whether a process runs; one that only waits to be collected by
// its parent does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	gomega.NewWithT(t).Eventually(condition).WithTimeout(testenv.Timeout).WithPolling(5 * time.Millisecond).Should(gomega.BeTrue())
}
