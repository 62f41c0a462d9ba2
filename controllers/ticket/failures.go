// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ticket

import (
	"errors"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// maxFailures is after how many failed reconciliations in a row a pending
// action is refused, so that it does not keep others out for ever.
const maxFailures = 5

// failures counts the failed reconciliations of tickets since the last that
// went well.
type failures struct {
	mu    sync.Mutex
	count map[types.UID]int
}

// note is deferred by a reconciliation: it counts an error that will come
// again, or a panic, which it lets go on. An API server that is away or busy
// does not count: the action will be applied when it is back.
func (f *failures) note(uid types.UID, err *error) {
	cause := recover()
	f.mu.Lock()
	switch {
	case cause == nil && *err == nil:
		delete(f.count, uid)
	case cause == nil && !lasting(*err):
	case f.count == nil:
		f.count = map[types.UID]int{uid: 1}
	default:
		f.count[uid]++
	}
	f.mu.Unlock()
	if cause != nil {
		panic(cause)
	}
}

func (f *failures) tooMany(uid types.UID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[uid] >= maxFailures
}

// lasting says whether the API server understood a request and will not have it.
func lasting(err error) bool {
	switch apierrors.ReasonForError(err) {
	case metav1.StatusReasonForbidden, metav1.StatusReasonInvalid, metav1.StatusReasonBadRequest,
		metav1.StatusReasonRequestEntityTooLarge, metav1.StatusReasonMethodNotAllowed:
		return true
	}
	return errors.Is(err, errTooLarge)
}
