// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// values are the ticket's fields that have a value or that the form of its
// state takes, by their order.
func (p *portrait) values() [][]string {
	fields := slices.Clone(p.graph.Fields())
	slices.SortStableFunc(fields, func(a, b *engine.Field) int { return cmp.Compare(a.Order, b.Order) })
	var rows [][]string
	for _, field := range fields {
		value := p.ticket.Status.Fields[string(field.Name)]
		takes := p.takes(field)
		if (value == nil || value == "") && takes == "" {
			continue
		}
		rows = append(rows, []string{named(string(field.Name), field.DisplayName), cmp.Or(fieldValue(field, value), none), takes})
	}
	return rows
}

// takes says whether who acts in the present state fills a field.
func (p *portrait) takes(field *engine.Field) string {
	state, ok := p.graph.State(p.ticket.Status.State)
	if !ok || engine.HasEnded(&p.ticket.Status) {
		return ""
	}
	switch access, _ := state.Access(v1alpha1.FormFieldName(field.Name)); access {
	case v1alpha1.AccessRequired:
		return "required here"
	case v1alpha1.AccessOptional:
		return "can be filled here"
	}
	return ""
}

// fieldValue is a value as people read it.
func fieldValue(field *engine.Field, value any) string {
	text := plain(value)
	if flag, ok := value.(bool); ok {
		return named(text, field.BooleanLabels[fmt.Sprint(flag)])
	}
	if len(field.Choices) == 0 || text == "" {
		return text
	}
	keys := strings.Split(text, ",")
	for i, key := range keys {
		for _, choice := range field.Choices {
			if choice.Key == key {
				keys[i] = named(key, choice.Label)
			}
		}
	}
	return strings.Join(keys, ", ")
}

func plain(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(data)
}

// timeline is what happened, and where that has led.
func (p *portrait) timeline() [][]string {
	rows := make([][]string, 0, len(p.history)+1)
	at := func(t metav1.Time) string { return t.In(p.zone).Format(time.DateTime) }
	for i := range p.history {
		entry := &p.history[i]
		rows = append(rows, []string{mark(entry), at(entry.Time), string(entry.State), whoDid(entry), p.story(entry)})
	}
	if status := &p.ticket.Status; engine.HasEnded(status) {
		rows = append(rows, []string{markEnded, "", string(status.State), "", "ended: " + string(status.Progress)})
	} else {
		rows = append(rows, []string{markNow, "now", string(status.State), "", waiting(&status.Participants)})
	}
	return rows
}

// whoDid is who did it, and the application that did it in no user's name.
func whoDid(entry *v1alpha1.HistoryEntry) string {
	if entry.Actor == v1alpha1.RobotUser && entry.By != nil {
		return named(string(entry.Actor), entry.By.Application)
	}
	return string(entry.Actor)
}

// mark shows at a glance how something went.
func mark(entry *v1alpha1.HistoryEntry) string {
	switch {
	case entry.Outcome == v1alpha1.OutcomeRefuse,
		entry.Action == v1alpha1.HistoryScriptFailed, entry.Action == v1alpha1.HistoryHookFailed,
		entry.Action == v1alpha1.HistoryAction(v1alpha1.ActionClose):
		return markRefused
	case entry.Transition != "" && entry.Outcome == v1alpha1.OutcomeAccept:
		return markDone
	}
	return markOther
}

// deeds are what history actions are called where no transition says more.
var deeds = map[v1alpha1.HistoryAction]string{
	"Accept": "claimed it", "Deliver": "delivered it to ", "AddSigner": "asked ", "EndAddSigner": "gave it back",
	"Comment": "commented", "SetState": "forced it", "SetFields": "set ", "RetryScript": "tried again",
	"Retreat": "took it back", "Close": "closed it", "Delete": "deleted it", "HookCallback": "the other system called back",
	v1alpha1.HistoryScriptFailed: "the script failed", v1alpha1.HistoryHookFailed: "the hook failed",
	v1alpha1.HistoryHookSucceeded: "the hook answered", v1alpha1.HistoryScriptSucceeded: "the script ran",
	v1alpha1.HistoryTimer: "time was up", v1alpha1.HistoryChildrenEnded: "all sub-tickets ended",
	v1alpha1.HistorySkipped: "nobody would act",
}

// story is what somebody did, in a line; a comment follows in the same.
func (p *portrait) story(entry *v1alpha1.HistoryEntry) string {
	story := deeds[entry.Action] + string(entry.Target)
	if entry.Action == v1alpha1.HistoryAction(v1alpha1.ActionSetFields) {
		story += strings.Join(slices.Sorted(maps.Keys(entry.Changes)), ", ")
	}
	failed := entry.Action == v1alpha1.HistoryScriptFailed || entry.Action == v1alpha1.HistoryHookFailed
	if entry.Transition != "" && !failed {
		if story != "" {
			story += ": "
		}
		story += p.transition(entry)
	}
	if entry.After.State != entry.State {
		story += " → " + string(entry.After.State)
	}
	if comment := strings.TrimSpace(entry.Comment); comment != "" {
		story += ` "` + strings.ReplaceAll(comment, "\n", " ⏎ ") + `"`
	}
	return story
}

func (p *portrait) transition(entry *v1alpha1.HistoryEntry) string {
	if state, ok := p.graph.State(entry.State); ok {
		if t, found := state.Transition(entry.Transition); found {
			return named(string(t.Name), t.DisplayName)
		}
	}
	return string(entry.Transition)
}
