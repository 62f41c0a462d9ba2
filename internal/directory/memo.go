// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"sync"
	"sync/atomic"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// mostRemembered bounds how many answers are remembered: any name can be asked
// for, also such as nobody has.
const mostRemembered = 10_000

// memo are lookups that were made before; what was not found is nil there.
type memo struct{ since atomic.Pointer[answers] }

// answers are what was found since the last change.
type answers struct {
	users, applications sync.Map
	count               atomic.Int64
}

// Remembering looks each user and each application up once and then remembers
// the answer until Forget, which is to be called whenever a user or an
// application has changed.
func (d *Directory) Remembering() *Directory {
	remembering := *d
	remembering.memo = &memo{}
	remembering.Forget()
	return &remembering
}

// Forget makes a Directory that remembers look anew. Lookups that are under way
// are not remembered.
func (d *Directory) Forget() { d.memo.since.Store(&answers{}) }

func (m *memo) user(key string, find func() (*v1alpha1.User, bool)) (*v1alpha1.User, bool) {
	if m == nil {
		return find()
	}
	known := m.since.Load()
	return recall(m, known, &known.users, key, find)
}

func (m *memo) application(key string, find func() (*v1alpha1.Application, bool)) (*v1alpha1.Application, bool) {
	if m == nil {
		return find()
	}
	known := m.since.Load()
	return recall(m, known, &known.applications, key, find)
}

func recall[T any](m *memo, known *answers, of *sync.Map, key string, find func() (*T, bool)) (*T, bool) {
	if answer, ok := of.Load(key); ok {
		found := answer.(*T) //nolint:forcetypeassert // each map has answers of one type
		return found, found != nil
	}
	found, _ := find()
	of.Store(key, found)
	if known.count.Add(1) > mostRemembered {
		m.since.CompareAndSwap(known, &answers{})
	}
	return found, found != nil
}
