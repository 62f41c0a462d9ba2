// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package index

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Category says whose tickets are listed.
type Category string

// Categories: rest-behaviour.md §4.1.
const (
	CategoryAll      Category = "all"
	CategoryOwner    Category = "owner"
	CategoryDuty     Category = "duty"
	CategoryRelation Category = "relation"
	CategoryWorked   Category = "worked"
)

// Categories lists them all.
var Categories = []Category{CategoryAll, CategoryOwner, CategoryDuty, CategoryRelation, CategoryWorked}

// Query says what to list. Zero members do not restrict.
type Query struct {
	Category Category
	// User of the category; not used by CategoryAll.
	User string
	// Workflows whose tickets may be listed, as namespace/name, each once; nil for
	// every one.
	Workflows []string
	// Partly are others, whose tickets may be listed that Onlooker is related to.
	Partly   []string
	Onlooker string
	// States and Tickets by wire id; nil for every one.
	States, Tickets []v1alpha1.WireID
	// SerialPrefix that the serial number starts with.
	SerialPrefix string
	// Title that is looked for within the title, whatever the case.
	Title string
	// From and To bound the opening time, inclusive.
	From, To time.Time
	// Ended and Rejected want or exclude tickets that are.
	Ended, Rejected *bool
	// Progress that the ticket has.
	Progress v1alpha1.Progress
	// Creator of the ticket.
	Creator string
	// ParentID of the ticket.
	ParentID v1alpha1.WireID
	// Reverse lists the newest first.
	Reverse bool
	// Page counts from 1: below it the first is meant, beyond the end the last.
	Page int
	// PerPage is the size of a page, 1 or more.
	PerPage int
}

// Page is an answer.
type Page struct {
	// Heads of the page's tickets. They must not be changed.
	Heads []*v1alpha1.Ticket
	// Total of all pages.
	Total int
}

// List answers a query.
func (x *Index) List(q Query) Page {
	defer x.lock()()
	found := x.sift(x.candidates(q), q)
	return x.page(found, q)
}

// Each shows the head of every ticket of a query, oldest first, whatever its page.
// They must not be changed.
func (x *Index) Each(q Query, show func(*v1alpha1.Ticket)) {
	defer x.lock()()
	found := x.sift(x.candidates(q), q)
	found.Iterate(func(ordinal uint32) bool {
		show(x.entries[ordinal].ticket)
		return true
	})
}

// lock locks the index for reading, its ordinals in order.
func (x *Index) lock() (unlock func()) {
	x.mu.RLock()
	for x.stale {
		x.mu.RUnlock()
		x.mu.Lock()
		if x.stale {
			x.freshen()
		}
		x.mu.Unlock()
		x.mu.RLock()
	}
	return x.mu.RUnlock
}

// candidates are what the postings alone say. They must not be changed.
func (x *Index) candidates(q Query) *roaring.Bitmap {
	in := []*roaring.Bitmap{x.category(q)} // all of these
	if q.Workflows != nil {
		in = append(in, x.visible(q))
	}
	if q.States != nil {
		states := make([]*roaring.Bitmap, 0, len(q.States))
		for _, id := range q.States {
			states = append(states, x.posting(idTerm(termState, id)))
		}
		in = append(in, union(states))
	}
	if q.Tickets != nil {
		in = append(in, x.tickets(q.Tickets))
	}
	if q.Progress != "" {
		in = append(in, x.posting(termProgress+string(q.Progress)))
	}
	if q.Creator != "" {
		in = append(in, x.posting(termCreator+q.Creator))
	}
	if q.ParentID != 0 {
		in = append(in, x.posting(idTerm(termParent, q.ParentID)))
	}
	if q.SerialPrefix != "" {
		in = append(in, x.withSerial(q.SerialPrefix))
	}
	if !q.From.IsZero() || !q.To.IsZero() {
		in = append(in, x.within(q.From, q.To))
	}
	found := intersection(in)
	found = restrict(found, q.Ended, x.posting(termEnded))
	return restrict(found, q.Rejected, x.posting(termProgress+string(v1alpha1.ProgressRefused)))
}

// visible is what may be listed at all.
func (x *Index) visible(q Query) *roaring.Bitmap {
	all := x.of(q.Workflows)
	if len(q.Partly) == 0 {
		return all
	}
	related := intersection([]*roaring.Bitmap{x.of(q.Partly), x.posting(termRelated + q.Onlooker)})
	return union([]*roaring.Bitmap{all, related})
}

// intersection is what all have, the smallest first, so that what is made on the
// way is small. It may be one of them: who may look at everything has nothing made.
func intersection(all []*roaring.Bitmap) *roaring.Bitmap {
	slices.SortFunc(all, func(a, b *roaring.Bitmap) int { return cmp.Compare(a.GetCardinality(), b.GetCardinality()) })
	all = slices.Compact(all)
	found := all[0]
	for _, next := range all[1:] {
		found = roaring.And(found, next)
	}
	return found
}

// union is what any has. It may be one of them.
func union(all []*roaring.Bitmap) *roaring.Bitmap {
	switch len(all) {
	case 0:
		return nothing
	case 1:
		return all[0]
	}
	return roaring.FastOr(all...)
}

func (x *Index) category(q Query) *roaring.Bitmap {
	switch q.Category {
	case CategoryOwner:
		return x.posting(termCreator + q.User)
	case CategoryDuty:
		return x.posting(termDuty + q.User)
	case CategoryRelation:
		return x.posting(termRelated + q.User)
	case CategoryWorked:
		return x.posting(termHandled + q.User)
	default:
		return x.posting(termAll)
	}
}

var nothing = roaring.New()

// posting is one list; it must not be changed.
func (x *Index) posting(term string) *roaring.Bitmap {
	if bitmap, ok := x.postings[term]; ok {
		return bitmap
	}
	return nothing
}

// of are the tickets of workflows, each named once. Most who ask may list every
// workflow that has tickets: then there is nothing to unite.
func (x *Index) of(workflows []string) *roaring.Bitmap {
	tickets := uint64(0)
	for _, workflow := range workflows {
		if posting, ok := x.postings[termWorkflow+workflow]; ok {
			tickets += posting.GetCardinality()
		}
	}
	if all := x.posting(termAll); tickets == all.GetCardinality() {
		return all
	}
	found := make([]*roaring.Bitmap, 0, len(workflows))
	for _, workflow := range workflows {
		if posting, ok := x.postings[termWorkflow+workflow]; ok {
			found = append(found, posting)
		}
	}
	return union(found)
}

func (x *Index) tickets(ids []v1alpha1.WireID) *roaring.Bitmap {
	found := roaring.New()
	for _, id := range ids {
		if e, ok := x.byID[id]; ok {
			found.Add(e.ordinal)
		}
	}
	return found
}

func restrict(found *roaring.Bitmap, want *bool, those *roaring.Bitmap) *roaring.Bitmap {
	switch {
	case want == nil:
		return found
	case *want:
		return roaring.And(found, those)
	default:
		return roaring.AndNot(found, those)
	}
}

// within is what was opened within the bounds: a run of ordinals.
func (x *Index) within(from, to time.Time) *roaring.Bitmap {
	first, last := 0, len(x.entries)
	if !from.IsZero() {
		first, _ = slices.BinarySearchFunc(x.entries, from, func(e *entry, t time.Time) int { return e.ticket.Status.OpenedAt.Compare(t) })
	}
	if !to.IsZero() {
		last, _ = slices.BinarySearchFunc(x.entries, to, func(e *entry, t time.Time) int {
			if e.ticket.Status.OpenedAt.After(t) {
				return 1
			}
			return -1
		})
	}
	run := roaring.New()
	if first < last {
		run.AddRange(uint64(first), uint64(last)) //nolint:gosec // positions are not negative
	}
	return run
}

// withSerial finds the tickets whose serial number begins so.
func (x *Index) withSerial(prefix string) *roaring.Bitmap {
	first, _ := slices.BinarySearchFunc(x.serials, prefix, func(e *entry, p string) int { return strings.Compare(e.serial, p) })
	found := roaring.New()
	for _, e := range x.serials[first:] {
		if !strings.HasPrefix(e.serial, prefix) {
			break
		}
		found.Add(e.ordinal)
	}
	return found
}

// few candidates are looked at one by one.
const few = 256

// sift keeps of the candidates those whose title has what is looked for.
func (x *Index) sift(found *roaring.Bitmap, q Query) *roaring.Bitmap {
	if q.Title == "" {
		return found
	}
	title := strings.ToLower(q.Title)
	if found.GetCardinality() > few {
		return roaring.And(found, x.titles.with(title, x.entries))
	}
	left := roaring.New()
	found.Iterate(func(ordinal uint32) bool {
		if strings.Contains(x.entries[ordinal].title, title) {
			left.Add(ordinal)
		}
		return true
	})
	return left
}

func (x *Index) page(found *roaring.Bitmap, q Query) Page {
	total := int(found.GetCardinality()) //nolint:gosec // fits
	if total == 0 {
		return Page{}
	}
	last := (total - 1) / q.PerPage
	start := min(max(q.Page-1, 0), last) * q.PerPage
	end := min(start+q.PerPage, total)
	first := start
	if q.Reverse {
		first = total - end
	}
	out := Page{Total: total, Heads: make([]*v1alpha1.Ticket, 0, end-start)}
	ordinals := found.Iterator()
	if ordinal, err := found.Select(uint32(first)); err == nil { //nolint:gosec // fits; first is below the cardinality
		ordinals.AdvanceIfNeeded(ordinal)
	}
	for range end - start {
		out.Heads = append(out.Heads, x.entries[ordinals.Next()].ticket)
	}
	if q.Reverse {
		slices.Reverse(out.Heads)
	}
	return out
}
