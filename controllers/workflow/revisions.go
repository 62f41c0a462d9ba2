// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package workflow

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
	"ticketflow.dev/ticketflow/internal/graphs"
)

// pruneAfter is how long nobody must have needed a revision before it goes. A
// ticket may be opened on it by a cache that lags a little.
const pruneAfter = 10 * time.Minute

// keepRevision sees to it that the revision of the workflow's spec exists and
// belongs to it, and answers its name.
func (r *Reconciler) keepRevision(ctx context.Context, w *v1alpha1.Workflow, given engine.IDs) (string, error) {
	wanted, err := graphs.NewRevision(w, given)
	if err != nil {
		return "", err
	}
	key := client.ObjectKeyFromObject(wanted)
	var present appsv1.ControllerRevision
	err = r.Client.Get(ctx, key, &present)
	if apierrors.IsNotFound(err) {
		err = r.Client.Create(ctx, wanted.DeepCopy())
		if !apierrors.IsAlreadyExists(err) {
			return wanted.Name, err
		}
		err = r.Live.Get(ctx, key, &present)
	}
	if err != nil {
		return "", fmt.Errorf("read revision %s: %w", wanted.Name, err)
	}
	if !genuine(&present, wanted) {
		return wanted.Name, r.replace(ctx, &present, wanted)
	}
	return wanted.Name, r.adopt(ctx, &present, wanted)
}

// genuine says whether a revision is what its name is the hash of. One that
// somebody put there under that name, without our label, is not kept from
// anybody by the admission policy.
func genuine(present, wanted *appsv1.ControllerRevision) bool {
	if present.Labels[v1alpha1.LabelWorkflow] != wanted.Labels[v1alpha1.LabelWorkflow] {
		return false
	}
	var is, should any
	if json.Unmarshal(present.Data.Raw, &is) != nil || json.Unmarshal(wanted.Data.Raw, &should) != nil {
		return false
	}
	return equality.Semantic.DeepEqual(is, should)
}

// replace puts the revision in the place of one that is not genuine.
func (r *Reconciler) replace(ctx context.Context, present, wanted *appsv1.ControllerRevision) error {
	this := client.Preconditions{UID: &present.UID}
	if err := r.Client.Delete(ctx, present, this); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %s, which is no revision of ours: %w", present.Name, err)
	}
	if err := r.Client.Create(ctx, wanted.DeepCopy()); err != nil {
		return fmt.Errorf("write revision %s: %w", wanted.Name, err)
	}
	return nil
}

// adopt takes over the revision of a workflow that was deleted and made anew:
// the garbage collector would take it away with its former owner.
func (r *Reconciler) adopt(ctx context.Context, present, wanted *appsv1.ControllerRevision) error {
	if metav1.IsControlledBy(present, &metav1.ObjectMeta{UID: wanted.OwnerReferences[0].UID}) {
		return nil
	}
	before := present.DeepCopy()
	present.OwnerReferences = wanted.OwnerReferences
	if err := r.Client.Patch(ctx, present, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("adopt revision %s: %w", present.Name, err)
	}
	return nil
}

// leaveRevisions lets the revisions that tickets follow outlive the workflow: the
// garbage collector would take them with it, and nobody could read those tickets
// any more. They stay with the namespace then: a few kilobytes for each.
func (r *Reconciler) leaveRevisions(ctx context.Context, w *v1alpha1.Workflow) error {
	revisions, err := r.revisions(ctx, w)
	if err != nil {
		return err
	}
	for i := range revisions {
		revision := &revisions[i]
		if !metav1.IsControlledBy(revision, w) {
			continue
		}
		followed, err := r.followed(ctx, revision)
		if err != nil {
			return err
		}
		if !followed {
			continue
		}
		left := revision.DeepCopy()
		left.OwnerReferences = nil
		if err := r.Client.Patch(ctx, left, client.MergeFrom(revision)); err != nil {
			return fmt.Errorf("leave revision %s: %w", revision.Name, err)
		}
	}
	return nil
}

// revisions are those of the workflow. They must not be changed.
func (r *Reconciler) revisions(ctx context.Context, w *v1alpha1.Workflow) ([]appsv1.ControllerRevision, error) {
	var revisions appsv1.ControllerRevisionList
	err := r.Client.List(ctx, &revisions, client.UnsafeDisableDeepCopy, client.InNamespace(w.Namespace),
		client.MatchingLabels{v1alpha1.LabelWorkflow: graphs.LabelValue(w.Name)})
	if err != nil {
		return nil, fmt.Errorf("list revisions: %w", err)
	}
	return revisions.Items, nil
}

// prune deletes revisions that nobody has needed for a while, and says when to
// look again.
func (r *Reconciler) prune(ctx context.Context, w *v1alpha1.Workflow) (time.Duration, error) {
	revisions, err := r.revisions(ctx, w)
	if err != nil {
		return 0, err
	}
	again := time.Duration(0)
	for i := range revisions {
		revision := &revisions[i]
		needed, err := r.needed(ctx, w, revision)
		if err != nil {
			return 0, err
		}
		since := r.unusedFor(client.ObjectKeyFromObject(revision), needed)
		switch {
		case needed:
		case since < pruneAfter:
			again = pruneAfter - since
		default:
			if err := r.Client.Delete(ctx, revision.DeepCopy()); client.IgnoreNotFound(err) != nil {
				return 0, fmt.Errorf("delete revision %s: %w", revision.Name, err)
			}
			r.unusedFor(client.ObjectKeyFromObject(revision), true)
		}
	}
	return again, nil
}

func (r *Reconciler) needed(ctx context.Context, w *v1alpha1.Workflow, revision *appsv1.ControllerRevision) (bool, error) {
	if revision.Name == w.Status.Revision || !metav1.IsControlledBy(revision, w) {
		return true, nil // one without an owner may be an import's, whose tickets are still to come
	}
	return r.followed(ctx, revision)
}

// followed says whether a ticket follows a revision.
func (r *Reconciler) followed(ctx context.Context, revision *appsv1.ControllerRevision) (bool, error) {
	var tickets v1alpha1.TicketList
	err := r.Client.List(ctx, &tickets, client.UnsafeDisableDeepCopy, client.InNamespace(revision.Namespace), client.Limit(1),
		client.MatchingFields{directory.IndexRevision: revision.Name})
	if err != nil {
		return false, fmt.Errorf("list tickets on revision %s: %w", revision.Name, err)
	}
	return len(tickets.Items) > 0, nil
}

// unusedFor notes whether a revision is needed and says for how long it has not been.
func (r *Reconciler) unusedFor(revision client.ObjectKey, needed bool) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if needed {
		delete(r.unused, revision)
		return 0
	}
	now := r.Clock.Now()
	since, known := r.unused[revision]
	if !known {
		if r.unused == nil {
			r.unused = map[client.ObjectKey]time.Time{}
		}
		r.unused[revision] = now
		return 0
	}
	return now.Sub(since)
}
