// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"fmt"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/internal/directory"
)

// tries is how often a write is attempted against other writers.
const tries = 10

// content are the members that make an object what it is.
var content = []string{"spec", "data", "binaryData", "type"}

// put makes an object without its status, or finds it. It answers nil if
// another is there that is to be left alone.
func (i *Import) put(ctx context.Context, c client.Client, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if err := i.space(ctx, o.GetNamespace()); err != nil {
		return nil, err
	}
	wanted := bare(o)
	err := c.Create(ctx, wanted)
	if !apierrors.IsAlreadyExists(err) {
		if err == nil {
			i.count(&i.outcome.Created)
		}
		return wanted, err
	}
	present := newObject(o.GroupVersionKind(), o.GetNamespace(), o.GetName())
	if err := i.To.Get(ctx, client.ObjectKeyFromObject(o), present); err != nil {
		return nil, fmt.Errorf("read what is there: %w", err)
	}
	switch {
	case same(present, o):
		i.count(&i.outcome.Same)
		return present, nil
	case !i.Overwrite:
		i.differs(o, "is there and differs")
		return nil, nil
	}
	for _, member := range content {
		if value, ok := o.Object[member]; ok {
			present.Object[member] = value
		} else {
			delete(present.Object, member)
		}
	}
	if err := c.Update(ctx, present); err != nil {
		return nil, fmt.Errorf("overwrite it: %w", err)
	}
	i.count(&i.outcome.Created)
	return present, nil
}

// bare is an object as it can be created: without what the server gives it, and
// without owners, whose UIDs are others here.
func bare(o *unstructured.Unstructured) *unstructured.Unstructured {
	wanted := newObject(o.GroupVersionKind(), o.GetNamespace(), o.GetName())
	wanted.SetLabels(o.GetLabels())
	annotations := maps.Clone(o.GetAnnotations())
	if isDefinition(o) {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[directory.AnnotationCreated] = directory.CreatedAt(o).UTC().Format(time.RFC3339)
	}
	wanted.SetAnnotations(annotations)
	for _, member := range append(content, "revision", "immutable") {
		if value, ok := o.Object[member]; ok {
			wanted.Object[member] = value
		}
	}
	return wanted
}

func same(a, b *unstructured.Unstructured) bool {
	for _, member := range content {
		if !equality.Semantic.DeepEqual(a.Object[member], b.Object[member]) {
			return false
		}
	}
	return true
}

// definition makes a definition, and gives it the id it had. A manager that
// runs here gives it the same: the registry was carried before.
func (i *Import) definition(ctx context.Context, o *unstructured.Unstructured) error {
	present, err := i.put(ctx, i.To, o)
	if err != nil || present == nil {
		return err
	}
	for range tries {
		switch is, was := number(present, "status", "id"), number(o, "status", "id"); {
		case was == 0, is == was && revisionOf(present) != "", is == was && revisionOf(o) == "":
			return nil
		case is != 0 && is != was:
			i.differs(o, "has the id %d here and %d in the export", is, was)
			return nil
		}
		present.Object["status"] = statusFor(o, present)
		err := i.Restorer.Status().Update(ctx, present)
		if !apierrors.IsConflict(err) {
			return err
		}
		if err := i.To.Get(ctx, client.ObjectKeyFromObject(o), present); err != nil {
			return fmt.Errorf("read what is there: %w", err)
		}
	}
	return fmt.Errorf("others wrote it %d times in a row", tries)
}

// revisionOf is the revision that serves a workflow's new tickets.
func revisionOf(o *unstructured.Unstructured) string {
	name, _, _ := unstructured.NestedString(o.Object, "status", "revision")
	return name
}

// statusFor is an object's status for its like in this cluster, whose
// generations are counted anew.
func statusFor(o, present *unstructured.Unstructured) map[string]any {
	status, _, _ := unstructured.NestedMap(o.Object, "status")
	recount := func(of map[string]any) {
		if of["observedGeneration"] == o.GetGeneration() {
			of["observedGeneration"] = present.GetGeneration()
		} else {
			delete(of, "observedGeneration")
		}
	}
	recount(status)
	conditions, _ := status["conditions"].([]any)
	for _, each := range conditions {
		if condition, ok := each.(map[string]any); ok {
			recount(condition)
		}
	}
	return status
}

// revision makes a revision. It belongs to nobody until all tickets are here: a
// manager deletes those of its workflows that no ticket follows.
func (i *Import) revision(ctx context.Context, o *unstructured.Unstructured) error {
	present, err := i.put(ctx, i.Restorer, o)
	if err != nil || present == nil {
		return err
	}
	for _, owner := range o.GetOwnerReferences() {
		i.orphans.add(o, owner)
	}
	return nil
}
