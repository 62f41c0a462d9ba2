// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ids

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// perShard is how many ids share a ConfigMap, which holds at most 1 MiB.
const perShard = 500

// retired marks an id that its owner had before its spec asked for another.
const retired = "-"

// SeenFunc lists what objects show in their status. It is asked once for each
// kind, before the first id is given out, so that a lost registry is rebuilt.
type SeenFunc func(ctx context.Context, kind Kind) ([]Claim, error)

// Registry remembers which id belongs to which name. It is kept in ConfigMaps
// of the system namespace, each with a range of ids, written with optimistic
// concurrency: no id is ever given twice, whoever else writes.
type Registry struct {
	client    client.Client
	namespace string
	seen      SeenFunc

	mu    sync.Mutex
	books map[Kind]*book
}

// NewRegistry makes a Registry. The client must not answer from a cache where
// ConfigMaps are concerned.
func NewRegistry(c client.Client, namespace string, seen SeenFunc) *Registry {
	return &Registry{client: c, namespace: namespace, seen: seen, books: map[Kind]*book{}}
}

// book is what is known of one kind.
type book struct {
	shards map[v1alpha1.WireID]*corev1.ConfigMap // by range
	owners map[v1alpha1.WireID]string            // retired ones too
	byName map[string]v1alpha1.WireID
	next   v1alpha1.WireID
}

// Assign gives every claim its id, or none: if an id is wanted that belongs to
// something else, the error is a TakenError that names the first such.
func (r *Registry) Assign(ctx context.Context, kind Kind, claims []Claim) (map[string]v1alpha1.WireID, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, err := r.book(ctx, kind)
	if err != nil {
		return nil, err
	}
	answer, fresh, err := b.settle(kind, claims)
	if err != nil || len(fresh) == 0 {
		return answer, err
	}
	// Others write seldom, but an import does: what it entered counts.
	if err := r.current(ctx, kind, b); err != nil {
		delete(r.books, kind)
		return nil, err
	}
	if err := r.record(ctx, kind, b, fresh); err != nil {
		delete(r.books, kind) // what is written is known only after reading it again
		return nil, err
	}
	return answer, nil
}

// settle decides which id each claim gets and which of them are new, without
// changing the book.
func (b *book) settle(kind Kind, claims []Claim) (answer, fresh map[string]v1alpha1.WireID, err error) {
	answer = make(map[string]v1alpha1.WireID, len(claims))
	fresh = map[string]v1alpha1.WireID{}
	given := map[v1alpha1.WireID]string{}
	owner := func(id v1alpha1.WireID) string {
		if name, ok := given[id]; ok {
			return name
		}
		return strings.TrimPrefix(b.owners[id], retired)
	}
	give := func(name string, id v1alpha1.WireID) {
		answer[name] = id
		given[id] = name
		if b.byName[name] != id {
			fresh[name] = id
		}
	}
	for _, c := range claims {
		if c.Want == 0 {
			continue
		}
		if by := owner(c.Want); by != "" && by != c.Name {
			return nil, nil, &TakenError{Kind: kind, ID: c.Want, Owner: by, Name: c.Name}
		}
		give(c.Name, c.Want)
	}
	next := b.next
	for _, c := range claims {
		switch known := b.byName[c.Name]; {
		case c.Want != 0:
		case known != 0:
			give(c.Name, known)
		case c.Seen != 0 && owner(c.Seen) == "":
			give(c.Name, c.Seen)
		default:
			for owner(next) != "" {
				next++
			}
			if next > lastID {
				return nil, nil, fmt.Errorf("no %s ids are left", kind)
			}
			give(c.Name, next)
		}
	}
	return answer, fresh, nil
}

// record writes new ids down before anybody sees them.
func (r *Registry) record(ctx context.Context, kind Kind, b *book, fresh map[string]v1alpha1.WireID) error {
	if len(fresh) == 0 {
		return nil
	}
	owners := map[v1alpha1.WireID]string{}
	for name, id := range fresh {
		if old := b.byName[name]; old != 0 {
			owners[old] = retired + name
		}
		owners[id] = name
	}
	return r.enter(ctx, kind, b, owners)
}

// errStale says that somebody else has written the registry.
var errStale = apierrors.NewConflict(corev1.Resource("configmaps"), "ticketflow-ids", errors.New("others have entered ids"))

// current is nil if a book shows all that is written down.
func (r *Registry) current(ctx context.Context, kind Kind, b *book) error {
	shards := metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMapList"}}
	if err := r.client.List(ctx, &shards, client.InNamespace(r.namespace), client.MatchingLabels{labelKind: string(kind)}); err != nil {
		return fmt.Errorf("look for other writers of %s ids: %w", kind, err)
	}
	versions := map[string]string{}
	for _, shard := range b.shards {
		versions[shard.Name] = shard.ResourceVersion
	}
	for i := range shards.Items {
		if versions[shards.Items[i].Name] != shards.Items[i].ResourceVersion {
			return errStale
		}
	}
	if len(versions) != len(shards.Items) {
		return errStale
	}
	return nil
}

func (r *Registry) shard(kind Kind, shard v1alpha1.WireID, present *corev1.ConfigMap) *corev1.ConfigMap {
	if present != nil {
		changed := present.DeepCopy()
		if changed.Data == nil {
			changed.Data = map[string]string{}
		}
		return changed
	}
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.namespace,
			Name:      fmt.Sprintf("ticketflow-ids-%s-%d", kind, shard),
			Labels:    map[string]string{labelKind: string(kind)},
		},
		Data: map[string]string{},
	}
}

func (r *Registry) write(ctx context.Context, shard *corev1.ConfigMap) error {
	if shard.ResourceVersion == "" {
		return r.client.Create(ctx, shard)
	}
	return r.client.Update(ctx, shard)
}

// book reads what is known of a kind, once.
func (r *Registry) book(ctx context.Context, kind Kind) (*book, error) {
	if b := r.books[kind]; b != nil {
		return b, nil
	}
	b := &book{
		shards: map[v1alpha1.WireID]*corev1.ConfigMap{},
		owners: map[v1alpha1.WireID]string{},
		byName: map[string]v1alpha1.WireID{},
		next:   firstAssigned,
	}
	var shards corev1.ConfigMapList
	if err := r.client.List(ctx, &shards, client.InNamespace(r.namespace), client.MatchingLabels{labelKind: string(kind)}); err != nil {
		return nil, fmt.Errorf("read %s ids: %w", kind, err)
	}
	for i := range shards.Items {
		name := shards.Items[i].Name
		number, err := strconv.ParseInt(name[strings.LastIndexByte(name, '-')+1:], 10, 64)
		if err != nil {
			continue // not one of ours
		}
		b.take(v1alpha1.WireID(number), &shards.Items[i])
	}
	if err := r.believe(ctx, kind, b); err != nil {
		return nil, err
	}
	r.books[kind] = b
	return b, nil
}

// believe takes in what objects show in their status and the registry does
// not know.
func (r *Registry) believe(ctx context.Context, kind Kind, b *book) error {
	if r.seen == nil {
		return nil
	}
	seen, err := r.seen(ctx, kind)
	if err != nil {
		return fmt.Errorf("look for %s ids in use: %w", kind, err)
	}
	fresh := map[string]v1alpha1.WireID{}
	taken := map[v1alpha1.WireID]bool{}
	for _, c := range seen {
		if c.Seen != 0 && b.byName[c.Name] == 0 && b.owners[c.Seen] == "" && !taken[c.Seen] {
			fresh[c.Name] = c.Seen
			taken[c.Seen] = true
		}
	}
	return r.record(ctx, kind, b, fresh)
}

// take enters a shard into the book.
func (b *book) take(number v1alpha1.WireID, shard *corev1.ConfigMap) {
	b.shards[number] = shard
	for text, owner := range shard.Data {
		parsed, err := strconv.ParseInt(text, 10, 64)
		id := v1alpha1.WireID(parsed)
		if err != nil || id < 1 || id > lastID {
			continue
		}
		b.owners[id] = owner
		if !strings.HasPrefix(owner, retired) {
			b.byName[owner] = id
		}
		// Ids kept from elsewhere may be anywhere; only the run of assigned
		// ones, and what lies close above it, moves the next one on.
		if id >= b.next && id < b.next+perShard*perShard {
			b.next = id + 1
		}
	}
}

// IsConflict says whether an error only means that another write came first.
func IsConflict(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)
}
