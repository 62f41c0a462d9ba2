// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"k8s.io/apimachinery/pkg/api/meta"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Lost says whether a ticket was opened once and has no status any more, as
// after a restore without status. Such a ticket is not opened again: it would
// get another id, and what was decided would be forgotten.
func Lost(annotations map[string]string, status *v1alpha1.TicketStatus) bool {
	if status.ID != 0 || meta.IsStatusConditionFalse(status.Conditions, v1alpha1.ConditionOpened) {
		return false
	}
	_, stamped := annotations[v1alpha1.AnnotationOpened]
	return stamped || meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionOpened)
}
