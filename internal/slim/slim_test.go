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

func TestATicketKeepsAllButItsManagedFields(t *testing.T) {
	want := decoded(t)
	want.ManagedFields = nil
	if diff := cmp.Diff(want, transformed(t, decoded(t))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAnEmptyTicketStaysAsItIs(t *testing.T) {
	if diff := cmp.Diff(&v1alpha1.Ticket{}, transformed(t, &v1alpha1.Ticket{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
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
		"state":             {string(one.Status.State), string(other.Status.State)},
		"creator":           {string(one.Spec.Creator), string(other.Spec.Creator)},
		"actor of an entry": {string(one.Status.History[0].Actor), string(other.Status.History[0].Actor)},
		"participant":       {string(one.Status.Participants.Users[1]), string(other.Status.Participants.Users[1])},
	} {
		if !sameText(pair[0], pair[1]) {
			t.Errorf("the %s is held twice", name)
		}
	}
	if got := cap(one.Status.History); got != len(one.Status.History) {
		t.Errorf("there is room for %d history entries, of which %d are in use", got, len(one.Status.History))
	}
}

func sameText(a, b string) bool { return unsafe.StringData(a) == unsafe.StringData(b) }
