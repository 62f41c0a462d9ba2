// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package aggregated serves tickets to Kubernetes users, through the kube-apiserver's
// aggregation layer: the same handlers' answers as /api/v1.0 has, with
// Kubernetes' own authentication, authorization and errors.
package aggregated

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// GroupVersion of the aggregated API.
var GroupVersion = schema.GroupVersion{Group: "rest.ticketflow.dev", Version: "v1"}

// APIServiceName is the name under which it is registered.
const APIServiceName = "v1.rest.ticketflow.dev"

// Ticket is a ticket as a Kubernetes user sees it.
type Ticket struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Request opens a ticket; it is only read, by create.
	Request *Opening `json:"request,omitempty"`
	// Value is what the same read answers as data on /api/v1.0; its fields are
	// documented there.
	Value v1alpha1.JSONObject `json:"value,omitempty"`
}

// DeepCopyObject copies the ticket.
func (t *Ticket) DeepCopyObject() runtime.Object {
	out := *t
	out.ObjectMeta = *t.DeepCopy()
	out.Value = maps.Clone(t.Value)
	if t.Request != nil {
		request := *t.Request
		request.Fields = request.Fields.DeepCopy()
		out.Request = &request
	}
	return &out
}

// OnBehalf is for programs that speak for people: whoever may act-as the actor,
// on the resource actors of ticketflow.dev, may do so through an application.
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

// DeepCopyObject copies the action.
func (a *Action) DeepCopyObject() runtime.Object {
	out := *a
	out.ObjectMeta = *a.DeepCopy()
	out.Fields, out.Clear = a.Fields.DeepCopy(), slices.Clone(a.Clear)
	return &out
}

// TicketList is a page of tickets.
type TicketList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// Items are the tickets.
	Items []Ticket `json:"items"`
}

// DeepCopyObject copies the list.
func (l *TicketList) DeepCopyObject() runtime.Object {
	out := *l
	l.DeepCopyInto(&out.ListMeta)
	out.Items = make([]Ticket, 0, len(l.Items))
	for i := range l.Items {
		if t, ok := l.Items[i].DeepCopyObject().(*Ticket); ok {
			out.Items = append(out.Items, *t)
		}
	}
	return &out
}

// TicketReference says which ticket an id belongs to.
type TicketReference struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// TicketID is a ticket that was asked for by its wire id, which is its name
// here. It is a kind of its own, since clients find the resource by the kind.
type TicketID struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Ticket is the one that has the id.
	Ticket TicketReference `json:"ticket"`
	// Value is what a Ticket's is.
	Value v1alpha1.JSONObject `json:"value,omitempty"`
}

// DeepCopyObject copies the ticket.
func (t *TicketID) DeepCopyObject() runtime.Object {
	out := *t
	out.ObjectMeta = *t.DeepCopy()
	out.Value = maps.Clone(t.Value)
	return &out
}

var (
	scheme = runtime.NewScheme()
	codecs = serializer.NewCodecFactory(scheme)
)

func init() {
	scheme.AddKnownTypes(GroupVersion, &Ticket{}, &TicketID{}, &TicketList{}, &Action{})
	// Nothing is stored: the one form is read and written.
	scheme.AddKnownTypes(schema.GroupVersion{Group: GroupVersion.Group, Version: runtime.APIVersionInternal}, &Ticket{}, &TicketID{}, &TicketList{}, &Action{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	scheme.AddUnversionedTypes(schema.GroupVersion{Version: "v1"}, &metav1.Status{}, &metav1.APIVersions{},
		&metav1.APIGroupList{}, &metav1.APIGroup{}, &metav1.APIResourceList{})
}
