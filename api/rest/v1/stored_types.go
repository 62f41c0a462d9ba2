// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// StoredTicket is a ticket as it is stored, for who may look at it by its own
// rule: with all that is needed to show it and to say what can be done with it.
//
// +kubebuilder:object:root=true
type StoredTicket struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec and Status as they are stored. A list leaves the history out.
	Spec   v1alpha1.TicketSpec   `json:"spec"`
	Status v1alpha1.TicketStatus `json:"status"`
	// Records are the older parts of the history, oldest first; not in a list.
	Records []v1alpha1.TicketRecordSpec `json:"records,omitempty"`
	// Definition is what the ticket follows to its end; not in a list.
	Definition *Definition `json:"definition,omitempty"`
	// Viewer is who reads; not in a list's items.
	Viewer *Viewer `json:"viewer,omitempty"`
}

// StoredTicketList is a page of stored tickets.
//
// +kubebuilder:object:root=true
type StoredTicketList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// Viewer is who reads.
	Viewer *Viewer `json:"viewer,omitempty"`
	// Items are the tickets.
	Items []StoredTicket `json:"items"`
}

// Viewer is who reads a ticket.
type Viewer struct {
	// Kubernetes is the user whom the request was made as.
	Kubernetes string `json:"kubernetes"`
	// User of Ticketflow that it belongs to; empty if none does that is active.
	User v1alpha1.UserName `json:"user,omitempty"`
	// May is what the user may do with the ticket besides taking part in its
	// present state; not in a list.
	May []v1alpha1.ActionType `json:"may,omitempty"`
}

// Workflow is a workflow as those see it who open tickets on it.
//
// +kubebuilder:object:root=true
type Workflow struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// DisplayName and Description are for people.
	DisplayName string `json:"displayName,omitempty"`
	Description string `json:"description,omitempty"`
	// Trouble says why no tickets are opened on it; empty if they are.
	Trouble string `json:"trouble,omitempty"`
	// Definition is what new tickets follow; nil if there is none that serves,
	// and in a list.
	Definition *Definition `json:"definition,omitempty"`
}

// WorkflowList is all workflows that there are.
//
// +kubebuilder:object:root=true
type WorkflowList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// Items are the workflows.
	Items []Workflow `json:"items"`
}

// Definition is one revision of a workflow: all that it compiles from. Of the
// addresses of hooks it tells the host alone: the rest may hold what is secret.
type Definition struct {
	// Workflow that it is a revision of, by name.
	Workflow string `json:"workflow"`
	// Spec of the workflow at that time.
	Spec v1alpha1.WorkflowSpec `json:"spec"`
	// IDs on the wire.
	IDs DefinitionIDs `json:"ids"`
}

// DefinitionIDs are the wire ids of a workflow and its parts.
type DefinitionIDs struct {
	// Workflow's own id.
	Workflow v1alpha1.WireID `json:"workflow"`
	// States by name, Transitions by state/transition, Fields by name.
	States      map[string]v1alpha1.WireID `json:"states"`
	Transitions map[string]v1alpha1.WireID `json:"transitions"`
	Fields      map[string]v1alpha1.WireID `json:"fields"`
}
