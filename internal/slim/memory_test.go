// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// typical is a ticket with 8 fields and 6 history entries, as hack/bench loads
// them, encoded.
func typical(n int) []byte {
	t := v1alpha1.Ticket{
		TypeMeta: metav1.TypeMeta{Kind: "Ticket", APIVersion: v1alpha1.SchemeGroupVersion.String()},
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("typical-%07d", n), Namespace: "bench", UID: types.UID(uuid.NewString()), ResourceVersion: fmt.Sprint(1000 + n),
			CreationTimestamp: metav1.NewTime(time.Unix(1_700_000_000+int64(n), 0)),
		},
	}
	at := t.CreationTimestamp
	person, fields := v1alpha1.UserName(fmt.Sprintf("person%03d", n%200)), v1alpha1.JSONObject{}
	for i := range 8 {
		fields[fmt.Sprintf("value%d", i)] = fmt.Sprintf("%d of ticket %d: %s", i, n, strings.Repeat("x", 20))
	}
	participants := v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsUsers, Users: []v1alpha1.UserName{person}}
	by := v1alpha1.RequestedBy{Application: "bench"}
	t.Annotations = map[string]string{v1alpha1.AnnotationOpened: at.UTC().Format(time.RFC3339)}
	t.Spec = v1alpha1.TicketSpec{WorkflowRef: v1alpha1.WorkflowReference{Name: "round"}, Creator: person, By: by, Title: "a typical ticket", Transition: "submit", Fields: fields}
	t.Status = v1alpha1.TicketStatus{
		ID: v1alpha1.WireID(n), SerialNumber: fmt.Sprintf("loonflow_20180101%07d", n), OpenedAt: &at, UpdatedAt: &at, WorkflowID: 1,
		WorkflowRevision: "round-0123456789abcdef0123", Title: fmt.Sprintf("typical ticket number %d", n), State: "work", StateID: 2, EnteredAt: &at,
		Visit: 7, Progress: v1alpha1.ProgressInProgress, Participants: participants, Related: []v1alpha1.RelatedUser{{User: person, Handled: true}}, Fields: fields,
		Conditions: []metav1.Condition{
			{Type: "Opened", Status: metav1.ConditionTrue, Reason: "Opened", LastTransitionTime: at},
			{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Ready", LastTransitionTime: at},
		},
	}
	for seq := range int64(6) {
		sum := sha256.Sum256(fmt.Append(nil, n, seq))
		t.Status.HeadHash, t.Status.HistoryCount = hex.EncodeToString(sum[:]), seq+1
		entry := v1alpha1.HistoryEntry{
			Seq: seq + 1, Time: at, Action: v1alpha1.HistoryAction(v1alpha1.ActionTransition), State: "work", Transition: "again", Outcome: v1alpha1.OutcomeAccept,
			Actor: person, By: &by, Comment: "handled", Hash: t.Status.HeadHash,
			After: v1alpha1.HistoryPosition{State: "work", Progress: v1alpha1.ProgressInProgress, Participants: participants},
		}
		if seq == 0 {
			entry.Action, entry.Changes = v1alpha1.HistoryOpen, fields
		} else {
			entry.ActionID = uuid.NewString()
			t.Status.RecentActions = append(t.Status.RecentActions, v1alpha1.RecentAction{ID: entry.ActionID, Outcome: v1alpha1.ActionApplied})
			t.Spec.Action = &v1alpha1.TicketAction{ID: entry.ActionID, Type: v1alpha1.ActionTransition, Actor: person, By: by, Comment: "handled", Transition: "again"}
		}
		t.Status.History = append(t.Status.History, entry)
	}
	data, err := json.Marshal(&t)
	if err != nil {
		panic(err)
	}
	return data
}

func decode(b *testing.B, n int) *v1alpha1.Ticket {
	b.Helper()
	var t v1alpha1.Ticket
	if err := json.Unmarshal(typical(n), &t); err != nil {
		b.Fatal(err)
	}
	return &t
}

// BenchmarkHeld tells how much memory a ticket takes in a cache, and in one
// that would keep it as it comes.
func BenchmarkHeld(b *testing.B) {
	for name, transform := range map[string]func(any) (any, error){
		"packed":     Transform(),
		"as it came": func(object any) (any, error) { return object, nil },
	} {
		b.Run(name, func(b *testing.B) {
			held := make([]any, b.N)
			before := inUse()
			for n := range held {
				held[n], _ = transform(decode(b, n))
			}
			b.ReportMetric(float64(inUse()-before)/float64(b.N), "B/ticket")
			runtime.KeepAlive(held)
		})
	}
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkPack(b *testing.B) {
	t := decode(b, 1)
	for b.Loop() {
		fresh := *t
		pack(&fresh)
	}
}

func BenchmarkWhole(b *testing.B) {
	t := decode(b, 1)
	pack(t)
	b.ReportMetric(float64(len(t.Status.Packed)), "B/packed")
	for b.Loop() {
		Whole(t)
	}
}

func BenchmarkDeepCopyForComparison(b *testing.B) {
	t := decode(b, 1)
	for b.Loop() {
		t.DeepCopy()
	}
}
