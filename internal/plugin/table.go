// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/clock"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

const (
	// none stands where there is nothing to tell.
	none = "-"
	// namedPeople is how many people a cell names before it counts.
	namedPeople = 3
	// titleRunes is how much of a title a table shows.
	titleRunes = 60
)

// column is one of a table of tickets.
type column struct {
	title string
	// wide says that only a wide table has it.
	wide bool
	cell func(t *v1alpha1.Ticket, now clock.PassiveClock) string
}

var ticketColumns = []column{
	{"NAME", false, func(t *v1alpha1.Ticket, _ clock.PassiveClock) string { return t.Name }},
	{"ID", false, func(t *v1alpha1.Ticket, _ clock.PassiveClock) string { return fmt.Sprint(t.Status.ID) }},
	{"SN", true, func(t *v1alpha1.Ticket, _ clock.PassiveClock) string { return t.Status.SerialNumber }},
	{"WORKFLOW", false, func(t *v1alpha1.Ticket, _ clock.PassiveClock) string { return string(t.Spec.WorkflowRef.Name) }},
	{"STATE", false, func(t *v1alpha1.Ticket, _ clock.PassiveClock) string { return string(t.Status.State) }},
	{"PROGRESS", false, func(t *v1alpha1.Ticket, _ clock.PassiveClock) string { return progress(t) }},
	{"PARTICIPANTS", false, func(t *v1alpha1.Ticket, _ clock.PassiveClock) string { return onWhom(&t.Status) }},
	{"IN STATE", true, func(t *v1alpha1.Ticket, now clock.PassiveClock) string { return age(t.Status.EnteredAt, now) }},
	{"AGE", false, func(t *v1alpha1.Ticket, now clock.PassiveClock) string { return age(&t.CreationTimestamp, now) }},
	{"CREATOR", true, func(t *v1alpha1.Ticket, _ clock.PassiveClock) string { return string(t.Spec.Creator) }},
	{"TITLE", false, func(t *v1alpha1.Ticket, _ clock.PassiveClock) string {
		return shorten(oneLine(cmp.Or(t.Status.Title, t.Spec.Title)), titleRunes)
	}},
}

// columns of the table that is wanted.
func (l *lister) columns() []column {
	var out []column
	if l.everywhere {
		out = append(out, column{"NAMESPACE", false, func(t *v1alpha1.Ticket, _ clock.PassiveClock) string { return t.Namespace }})
	}
	for _, c := range ticketColumns {
		if !c.wide || l.output.isWide() {
			out = append(out, c)
		}
	}
	return out
}

// table writes tickets in rows, below titles at the first time.
func (l *lister) table() func(...v1alpha1.Ticket) error {
	shown, layout := l.columns(), &columns{gap: 3}
	titled := l.noHeaders
	return func(tickets ...v1alpha1.Ticket) error {
		var rows [][]string
		if !titled {
			rows, titled = append(rows, mapped(shown, func(c column) string { return c.title })), true
		}
		for i := range tickets {
			rows = append(rows, mapped(shown, func(c column) string { return cmp.Or(c.cell(&tickets[i], l.clock), none) }))
		}
		return l.write(strings.Join(append(layout.rows(rows), ""), "\n"))
	}
}

// progress is how far a ticket has come, for people.
func progress(t *v1alpha1.Ticket) string {
	if t.DeletionTimestamp != nil {
		return "Deleted"
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

// onWhom is waitsFor in a row, which says too that a run has failed: a person can
// have it run again.
func onWhom(status *v1alpha1.TicketStatus) string {
	kind := status.Participants.Kind
	if engine.LastRunFailed(status) && (kind == v1alpha1.ParticipantsScript || kind == v1alpha1.ParticipantsHook) {
		return waitsFor(&status.Participants) + " (failed)"
	}
	return waitsFor(&status.Participants)
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

// span is how long something takes, without what is zero.
func span(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-len("0s")]
		}
	}
	return text
}

func shorten(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
