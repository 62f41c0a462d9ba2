// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package notify tells people of what happens to tickets, through the notifiers
// that their workflows name: at least once, in the order of each ticket's
// history. How far each notifier has been told stands in status.notified. A
// notifier that is down holds up neither tickets nor other notifiers.
package notify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/conditions"
	"ticketflow.dev/ticketflow/internal/graphs"
	"ticketflow.dev/ticketflow/internal/history"
	"ticketflow.dev/ticketflow/internal/metrics"
	"ticketflow.dev/ticketflow/internal/outbound"
	"ticketflow.dev/ticketflow/internal/wire"
)

const (
	// workers is how many tickets are told of at once: they wait more than work.
	workers = 32
	// patience is how long a notifier that refuses a message is offered it again.
	// One that is down is waited for without end.
	patience = 24 * time.Hour
	// longestRefusal bounds the time between two offers of a message that is
	// refused; it is as long as the message is old.
	longestRefusal = 10 * time.Minute
	// stuckAfter is for how long something waits for a notifier that is down
	// before somebody is told.
	stuckAfter = 5 * time.Minute
)

// Reconciler tells notifiers of tickets.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live reads past the cache.
	Live client.Reader
	// Graphs knows the revisions of workflows.
	Graphs *graphs.Graphs
	// Writer writes tickets as the other side knows them.
	Writer wire.Writer
	// Outbound makes the requests.
	Outbound *outbound.Client
	// Events are told of messages that were given up; there may be no one to tell.
	Events events.EventRecorder
	// Clock tells the time.
	Clock clock.PassiveClock

	once    sync.Once
	gates   gates
	cursors cursors
}

// +kubebuilder:rbac:groups=ticketflow.dev,resources=tickets;notifiers;users;scripts,verbs=get;list;watch
// +kubebuilder:rbac:groups=ticketflow.dev,resources=ticketrecords,verbs=get;list;watch
// +kubebuilder:rbac:groups=ticketflow.dev,resources=tickets/status,verbs=get;patch
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get

// Register adds the reconciler to a manager.
func (r *Reconciler) Register(mgr ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).
		Named("notify").
		For(&v1alpha1.Ticket{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(reconcile.Func(r.Reconcile))
	if err != nil {
		return fmt.Errorf("register notify: %w", err)
	}
	return nil
}

// Reconcile tells the ticket's notifiers what they have not been told.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	r.once.Do(func() { r.gates.clock = r.Clock })
	t := &v1alpha1.Ticket{}
	if err := r.Client.Get(ctx, request.NamespacedName, t, client.UnsafeDisableDeepCopy); err != nil {
		metrics.ForgetNotices(request.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if t.Status.WorkflowRevision == "" || !t.DeletionTimestamp.IsZero() {
		r.cursors.forget(t.UID)
		metrics.ForgetNotices(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	graph, err := r.Graphs.Revision(ctx, t.Namespace, t.Status.WorkflowRevision)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read the ticket's workflow: %w", err)
	}
	again := r.tellAll(ctx, t, graph)
	r.tellOfBacklog(t, graph)
	marks, wait := r.cursors.due(t, r.Clock.Now())
	if marks != nil {
		if err := write(ctx, r.Client, t, marks); err != nil {
			return reconcile.Result{}, client.IgnoreNotFound(err)
		}
	}
	return reconcile.Result{RequeueAfter: sooner(again, wait)}, nil
}

// sooner is the shorter of two times, of which 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// tellAll tells each notifier at the same time, so that none waits for another,
// and says after what time to go on.
func (r *Reconciler) tellAll(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph) time.Duration {
	notifiers := graph.Notifiers()
	waits := make([]time.Duration, len(notifiers))
	newest := engine.NewestNotice(graph, &t.Status)
	var group sync.WaitGroup
	for i, notifier := range notifiers {
		if r.cursors.told(t, notifier) < newest {
			group.Go(func() { waits[i] = r.tell(ctx, t, graph, notifier) })
		}
	}
	group.Wait()
	again := time.Duration(0)
	for _, wait := range waits {
		again = sooner(again, wait)
	}
	return again
}

// tellOfBacklog measures what could not be told.
func (r *Reconciler) tellOfBacklog(t *v1alpha1.Ticket, graph *engine.Graph) {
	for _, notifier := range graph.Notifiers() {
		told := r.cursors.told(t, notifier)
		metrics.NoticesOutstanding(types.NamespacedName{Namespace: t.Namespace, Name: string(notifier)}, client.ObjectKeyFromObject(t),
			told, engine.OutstandingSince(graph, &t.Status, told))
	}
}

// tell tells one notifier everything that it has not been told, in order, and
// says after what time to go on if that could not be done.
func (r *Reconciler) tell(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph, name v1alpha1.ObjectName) (again time.Duration) {
	key := types.NamespacedName{Namespace: t.Namespace, Name: string(name)}
	wait, ok := r.gates.enter(key)
	if !ok {
		return wait
	}
	down := false
	defer func() { r.gates.leave(key, down) }()
	notifier := &v1alpha1.Notifier{}
	switch err := r.Client.Get(ctx, key, notifier); {
	case apierrors.IsNotFound(err): // it is skipped (rest-behaviour.md §8.4)
		r.cursors.advance(t, name, t.Status.HistoryCount)
		return 0
	case err != nil:
		down = true
		return shortestPause
	}
	entries, err := r.entries(ctx, t, r.cursors.told(t, name))
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not read what a notifier is to be told", "notifier", name)
		return shortestPause
	}
	for i := range entries {
		if graph.Notifies(&entries[i]) {
			again, failure := r.offer(ctx, t, graph, notifier, &entries[i])
			if again > 0 {
				down = errors.Is(failure, outbound.ErrTryAgain)
				return again
			}
		}
		r.cursors.advance(t, name, entries[i].Seq)
	}
	return 0
}

// offer tells a notifier of one entry. If it is to be offered that again, it
// says after what time, and why.
func (r *Reconciler) offer(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph, notifier *v1alpha1.Notifier, entry *v1alpha1.HistoryEntry) (again time.Duration, failure error) {
	began, name := r.Clock.Now(), v1alpha1.ObjectName(notifier.Name)
	err := r.send(ctx, t, graph, notifier, entry)
	if err != nil && ctx.Err() != nil {
		return shortestPause, nil // cut off by a shutdown
	}
	metrics.NoticeSent(t.Namespace, name, outbound.Outcome(err), r.Clock.Since(began))
	age := r.Clock.Since(entry.Time.Time)
	switch {
	case err == nil:
		metrics.NoticeTaken(t.Namespace, name, age)
		return 0, nil
	case errors.Is(err, outbound.ErrTryAgain):
		log.FromContext(ctx).V(1).Info("A notifier cannot be reached", "notifier", name)
		if age >= stuckAfter {
			r.complain(t, v1alpha1.ReasonNoticeStuck, name, "cannot be reached, and is tried again", err)
		}
		return shortestPause, err // the gate knows better when its time comes
	case age < patience:
		r.complain(t, v1alpha1.ReasonNoticeRefused, name, "does not take what it is told, and is offered it again", err)
		return min(max(age, shortestPause), longestRefusal), err
	}
	r.complain(t, v1alpha1.ReasonNoticeRefused, name, "was not told, since it did not take it for a day", err)
	metrics.NoticeDropped(t.Namespace, name)
	return 0, err
}

// entries are the ticket's entries after a number.
func (r *Reconciler) entries(ctx context.Context, t *v1alpha1.Ticket, after int64) ([]v1alpha1.HistoryEntry, error) {
	entries := t.Status.History
	if after < t.Status.HistoryCount-int64(len(entries)) {
		older, err := history.Recorded(ctx, r.Live, t, history.ByLabel(t))
		if err != nil {
			return nil, err
		}
		entries = append(older, entries...)
	}
	for len(entries) > 0 && entries[0].Seq <= after {
		entries = entries[1:]
	}
	return entries, nil
}

// maxNote is the API's bound on an event's note, in bytes.
const maxNote = 1024

// complain tells whoever looks at the ticket that people are not.
func (r *Reconciler) complain(t *v1alpha1.Ticket, reason string, notifier v1alpha1.ObjectName, what string, cause error) {
	if r.Events != nil {
		note := fmt.Sprintf("Notifier %s %s: %s", notifier, what, cause)
		r.Events.Eventf(t, nil, corev1.EventTypeWarning, reason, "Notify", "%s", conditions.Truncate(note, maxNote))
	}
}
