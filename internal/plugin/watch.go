// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// lookEvery is how often a list is looked at again. The aggregated API has no
// watch: kube-apiserver would have namespaces' deletion wait for it.
const lookEvery = 2 * time.Second

// patience is how many looks in a row may fail.
const patience = 5

// watched are the tickets of a list that is looked at again and again.
type watched struct {
	*lister
	show  func(...v1alpha1.Ticket) error
	shown map[types.UID]v1alpha1.Ticket
}

// follow shows what is there and then every change, until interrupted. What
// passes the filters no more is shown once more, as it left. A table has no new
// row for what its columns do not tell.
func (l *lister) follow(ctx context.Context, found []v1alpha1.Ticket) error {
	w := &watched{lister: l, show: l.shower(), shown: map[types.UID]v1alpha1.Ticket{}}
	if err := w.changes(ctx, found); err != nil {
		return err
	}
	failed := 0
	err := wait.PollUntilContextCancel(ctx, lookEvery, false, func(ctx context.Context) (bool, error) {
		found, err := l.list(ctx)
		if err == nil {
			err = w.changes(ctx, found)
		}
		if err == nil {
			failed = 0
			return false, nil
		}
		if failed++; failed < patience {
			return false, nil // a server that is being replaced, say
		}
		return false, err
	})
	if ctx.Err() != nil {
		return nil // an interruption is how a watch ends
	}
	return err
}

// changes shows what is new, changed or gone since the last look.
func (w *watched) changes(ctx context.Context, found []v1alpha1.Ticket) error {
	now := map[types.UID]v1alpha1.Ticket{}
	var rows []v1alpha1.Ticket
	for i := range found {
		t := &found[i]
		now[t.UID] = *t
		if before, known := w.shown[t.UID]; !known || w.differ(&before, t) {
			rows = append(rows, *t)
		}
	}
	for uid, before := range w.shown {
		if _, still := now[uid]; !still {
			left, err := w.left(ctx, &before)
			if err != nil {
				return err
			}
			rows = append(rows, *left)
		}
	}
	first := len(w.shown) == 0
	w.shown = now
	if len(rows) == 0 && !first {
		return nil
	}
	return w.show(rows...)
}

// differ says whether a change of a ticket is to be shown.
func (w *watched) differ(before, after *v1alpha1.Ticket) bool {
	if w.printer != nil {
		return before.ResourceVersion != after.ResourceVersion
	}
	return gist(before) != gist(after)
}

// left is a ticket that has left the list, as it did.
func (w *watched) left(ctx context.Context, before *v1alpha1.Ticket) (*v1alpha1.Ticket, error) {
	t, err := w.cluster.read(ctx, client.ObjectKeyFromObject(before))
	switch {
	case err == nil:
		return t.Ticket, nil
	case apierrors.IsNotFound(err):
		gone := before.DeepCopy()
		gone.DeletionTimestamp = &metav1.Time{Time: w.clock.Now()}
		return gone, nil
	case isRefused(err, engine.ReasonNotAllowed), apierrors.IsForbidden(err):
		return before, nil // it is shown to this user no more
	}
	return nil, err
}

// isRefused says whether Ticketflow said no for a reason.
func isRefused(err error, reason engine.Reason) bool {
	var refusal *engine.Refusal
	return errors.As(err, &refusal) && refusal.Reason == reason
}

// gist is what a table's row tells, its ages apart.
func gist(t *v1alpha1.Ticket) string {
	return fmt.Sprint(t.Status.ID, t.Status.State, progress(t), onWhom(&t.Status), t.Status.Title)
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
