// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	runtimemanager "sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/script"
)

// run is a run that was started. Its result is there once it has ended.
type run struct {
	ticket types.UID
	cancel context.CancelFunc
	ended  chan struct{}
	result script.Result
	err    error
}

// Watch ends what a manager that was killed has left, wakes the reconciler when
// a run has ended, ends the runs of tickets that are deleted, and all of them
// when the manager shuts down.
func (r *Runner) Watch(mgr ctrl.Manager, b *builder.Builder) error {
	r.woken = make(chan event.GenericEvent)
	b.WatchesRawSource(source.Channel(r.woken, &handler.EnqueueRequestForObject{}))
	b.Watches(&v1alpha1.Ticket{}, handler.Funcs{
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, _ workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			r.dropTicket(e.Object.GetUID())
		},
	})
	return mgr.Add(runtimemanager.RunnableFunc(func(ctx context.Context) error {
		// Not only before the next run, which may be far away.
		if err := r.Sweep(); err != nil {
			log.FromContext(ctx).Error(err, "Could not end what earlier runs have left")
		}
		<-ctx.Done()
		r.Shutdown()
		return nil
	}))
}

// Start starts a run, unless it was started before.
func (r *Runner) Start(ctx context.Context, task script.Task) (string, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.closed {
		return "", errors.New("the manager shuts down")
	}
	if r.runs == nil {
		r.runs, r.turns, r.closing = map[string]*run{}, make(chan struct{}, atOnce), make(chan struct{})
	}
	if r.runs[task.Name] != nil {
		return "", nil
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it goes on when the reconciliation is over
	started := &run{ticket: task.Ticket.UID, cancel: cancel, ended: make(chan struct{})}
	r.runs[task.Name] = started
	r.working.Go(func() {
		defer cancel()
		started.result, started.err = r.inTurn(ctx, task)
		close(started.ended)
		r.wake(ctx, task.Ticket)
	})
	return "", nil
}

// inTurn runs a script once there is room for it.
func (r *Runner) inTurn(ctx context.Context, task script.Task) (script.Result, error) {
	select {
	case r.turns <- struct{}{}:
	case <-ctx.Done():
		return script.Result{}, context.Cause(ctx)
	}
	defer func() { <-r.turns }()
	return r.Run(ctx, task)
}

// wake has the ticket looked at, if somebody listens and still wants to.
func (r *Runner) wake(ctx context.Context, t *v1alpha1.Ticket) {
	if r.woken == nil {
		return
	}
	about := &v1alpha1.Ticket{}
	about.Namespace, about.Name = t.Namespace, t.Name
	select {
	case r.woken <- event.GenericEvent{Object: about}:
	case <-ctx.Done():
	case <-r.closing:
	}
}

// Observe says how a run stands. One that this manager has not started was cut
// off with the manager that had: it is not known, and is run again.
func (r *Runner) Observe(_ context.Context, _ *v1alpha1.Ticket, name string) (script.Standing, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	known, ok := r.runs[name]
	if !ok {
		return script.Standing{}, nil
	}
	select {
	case <-known.ended:
	default:
		return script.Standing{Known: true, Again: checkInterval}, nil
	}
	if known.err != nil {
		delete(r.runs, name) // it did not come to an end: it is run again
		return script.Standing{}, known.err
	}
	return script.Standing{Known: true, Result: &known.result}, nil
}

// Drop lets go of a run, and ends it if it still runs.
func (r *Runner) Drop(_ context.Context, _ *v1alpha1.Ticket, name string) error {
	r.mutex.Lock()
	dropped := r.runs[name]
	delete(r.runs, name)
	r.mutex.Unlock()
	if dropped != nil {
		dropped.cancel()
		<-dropped.ended
	}
	return nil
}

// dropTicket ends the runs of a ticket that is gone, without waiting for that.
func (r *Runner) dropTicket(uid types.UID) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for name, each := range r.runs {
		if each.ticket == uid {
			each.cancel()
			delete(r.runs, name)
		}
	}
}

// Shutdown ends all runs and waits until they have ended. None is started after
// it.
func (r *Runner) Shutdown() {
	r.mutex.Lock()
	if r.closed {
		r.mutex.Unlock()
		return
	}
	r.closed = true
	if r.closing != nil {
		close(r.closing)
	}
	for _, each := range r.runs {
		each.cancel()
	}
	r.mutex.Unlock()
	r.working.Wait()
	if r.starter != nil {
		r.starter.stop()
	}
}
