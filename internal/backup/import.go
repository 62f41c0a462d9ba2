// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/internal/ids"
)

// workers is how many objects of a kind are written at once.
const workers = 16

// namedDifferences is how many differences are named; the rest is counted.
const namedDifferences = 50

// Import says where to import to. It can be run again after it was cut off.
type Import struct {
	// To is the cluster with the rights of whoever imports. Nothing is read
	// from a cache.
	To client.Client
	// Restorer is the cluster as ImporterName.
	Restorer client.Client
	// SystemNamespace has Ticketflow's own objects. Applications' tokens come
	// into it, wherever they were.
	SystemNamespace string
	// Overwrite replaces what differs, where that can be replaced.
	Overwrite bool
	// Report tells people what they should know.
	Report func(format string, arguments ...any)

	numbers  ids.Numbers
	tokens   tokens
	taken    map[int64]string // tickets that are here, by id
	orphans  orphans
	spaces   sync.Map // namespaces that are there
	mu       sync.Mutex
	outcome  Outcome
	group    *errgroup.Group
	ctx      context.Context // of the group: ends with its first error
	section  schema.GroupVersionKind
	gathered *unit
}

// Outcome is what came of an import.
type Outcome struct {
	// Created objects, and tickets that got their status back.
	Created int
	// Same is how many were there already.
	Same int
	// Ahead is how many tickets have gone on here since they were exported.
	Ahead int
	// Differing is how many were left alone because they differ, and
	// Differences says how, for the first of them.
	Differing   int
	Differences []string
}

// Run imports what open opens. It is read twice: nothing is written before it
// is known to be whole.
func (i *Import) Run(ctx context.Context, open func() (io.ReadCloser, error)) (Outcome, error) {
	if err := i.pass(open, i.survey); err != nil {
		return i.outcome, err
	}
	if err := i.look(ctx); err != nil {
		return i.outcome, err
	}
	if err := ids.RaiseCounters(ctx, i.To, i.SystemNamespace, i.numbers); err != nil {
		return i.outcome, fmt.Errorf("count on from the export's tickets: %w", err)
	}
	i.group, i.ctx = errgroup.WithContext(ctx)
	err := i.pass(open, func(o *unstructured.Unstructured) error { return i.take(ctx, o) })
	if failed := i.flush(ctx, schema.GroupVersionKind{}); failed != nil {
		err = failed // the cause
	}
	if err != nil {
		return i.outcome, err
	}
	err = i.adopt(ctx)
	return i.outcome, err
}

func (i *Import) pass(open func() (io.ReadCloser, error), use func(*unstructured.Unstructured) error) error {
	in, err := open()
	if err != nil {
		return fmt.Errorf("open the export: %w", err)
	}
	defer func() { _ = in.Close() }() // it is only read
	return read(in, func(h Header) error {
		i.numbers.Origin = h.Origin
		i.tokens.from, i.tokens.to = h.SystemNamespace, i.SystemNamespace
		return nil
	}, use)
}

// survey finds out, before anything is written, how far tickets were counted and
// which Secrets are applications' tokens.
func (i *Import) survey(o *unstructured.Unstructured) error {
	switch {
	case o.GroupVersionKind() == tickets:
		t, err := asTicket(o)
		if err != nil {
			return err
		}
		i.numbers.Note(t.Status.ID, t.Status.SerialNumber)
	case o.GroupVersionKind() == applications:
		i.tokens.note(o)
	case o.GroupVersionKind() == configMaps && o.GetName() == ids.CounterName:
		counters := &corev1.ConfigMap{}
		if err := convert(o, counters); err != nil {
			return err
		}
		return i.numbers.NoteCounters(counters)
	}
	return nil
}

// look notes which tickets are here already.
func (i *Import) look(ctx context.Context) error {
	i.taken = map[int64]string{}
	here := &Export{From: i.To, Report: i.Report}
	return here.each(ctx, tickets, func(o *unstructured.Unstructured) error {
		if id, found, err := unstructured.NestedInt64(o.Object, "status", "id"); err == nil && found {
			i.taken[id] = describe(o)
		}
		return nil
	})
}

// take takes the next object. Those of a kind are written side by side, kinds
// one after the other: each finds what it refers to.
func (i *Import) take(ctx context.Context, o *unstructured.Unstructured) error {
	if err := i.ctx.Err(); err != nil {
		return err
	}
	kind := o.GroupVersionKind()
	if kind == records {
		if i.gathered == nil || !i.gathered.has(o) {
			return fmt.Errorf("%s does not follow its ticket", describe(o))
		}
		i.gathered.records = append(i.gathered.records, o)
		return nil
	}
	if err := i.flush(ctx, kind); err != nil {
		return err
	}
	i.tokens.move(o)
	switch {
	case kind == tickets:
		i.gathered = &unit{ticket: o}
	case kind == revisions:
		i.run(o, func(ctx context.Context) error { return i.revision(ctx, o) })
	case isDefinition(o):
		i.run(o, func(ctx context.Context) error { return i.definition(ctx, o) })
	case kind == configMaps && o.GetName() == ids.CounterName:
		return nil // surveyed
	case kind == configMaps && ids.IsShard(o):
		return i.shard(ctx, o)
	case kind == configMaps, kind == secrets:
		i.run(o, func(ctx context.Context) error { _, err := i.put(ctx, i.To, o); return err })
	default:
		return fmt.Errorf("%s does not belong into an export", describe(o))
	}
	return nil
}

// flush writes the ticket that was gathered, and waits for the kind before to
// be written if another one comes.
func (i *Import) flush(ctx context.Context, next schema.GroupVersionKind) error {
	if u := i.gathered; u != nil {
		i.gathered = nil
		i.run(u.ticket, func(ctx context.Context) error { return i.ticket(ctx, u) })
	}
	if next == i.section {
		return nil
	}
	err := i.group.Wait()
	i.group, i.ctx = errgroup.WithContext(ctx)
	i.section = next
	i.group.SetLimit(workers)
	return err
}

func (i *Import) run(o *unstructured.Unstructured, write func(context.Context) error) {
	ctx := i.ctx
	i.group.Go(func() error {
		if err := write(ctx); err != nil {
			return fmt.Errorf("%s: %w", describe(o), err)
		}
		return nil
	})
}

// shard enters which ids belong to what.
func (i *Import) shard(ctx context.Context, o *unstructured.Unstructured) error {
	shard := &corev1.ConfigMap{}
	if err := convert(o, shard); err != nil {
		return err
	}
	if err := ids.MergeRegistry(ctx, i.To, i.SystemNamespace, shard); err != nil {
		return fmt.Errorf("the ids here are not those of the export; import before anything is defined: %w", err)
	}
	return nil
}

// space sees to it that an object's namespace is there.
func (i *Import) space(ctx context.Context, name string) error {
	if _, known := i.spaces.Load(name); known || name == "" {
		return nil
	}
	namespace := &corev1.Namespace{}
	err := i.To.Get(ctx, client.ObjectKey{Name: name}, namespace)
	if apierrors.IsNotFound(err) {
		namespace.Name = name
		err = i.To.Create(ctx, namespace)
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make the namespace %s: %w", name, err)
	}
	i.spaces.Store(name, true)
	return nil
}

func (i *Import) count(n *int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	*n++
}

// differs notes that an object is left alone.
func (i *Import) differs(o *unstructured.Unstructured, format string, arguments ...any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.outcome.Differing++
	if len(i.outcome.Differences) < namedDifferences {
		i.outcome.Differences = append(i.outcome.Differences, describe(o)+" "+fmt.Sprintf(format, arguments...))
	}
}

// number is an integer of an object; 0 if it is not there.
func number(o *unstructured.Unstructured, path ...string) int64 {
	found, _, err := unstructured.NestedInt64(o.Object, path...)
	if err != nil {
		return 0
	}
	return found
}
