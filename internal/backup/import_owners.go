// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// orphans are objects whose owner comes later.
type orphans struct {
	mu  sync.Mutex
	all []orphan
}

type orphan struct {
	kind            schema.GroupVersionKind
	namespace, name string
	owner           metav1.OwnerReference
}

func (s *orphans) add(o *unstructured.Unstructured, owner metav1.OwnerReference) {
	if !known(owner) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, orphan{kind: o.GroupVersionKind(), namespace: o.GetNamespace(), name: o.GetName(), owner: owner})
}

// known says whether an owner is one of ours. Others are not carried.
func known(owner metav1.OwnerReference) bool {
	kind := schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind)
	return kind == tickets || kind == workflows
}

// belong gives a ticket that is to be made to its owners, as far as they are here.
func (i *Import) belong(ctx context.Context, o, wanted *unstructured.Unstructured) error {
	var owners []metav1.OwnerReference
	for _, owner := range o.GetOwnerReferences() {
		if !known(owner) {
			continue
		}
		here, err := i.here(ctx, o.GetNamespace(), owner)
		if err != nil {
			return err
		}
		if here == nil {
			i.orphans.add(o, owner)
			continue
		}
		owners = append(owners, *here)
	}
	wanted.SetOwnerReferences(owners)
	return nil
}

// here is an owner in this cluster; nil if it is not here.
func (i *Import) here(ctx context.Context, namespace string, owner metav1.OwnerReference) (*metav1.OwnerReference, error) {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind))
	err := i.To.Get(ctx, client.ObjectKey{Namespace: namespace, Name: owner.Name}, object)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the owner %s: %w", owner.Name, err)
	}
	owner.UID = object.UID
	return &owner, nil
}

// adopt gives everything to its owner that could not be given before.
func (i *Import) adopt(ctx context.Context) error {
	for _, each := range i.orphans.all {
		owner, err := i.here(ctx, each.namespace, each.owner)
		if err != nil {
			return err
		}
		if owner == nil {
			continue // nor was it in the export
		}
		object := &metav1.PartialObjectMetadata{}
		object.SetGroupVersionKind(each.kind)
		if err := i.To.Get(ctx, client.ObjectKey{Namespace: each.namespace, Name: each.name}, object); err != nil {
			if apierrors.IsNotFound(err) {
				continue
			}
			return fmt.Errorf("read %s %s/%s: %w", each.kind.Kind, each.namespace, each.name, err)
		}
		if slices.ContainsFunc(object.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == owner.UID }) {
			continue
		}
		before := object.DeepCopy()
		object.OwnerReferences = append(object.OwnerReferences, *owner)
		patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
		if err := i.Restorer.Patch(ctx, object, patch); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("give %s %s/%s to its owner: %w", each.kind.Kind, each.namespace, each.name, err)
		}
	}
	return nil
}
