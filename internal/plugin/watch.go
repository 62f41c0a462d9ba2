// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	toolswatch "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// watcher watches tickets for client-go, which opens a watch again that ended.
type watcher struct {
	client  client.WithWatch
	options []client.ListOption
}

// WatchWithContext opens a watch.
func (w watcher) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	raw := &client.ListOptions{Raw: &options}
	raw.ApplyOptions(w.options)
	return w.client.Watch(ctx, &v1alpha1.TicketList{}, raw)
}

// watchTickets tells of every change to tickets since a resource version, until
// told enough or the context ends.
func (c *cluster) watchTickets(ctx context.Context, version string, tell func(gone bool, t *v1alpha1.Ticket) (enough bool, err error), options ...client.ListOption) error {
	changes, err := toolswatch.NewRetryWatcherWithContext(ctx, version, watcher{client: c.client, options: options})
	if err != nil {
		return fmt.Errorf("watch tickets: %w", err)
	}
	defer changes.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event, open := <-changes.ResultChan():
			if !open {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return advise(fmt.Errorf("the watch on tickets ended"), "Run the command again.")
			}
			if event.Type == watch.Error {
				return fmt.Errorf("watch tickets: %w", apierrors.FromObject(event.Object))
			}
			t, ok := event.Object.(*v1alpha1.Ticket)
			if !ok {
				continue // a bookmark
			}
			if enough, err := tell(event.Type == watch.Deleted, t); enough || err != nil {
				return err
			}
		}
	}
}

// follow shows what is there and then every change, until interrupted. What
// passes the filters no more is shown once more, as it left. A table has no new
// row for what its columns do not tell.
func (l *lister) follow(ctx context.Context, found []v1alpha1.Ticket, version string) error {
	show := l.shower()
	shown := map[types.UID]string{}
	for i := range found {
		shown[found[i].UID] = gist(&found[i])
	}
	if err := show(found...); err != nil {
		return err
	}
	err := l.cluster.watchTickets(ctx, version, func(gone bool, t *v1alpha1.Ticket) (bool, error) {
		wanted := !gone && l.wanted(t)
		if gone && t.DeletionTimestamp == nil {
			t.DeletionTimestamp = &metav1.Time{Time: l.clock.Now()}
		}
		before, known := shown[t.UID]
		if wanted {
			shown[t.UID] = gist(t)
		} else {
			delete(shown, t.UID)
		}
		same := wanted && l.printer == nil && before == gist(t)
		if same || !wanted && !known {
			return false, nil
		}
		return false, show(*t)
	}, l.options()...)
	if ctx.Err() != nil {
		return nil // an interruption is how a watch ends
	}
	return err
}

// gist is what a table's row tells, its ages apart.
func gist(t *v1alpha1.Ticket) string {
	return fmt.Sprint(t.Status.ID, t.Status.State, progress(t), waitsFor(&t.Status.Participants), t.Status.Title)
}

// shower writes tickets as they come.
func (l *lister) shower() func(...v1alpha1.Ticket) error {
	if l.printer == nil {
		return l.table()
	}
	return func(tickets ...v1alpha1.Ticket) error {
		for i := range tickets {
			if err := l.print(l.printer, &tickets[i]); err != nil {
				return err
			}
		}
		return nil
	}
}
