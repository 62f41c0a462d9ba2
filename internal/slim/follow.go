// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
)

// followTime is how long the watch that follows a list may stay open, as informers
// ask for other watches.
const followTime = 10 * time.Minute

// followed is a watch that goes on from a list, opened with its first page. Were it
// opened after the last, as informers do, kube-apiserver might have forgotten what
// has happened since: in a busy cluster it remembers little more than a minute.
//
// Its events are kept, packed, until they are taken: kube-apiserver ends the watch
// of who leaves them lying.
type followed struct {
	from   string // the list's resource version
	source watch.Interface
	events chan watch.Event
	ctx    context.Context // done when it is stopped
	cancel context.CancelFunc
	over   chan struct{} // closed when no event will come
}

// follow opens the watch that goes on from a list.
func (l *lister) follow(ctx context.Context, from string) error {
	source, err := l.ListerWatcherWithContext.WatchWithContext(ctx, metav1.ListOptions{
		ResourceVersion: from, TimeoutSeconds: ptr.To(int64(followTime.Seconds())),
	})
	if err != nil {
		return fmt.Errorf("watch them: %w", err)
	}
	l.swap(keep(ctx, from, source, l.transform))
	return nil
}

// swap stops the watch that nobody has taken so far.
func (l *lister) swap(next *followed) {
	if last := l.followed.Swap(next); last != nil {
		last.Stop()
	}
}

// WatchWithContext takes up the watch that was opened with the list, if it is asked
// to go on from there and that has not ended meanwhile.
func (l *lister) WatchWithContext(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	if f := l.followed.Load(); f != nil && f.from == o.ResourceVersion && !f.isOver() && l.followed.CompareAndSwap(f, nil) {
		return f, nil
	}
	l.swap(nil)
	return l.ListerWatcherWithContext.WatchWithContext(ctx, o)
}

func keep(ctx context.Context, from string, source watch.Interface, transform toolscache.TransformFunc) *followed {
	ctx, cancel := context.WithCancel(ctx)
	f := &followed{from: from, source: source, events: make(chan watch.Event), ctx: ctx, cancel: cancel, over: make(chan struct{})}
	go f.run(transform)
	return f
}

// ResultChan has the events.
func (f *followed) ResultChan() <-chan watch.Event { return f.events }

// Stop ends the watch; more than once does no harm.
func (f *followed) Stop() {
	f.cancel()
	f.source.Stop()
}

func (f *followed) isOver() bool {
	select {
	case <-f.over:
		return true
	default:
		return false
	}
}

// run passes events on. An error ends the watch: the next one, from where this has
// come to, meets it again if it is not of the connection alone.
func (f *followed) run(transform toolscache.TransformFunc) {
	defer close(f.events)
	defer close(f.over)
	var waiting []watch.Event
	for source := f.source.ResultChan(); source != nil || len(waiting) > 0; {
		var out chan<- watch.Event // nobody, while nothing waits
		var next watch.Event
		if len(waiting) > 0 {
			out, next = f.events, waiting[0]
		}
		select {
		case event, ok := <-source:
			if !ok || event.Type == watch.Error {
				source = nil
				continue
			}
			_, _ = transform(event.Object) // it stays whole where that fails
			waiting = append(waiting, event)
		case out <- next:
			waiting[0] = watch.Event{} // which is large
			waiting = waiting[1:]
		case <-f.ctx.Done():
			return
		}
	}
}
