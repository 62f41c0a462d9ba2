// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/ids"
)

// Export says what to export, and to whom.
type Export struct {
	// From is the cluster, not a cache of it.
	From client.Reader
	// SystemNamespace has Ticketflow's own objects.
	SystemNamespace string
	// WithSecrets takes along the Secrets that definitions refer to.
	WithSecrets bool
	// Clock tells the time.
	Clock clock.PassiveClock
	// Report tells people what they should know.
	Report func(format string, arguments ...any)

	out  *writer
	refs references
}

// Run writes the export. Memory does not grow with the number of tickets.
func (e *Export) Run(ctx context.Context, out io.Writer) error {
	numbers, err := ids.ReadNumbers(ctx, e.From, e.SystemNamespace)
	if err != nil {
		return err
	}
	e.refs = references{}
	e.out, err = newWriter(out, Header{
		Format: format, Version: version, CreatedAt: metav1.NewTime(e.Clock.Now()), Origin: numbers.Origin,
		SystemNamespace: e.SystemNamespace, Secrets: e.WithSecrets,
	})
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{e.ids, e.definitions, e.revisions, e.referenced, e.tickets} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return e.out.close()
}

func (e *Export) ids(ctx context.Context) error {
	counters := newObject(configMaps, e.SystemNamespace, ids.CounterName)
	if err := e.get(ctx, counters); err != nil {
		return err
	}
	return e.each(ctx, configMaps, e.out.object, ids.ShardsOf(e.SystemNamespace)...)
}

func (e *Export) definitions(ctx context.Context) error {
	for _, kind := range definitions {
		err := e.each(ctx, kind, func(o *unstructured.Unstructured) error {
			if o.GetDeletionTimestamp() != nil {
				e.Report("%s is being deleted; it is carried as if it were not.", describe(o))
			}
			e.refs.find(o.GetNamespace(), o.Object["spec"])
			return e.out.object(o)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// revisions are what tickets under way follow: older ones refer to Secrets too.
func (e *Export) revisions(ctx context.Context) error {
	return e.each(ctx, revisions, func(o *unstructured.Unstructured) error {
		e.refs.find(o.GetNamespace(), o.Object["data"])
		return e.out.object(o)
	}, client.HasLabels{v1alpha1.LabelWorkflow})
}

// referenced are the ConfigMaps, and if asked for the Secrets, that definitions
// refer to. Only Secrets that Ticketflow may read are taken.
func (e *Export) referenced(ctx context.Context) error {
	left := 0
	for _, ref := range e.refs.sorted() {
		o := newObject(ref.kind, ref.namespace, ref.name)
		if ref.kind == secrets && !e.WithSecrets {
			left++
			continue
		}
		if err := e.get(ctx, o, func() bool {
			_, labelled := o.GetLabels()[v1alpha1.LabelUse]
			return ref.kind != secrets || labelled
		}); err != nil {
			return err
		}
	}
	if left > 0 {
		e.Report("%d Secrets that definitions refer to are left out: carry them otherwise, or export with --with-secrets.", left)
	}
	return nil
}

// get writes one object, if it is there and is wanted.
func (e *Export) get(ctx context.Context, o *unstructured.Unstructured, wanted ...func() bool) error {
	name := describe(o)
	err := e.From.Get(ctx, client.ObjectKeyFromObject(o), o)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	for _, is := range wanted {
		if !is() {
			e.Report("%s is left out: it lacks the label %s.", name, v1alpha1.LabelUse)
			return nil
		}
	}
	return e.out.object(o)
}

// each goes through all objects of a kind, page by page. A list that takes
// longer than the server remembers is gone on with as things are by then.
func (e *Export) each(ctx context.Context, kind schema.GroupVersionKind, use func(*unstructured.Unstructured) error, opts ...client.ListOption) error {
	next := ""
	for {
		page := &unstructured.UnstructuredList{}
		page.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		err := e.From.List(ctx, page, append(opts, client.Limit(pageSize), client.Continue(next))...)
		if onward := continuation(err); onward != "" {
			e.Report("Listing %s took so long that the rest is as of now, and not as of the beginning.", kind.Kind)
			next = onward
			continue
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", kind.Kind, err)
		}
		for i := range page.Items {
			if err := use(&page.Items[i]); err != nil {
				return err
			}
		}
		if next = page.GetContinue(); next == "" {
			return nil
		}
	}
}

// continuation is how to go on with a list whose beginning the server has forgotten.
func continuation(err error) string {
	if status := apierrors.APIStatus(nil); apierrors.IsResourceExpired(err) && asStatus(err, &status) {
		return status.Status().Continue
	}
	return ""
}
