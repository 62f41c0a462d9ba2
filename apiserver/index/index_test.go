// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package index_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/index"
)

var start = time.Date(2026, 5, 15, 0, 0, 0, 0, time.UTC)

func ticket(id int, opened int, creator, participant string, progress v1alpha1.Progress, title string) *v1alpha1.Ticket {
	at := metav1.NewTime(start.Add(time.Duration(opened) * time.Second))
	t := &v1alpha1.Ticket{ObjectMeta: metav1.ObjectMeta{Namespace: "it", Name: fmt.Sprintf("t-%d", id)}}
	t.Spec.WorkflowRef.Name, t.Spec.Creator = v1alpha1.ObjectName(fmt.Sprintf("w%d", id%2)), v1alpha1.UserName(creator)
	t.Status = v1alpha1.TicketStatus{
		ID: v1alpha1.WireID(id), OpenedAt: &at, Progress: progress, Title: title, StateID: v1alpha1.WireID(id % 3),
		SerialNumber: fmt.Sprintf("sn_%04d", id),
		Participants: v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsUsers, Users: []v1alpha1.UserName{v1alpha1.UserName(participant)}},
		Related:      []v1alpha1.RelatedUser{{User: v1alpha1.UserName(creator)}, {User: v1alpha1.UserName(participant), Handled: id%2 == 0}},
	}
	return t
}

// naive answers a query by looking at every ticket.
func naive(all map[int]*v1alpha1.Ticket, q index.Query) []v1alpha1.WireID {
	var found []*v1alpha1.Ticket
	for _, t := range all {
		ended := t.Status.Progress == v1alpha1.ProgressFinished
		is := func(name v1alpha1.UserName) bool { return string(name) == q.User }
		ok := true
		switch q.Category {
		case index.CategoryOwner:
			ok = is(t.Spec.Creator)
		case index.CategoryDuty:
			ok = !ended && is(t.Status.Participants.Users[0])
		case index.CategoryRelation:
			ok = is(t.Spec.Creator) || is(t.Status.Related[1].User)
		case index.CategoryWorked:
			ok = t.Status.Related[1].Handled && is(t.Status.Related[1].User)
		}
		ok = ok && (q.Ended == nil || *q.Ended == ended)
		workflow := "it/" + string(t.Spec.WorkflowRef.Name)
		related := string(t.Spec.Creator) == q.Onlooker || string(t.Status.Related[1].User) == q.Onlooker
		ok = ok && (q.Workflows == nil || slices.Contains(q.Workflows, workflow) || related && slices.Contains(q.Partly, workflow))
		ok = ok && (q.States == nil || slices.Contains(q.States, t.Status.StateID))
		ok = ok && (q.Tickets == nil || slices.Contains(q.Tickets, t.Status.ID))
		ok = ok && strings.Contains(strings.ToLower(t.Status.Title), strings.ToLower(q.Title)) && strings.HasPrefix(t.Status.SerialNumber, q.SerialPrefix)
		ok = ok && (q.From.IsZero() || !t.Status.OpenedAt.Time.Before(q.From)) && (q.To.IsZero() || !t.Status.OpenedAt.After(q.To))
		if ok {
			found = append(found, t)
		}
	}
	slices.SortFunc(found, func(a, b *v1alpha1.Ticket) int {
		if c := a.Status.OpenedAt.Compare(b.Status.OpenedAt.Time); c != 0 {
			return c
		}
		return int(a.Status.ID - b.Status.ID)
	})
	if q.Reverse {
		slices.Reverse(found)
	}
	ids := make([]v1alpha1.WireID, 0, len(found))
	for _, t := range found {
		ids = append(ids, t.Status.ID)
	}
	return ids
}

// TestAnswersAsANaiveScanWould puts, replaces and deletes tickets in any order,
// near the end and far from it, and compares every page with a plain scan.
func TestAnswersAsANaiveScanWould(t *testing.T) {
	users := []string{"lilei", "guiji", "wangwu"}
	progresses := []v1alpha1.Progress{v1alpha1.ProgressInProgress, v1alpha1.ProgressRefused, v1alpha1.ProgressFinished}
	rapid.Check(t, func(rt *rapid.T) {
		x, all := index.New(), map[int]*v1alpha1.Ticket{}
		put := func(id, opened int) {
			all[id] = ticket(id, opened, rapid.SampledFrom(users).Draw(rt, "creator"), rapid.SampledFrom(users).Draw(rt, "participant"),
				rapid.SampledFrom(progresses).Draw(rt, "progress"), rapid.SampledFrom([]string{"VPN", "vpn trip", "disk"}).Draw(rt, "title"))
			x.Put(all[id])
		}
		crowd := rapid.SampledFrom([]int{0, 5, 600, 1100}).Draw(rt, "crowd") // 600 is beyond what is moved one by one, 1100 more than a block of titles
		for id := 1; id <= crowd; id++ {
			all[id] = ticket(id, 2*id, users[id%3], users[id%2], progresses[id%3], "crowd")
			x.Put(all[id])
		}
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			id := rapid.IntRange(1, crowd+20).Draw(rt, "id")
			if rapid.IntRange(0, 3).Draw(rt, "what") == 0 {
				delete(all, id)
				x.Delete(types.NamespacedName{Namespace: "it", Name: fmt.Sprintf("t-%d", id)})
			} else if present, ok := all[id]; ok {
				put(id, int(present.Status.OpenedAt.Sub(start)/time.Second))
			} else {
				put(id, rapid.IntRange(0, 2*crowd+40).Draw(rt, "opened"))
			}
			compare(rt, x, all, draw(rt, users))
		}
		if x.Len() != len(all) {
			rt.Fatalf("%d tickets are in the index, want %d", x.Len(), len(all))
		}
	})
}

func draw(rt *rapid.T, users []string) index.Query {
	q := index.Query{
		Category: rapid.SampledFrom(index.Categories).Draw(rt, "category"), User: rapid.SampledFrom(users).Draw(rt, "user"),
		Reverse: rapid.Bool().Draw(rt, "reverse"), Page: rapid.IntRange(-1, 5).Draw(rt, "page"), PerPage: rapid.IntRange(1, 9).Draw(rt, "per page"),
		Title: rapid.SampledFrom([]string{"", "VPN", "trip", "Row", "dc"}).Draw(rt, "looked for"), SerialPrefix: rapid.SampledFrom([]string{"", "sn_00"}).Draw(rt, "sn"),
	}
	if rapid.Bool().Draw(rt, "by end") {
		ended := rapid.Bool().Draw(rt, "ended")
		q.Ended = &ended
	}
	if rapid.Bool().Draw(rt, "by workflow") {
		names := rapid.Permutation([]string{"it/w0", "it/w1", "it/without-tickets"}).Draw(rt, "workflows")
		all := rapid.IntRange(0, len(names)).Draw(rt, "all of")
		part := rapid.IntRange(all, len(names)).Draw(rt, "part of")
		q.Workflows, q.Partly, q.Onlooker = names[:all], names[all:part], rapid.SampledFrom(append(users, "")).Draw(rt, "onlooker")
	}
	if rapid.Bool().Draw(rt, "by state") {
		q.States = []v1alpha1.WireID{0, 2}
	}
	if rapid.Bool().Draw(rt, "by time") {
		q.From, q.To = start.Add(3*time.Second), start.Add(40*time.Second)
	}
	return q
}

func compare(rt *rapid.T, x *index.Index, all map[int]*v1alpha1.Ticket, q index.Query) {
	want := naive(all, q)
	page := x.List(q)
	if page.Total != len(want) {
		rt.Fatalf("%+v: got a total of %d, want %d", q, page.Total, len(want))
	}
	last := max(0, (len(want)-1)/q.PerPage)
	first := min(max(q.Page-1, 0), last) * q.PerPage
	want = want[first:min(first+q.PerPage, len(want))]
	got := make([]v1alpha1.WireID, 0, len(page.Heads))
	for _, t := range page.Heads {
		got = append(got, t.Status.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		rt.Fatalf("%+v (-want +got):\n%s", q, diff)
	}
}

func TestATicketThatIsNotOpenedIsNotListed(t *testing.T) {
	x := index.New()
	x.Put(&v1alpha1.Ticket{ObjectMeta: metav1.ObjectMeta{Namespace: "it", Name: "new"}})
	if got := x.List(index.Query{Category: index.CategoryAll, PerPage: 10}); got.Total != 0 {
		t.Errorf("got %d tickets, want none", got.Total)
	}
}

// BenchmarkList answers queries over 100 000 tickets (architecture, Budgets).
func BenchmarkList(b *testing.B) {
	x := index.New()
	for i := range 100_000 {
		x.Put(ticket(i+1, i, fmt.Sprintf("u%d", i%200), fmt.Sprintf("p%d", i%50), v1alpha1.ProgressInProgress, fmt.Sprintf("typical ticket number %d", i)))
	}
	ended := false
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprintf("it/w%d", i))
	}
	for name, q := range map[string]index.Query{
		"all":               {Category: index.CategoryAll},
		"duty":              {Category: index.CategoryDuty, User: "p7"},
		"workflow-and-open": {Category: index.CategoryAll, Workflows: []string{"it/w1"}, Ended: &ended},
		"many-workflows":    {Category: index.CategoryAll, Workflows: many[1:], Partly: many[:1], Onlooker: "p7"},
		"serial":            {Category: index.CategoryAll, SerialPrefix: "sn_9999"},
		"title":             {Category: index.CategoryAll, Title: "number 777"},
	} {
		b.Run(name, func(b *testing.B) {
			q.Page, q.PerPage, q.Reverse = 3, 10, true
			for b.Loop() {
				x.List(q)
			}
		})
	}
}
