// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/randfill"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

func ticket() *v1alpha1.Ticket {
	at := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	participants := v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsUsers, Users: []v1alpha1.UserName{"ann", "bob"}}
	return &v1alpha1.Ticket{
		ObjectMeta: metav1.ObjectMeta{
			Name: "one", Namespace: "here", Labels: map[string]string{"team": "red"}, Annotations: map[string]string{},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "somebody"}},
		},
		Spec: v1alpha1.TicketSpec{
			WorkflowRef: v1alpha1.WorkflowReference{Name: "vpn"}, Creator: "ann", By: v1alpha1.RequestedBy{Application: "portal"},
			Fields: v1alpha1.JSONObject{"count": int64(3), "why": "because"},
			Action: &v1alpha1.TicketAction{
				ID: "00000001", Type: v1alpha1.ActionDeliver, Actor: "ann", Target: "bob", By: v1alpha1.RequestedBy{User: "kube"},
			},
		},
		Status: v1alpha1.TicketStatus{
			ID: 7, OpenedAt: &at, State: "work", Progress: v1alpha1.ProgressInProgress, Participants: participants,
			Votes: []v1alpha1.Vote{{User: "ann", Transition: "yes"}}, Signers: []v1alpha1.UserName{"cid"},
			Related: []v1alpha1.RelatedUser{{User: "ann", Handled: true}}, Fields: v1alpha1.JSONObject{"count": int64(3)},
			History: []v1alpha1.HistoryEntry{{
				Seq: 1, Time: at, Action: v1alpha1.HistoryOpen, State: "new", Transition: "submit", Actor: "ann",
				By: &v1alpha1.RequestedBy{Application: "portal"}, Changes: v1alpha1.JSONObject{"title": "a", "note": nil},
				After: v1alpha1.HistoryPosition{State: "work", Progress: v1alpha1.ProgressInProgress, Participants: participants},
				Hash:  strings.Repeat("a", 64),
			}},
			RecentActions: []v1alpha1.RecentAction{{ID: "00000000", Outcome: v1alpha1.ActionApplied}},
			Conditions:    []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Ready", LastTransitionTime: at}},
		},
	}
}

// decoded is a ticket as an informer gets it: texts of its own, room to spare.
func decoded(t *testing.T) *v1alpha1.Ticket {
	t.Helper()
	data, err := json.Marshal(ticket())
	if err != nil {
		t.Fatal(err)
	}
	var out v1alpha1.Ticket
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return &out
}

func transformed(t *testing.T, object any) any {
	t.Helper()
	out, err := Transform()(object)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestATicketReadBackHasAllButItsManagedFields(t *testing.T) {
	want := decoded(t)
	want.ManagedFields = nil
	head := transformed(t, decoded(t)).(*v1alpha1.Ticket)
	if head.Status.History != nil || head.Status.Fields != nil || head.Spec.Fields != nil {
		t.Error("nothing is packed")
	}
	if diff := cmp.Diff(want, Whole(head)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAnEmptyTicketStaysAsItIs(t *testing.T) {
	head := transformed(t, &v1alpha1.Ticket{}).(*v1alpha1.Ticket)
	if diff := cmp.Diff(&v1alpha1.Ticket{}, Whole(head)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := Whole(nil); got != nil {
		t.Errorf("of no ticket, the whole is %v", got)
	}
}

// tickets fills tickets with whatever the API may have.
func tickets() *randfill.Filler {
	return randfill.New().NilChance(0.3).NumElements(0, 4).Funcs(
		func(at *metav1.Time, c randfill.Continue) {
			if !c.Bool() {
				*at = metav1.NewTime(time.Unix(c.Int63n(1<<37), c.Int63n(1_000_000_000)))
			}
		},
		func(o *v1alpha1.JSONObject, c randfill.Continue) {
			*o, _ = freeForm(c, 3).(map[string]any)
		},
		func(s *v1alpha1.TicketStatus, c randfill.Continue) {
			c.FillNoCustom(s)
			s.Packed = nil
		},
		func(_ *[]metav1.ManagedFieldsEntry, _ randfill.Continue) {},
	)
}

// Whatever fields are added to the API later: no value of any gets lost.
func TestAnyTicketIsReadBackAsItWas(t *testing.T) {
	filler := tickets()
	for range 2000 {
		var want v1alpha1.Ticket
		filler.Fill(&want)
		head := transformed(t, want.DeepCopy()).(*v1alpha1.Ticket)
		if head.Status.Packed == nil {
			t.Fatal("it was not packed")
		}
		if diff := cmp.Diff(&want, Whole(head)); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	}
}

// freeForm is any value that comes out of JSON.
func freeForm(c randfill.Continue, depth int) any {
	kinds := 7
	if depth == 0 {
		kinds = 5
	}
	switch c.Intn(kinds) {
	case 0:
		return nil
	case 1:
		return c.Bool()
	case 2:
		return int64(c.Uint64()) //nolint:gosec // any will do
	case 3:
		return c.NormFloat64()
	case 4:
		return c.String(20)
	case 5:
		all := make([]any, c.Intn(4))
		for i := range all {
			all[i] = freeForm(c, depth-1)
		}
		return all
	}
	all := make(map[string]any)
	for range c.Intn(4) {
		all[c.String(5)] = freeForm(c, depth-1)
	}
	return all
}

func TestHexadecimalTextsAreReadBackAsTheyWere(t *testing.T) {
	for _, text := range []string{"", "0", "00", "0f", "0F", "abc", "abcd", strings.Repeat("0123456789abcdef", 4), "0x12", "时间"} {
		want := v1alpha1.TicketSpec{Comment: text, Fields: v1alpha1.JSONObject{text: []any{text, text}}}
		head := transformed(t, &v1alpha1.Ticket{Spec: want}).(*v1alpha1.Ticket)
		if diff := cmp.Diff(want, Whole(head).Spec); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestAHeadIsNotChangedByMakingItWhole(t *testing.T) {
	head := transformed(t, decoded(t)).(*v1alpha1.Ticket)
	before := head.DeepCopy()
	Whole(head).Status.History[0].Actor = "mallory"
	if diff := cmp.Diff(before, head); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestATicketMayBeTransformedTwice(t *testing.T) {
	once := transformed(t, decoded(t)).(*v1alpha1.Ticket)
	want := Whole(once.DeepCopy())
	if diff := cmp.Diff(want, Whole(transformed(t, once).(*v1alpha1.Ticket))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWhatCannotBePackedStaysWhole(t *testing.T) {
	strange := func() *v1alpha1.Ticket {
		ticket := decoded(t)
		ticket.ManagedFields, ticket.Status.Fields["strange"] = nil, uint8(1)
		return ticket
	}
	if diff := cmp.Diff(strange(), transformed(t, strange())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAHeadCannotBeWritten(t *testing.T) {
	head := transformed(t, decoded(t)).(*v1alpha1.Ticket)
	if _, err := json.Marshal(head); err == nil {
		t.Error("a head was encoded")
	}
	if _, err := json.Marshal(*head); err == nil {
		t.Error("a copy of a head was encoded")
	}
	if _, err := client.MergeFrom(head).Data(head); err == nil {
		t.Error("a patch of a head was made")
	}
	if _, err := json.Marshal(Whole(head)); err != nil {
		t.Error("a whole ticket was not encoded:", err)
	}
}

func TestOtherObjectsLoseTheirManagedFieldsOnly(t *testing.T) {
	given := &corev1.ConfigMap{Data: map[string]string{"a": "b"}}
	given.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "somebody"}}
	if diff := cmp.Diff(&corev1.ConfigMap{Data: map[string]string{"a": "b"}}, transformed(t, given)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTicketsShareTheirTextsAndKeepNoRoomToSpare(t *testing.T) {
	one, other := decoded(t), decoded(t)
	if sameText(string(one.Status.State), string(other.Status.State)) {
		t.Fatal("decoding shares texts by itself: nothing is tested")
	}
	transformed(t, one)
	transformed(t, other)
	for name, pair := range map[string][2]string{
		"state":       {string(one.Status.State), string(other.Status.State)},
		"creator":     {string(one.Spec.Creator), string(other.Spec.Creator)},
		"participant": {string(one.Status.Participants.Users[1]), string(other.Status.Participants.Users[1])},
	} {
		if !sameText(pair[0], pair[1]) {
			t.Errorf("the %s is held twice", name)
		}
	}
	if got := cap(one.Status.Related); got != len(one.Status.Related) {
		t.Errorf("there is room for %d related users, of which %d are in use", got, len(one.Status.Related))
	}
}

func sameText(a, b string) bool { return unsafe.StringData(a) == unsafe.StringData(b) }
