// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

func someTicket(i int) *v1alpha1.Ticket {
	t := &v1alpha1.Ticket{}
	t.Namespace, t.Name = "it", fmt.Sprintf("vpn-access-%d", i)
	t.Spec.WorkflowRef.Name = "vpn-access"
	t.Status.ID, t.Status.State, t.Status.Progress = v1alpha1.WireID(i+1), v1alpha1.Name(fmt.Sprintf("state-%d", i%20)), v1alpha1.ProgressInProgress
	if i%10 == 0 {
		t.Status.Timers = []v1alpha1.Timer{{Transition: "late", At: metav1.NewTime(time.Unix(int64(2_000_000+i), 0))}}
	}
	return t
}

// BenchmarkScrapeOf100000Tickets says what a scrape costs, what following one
// change of a ticket costs, and how much memory the count keeps for a ticket.
func BenchmarkScrapeOf100000Tickets(b *testing.B) {
	const tickets = 100_000
	c := NewCensus(nil, clocktesting.NewFakePassiveClock(time.Unix(1_000_000, 0)))
	all := make([]*v1alpha1.Ticket, tickets)
	for i := range all {
		all[i] = someTicket(i)
	}
	before := heap()
	for _, t := range all {
		c.note(t)
	}
	kept := heap() - before
	b.Run("scrape", func(b *testing.B) {
		for b.Loop() {
			c.Collect(make(chan prometheus.Metric, 1000))
		}
		b.ReportMetric(float64(kept)/tickets, "kept-B/ticket")
	})
	b.Run("change", func(b *testing.B) {
		for b.Loop() {
			c.note(all[0])
		}
	})
	runtime.KeepAlive(all)
}

func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
