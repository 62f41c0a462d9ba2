// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
)

func TestANotifierThatIsDownIsLeftAloneEverLongerAndTriedByOneAtATime(t *testing.T) {
	clk := clocktesting.NewFakePassiveClock(time.Unix(1_000_000, 0))
	g := &gates{clock: clk}
	wecom, mail := types.NamespacedName{Namespace: "it", Name: "wecom"}, types.NamespacedName{Namespace: "it", Name: "mail"}
	for _, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute} {
		if wait, ok := g.enter(wecom); !ok {
			t.Fatalf("its time has come, but it is to wait %s", wait)
		}
		if _, ok := g.enter(mail); !ok {
			t.Fatal("another notifier waits")
		}
		g.leave(mail, false)
		g.leave(wecom, true)
		if wait, ok := g.enter(wecom); ok || wait != want {
			t.Fatalf("got %s, %t, want %s", wait, ok, want)
		}
		clk.SetTime(clk.Now().Add(want))
	}
	if _, ok := g.enter(wecom); !ok {
		t.Fatal("nobody may try")
	}
	if wait, ok := g.enter(wecom); ok || wait != turnPause {
		t.Fatalf("a second one tries: %s, %t", wait, ok)
	}
	g.leave(wecom, false)
	for range busiest {
		if _, ok := g.enter(wecom); !ok {
			t.Fatal("it is up, and is left alone")
		}
	}
	if _, ok := g.enter(wecom); ok {
		t.Error("it is given more than it can take")
	}
}
