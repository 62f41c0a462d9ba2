// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"cmp"
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/directory"
)

// Users lists users that have their id, in its order. They must not be changed.
func (b *Backend) Users(ctx context.Context) []*v1alpha1.User {
	var list v1alpha1.UserList
	b.all(ctx, &list)
	return inUse(list.Items, func(o *v1alpha1.User) *v1alpha1.DirectoryStatus { return &o.Status })
}

// UserRoles lists roles as Users lists users.
func (b *Backend) UserRoles(ctx context.Context) []*v1alpha1.UserRole {
	var list v1alpha1.UserRoleList
	b.all(ctx, &list)
	return inUse(list.Items, func(o *v1alpha1.UserRole) *v1alpha1.DirectoryStatus { return &o.Status })
}

// Departments lists departments as Users lists users.
func (b *Backend) Departments(ctx context.Context) []*v1alpha1.Department {
	var list v1alpha1.DepartmentList
	b.all(ctx, &list)
	return inUse(list.Items, func(o *v1alpha1.Department) *v1alpha1.DirectoryStatus { return &o.Status })
}

// Applications lists applications as Users lists users.
func (b *Backend) Applications(ctx context.Context) []*v1alpha1.Application {
	var list v1alpha1.ApplicationList
	b.all(ctx, &list)
	return inUse(list.Items, func(o *v1alpha1.Application) *v1alpha1.DirectoryStatus { return &o.Status })
}

// Scripts lists the scripts of all namespaces as Users lists users.
func (b *Backend) Scripts(ctx context.Context) []*v1alpha1.Script {
	var list v1alpha1.ScriptList
	b.all(ctx, &list)
	return inUse(list.Items, func(o *v1alpha1.Script) *v1alpha1.DirectoryStatus { return &o.Status })
}

// Notifiers lists the notifiers of all namespaces as Users lists users.
func (b *Backend) Notifiers(ctx context.Context) []*v1alpha1.Notifier {
	var list v1alpha1.NotifierList
	b.all(ctx, &list)
	return inUse(list.Items, func(o *v1alpha1.Notifier) *v1alpha1.DirectoryStatus { return &o.Status })
}

func (b *Backend) all(ctx context.Context, list client.ObjectList) {
	// The informer is there since Start; nothing else can fail.
	_ = b.cache.List(ctx, list, client.UnsafeDisableDeepCopy)
}

func inUse[T any](items []T, status func(*T) *v1alpha1.DirectoryStatus) []*T {
	out := make([]*T, 0, len(items))
	for i := range items {
		if s := status(&items[i]); s.ID != 0 && directory.Counts(s.Conditions) {
			out = append(out, &items[i])
		}
	}
	slices.SortFunc(out, func(a, b *T) int { return cmp.Compare(status(a).ID, status(b).ID) })
	return out
}
