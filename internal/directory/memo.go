// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package directory

import "ticketflow.dev/ticketflow/api/v1alpha1"

// memo are lookups that were made before; nil stands for what was not found.
type memo struct {
	users        map[string]*v1alpha1.User
	applications map[string]*v1alpha1.Application
}

// Remembering looks each user and each application up once and then remembers
// what it found: for one request, in which the same few are asked for again and
// again. It is not safe for concurrent use.
func (d *Directory) Remembering() *Directory {
	remembering := *d
	remembering.memo = &memo{users: map[string]*v1alpha1.User{}, applications: map[string]*v1alpha1.Application{}}
	return &remembering
}

func (m *memo) user(key string, find func() (*v1alpha1.User, bool)) (*v1alpha1.User, bool) {
	if m == nil {
		return find()
	}
	return recall(m.users, key, find)
}

func (m *memo) application(key string, find func() (*v1alpha1.Application, bool)) (*v1alpha1.Application, bool) {
	if m == nil {
		return find()
	}
	return recall(m.applications, key, find)
}

func recall[T any](known map[string]*T, key string, find func() (*T, bool)) (*T, bool) {
	found, ok := known[key]
	if !ok {
		found, _ = find()
		known[key] = found
	}
	return found, found != nil
}
