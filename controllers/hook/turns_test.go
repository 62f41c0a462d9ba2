// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"testing"
	"time"
)

func TestASlowSystemDoesNotTakeAllTurns(t *testing.T) {
	var all turns
	for range workers {
		if !all.begin("fast") {
			t.Fatal("one that is not known to be slow has no turn")
		}
	}
	all.end("fast", time.Millisecond)
	if !all.begin("slow") {
		t.Fatal("the first has no turn")
	}
	all.end("slow", slowAfter)
	for range mostSlow {
		if !all.begin("slow") {
			t.Fatal("a slow one has too few turns")
		}
	}
	if all.begin("slow") {
		t.Error("a slow one has too many turns")
	}
	if !all.begin("fast") {
		t.Error("another waits for it")
	}
	all.end("slow", time.Millisecond)
	for range 2 {
		if !all.begin("slow") {
			t.Error("one that is fast again waits")
		}
	}
}

func TestHostsAreToldApart(t *testing.T) {
	for address, want := range map[string]string{
		"http://a.example/x": "a.example", "https://a.example:8443/?key=1": "a.example:8443", "://": "://",
	} {
		if got := hostOf(address); got != want {
			t.Errorf("%s: got %q", address, got)
		}
	}
}

func TestAPauseIsKeptUntilItsTimeHasCome(t *testing.T) {
	var all pauses
	began := time.Unix(0, 0)
	all.set("one", began, time.Minute)
	all.set("other", began.Add(time.Second), 2*time.Minute)
	if got := all.left("one", began.Add(30*time.Second)); got != 30*time.Second {
		t.Errorf("%s are left, though another was noted meanwhile", got)
	}
	all.set("third", began.Add(time.Minute), time.Minute)
	if _, kept := all.due["one"]; kept || len(all.due) != 2 {
		t.Errorf("what is past is kept: %v", all.due)
	}
}
