// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package index answers list queries over tickets from posting bitmaps kept in
// creation order, so that a page and its exact total cost microseconds whatever
// the number of tickets. It is fed by the informer and holds no rules: what a
// ticket is listed under follows from its status.
package index

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
	"k8s.io/apimachinery/pkg/types"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/slim"
)

// Index holds opened tickets. It is safe for concurrent use.
type Index struct {
	mu       sync.RWMutex
	entries  []*entry // by ordinal: opening time, then id
	byName   map[types.NamespacedName]*entry
	byID     map[v1alpha1.WireID]*entry
	postings map[string]*roaring.Bitmap
	serials  []*entry // by serial number
	titles   titles
	stale    bool // ordinals must be given anew before the next query
}

type entry struct {
	ticket  *v1alpha1.Ticket // its head
	ordinal uint32
	terms   []string
	title   string // lower case
	serial  string // never changes once the ticket is opened
}

// farthestShift is how many later tickets are moved up one by one when an older
// one arrives; beyond it all ordinals are given anew at the next query.
const farthestShift = 256

// New returns an empty index.
func New() *Index {
	return &Index{
		byName:   map[types.NamespacedName]*entry{},
		byID:     map[v1alpha1.WireID]*entry{},
		postings: map[string]*roaring.Bitmap{},
	}
}

// Put adds a ticket, whole or its head, or replaces it. A ticket that is not
// opened is not listed.
func (x *Index) Put(ticket *v1alpha1.Ticket) {
	if ticket.Status.ID == 0 || ticket.Status.OpenedAt == nil {
		x.Delete(types.NamespacedName{Namespace: ticket.Namespace, Name: ticket.Name})
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	name := types.NamespacedName{Namespace: ticket.Namespace, Name: ticket.Name}
	if present, ok := x.byName[name]; ok {
		if before(present.ticket, ticket) == 0 {
			x.replace(present, ticket)
			return
		}
		x.remove(present)
	}
	added := &entry{ticket: ticket, terms: terms(ticket), title: strings.ToLower(ticket.Status.Title), serial: ticket.Status.SerialNumber}
	x.byName[name], x.byID[ticket.Status.ID] = added, added
	x.insert(added)
}

// Delete removes a ticket.
func (x *Index) Delete(name types.NamespacedName) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if present, ok := x.byName[name]; ok {
		x.remove(present)
	}
}

// HeadByID finds a ticket's head by its wire id. It must not be changed.
func (x *Index) HeadByID(id v1alpha1.WireID) (*v1alpha1.Ticket, bool) {
	found := head(x, x.byID, id)
	return found, found != nil
}

// ByID finds a whole ticket by its wire id. It must not be changed.
func (x *Index) ByID(id v1alpha1.WireID) (*v1alpha1.Ticket, bool) { return whole(x, x.byID, id) }

// ByName finds a whole ticket by the name of its object. It must not be changed.
func (x *Index) ByName(name types.NamespacedName) (*v1alpha1.Ticket, bool) {
	return whole(x, x.byName, name)
}

func whole[K comparable](x *Index, from map[K]*entry, key K) (*v1alpha1.Ticket, bool) {
	head := head(x, from, key)
	return slim.Whole(head), head != nil
}

func head[K comparable](x *Index, from map[K]*entry, key K) *v1alpha1.Ticket {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if found, ok := from[key]; ok {
		return found.ticket
	}
	return nil
}

// Len is the number of tickets.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.byName)
}

// bySerial orders entries by serial number, then id.
func bySerial(a, b *entry) int {
	return cmp.Or(cmp.Compare(a.serial, b.serial), cmp.Compare(a.ticket.Status.ID, b.ticket.Status.ID))
}

// before orders tickets by opening time, then id.
func before(a, b *v1alpha1.Ticket) int {
	return cmp.Or(a.Status.OpenedAt.Compare(b.Status.OpenedAt.Time), cmp.Compare(a.Status.ID, b.Status.ID))
}

// replace swaps a ticket for its newer self, touching only what differs.
func (x *Index) replace(present *entry, ticket *v1alpha1.Ticket) {
	next := terms(ticket)
	if !x.stale && !slices.Equal(next, present.terms) {
		for _, term := range present.terms {
			if !slices.Contains(next, term) {
				x.unpost(term, present.ordinal)
			}
		}
		for _, term := range next {
			x.post(term, present.ordinal)
		}
	}
	title := strings.ToLower(ticket.Status.Title)
	if !x.stale && title != present.title {
		x.titles.changedOne(present.ordinal)
	}
	present.ticket, present.terms, present.title = ticket, next, title
}

func (x *Index) insert(added *entry) {
	if x.stale {
		x.entries = append(x.entries, added)
		return
	}
	place, _ := slices.BinarySearchFunc(x.serials, added, bySerial)
	x.serials = slices.Insert(x.serials, place, added)
	at, _ := slices.BinarySearchFunc(x.entries, added, func(a, b *entry) int { return before(a.ticket, b.ticket) })
	x.entries = slices.Insert(x.entries, at, added)
	if len(x.entries)-at > farthestShift {
		x.stale = true
		return
	}
	for _, later := range x.entries[at+1:] {
		x.unpostAll(later)
	}
	x.number(at)
}

func (x *Index) remove(present *entry) {
	delete(x.byName, types.NamespacedName{Namespace: present.ticket.Namespace, Name: present.ticket.Name})
	delete(x.byID, present.ticket.Status.ID)
	if x.stale {
		x.entries = slices.DeleteFunc(x.entries, func(e *entry) bool { return e == present })
		return
	}
	if place, found := slices.BinarySearchFunc(x.serials, present, bySerial); found {
		x.serials = slices.Delete(x.serials, place, place+1)
	}
	at := int(present.ordinal)
	if len(x.entries)-at > farthestShift {
		// Its ordinal stays a gap: nothing is posted under it any more.
		x.unpostAll(present)
		x.entries[at] = &entry{ticket: present.ticket, ordinal: present.ordinal}
		x.titles.changedOne(present.ordinal)
		return
	}
	for _, later := range x.entries[at:] {
		x.unpostAll(later)
	}
	x.entries = slices.Delete(x.entries, at, at+1)
	x.number(at)
}

// number gives ordinals to the entries from a position on, and posts them.
func (x *Index) number(from int) {
	for at := from; at < len(x.entries); at++ {
		x.entries[at].ordinal = uint32(at) //nolint:gosec // there are never 2^32 tickets
		for _, term := range x.entries[at].terms {
			x.post(term, x.entries[at].ordinal)
		}
	}
	x.titles.changed(from, len(x.entries))
}

// freshen gives ordinals anew after tickets have arrived far out of order, as
// the informer's first list does.
func (x *Index) freshen() {
	x.entries = slices.DeleteFunc(x.entries, func(e *entry) bool { return e.terms == nil })
	slices.SortFunc(x.entries, func(a, b *entry) int { return before(a.ticket, b.ticket) })
	x.serials = slices.Clone(x.entries)
	slices.SortFunc(x.serials, bySerial)
	x.postings = map[string]*roaring.Bitmap{}
	x.number(0)
	for _, posting := range x.postings {
		posting.RunOptimize() // many are about tickets that were opened one after the other
	}
	x.stale = false
}

func (x *Index) post(term string, ordinal uint32) {
	bitmap, ok := x.postings[term]
	if !ok {
		bitmap = roaring.New()
		x.postings[term] = bitmap
	}
	bitmap.Add(ordinal)
}

func (x *Index) unpost(term string, ordinal uint32) {
	if bitmap, ok := x.postings[term]; ok {
		bitmap.Remove(ordinal)
		if bitmap.IsEmpty() {
			delete(x.postings, term)
		}
	}
}

func (x *Index) unpostAll(e *entry) {
	for _, term := range e.terms {
		x.unpost(term, e.ordinal)
	}
}

// Prefixes of terms.
const (
	termAll      = "*"
	termEnded    = "ended"
	termCreator  = "creator/"
	termDuty     = "duty/"
	termRelated  = "related/"
	termHandled  = "handled/"
	termWorkflow = "workflow/"
	termState    = "state/"
	termProgress = "progress/"
	termParent   = "parent/"
)

func idTerm(prefix string, id v1alpha1.WireID) string {
	return prefix + strconv.FormatInt(int64(id), 10)
}

// terms are what a ticket is listed under. Duty follows the stored participants
// and is nobody's once the ticket has ended (Q20).
func terms(ticket *v1alpha1.Ticket) []string {
	status := &ticket.Status
	out := make([]string, 0, 8+len(status.Participants.Users)+2*len(status.Related))
	out = append(out,
		termAll,
		termCreator+string(ticket.Spec.Creator),
		termRelated+string(ticket.Spec.Creator),
		termWorkflow+ticket.Namespace+"/"+string(ticket.Spec.WorkflowRef.Name),
		idTerm(termState, status.StateID),
		termProgress+string(status.Progress),
	)
	if status.ParentID != 0 {
		out = append(out, idTerm(termParent, status.ParentID))
	}
	if engine.HasEnded(status) {
		out = append(out, termEnded)
	} else {
		for _, user := range status.Participants.Users {
			out = append(out, termDuty+string(user))
		}
	}
	for _, related := range status.Related {
		out = append(out, termRelated+string(related.User))
		if related.Handled {
			out = append(out, termHandled+string(related.User))
		}
	}
	for i := range out {
		out[i] = slim.Text(out[i]) // many tickets are listed under each
	}
	return out
}
