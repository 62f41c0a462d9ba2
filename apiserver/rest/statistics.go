// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"cmp"
	"slices"
	"time"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/index"
)

// dayCount is an item of rest-behaviour.md §4.22.
type dayCount struct {
	Day   string `json:"day"`
	Type  string `json:"type"`
	Count int    `json:"count"`
}

// statistics counts the tickets of the workflows that the user manages, by the
// day on which they were opened. Both dates are inclusive (Q39).
func (a *API) statistics(r *request) (answer, error) {
	q := index.Query{Category: index.CategoryAll, Workflows: []string{}}
	var err error
	if q.From, err = r.day("start_date"); err != nil {
		return answer{}, err
	}
	if q.To, err = r.day("end_date"); err != nil {
		return answer{}, err
	}
	if !q.To.IsZero() {
		q.To = q.To.AddDate(0, 0, 1).Add(-time.Nanosecond)
	}
	names, who := map[string]string{}, r.onlooker()
	for w := range r.workflows() {
		if who.Manages(&w.Spec) {
			q.Workflows = append(q.Workflows, w.Key)
			names[w.Key] = cmp.Or(w.Spec.DisplayName, w.Name)
		}
	}
	counts := map[dayCount]int{}
	a.backend.EachHead(q, func(t *v1alpha1.Ticket) {
		day := t.Status.OpenedAt.In(r.api.render.wire.Location).Format(time.DateOnly)
		counts[dayCount{Day: day, Type: names[t.Namespace+"/"+string(t.Spec.WorkflowRef.Name)]}]++
	})
	out := make([]dayCount, 0, len(counts))
	for key, n := range counts {
		key.Count = n
		out = append(out, key)
	}
	slices.SortFunc(out, func(a, b dayCount) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Type, b.Type)) })
	return answer{data: out}, nil
}

// day reads a date from the query; zero where it is absent or empty.
func (r *request) day(name string) (time.Time, error) {
	t, err := r.when(name)
	if err != nil {
		return time.Time{}, badParameter(name, "is not a date like 2018-04-10")
	}
	if t.IsZero() {
		return t, nil
	}
	t = t.In(r.api.render.wire.Location)
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location()), nil
}
