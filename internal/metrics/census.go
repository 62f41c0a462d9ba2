// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/slim"
)

var (
	ticketsDesc = desc("tickets", "Tickets that were opened, by where they stand.", "namespace", "workflow", "state", "progress")
	brokenDesc  = desc("tickets_not_ready", "Tickets that somebody has to repair, by what their condition Ready says.", "namespace", "workflow", "reason")
	pendingDesc = desc("actions_pending", "Actions and openings that have no outcome yet.", "namespace", "workflow")
	oldestDesc  = desc("action_pending_oldest_timestamp_seconds", "Since when the oldest of them has been seen to wait.", "namespace", "workflow")
	runsDesc    = desc("runs", "Scripts and hooks that tickets wait for.", "kind", "namespace", "workflow")
	timersDesc  = desc("timers", "Tickets that a timer will move on.", "namespace", "workflow")
	overdueDesc = desc("timers_overdue", "Those whose timer's time has come.", "namespace", "workflow")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(prefix, "", name), help, labels, nil)
}

// Census counts the tickets that there are. It follows the cache's events and
// keeps of each ticket a few words, so that a scrape need not touch tickets.
type Census struct {
	cache cache.Cache
	clock clock.PassiveClock

	mu     sync.Mutex
	stands map[types.NamespacedName]standing
	places map[place]*place // one of each, so that a ticket holds a pointer
}

// place is where tickets stand together.
type place struct {
	Workflow
	state    v1alpha1.Name
	progress v1alpha1.Progress
	broken   string // reason of a Ready condition that is false
	runs     v1alpha1.ParticipantsKind
}

// standing is what is kept of a ticket.
type standing struct {
	at      *place
	timer   int64    // Unix time of the first timer; 0 if there is none
	pending *pending // nil if nothing is
}

// pending is an action without an outcome, and since when it was seen.
type pending struct {
	id    string
	since time.Time
}

// AddCensus has a manager count the tickets in its cache while it leads, so that
// of several managers one tells.
func AddCensus(mgr ctrl.Manager, clk clock.PassiveClock) error {
	c := NewCensus(mgr.GetCache(), clk)
	ctrlmetrics.Registry.Unregister(c) // that of an earlier manager in this process
	if err := ctrlmetrics.Registry.Register(c); err != nil {
		return fmt.Errorf("register the count of tickets: %w", err)
	}
	if err := mgr.Add(c); err != nil {
		return fmt.Errorf("register the count of tickets: %w", err)
	}
	return nil
}

// NewCensus counts what a cache has, once it is started.
func NewCensus(c cache.Cache, clk clock.PassiveClock) *Census {
	return &Census{cache: c, clock: clk, stands: map[types.NamespacedName]standing{}, places: map[place]*place{}}
}

// Start counts until the context ends.
func (c *Census) Start(ctx context.Context) error {
	informer, err := c.cache.GetInformer(ctx, &v1alpha1.Ticket{})
	if err != nil {
		return fmt.Errorf("count the tickets: %w", err)
	}
	handle, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    c.note,
		UpdateFunc: func(_, now any) { c.note(now) },
		DeleteFunc: c.forget,
	})
	if err != nil {
		return fmt.Errorf("count the tickets: %w", err)
	}
	<-ctx.Done()
	if err := informer.RemoveEventHandler(handle); err != nil {
		return fmt.Errorf("stop counting tickets: %w", err)
	}
	return nil
}

func (c *Census) note(object any) {
	t, ok := object.(*v1alpha1.Ticket)
	if !ok {
		return
	}
	key := types.NamespacedName{Namespace: t.Namespace, Name: t.Name}
	c.mu.Lock()
	defer c.mu.Unlock()
	if refusedForGood(t) {
		delete(c.stands, key)
		return
	}
	now := standing{at: c.place(placeOf(t)), pending: c.stands[key].pending}
	if first, waits := engine.NextTimer(&t.Status); waits {
		now.timer = first.At.Unix()
	}
	if id := pendingID(slim.Whole(t)); id == "" {
		now.pending = nil
	} else if now.pending == nil || now.pending.id != id {
		now.pending = &pending{id: id, since: c.clock.Now()}
	}
	c.stands[key] = now
}

func (c *Census) forget(object any) {
	if gone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	if t, ok := object.(*v1alpha1.Ticket); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.stands, types.NamespacedName{Namespace: t.Namespace, Name: t.Name})
	}
}

// place is the one that is like this. There are never many more than tickets
// have been at since the start: workflows times states.
func (c *Census) place(like place) *place {
	if c.places[like] == nil {
		c.places[like] = &like
	}
	return c.places[like]
}

func placeOf(t *v1alpha1.Ticket) place {
	p := place{Workflow: WorkflowOf(t), state: t.Status.State, progress: t.Status.Progress}
	if t.Status.ID == 0 {
		p.Name = "" // what it names need not exist
	}
	ready := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionReady)
	if ready != nil && ready.Status == metav1.ConditionFalse {
		p.broken = ready.Reason
	}
	if kind := t.Status.Participants.Kind; engine.RunWanted(&t.Status, kind) != nil {
		p.runs = kind
	}
	return p
}

// opening stands for the action that a ticket's creation is.
const opening = "opening"

// pendingID names what has no outcome yet; "" if there is nothing.
func pendingID(t *v1alpha1.Ticket) string {
	switch {
	case t.Status.ID == 0 && meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionReady) == nil:
		return opening
	case t.Spec.Action == nil:
		return ""
	}
	if _, decided := engine.Outcome(&t.Status, t.Spec.Action.ID); decided {
		return ""
	}
	return t.Spec.Action.ID
}

// refusedForGood says that the ticket is none: it is only kept for its reason.
func refusedForGood(t *v1alpha1.Ticket) bool {
	return t.Status.ID == 0 && meta.IsStatusConditionFalse(t.Status.Conditions, v1alpha1.ConditionOpened)
}

// Describe names what is counted.
func (c *Census) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{ticketsDesc, brokenDesc, pendingDesc, oldestDesc, runsDesc, timersDesc, overdueDesc} {
		descs <- d
	}
}

// tally is what a scrape finds.
type tally struct {
	tickets, broken, runs    map[place]int
	pending, timers, overdue map[Workflow]int
	oldest                   map[Workflow]time.Time
}

// Collect tells how many there are.
func (c *Census) Collect(values chan<- prometheus.Metric) {
	if c.clock == nil {
		return
	}
	found := c.count()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		values <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for p, n := range found.tickets {
		gauge(ticketsDesc, float64(n), p.Namespace, p.Name, string(p.state), string(p.progress))
	}
	for p, n := range found.broken {
		gauge(brokenDesc, float64(n), p.Namespace, p.Name, p.broken)
	}
	for p, n := range found.runs {
		gauge(runsDesc, float64(n), string(p.runs), p.Namespace, p.Name)
	}
	for w, n := range found.pending {
		gauge(pendingDesc, float64(n), w.Namespace, w.Name)
		gauge(oldestDesc, unix(found.oldest[w]), w.Namespace, w.Name)
	}
	for w, n := range found.timers {
		gauge(timersDesc, float64(n), w.Namespace, w.Name)
		gauge(overdueDesc, float64(found.overdue[w]), w.Namespace, w.Name)
	}
}

func (c *Census) count() tally {
	found := tally{
		tickets: map[place]int{}, broken: map[place]int{}, runs: map[place]int{},
		pending: map[Workflow]int{}, timers: map[Workflow]int{}, overdue: map[Workflow]int{}, oldest: map[Workflow]time.Time{},
	}
	here := map[*place]int{}
	now := c.clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.stands {
		here[s.at]++
		if s.pending != nil {
			found.pending[s.at.Workflow]++
			if first, some := found.oldest[s.at.Workflow]; !some || s.pending.since.Before(first) {
				found.oldest[s.at.Workflow] = s.pending.since
			}
		}
		if s.timer != 0 {
			found.timers[s.at.Workflow]++
			if s.timer <= now.Unix() {
				found.overdue[s.at.Workflow]++
			}
		}
	}
	for at, n := range here {
		found.add(at, n)
	}
	return found
}

// add adds tickets that stand together to what they are counted under.
func (f *tally) add(at *place, n int) {
	if at.state != "" {
		f.tickets[place{Workflow: at.Workflow, state: at.state, progress: at.progress}] += n
	}
	if at.broken != "" {
		f.broken[place{Workflow: at.Workflow, broken: at.broken}] += n
	}
	if at.runs != "" {
		f.runs[place{Workflow: at.Workflow, runs: at.runs}] += n
	}
}
