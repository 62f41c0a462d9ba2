// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

const noticed = `
creator: admin
notifications: {notifiers: [mail, chat]}
states:
- {name: new, type: Start, transitions: [{name: go, to: work}]}
- {name: work, participants: {users: [lilei]}, transitions: [{name: done, to: end}]}
- {name: end, type: End}
`

func TestExpired(t *testing.T) {
	const day = 24 * time.Hour
	keep := func(d time.Duration) *v1alpha1.Retention {
		return &v1alpha1.Retention{AfterFinished: metav1.Duration{Duration: d}}
	}
	told := func(mail, chat int64) func(*walker) {
		return func(w *walker) {
			w.s.Status.Notified = []v1alpha1.NotifiedMark{{Notifier: "mail", Seq: mail}, {Notifier: "chat", Seq: chat}}
		}
	}
	both := told(2, 2)
	cases := map[string]struct {
		retention *v1alpha1.Retention
		prepare   func(*walker)
		kin       engine.Kin
		after     time.Duration
		expired   bool
		next      time.Duration // after the end; 0: not before something happens
	}{
		"by default it is kept for good":          {prepare: both, after: 1000 * day},
		"no time is no retention":                 {retention: keep(0), prepare: both, after: 1000 * day},
		"less than no time is no retention":       {retention: keep(-day), prepare: both, after: 1000 * day},
		"before its time it is kept until then":   {retention: keep(day), prepare: both, after: day - time.Second, next: day},
		"at its time it goes":                     {retention: keep(day), prepare: both, after: day, expired: true},
		"while one notifier was told nothing":     {retention: keep(day), prepare: func(*walker) {}, after: 9 * day},
		"while one notifier was not told the end": {retention: keep(day), prepare: told(2, 1), after: 9 * day},
		"while its parent is under way":           {retention: keep(day), prepare: both, kin: engine.Kin{ParentUnderWay: true}, after: 9 * day},
		"while it has sub-tickets":                {retention: keep(day), prepare: both, kin: engine.Kin{Children: 1}, after: 9 * day},
		"a mark of a notifier that went is no bar": {retention: keep(day), prepare: func(w *walker) {
			both(w)
			w.s.Status.Notified = append(w.s.Status.Notified, v1alpha1.NotifiedMark{Notifier: "gone"})
		}, after: day, expired: true},
		"a comment of which nobody is told":         {retention: keep(day), prepare: func(w *walker) { w.must("lilei", do(v1alpha1.ActionComment)); both(w) }, after: day, expired: true},
		"a cursor beyond what people are told of":   {retention: keep(day), prepare: func(w *walker) { w.must("lilei", do(v1alpha1.ActionComment)); told(3, 3)(w) }, after: day, expired: true},
		"an entry in the records may have a notice": {retention: keep(day), prepare: func(w *walker) { both(w); w.s.Status.History = nil; w.s.Status.HistoryCount = 9 }, after: 9 * day},
		"one that was reopened is not finished": {retention: keep(day), prepare: func(w *walker) {
			both(w)
			w.must("admin", v1alpha1.TicketAction{Type: v1alpha1.ActionSetState, State: "work"})
		}, after: 9 * day},
		"one that was closed is finished": {retention: keep(day), prepare: func(w *walker) {
			both(w)
			w.must("admin", v1alpha1.TicketAction{Type: v1alpha1.ActionSetState, State: "work"})
			w.must("admin", do(v1alpha1.ActionClose))
		}, after: day, expired: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWalker(t, noticed).mustOpen("go", nil).must("lilei", take("done")).at("end", "")
			tc.prepare(w)
			expired, next := engine.Expired(w.graph, &w.s.Status, tc.retention, tc.kin, start.Add(tc.after))
			if expired != tc.expired {
				t.Errorf("expired: %t, want %t", expired, tc.expired)
			}
			want := time.Time{}
			if tc.next != 0 {
				want = start.Add(tc.next)
			}
			if !next.Equal(want) {
				t.Errorf("ask again at %s, want %s", next, want)
			}
		})
	}
}
