// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package conditions sets conditions the same way everywhere.
package conditions

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// maxMessage is the API's bound on a condition's message, in characters.
const maxMessage = 32768

// Set sets a condition. Its transition time moves only when its status does.
func Set(clk clock.PassiveClock, all *[]metav1.Condition, generation int64, kind string, status bool, reason, message string) {
	condition := metav1.Condition{
		Type:               kind,
		Status:             metav1.ConditionFalse,
		Reason:             reason,
		Message:            Truncate(message, maxMessage),
		ObservedGeneration: generation,
		LastTransitionTime: metav1.NewTime(clk.Now()),
	}
	if status {
		condition.Status = metav1.ConditionTrue
	}
	if present := meta.FindStatusCondition(*all, kind); present != nil && present.Status == condition.Status {
		condition.LastTransitionTime = present.LastTransitionTime
	}
	meta.SetStatusCondition(all, condition)
}

// SetReady sets a definition's Ready, and Stalled where only an edit helps: it
// tells those who wait for Ready that they wait in vain.
func SetReady(clk clock.PassiveClock, all *[]metav1.Condition, generation int64, reason, message string) {
	Set(clk, all, generation, v1alpha1.ConditionReady, reason == v1alpha1.ReasonReady, reason, message)
	switch reason {
	case v1alpha1.ReasonInvalid, v1alpha1.ReasonIDTaken, v1alpha1.ReasonNameTaken, v1alpha1.ReasonNameReserved:
		Set(clk, all, generation, v1alpha1.ConditionStalled, true, reason, message)
	default:
		meta.RemoveStatusCondition(all, v1alpha1.ConditionStalled)
	}
}

// Truncate shortens a text to a number of bytes, at a character's end, and
// says so by an ellipsis.
func Truncate(text string, limit int) string {
	const ellipsis = "…"
	if len(text) <= limit {
		return text
	}
	cut := 0
	for i := range text {
		if i > limit-len(ellipsis) {
			break
		}
		cut = i
	}
	return text[:cut] + ellipsis
}
