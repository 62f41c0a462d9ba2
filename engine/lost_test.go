// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

func TestLost(t *testing.T) {
	stamp := map[string]string{v1alpha1.AnnotationOpened: "2026-11-23T08:00:00Z"}
	opened := func(status metav1.ConditionStatus) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionOpened, Status: status}}
	}
	cases := map[string]struct {
		annotations map[string]string
		status      v1alpha1.TicketStatus
		want        bool
	}{
		"a new ticket has lost nothing":                       {},
		"an open ticket has lost nothing":                     {annotations: stamp, status: v1alpha1.TicketStatus{ID: 1}},
		"an open ticket may not be stamped yet":               {status: v1alpha1.TicketStatus{ID: 1}},
		"a stamped ticket without status has lost it":         {annotations: stamp, want: true},
		"one that says that it was opened has lost the rest":  {status: v1alpha1.TicketStatus{Conditions: opened(metav1.ConditionTrue)}, want: true},
		"a refused ticket never had one":                      {status: v1alpha1.TicketStatus{Conditions: opened(metav1.ConditionFalse)}},
		"other annotations say nothing of an earlier opening": {annotations: map[string]string{"example.com/opened": "yes"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := engine.Lost(c.annotations, &c.status); got != c.want {
				t.Errorf("lost: got %v, want %v", got, c.want)
			}
		})
	}
}
