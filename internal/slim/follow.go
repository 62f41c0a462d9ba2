// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
)

// followed is a watch that goes on from a list, opened with its first page. Were it
// opened after the last, as informers do, kube-apiserver might have forgotten what
// has happened since: it is bound to remember a minute.
type followed struct {
	from   string // the list's resource version
	events watch.Interface
}

// follow opens the watch that goes on from a list.
func (l *lister) follow(ctx context.Context, from string) error {
	events, err := l.ListerWatcherWithContext.WatchWithContext(ctx, metav1.ListOptions{ResourceVersion: from, AllowWatchBookmarks: true})
	if err != nil {
		return err
	}
	l.unfollow(l.followed.Swap(&followed{from, keep(events, l.transform)}))
	return nil
}

func (*lister) unfollow(f *followed) {
	if f != nil {
		f.events.Stop()
	}
}

// WatchWithContext takes up the watch that was opened with the list, if it is asked
// to go on from there.
func (l *lister) WatchWithContext(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	f := l.followed.Swap(nil)
	if f != nil && f.from == o.ResourceVersion {
		return f.events, nil
	}
	l.unfollow(f)
	return l.ListerWatcherWithContext.WatchWithContext(ctx, o)
}

// kept is a watch whose events are kept, packed, until somebody wants them:
// kube-apiserver ends the watch of who leaves them lying.
type kept struct {
	watch.Interface
	out  chan watch.Event
	stop func()
	done chan struct{}
}

func keep(source watch.Interface, transform toolscache.TransformFunc) *kept {
	k := &kept{Interface: source, out: make(chan watch.Event), done: make(chan struct{})}
	k.stop = sync.OnceFunc(func() { close(k.done) })
	go k.run(transform)
	return k
}

// ResultChan has the events.
func (k *kept) ResultChan() <-chan watch.Event { return k.out }

// Stop ends the watch; more than once does no harm.
func (k *kept) Stop() {
	k.stop()
	k.Interface.Stop()
}

func (k *kept) run(transform toolscache.TransformFunc) {
	defer close(k.out)
	var waiting []watch.Event
	for source := k.Interface.ResultChan(); source != nil || len(waiting) > 0; {
		var out chan<- watch.Event // nobody, while nothing waits
		var next watch.Event
		if len(waiting) > 0 {
			out, next = k.out, waiting[0]
		}
		select {
		case event, ok := <-source:
			if !ok {
				source = nil
				continue
			}
			_, _ = transform(event.Object) // it stays whole where that fails
			waiting = append(waiting, event)
		case out <- next:
			waiting = waiting[1:]
		case <-k.done:
			return
		}
	}
}
