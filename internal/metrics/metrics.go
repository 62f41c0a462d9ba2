// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metrics is all that Ticketflow counts and measures, in
// controller-runtime's registry. Labels come from bounded sets: namespaces and
// names of workflows, states and notifiers, and closed lists; never a ticket or
// a person. docs/observability.md has the same list for people.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Outcomes of what is tried.
const (
	// OutcomeAccepted is a ticket that was opened.
	OutcomeAccepted = "Accepted"
	// OutcomeRefused is a ticket that was not opened, or a timer after which
	// the ticket could not go on.
	OutcomeRefused = "Refused"
	// OutcomeMoved is a timer that has moved its ticket on.
	OutcomeMoved = "Moved"
)

// Outcome says how one request to another system went.
type Outcome string

// Outcomes of requests.
const (
	// Succeeded is a request that the other side took.
	Succeeded Outcome = "Succeeded"
	// Unreachable is one to a side that is down or fails: it is made again.
	Unreachable Outcome = "Unreachable"
	// Refused is one that the other side does not take.
	Refused Outcome = "Refused"
)

// Buckets, in seconds: of what people wait for, and of what waits for people.
var (
	promptly = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	running  = []float64{1, 2, 5, 15, 60, 300, 1800, 7200} // runs are noted in whole seconds
	waiting  = []float64{1, 5, 15, 60, 300, 1800, 7200}
	dwelling = []float64{1, 60, 600, 3600, 4 * 3600, 24 * 3600, 3 * 24 * 3600, 7 * 24 * 3600, 30 * 24 * 3600}
)

var (
	openings = counter("tickets_opened_total",
		"Tickets that asked to be opened, and what became of that.", "namespace", "workflow", "outcome", "reason")
	actions = counter("actions_total",
		"What people asked of tickets, and what was decided.", "type", "outcome", "reason")
	transitions = counter("transitions_total",
		"Moves of tickets from state to state, and what moved them.", "namespace", "workflow", "from", "to", "transition", "action")
	stateTime = histogram("state_duration_seconds",
		"How long tickets were in a state that they have left.", dwelling, "namespace", "workflow", "state")
	runTime = histogram("run_duration_seconds",
		"How long scripts and hooks took, repetitions included, and what became of them.", running, "kind", "namespace", "workflow", "state", "outcome")
	timerDelay = histogram("timer_delay_seconds",
		"How long after their time timers fired, and whether the ticket moved on.", waiting, "namespace", "workflow", "outcome")
	expired = counter("tickets_expired_total",
		"Finished tickets that were deleted because their workflow keeps them no longer.", "namespace", "workflow")
	hookTime = histogram("hook_call_duration_seconds",
		"How long single calls of hooks took, and how they went.", promptly, "namespace", "workflow", "state", "outcome")
	noticeTime = histogram("notice_send_duration_seconds",
		"How long single messages to notifiers took, and how that went.", promptly, "namespace", "notifier", "outcome")
	noticeDelay = histogram("notice_delay_seconds",
		"How long after something happened a notifier was told of it.", waiting, "namespace", "notifier")
	noticesDropped = counter("notices_dropped_total",
		"Messages that a notifier did not take for a day and that were given up.", "namespace", "notifier")
	requests = counter("rest_requests_total",
		"Requests to /api/v1.0 by the endpoint's pattern, and how they were answered.", "route", "method", "code", "reason")
	requestTime = histogram("rest_request_duration_seconds",
		"How long requests to /api/v1.0 took.", promptly, "route", "method")
	requestsInFlight = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: prefix, Name: "rest_requests_in_flight", Help: "Requests to /api/v1.0 that are being served.",
	})
)

// prefix of every name.
const prefix = "ticketflow"

// all is what is registered at the start; what counts the tickets that there
// are is registered by whoever has them.
var all = []prometheus.Collector{
	openings, actions, transitions, stateTime, runTime, timerDelay, expired, hookTime,
	noticeTime, noticeDelay, noticesDropped, requests, requestTime, requestsInFlight, outstanding,
}

func init() { ctrlmetrics.Registry.MustRegister(all...) }

// All is everything that Ticketflow measures.
func All() []prometheus.Collector { return append([]prometheus.Collector{&Census{}}, all...) }

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: prefix, Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: prefix, Name: name, Help: help, Buckets: buckets}, labels)
}

// Workflow is what most labels begin with.
type Workflow struct{ Namespace, Name string }

// WorkflowOf is the workflow that a ticket follows.
func WorkflowOf(t *v1alpha1.Ticket) Workflow {
	return Workflow{Namespace: t.Namespace, Name: string(t.Spec.WorkflowRef.Name)}
}

// Opening counts a ticket that was opened, or for a reason was not.
func Opening(w Workflow, reason string) {
	outcome := OutcomeAccepted
	if reason != "" {
		outcome = OutcomeRefused
	}
	openings.WithLabelValues(w.Namespace, w.Name, outcome, reason).Inc()
}

// Action counts an action that was decided.
func Action(kind v1alpha1.ActionType, outcome v1alpha1.ActionOutcome, reason string) {
	actions.WithLabelValues(string(kind), string(outcome), reason).Inc()
}

// Move counts one step of a ticket.
func Move(w Workflow, from, to, transition v1alpha1.Name, action v1alpha1.HistoryAction) {
	transitions.WithLabelValues(w.Namespace, w.Name, string(from), string(to), string(transition), string(action)).Inc()
}

// Left measures how long a ticket was in a state.
func Left(w Workflow, state v1alpha1.Name, after time.Duration) {
	stateTime.WithLabelValues(w.Namespace, w.Name, string(state)).Observe(seconds(after))
}

// Ran measures a run that has ended.
func Ran(w Workflow, state v1alpha1.Name, kind v1alpha1.ParticipantsKind, phase v1alpha1.RunPhase, took time.Duration) {
	runTime.WithLabelValues(string(kind), w.Namespace, w.Name, string(state), string(phase)).Observe(seconds(took))
}

// TimerFired measures how late a timer was.
func TimerFired(w Workflow, moved bool, late time.Duration) {
	outcome := OutcomeRefused
	if moved {
		outcome = OutcomeMoved
	}
	timerDelay.WithLabelValues(w.Namespace, w.Name, outcome).Observe(seconds(late))
}

// Expired counts a ticket that was deleted because it was kept for long enough.
func Expired(w Workflow) { expired.WithLabelValues(w.Namespace, w.Name).Inc() }

// HookCalled measures one call of a hook.
func HookCalled(w Workflow, state v1alpha1.Name, outcome Outcome, took time.Duration) {
	hookTime.WithLabelValues(w.Namespace, w.Name, string(state), string(outcome)).Observe(seconds(took))
}

// NoticeSent measures one message to a notifier.
func NoticeSent(namespace string, notifier v1alpha1.ObjectName, outcome Outcome, took time.Duration) {
	noticeTime.WithLabelValues(namespace, string(notifier), string(outcome)).Observe(seconds(took))
}

// NoticeTaken measures how long after an event a notifier has been told of it.
func NoticeTaken(namespace string, notifier v1alpha1.ObjectName, after time.Duration) {
	noticeDelay.WithLabelValues(namespace, string(notifier)).Observe(seconds(after))
}

// NoticeDropped counts a message that was given up.
func NoticeDropped(namespace string, notifier v1alpha1.ObjectName) {
	noticesDropped.WithLabelValues(namespace, string(notifier)).Inc()
}

// Request measures a request to /api/v1.0. The route is its endpoint's pattern.
func Request(route, method, code, reason string, took time.Duration) {
	method = knownMethod(method)
	requests.WithLabelValues(route, method, code, reason).Inc()
	requestTime.WithLabelValues(route, method).Observe(seconds(took))
}

// RequestBegins counts a request as being served until the function is called.
func RequestBegins() (ends func()) {
	requestsInFlight.Inc()
	return requestsInFlight.Dec
}

// knownMethod keeps what clients make up out of the labels.
func knownMethod(method string) string {
	switch method {
	case "GET", "POST", "PUT", "PATCH", "DELETE":
		return method
	}
	return "other"
}

// seconds of a time that went by; a clock that was set back makes none.
func seconds(d time.Duration) float64 { return max(d, 0).Seconds() }
