// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAProgramThatEndsIsStartedAgain(t *testing.T) {
	folder, out := t.TempDir(), &bytes.Buffer{}
	c := newChildren(folder)
	defer c.stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// It ends at its first start, and stays from the second on.
	mark := filepath.Join(folder, "mark")
	program := "echo started; if mkdir " + mark + "; then exit 3; fi; echo staying; exec sleep 300"
	if err := c.start("part", "/bin/sh", "-c", program); err != nil {
		t.Fatal(err)
	}
	watched := make(chan error, 1)
	r := &runner{options: &Options{Out: out}, plane: &plane{children: c}}
	go func() { watched <- r.watch(ctx) }()
	log := logWith(ctx, t, c.log("part"), "staying")
	if got := strings.Count(log, "started"); got != 2 {
		t.Errorf("the log of a program that was started again has %d starts:\n%s", got, log)
	}
	cancel()
	if err := <-watched; err != nil {
		t.Errorf("watch ends with %v", err)
	}
	if !strings.Contains(out.String(), "part has ended (exit status 3)") {
		t.Errorf("people are told %q", out)
	}
}

func TestOnlyProgramsOfOurOwnHaveAMemoryLimit(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	c := newChildren(t.TempDir())
	defer c.stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for name, test := range map[string]struct {
		start func(name, program string, arguments ...string) error
		want  string
	}{
		"own":   {c.startOwn, "limit " + ownMemory + ";\n"},
		"other": {c.start, "limit ;\n"},
	} {
		if err := test.start(name, "/bin/sh", "-c", "echo \"limit $GOMEMLIMIT;\"; exec sleep 300"); err != nil {
			t.Fatal(err)
		}
		if got := logWith(ctx, t, c.log(name), "\n"); got != test.want {
			t.Errorf("%s has %q, want %q", name, got, test.want)
		}
	}
}

// logWith waits until a log has a text, and returns all of it.
func logWith(ctx context.Context, t *testing.T, path, text string) string {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for range ticker.C {
		log, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(log), text) {
			return string(log)
		}
		if ctx.Err() != nil {
			t.Fatalf("%q is not in the log (%v):\n%s", text, err, log)
		}
	}
	return ""
}

func TestThePauseBeforeAStartGrowsUntilAProgramStays(t *testing.T) {
	f := &failure{child: &child{begun: time.Unix(1000, 0)}}
	soon, late := time.Unix(1001, 0), time.Unix(1005, 0)
	for i, step := range []struct {
		now  time.Time
		want time.Duration
	}{
		{soon, time.Second}, {soon, 2 * time.Second}, {soon, 4 * time.Second}, {soon, 8 * time.Second},
		{soon, 10 * time.Second}, {soon, 10 * time.Second}, {late, time.Second}, {soon, 2 * time.Second},
	} {
		if got := f.again(step.now); got != step.want {
			t.Errorf("pause %d is %s, want %s", i, got, step.want)
		}
	}
}
