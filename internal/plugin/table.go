// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/clock"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

const (
	// none stands where there is nothing to tell.
	none = "-"
	// namedPeople is how many people a cell names before it counts.
	namedPeople = 3
	// titleRunes is how much of a title a table shows.
	titleRunes = 60
)

// columns of a table of tickets. The title comes last: it may be written in
// letters that are wider than a table's columns are counted by.
func columns() []metav1.TableColumnDefinition {
	return []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name"},
		{Name: "ID", Type: "integer"},
		{Name: "SN", Type: "string", Priority: 1},
		{Name: "Workflow", Type: "string"},
		{Name: "State", Type: "string"},
		{Name: "Progress", Type: "string"},
		{Name: "Participants", Type: "string"},
		{Name: "In state", Type: "string", Priority: 1},
		{Name: "Age", Type: "string"},
		{Name: "Creator", Type: "string", Priority: 1},
		{Name: "Title", Type: "string"},
	}
}

// table has a row for each ticket.
func table(tickets []v1alpha1.Ticket, now clock.PassiveClock) *metav1.Table {
	out := &metav1.Table{ColumnDefinitions: columns()}
	for i := range tickets {
		out.Rows = append(out.Rows, row(&tickets[i], now))
	}
	return out
}

func row(t *v1alpha1.Ticket, now clock.PassiveClock) metav1.TableRow {
	id := none
	if t.Status.ID != 0 {
		id = fmt.Sprint(t.Status.ID)
	}
	return metav1.TableRow{
		Cells: []any{
			t.Name, id, cmp.Or(t.Status.SerialNumber, none), string(t.Spec.WorkflowRef.Name),
			cmp.Or(string(t.Status.State), none), progress(t), waitsFor(&t.Status.Participants),
			age(t.Status.EnteredAt, now), age(&t.CreationTimestamp, now), string(t.Spec.Creator),
			shorten(cmp.Or(t.Status.Title, t.Spec.Title, none), titleRunes),
		},
		Object: runtime.RawExtension{Object: t},
	}
}

// progress is how far a ticket has come, for people.
func progress(t *v1alpha1.Ticket) string {
	if t.DeletionTimestamp != nil {
		return "Deleted"
	}
	if meta.IsStatusConditionFalse(t.Status.Conditions, v1alpha1.ConditionOpened) {
		return "NotOpened"
	}
	return cmp.Or(string(t.Status.Progress), "Pending")
}

// waitsFor is whom or what a ticket waits for.
func waitsFor(p *v1alpha1.CurrentParticipants) string {
	switch p.Kind {
	case v1alpha1.ParticipantsUsers:
		return cmp.Or(people(p.Users), none)
	case v1alpha1.ParticipantsScript:
		return "script/" + string(p.Script)
	case v1alpha1.ParticipantsHook:
		return "hook"
	case v1alpha1.ParticipantsChildren:
		return "sub-tickets"
	}
	return none
}

// waiting is waitsFor in a sentence.
func waiting(p *v1alpha1.CurrentParticipants) string {
	whom := waitsFor(p)
	if whom == none {
		whom = "nobody"
	}
	return "waits for " + strings.ReplaceAll(whom, ",", ", ")
}

// people are names, or the first of them and how many more.
func people(users []v1alpha1.UserName) string {
	names := make([]string, 0, len(users))
	for _, user := range users {
		names = append(names, string(user))
	}
	if more := len(names) - namedPeople; more > 0 {
		return fmt.Sprintf("%s +%d", strings.Join(names[:namedPeople], ","), more)
	}
	return strings.Join(names, ",")
}

// age is how long ago something was.
func age(t *metav1.Time, now clock.PassiveClock) string {
	if t.IsZero() {
		return none
	}
	// A clock that is a little behind the cluster's has nothing to say of it.
	return duration.HumanDuration(max(now.Since(t.Time), 0))
}

// until is how long it is to something.
func until(t metav1.Time, now clock.PassiveClock) string {
	return duration.HumanDuration(max(t.Time.Sub(now.Now()), 0).Round(time.Second))
}

func shorten(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
