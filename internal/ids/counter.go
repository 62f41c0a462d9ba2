// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ids

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// CounterName is the ConfigMap that says how far tickets have been counted.
const CounterName = "ticketflow-counters"

const (
	ticketKey = "tickets"
	serialKey = "serial_"
	dayFormat = "20060102"
	// annotationOrigin names the installation that began to count.
	annotationOrigin = "ticketflow.dev/origin"

	// block is how many numbers are reserved at once: a crash loses at most
	// these, a write is needed only for every so many tickets.
	block = 100
	// daysKept is how long a day's counter is kept, for clocks that are set back.
	daysKept = 7
	// tries is how often a reservation is attempted against other writers.
	tries = 10
)

// HighestFunc finds the highest number in use: of ticket ids if prefix is
// empty, else of the serial numbers that begin with it.
type HighestFunc func(ctx context.Context, prefix string) (int64, error)

// Counter numbers tickets. Numbers are reserved in blocks, durably, before
// any is used: gaps may happen, repeats may not.
type Counter struct {
	client    client.Client
	namespace string
	highest   HighestFunc

	mu       sync.Mutex
	reserved map[string]*span
}

// span is what is left of a reserved block: next up to, but not, end.
type span struct{ next, end int64 }

// NewCounter makes a Counter. The client must not answer from a cache where
// ConfigMaps are concerned.
func NewCounter(c client.Client, namespace string, highest HighestFunc) *Counter {
	return &Counter{client: c, namespace: namespace, highest: highest, reserved: map[string]*span{}}
}

// Ticket gives the next ticket's id.
func (c *Counter) Ticket(ctx context.Context) (v1alpha1.WireID, error) {
	id, err := c.take(ctx, ticketKey, "")
	if err == nil && v1alpha1.WireID(id) > lastID {
		return 0, fmt.Errorf("no ticket ids are left")
	}
	return v1alpha1.WireID(id), err
}

// Serial gives the next serial number for a prefix on the day that it is now:
// <prefix>_<YYYYMMDD><NNNN…> (decisions.md §5, Q25).
func (c *Counter) Serial(ctx context.Context, prefix string, now time.Time) (string, error) {
	beginning := prefix + "_" + now.Format(dayFormat)
	number, err := c.take(ctx, serialKey+beginning, beginning)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s%04d", beginning, number), nil
}

func (c *Counter) take(ctx context.Context, key, beginning string) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := c.reserved[key]
	if left == nil || left.next == left.end {
		fresh, err := c.reserve(ctx, key, beginning, left == nil)
		if err != nil {
			return 0, fmt.Errorf("reserve numbers of %s: %w", key, err)
		}
		c.reserved[key] = fresh
		left = fresh
	}
	number := left.next
	left.next++
	return number, nil
}

// reserve takes the next block of a counter. The first time, what is in use is
// looked at too: the counter may have been lost.
func (c *Counter) reserve(ctx context.Context, key, beginning string, first bool) (*span, error) {
	var floor int64
	if first && c.highest != nil {
		highest, err := c.highest(ctx, beginning)
		if err != nil {
			return nil, err
		}
		floor = highest
	}
	for range tries {
		fresh, err := c.tryReserve(ctx, key, floor)
		if !IsConflict(err) {
			return fresh, err
		}
	}
	return nil, fmt.Errorf("others wrote the counter %d times in a row", tries)
}

func (c *Counter) tryReserve(ctx context.Context, key string, floor int64) (*span, error) {
	counters := &corev1.ConfigMap{}
	err := c.client.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: CounterName}, counters)
	if client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	missing := apierrors.IsNotFound(err)
	if missing {
		counters = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: CounterName}}
	}
	if counters.Annotations[annotationOrigin] == "" {
		metav1.SetMetaDataAnnotation(&counters.ObjectMeta, annotationOrigin, string(cmp.Or(counters.UID, uuid.NewUUID())))
	}
	if counters.Data == nil {
		counters.Data = map[string]string{}
	}
	last := floor
	if text, ok := counters.Data[key]; ok {
		stored, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the counter holds %q: %w", text, err)
		}
		last = max(last, stored)
	}
	counters.Data[key] = strconv.FormatInt(last+block, 10)
	c.forgetOldDays(counters.Data, key)
	if missing {
		err = c.client.Create(ctx, counters)
	} else {
		err = c.client.Update(ctx, counters)
	}
	if err != nil {
		return nil, err
	}
	return &span{next: last + 1, end: last + block + 1}, nil
}

// forgetOldDays drops the counters of days that lie well before that of key.
func (c *Counter) forgetOldDays(data map[string]string, key string) {
	day, ok := dayOf(key)
	if !ok {
		return
	}
	for other := range data {
		if otherDay, ok := dayOf(other); ok && otherDay.Before(day.AddDate(0, 0, -daysKept)) {
			delete(data, other)
			delete(c.reserved, other)
		}
	}
}

func dayOf(key string) (time.Time, bool) {
	if !strings.HasPrefix(key, serialKey) {
		return time.Time{}, false
	}
	day, err := time.Parse(dayFormat, key[strings.LastIndexByte(key, '_')+1:])
	return day, err == nil
}

// SerialNumber is the number of a serial number that begins so; 0 if it does not.
func SerialNumber(serial, beginning string) int64 {
	rest, ok := strings.CutPrefix(serial, beginning)
	if !ok {
		return 0
	}
	number, err := strconv.ParseInt(rest, 10, 64)
	if err != nil {
		return 0
	}
	return number
}
