// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testingclock "k8s.io/utils/clock/testing"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

func TestColumnsAreAlignedWhateverTheLetters(t *testing.T) {
	layout := &columns{gap: 2}
	got := layout.rows([][]string{
		{"NAME", "PEOPLE", "TITLE"},
		{"a", "王五,李四", "显示器"},
		{"b", "e\u0301tienne", "bell\a and \x1b[2Jclear"},
		{"c", "-", ""},
	})
	want := []string{
		"NAME  PEOPLE     TITLE",
		"a     王五,李四  显示器",
		"b     e\u0301tienne    bell^G and ^[[2Jclear",
		"c     -",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unexpected rows (-want +got):\n%s", diff)
	}
	later := layout.rows([][]string{{"d", "one", "two"}})
	if diff := cmp.Diff([]string{"d     one        two"}, later); diff != "" {
		t.Errorf("later rows keep to the widths (-want +got):\n%s", diff)
	}
}

func TestPaint(t *testing.T) {
	cases := map[string]struct {
		colours    paint
		line, want string
	}{
		"a done step is green":                    {true, "✔  now", "\x1b[32m✔\x1b[0m  now"},
		"a line without a mark stays as it is":    {true, "days  5", "days  5"},
		"an empty line stays as it is":            {true, "", ""},
		"nothing is coloured where that is so":    {false, "✔  now", "✔  now"},
		"a mark that tells nothing has no colour": {true, "·  now", "·  now"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.colours.mark(tc.line)); diff != "" {
				t.Errorf("unexpected line (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSpan(t *testing.T) {
	cases := map[time.Duration]string{
		48 * time.Hour: "48h", 36*time.Hour + 30*time.Minute: "36h30m", 10 * time.Minute: "10m", 90 * time.Second: "1m30s",
		time.Second: "1s", time.Hour + time.Second: "1h0m1s", 20 * time.Hour: "20h",
	}
	for d, want := range cases {
		if got := span(d); got != want {
			t.Errorf("%v: want %s, got %s", d, want, got)
		}
	}
}

func TestProgress(t *testing.T) {
	gone := metav1.NewTime(start)
	cases := map[string]struct {
		ticket v1alpha1.Ticket
		want   string
	}{
		"one that is not decided yet": {v1alpha1.Ticket{}, "Pending"},
		"one under way":               {v1alpha1.Ticket{Status: v1alpha1.TicketStatus{Progress: "InProgress"}}, "InProgress"},
		"one that is going":           {v1alpha1.Ticket{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &gone}}, "Deleted"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := progress(&tc.ticket); got != tc.want {
				t.Errorf("want %s, got %s", tc.want, got)
			}
		})
	}
}

func TestOnWhom(t *testing.T) {
	script := v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsScript, Script: "grant"}
	hook := v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsHook}
	cases := map[string]struct {
		status v1alpha1.TicketStatus
		want   string
	}{
		"a script that runs":   {v1alpha1.TicketStatus{Participants: script}, "script/grant"},
		"a script that failed": {v1alpha1.TicketStatus{Participants: script, LastRunFailed: true}, "script/grant (failed)"},
		"a hook that failed":   {v1alpha1.TicketStatus{Participants: hook, LastRunFailed: true}, "hook (failed)"},
		"a hook that was not reached and is called again": {v1alpha1.TicketStatus{
			Participants: hook, Wanted: &v1alpha1.WantedRun{Visit: 2, Attempt: 1},
			Run: &v1alpha1.Run{Visit: 2, Attempt: 1, Phase: v1alpha1.RunRunning, Message: "connection refused"},
		}, "hook (failed)"},
		"people, after a run that failed": {v1alpha1.TicketStatus{LastRunFailed: true, Participants: v1alpha1.CurrentParticipants{
			Kind: v1alpha1.ParticipantsUsers, Users: []v1alpha1.UserName{"guiji"}}}, "guiji"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := onWhom(&tc.status); got != tc.want {
				t.Errorf("want %s, got %s", tc.want, got)
			}
		})
	}
}

func TestWhoDid(t *testing.T) {
	cases := map[string]struct {
		entry v1alpha1.HistoryEntry
		want  string
	}{
		"a user":                           {v1alpha1.HistoryEntry{Actor: "lilei", By: &v1alpha1.RequestedBy{Application: "portal"}}, "lilei"},
		"nobody: it happened by itself":    {v1alpha1.HistoryEntry{Actor: v1alpha1.RobotUser}, "loonrobot"},
		"an application in no user's name": {v1alpha1.HistoryEntry{Actor: v1alpha1.RobotUser, By: &v1alpha1.RequestedBy{Application: "portal"}}, "loonrobot (portal)"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := whoDid(&tc.entry); got != tc.want {
				t.Errorf("want %s, got %s", tc.want, got)
			}
		})
	}
}

func TestWaiting(t *testing.T) {
	cases := map[string]struct {
		participants v1alpha1.CurrentParticipants
		want         string
	}{
		"nobody":      {v1alpha1.CurrentParticipants{Kind: "None"}, "waits for nobody"},
		"two people":  {v1alpha1.CurrentParticipants{Kind: "Users", Users: []v1alpha1.UserName{"a", "b"}}, "waits for a, b"},
		"a crowd":     {v1alpha1.CurrentParticipants{Kind: "Users", Users: []v1alpha1.UserName{"a", "b", "c", "d", "e"}}, "waits for a, b, c +2"},
		"a script":    {v1alpha1.CurrentParticipants{Kind: "Script", Script: "grant"}, "waits for script/grant"},
		"a hook":      {v1alpha1.CurrentParticipants{Kind: "Hook"}, "waits for hook"},
		"sub-tickets": {v1alpha1.CurrentParticipants{Kind: "Children"}, "waits for sub-tickets"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := waiting(&tc.participants); got != tc.want {
				t.Errorf("want %q, got %q", tc.want, got)
			}
		})
	}
}

func TestAges(t *testing.T) {
	now := testingclock.NewFakePassiveClock(start)
	past, future := metav1.NewTime(start.Add(-90*time.Minute)), metav1.NewTime(start.Add(time.Hour))
	for want, got := range map[string]string{
		"90m": age(&past, now), "0s": age(&future, now), "-": age(nil, now), "60m": until(future, now),
	} {
		if got != want {
			t.Errorf("want %s, got %s", want, got)
		}
	}
}

func TestConvert(t *testing.T) {
	graph := sampleGraph(t)
	cases := map[string]struct {
		field, text string
		want        any
		err         string
	}{
		"a number":                           {field: "price", text: "12", want: int64(12)},
		"a number in letters":                {field: "price", text: "twelve", err: "not a whole number"},
		"a number that the field refuses":    {field: "price", text: "-1", err: "self > 0"},
		"a choice by its key":                {field: "kind", text: "chair", want: "chair"},
		"a choice by what people read":       {field: "kind", text: "椅子", want: "chair"},
		"what is no choice names those":      {field: "kind", text: "table", err: `"table" is none of screen (显示器), chair (椅子)`},
		"the title is text":                  {field: "title", text: "12", want: "12"},
		"nothing is nothing":                 {field: "price", text: "", want: nil},
		"true and false go by their numbers": {field: "urgent", text: "1", want: true},
		"a time keeps the zone that it says": {field: "needed", text: "2026-05-01T09:30:00+08:00", want: "2026-05-01T09:30:00+08:00"},
		"a time that is none":                {field: "needed", text: "tomorrow", err: "is not a time like"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := convert(graph, tc.field, tc.text)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("want an error with %q, got %v", tc.err, err)
				}
				return
			}
			if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
				t.Errorf("unexpected value, error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// chain is a history of so many entries, in records of two and the status.
func chain(t *testing.T, entries, recorded int) (*v1alpha1.Ticket, []v1alpha1.TicketRecordSpec) {
	t.Helper()
	s := newStory(t)
	for i := 1; i < entries; i++ {
		s.then(time.Minute, "lilei", v1alpha1.TicketAction{Type: v1alpha1.ActionComment, Comment: fmt.Sprint(i)})
	}
	all := s.snapshot.Status.History
	ticket := &v1alpha1.Ticket{Spec: s.snapshot.Spec, Status: s.snapshot.Status}
	ticket.Status.History = all[recorded:]
	var records []v1alpha1.TicketRecordSpec
	for at := 0; at < recorded; at += 2 {
		record := v1alpha1.TicketRecordSpec{FirstSeq: all[at].Seq, Entries: all[at : at+2 : at+2], LastHash: all[at+1].Hash}
		if at > 0 {
			record.PreviousHash = all[at-1].Hash
		}
		records = append(records, record)
	}
	return ticket, records
}

func TestVerify(t *testing.T) {
	cases := map[string]struct {
		spoil func(*v1alpha1.Ticket, *[]v1alpha1.TicketRecordSpec)
		want  string // empty: it is whole
	}{
		"a history in three places is whole": {spoil: func(*v1alpha1.Ticket, *[]v1alpha1.TicketRecordSpec) {}},
		"entries in two places are whole": {spoil: func(ticket *v1alpha1.Ticket, records *[]v1alpha1.TicketRecordSpec) {
			ticket.Status.History = append((*records)[1].Entries[:2:2], ticket.Status.History...)
		}},
		"a comment was changed": {
			spoil: func(ticket *v1alpha1.Ticket, _ *[]v1alpha1.TicketRecordSpec) { ticket.Status.History[0].Comment = "no" }, want: "entry 5",
		},
		"a recorded comment was changed": {
			spoil: func(_ *v1alpha1.Ticket, records *[]v1alpha1.TicketRecordSpec) {
				(*records)[0].Entries[1].Comment = "no"
			}, want: "entry 2",
		},
		"a record is gone": {
			spoil: func(_ *v1alpha1.Ticket, records *[]v1alpha1.TicketRecordSpec) { *records = (*records)[1:] }, want: "begins with entry 3",
		},
		"a record in the middle is gone": {
			spoil: func(_ *v1alpha1.Ticket, records *[]v1alpha1.TicketRecordSpec) { *records = (*records)[:1] }, want: "entry",
		},
		"the newest entry is gone": {
			spoil: func(ticket *v1alpha1.Ticket, _ *[]v1alpha1.TicketRecordSpec) {
				ticket.Status.History = ticket.Status.History[:1]
			}, want: "ends with entry 5, but the status counts 6",
		},
		"everything is gone": {
			spoil: func(ticket *v1alpha1.Ticket, records *[]v1alpha1.TicketRecordSpec) {
				ticket.Status.History, *records = nil, nil
			}, want: "all 6 entries are missing",
		},
		"the head is another": {
			spoil: func(ticket *v1alpha1.Ticket, _ *[]v1alpha1.TicketRecordSpec) { ticket.Status.HeadHash = "abc" }, want: "head is not the hash",
		},
		"a copy in two places differs": {
			spoil: func(ticket *v1alpha1.Ticket, records *[]v1alpha1.TicketRecordSpec) {
				copied := append([]v1alpha1.HistoryEntry{}, (*records)[1].Entries...)
				copied[1].Actor = "somebody"
				ticket.Status.History = append(copied, ticket.Status.History...)
			}, want: "entry 4",
		},
		"a record says another hash": {
			spoil: func(_ *v1alpha1.Ticket, records *[]v1alpha1.TicketRecordSpec) { (*records)[1].PreviousHash = "abc" }, want: "begin or end",
		},
		"it was not opened": {
			spoil: func(ticket *v1alpha1.Ticket, records *[]v1alpha1.TicketRecordSpec) {
				ticket.Status, *records = v1alpha1.TicketStatus{}, nil
			}, want: "not opened",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ticket, records := chain(t, 6, 4)
			tc.spoil(ticket, &records)
			err := verify(ticket, records)
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("want an error with %q, got %v", tc.want, err)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	tickets := v1alpha1.SchemeGroupVersion.WithResource("tickets").GroupResource()
	cases := map[string]struct {
		err  error
		want string
	}{
		"a refusal says what to do":       {refused(engine.ReasonAcceptFirst, "accept it", "vpn-1"), "error: AcceptFirst: accept it\nClaim it first: kubectl ticket accept vpn-1"},
		"any refusal has advice":          {refused(engine.ReasonWrongState, "no", "vpn-1"), "kubectl ticket show vpn-1"},
		"a right that is not there":       {fmt.Errorf("read: %w", apierrors.NewForbidden(tickets, "a", errors.New("no"))), "docs/kubectl-ticket.md"},
		"nobody is logged in":             {apierrors.NewUnauthorized("no"), "Log in again"},
		"a conflict":                      {apierrors.NewConflict(tickets, "a", errors.New("no")), "Try again"},
		"a cluster that does not reply":   {&url.Error{Op: "Get", URL: "https://x", Err: io.EOF}, "Check that the cluster is up"},
		"a kubeconfig that is not there":  {&fs.PathError{Op: "open", Path: "/x", Err: fs.ErrNotExist}, "Name a file that is there"},
		"anything else stands for itself": {errors.New("odd"), "error: odd"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := explain(tc.err); !strings.Contains(got, tc.want) {
				t.Errorf("want %q in it, got %q", tc.want, got)
			}
		})
	}
}

// TestEveryReasonHasAdvice: whoever is refused is told what to do, whatever the reason.
func TestEveryReasonHasAdvice(t *testing.T) {
	for _, reason := range []engine.Reason{
		engine.ReasonInAddNode, engine.ReasonMissingFields, engine.ReasonUnknownUser, engine.ReasonUnknownTransition, engine.ReasonConditionFailed,
		engine.ReasonNoParticipants, engine.ReasonLimitReached, engine.ReasonNotCreator, engine.ReasonTooLarge, engine.ReasonInternal,
	} {
		if adviceFor(reason, "vpn-1") == adviceFor(engine.ReasonWrongState, "vpn-1") {
			t.Errorf("%s has no advice of its own", reason)
		}
	}
}

// TestSVGIsXML: names may hold what means something to XML.
func TestSVGIsXML(t *testing.T) {
	decoder := xml.NewDecoder(strings.NewReader(svg(sampleGraph(t), "")))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestNothingRunsThroughAState: lanes are beside the boxes, and arcs that
// overlap are in different ones.
func TestNothingRunsThroughAState(t *testing.T) {
	s := layout(sampleGraph(t))
	for i, a := range s.arcs {
		switch {
		case a.side == left && a.x >= s.x, a.side == right && a.x <= s.x+s.boxWidth, a.x > s.width:
			t.Errorf("the arc from %d to %d runs at %d", a.from, a.to, a.x)
		case a.side == down && a.fromY >= a.toY:
			t.Errorf("the arc from %d to %d runs upwards", a.from, a.to)
		}
		for _, b := range s.arcs[:i] {
			if a.side == b.side && a.side != down && a.lane == b.lane && a.overlaps(b) {
				t.Errorf("two arcs to %d and %d are in one lane", a.to, b.to)
			}
		}
	}
	for i, b := range s.boxes[1:] {
		if above := s.boxes[i]; above.y+above.height >= b.y {
			t.Errorf("box %d runs into the one above", i+1)
		}
	}
}
