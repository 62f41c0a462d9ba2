// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Ticket is a ticket as a Kubernetes user sees it.
//
// +kubebuilder:object:root=true
type Ticket struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Request opens a ticket; it is only read, by create.
	Request *Opening `json:"request,omitempty"`
	// Value is what the same read answers as data on /api/v1.0; its fields are
	// documented there.
	Value v1alpha1.JSONObject `json:"value,omitempty"`
}

// OnBehalf is for programs that speak for people: whoever may act-as the actor,
// on the resource actors of ticketflow.dev, may do so through an application that
// one may act-as too.
type OnBehalf struct {
	// Actor is the user who acts; by default whom the Kubernetes user is.
	Actor string `json:"actor,omitempty"`
	// Application through which the actor acts; it belongs to every actor.
	Application string `json:"application,omitempty"`
	// IdempotencyKey makes the repetition of a request harmless.
	IdempotencyKey string `json:"idempotencyKey,omitempty"`
}

// Opening asks for a ticket.
type Opening struct {
	OnBehalf `json:",inline"`

	// Workflow that it is to follow, by name.
	Workflow string `json:"workflow"`
	// Title, transition of the start state, fields of its form, comment and
	// parent: as in the spec of a stored ticket.
	Title      string                    `json:"title,omitempty"`
	Transition v1alpha1.Name             `json:"transition,omitempty"`
	Fields     v1alpha1.JSONObject       `json:"fields,omitempty"`
	Comment    string                    `json:"comment,omitempty"`
	Parent     *v1alpha1.ParentReference `json:"parent,omitempty"`
}

// Action asks for something to be done with a ticket: the body of each
// subresource that is created. Which of the members belong to which is told by
// the refusal of those that do not.
//
// +kubebuilder:object:root=true
type Action struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	OnBehalf          `json:",inline"`

	// Comment for the history; it belongs to all.
	Comment string `json:"comment,omitempty"`
	// Transition to take, and the state it is meant to leave.
	Transition v1alpha1.Name `json:"transition,omitempty"`
	FromState  v1alpha1.Name `json:"fromState,omitempty"`
	// Fields to set, and names of fields to empty.
	Fields v1alpha1.JSONObject      `json:"fields,omitempty"`
	Clear  []v1alpha1.FormFieldName `json:"clear,omitempty"`
	// Target is the user to deliver to, or to ask.
	Target v1alpha1.UserName `json:"target,omitempty"`
	// State to force the ticket into.
	State v1alpha1.Name `json:"state,omitempty"`
	// AsAdministrator delivers by an administrator's right.
	AsAdministrator bool `json:"asAdministrator,omitempty"`
}

// TicketList is a page of tickets.
//
// +kubebuilder:object:root=true
type TicketList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// Items are the tickets.
	Items []Ticket `json:"items"`
}

// TicketReference says which ticket an id belongs to.
type TicketReference struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// TicketID is a ticket that was asked for by its wire id, which is its name
// here. It is a kind of its own, since clients find the resource by the kind.
//
// +kubebuilder:object:root=true
type TicketID struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Ticket is the one that has the id.
	Ticket TicketReference `json:"ticket"`
	// Value is what a Ticket's is.
	Value v1alpha1.JSONObject `json:"value,omitempty"`
}
