// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"net/url"
	"sync"
	"time"
)

const (
	// slowAfter is from when on a system is slow.
	slowAfter = time.Second
	// mostSlow is how many calls are under way at once to one that is slow, so
	// that the others' calls do not wait behind them.
	mostSlow = 8
	// turnPause is when to ask again for a turn with one that is slow.
	turnPause = time.Second
)

// turns lets systems that are slow have their calls a few at a time.
type turns struct {
	mu     sync.Mutex
	byHost map[string]*host
}

type host struct {
	busy int
	slow bool
}

// hostOf is what an address names; an address that is none is its own.
func hostOf(address string) string {
	if parsed, err := url.Parse(address); err == nil && parsed.Host != "" {
		return parsed.Host
	}
	return address
}

// begin says whether a system may be called now. Whoever may, ends.
func (t *turns) begin(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byHost == nil {
		t.byHost = map[string]*host{}
	}
	if t.byHost[name] == nil {
		t.byHost[name] = &host{}
	}
	if t.byHost[name].slow && t.byHost[name].busy >= mostSlow {
		return false
	}
	t.byHost[name].busy++
	return true
}

// end says how long it took.
func (t *turns) end(name string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.byHost[name]
	one.busy--
	one.slow = took >= slowAfter
	if one.busy == 0 && !one.slow {
		delete(t.byHost, name)
	}
}

// pauses remembers when a run that could not be done is to be called again: what
// else happens to the ticket meanwhile does not make that sooner. A restart does.
type pauses struct {
	mu  sync.Mutex
	due map[string]time.Time
}

func (p *pauses) left(run string, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(0, p.due[run].Sub(now))
}

// set also forgets those whose time has come, since their tickets may be gone.
func (p *pauses) set(run string, now time.Time, pause time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.due == nil {
		p.due = map[string]time.Time{}
	}
	for other, due := range p.due {
		if !due.After(now) {
			delete(p.due, other)
		}
	}
	p.due[run] = now.Add(pause)
}
