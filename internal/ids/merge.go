// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ids

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// ErrForeign says that a cluster has numbered tickets of its own.
var ErrForeign = errors.New("this cluster has given ids to tickets of its own, so the same ids would be given twice")

// Numbers is how far tickets have been counted.
type Numbers struct {
	// Origin names the installation that began to count. It is kept when all is
	// carried to another cluster; empty where nothing was counted yet.
	Origin string
	// Highest is the highest number taken, by the counter's key.
	Highest map[string]int64
}

// Note takes in that a ticket has an id and a serial number.
func (n *Numbers) Note(id v1alpha1.WireID, serial string) {
	if n.Highest == nil {
		n.Highest = map[string]int64{}
	}
	n.Highest[ticketKey] = max(n.Highest[ticketKey], int64(id))
	at := strings.LastIndexByte(serial, '_') + 1
	if at == 0 || len(serial) <= at+len(dayFormat) {
		return
	}
	beginning := serial[:at+len(dayFormat)]
	if key := serialKey + beginning; isDay(key) {
		n.Highest[key] = max(n.Highest[key], SerialNumber(serial, beginning))
	}
}

func isDay(key string) bool {
	_, ok := dayOf(key)
	return ok
}

// ReadNumbers reads how far tickets have been counted.
func ReadNumbers(ctx context.Context, from client.Reader, namespace string) (Numbers, error) {
	var counters corev1.ConfigMap
	err := from.Get(ctx, client.ObjectKey{Namespace: namespace, Name: CounterName}, &counters)
	if apierrors.IsNotFound(err) {
		return Numbers{}, nil
	}
	if err != nil {
		return Numbers{}, fmt.Errorf("read the counters: %w", err)
	}
	n := Numbers{Origin: originOf(&counters)}
	return n, n.NoteCounters(&counters)
}

// NoteCounters takes in how far counters have come.
func (n *Numbers) NoteCounters(counters *corev1.ConfigMap) error {
	if n.Highest == nil {
		n.Highest = map[string]int64{}
	}
	for key, text := range counters.Data {
		number, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("the counter %s holds %q: %w", key, text, err)
		}
		n.Highest[key] = max(n.Highest[key], number)
	}
	return nil
}

// originOf is which installation began to count.
func originOf(counters *corev1.ConfigMap) string {
	if origin := counters.Annotations[annotationOrigin]; origin != "" {
		return origin
	}
	return string(counters.UID)
}

// RaiseCounters sees to it that no number that was taken elsewhere is given
// again here. It must be done before the first of those tickets is written, so
// that a manager that runs here reserves none of their numbers.
func RaiseCounters(ctx context.Context, c client.Client, namespace string, n Numbers) error {
	if len(n.Highest) == 0 {
		return nil
	}
	for range tries {
		if err := raise(ctx, c, namespace, n); !IsConflict(err) {
			return err
		}
	}
	return fmt.Errorf("others wrote the counters %d times in a row", tries)
}

func raise(ctx context.Context, c client.Client, namespace string, n Numbers) error {
	var counters corev1.ConfigMap
	err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: CounterName}, &counters)
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		return fmt.Errorf("read the counters: %w", err)
	}
	if missing {
		counters.ObjectMeta = metav1.ObjectMeta{Namespace: namespace, Name: CounterName}
		metav1.SetMetaDataAnnotation(&counters.ObjectMeta, annotationOrigin, cmp.Or(n.Origin, string(uuid.NewUUID())))
	} else if originOf(&counters) != n.Origin {
		return ErrForeign
	}
	before := counters.DeepCopy()
	if counters.Data == nil {
		counters.Data = map[string]string{}
	}
	for key, number := range n.Highest {
		present, err := strconv.ParseInt(counters.Data[key], 10, 64)
		if err != nil || present < number {
			counters.Data[key] = strconv.FormatInt(number, 10)
		}
	}
	switch {
	case missing:
		return c.Create(ctx, &counters)
	case maps.Equal(before.Data, counters.Data):
		return nil
	}
	return c.Update(ctx, &counters)
}

// ShardsOf selects the ConfigMaps that remember which id belongs to what.
func ShardsOf(namespace string) []client.ListOption {
	return []client.ListOption{client.InNamespace(namespace), client.HasLabels{labelKind}}
}

// IsShard says whether a ConfigMap is one of those.
func IsShard(o metav1.Object) bool {
	_, ok := o.GetLabels()[labelKind]
	return ok
}

// MergeRegistry enters what another registry's shard knows into this one's. It
// enters nothing if an id or a name of the shard has another here: the error
// names all of those.
func MergeRegistry(ctx context.Context, c client.Client, namespace string, shard *corev1.ConfigMap) error {
	kind := Kind(shard.Labels[labelKind])
	registry := NewRegistry(c, namespace, nil)
	for range tries {
		err := registry.merge(ctx, kind, shard.Data)
		if !IsConflict(err) {
			return err
		}
		delete(registry.books, kind)
	}
	return fmt.Errorf("others wrote %s ids %d times in a row", kind, tries)
}

func (r *Registry) merge(ctx context.Context, kind Kind, entries map[string]string) error {
	b, err := r.book(ctx, kind)
	if err != nil {
		return err
	}
	fresh := map[v1alpha1.WireID]string{}
	var problems []error
	for _, text := range slices.Sorted(maps.Keys(entries)) {
		owner := entries[text]
		parsed, err := strconv.ParseInt(text, 10, 64)
		id := v1alpha1.WireID(parsed)
		if err != nil || id < 1 || id > lastID {
			return fmt.Errorf("%q is no id", text)
		}
		name := strings.TrimPrefix(owner, retired)
		switch present := b.owners[id]; {
		case present == "" && owner == name && b.byName[name] != 0:
			problems = append(problems, fmt.Errorf("%s %s has the id %d here and %d there", kind, name, b.byName[name], id))
		case present == "":
			fresh[id] = owner
		case strings.TrimPrefix(present, retired) != name:
			problems = append(problems, fmt.Errorf("the id %d of %s belongs to %s here and to %s there", id, kind, present, owner))
		}
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	return r.enter(ctx, kind, b, fresh)
}

// enter writes down whose ids are.
func (r *Registry) enter(ctx context.Context, kind Kind, b *book, owners map[v1alpha1.WireID]string) error {
	changed := map[v1alpha1.WireID]*corev1.ConfigMap{}
	for id, owner := range owners {
		number := id / perShard
		if changed[number] == nil {
			changed[number] = r.shard(kind, number, b.shards[number])
		}
		changed[number].Data[strconv.FormatInt(int64(id), 10)] = owner
	}
	for _, number := range slices.Sorted(maps.Keys(changed)) {
		if err := r.write(ctx, changed[number]); err != nil {
			return fmt.Errorf("record %s ids: %w", kind, err)
		}
		b.take(number, changed[number])
	}
	return nil
}
