// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

var (
	backlogDesc = desc("notices_outstanding", "Tickets of which a notifier has not been told everything yet.", "namespace", "notifier")
	behindDesc  = desc("notice_outstanding_oldest_timestamp_seconds", "When the oldest thing happened that it has not been told.", "namespace", "notifier")
)

// outstanding is what notifiers have not been told yet.
var outstanding = &backlog{behind: map[types.NamespacedName]map[types.NamespacedName]mark{}}

type backlog struct {
	mu     sync.Mutex
	behind map[types.NamespacedName]map[types.NamespacedName]mark // notifier, ticket
}

// mark is up to where a notifier was told, and since when there is more.
type mark struct {
	told  int64
	since time.Time
}

// NoticesOutstanding says that a notifier was told of a ticket up to an entry,
// and since when there is more to tell; if that is no time, there is not.
func NoticesOutstanding(notifier, ticket types.NamespacedName, told int64, since time.Time) {
	outstanding.set(notifier, ticket, mark{told: told, since: since})
}

// ForgetNotices takes out a ticket that nobody is told of any more.
func ForgetNotices(ticket types.NamespacedName) { outstanding.forget(ticket) }

func (b *backlog) set(notifier, ticket types.NamespacedName, now mark) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.since.IsZero() {
		b.remove(notifier, ticket)
		return
	}
	if b.behind[notifier] == nil {
		b.behind[notifier] = map[types.NamespacedName]mark{}
	}
	// What is untold may have moved into records since it was first seen.
	if before, known := b.behind[notifier][ticket]; known && before.told == now.told && before.since.Before(now.since) {
		return
	}
	b.behind[notifier][ticket] = now
}

func (b *backlog) forget(ticket types.NamespacedName) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for notifier := range b.behind {
		b.remove(notifier, ticket)
	}
}

func (b *backlog) remove(notifier, ticket types.NamespacedName) {
	delete(b.behind[notifier], ticket)
	if len(b.behind[notifier]) == 0 {
		delete(b.behind, notifier)
	}
}

// Describe names what is told.
func (b *backlog) Describe(descs chan<- *prometheus.Desc) {
	descs <- backlogDesc
	descs <- behindDesc
}

// Collect tells of each notifier that is behind.
func (b *backlog) Collect(values chan<- prometheus.Metric) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for notifier, tickets := range b.behind {
		var first time.Time
		for _, ticket := range tickets {
			if first.IsZero() || ticket.since.Before(first) {
				first = ticket.since
			}
		}
		for d, value := range map[*prometheus.Desc]float64{backlogDesc: float64(len(tickets)), behindDesc: unix(first)} {
			values <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, notifier.Namespace, notifier.Name)
		}
	}
}

// unix is a time as Prometheus has times, so that it is Prometheus who says how
// long ago that is.
func unix(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }
