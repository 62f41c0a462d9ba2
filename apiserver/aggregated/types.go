// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package aggregated serves tickets to Kubernetes users, through the kube-apiserver's
// aggregation layer: the same handlers' answers as /api/v1.0 has, with
// Kubernetes' own authentication, authorization and errors.
package aggregated

import (
	"maps"

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

	// Value is what the same read answers as data on /api/v1.0; its fields are
	// documented there.
	Value v1alpha1.JSONObject `json:"value"`
}

// DeepCopyObject copies the ticket.
func (t *Ticket) DeepCopyObject() runtime.Object {
	out := *t
	out.ObjectMeta = *t.DeepCopy()
	out.Value = maps.Clone(t.Value)
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
	Value v1alpha1.JSONObject `json:"value"`
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
	scheme.AddKnownTypes(GroupVersion, &Ticket{}, &TicketID{})
	// Answers are only ever written; nothing is converted to or stored.
	scheme.AddKnownTypes(schema.GroupVersion{Group: GroupVersion.Group, Version: runtime.APIVersionInternal}, &Ticket{}, &TicketID{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	scheme.AddUnversionedTypes(schema.GroupVersion{Version: "v1"}, &metav1.Status{}, &metav1.APIVersions{},
		&metav1.APIGroupList{}, &metav1.APIGroup{}, &metav1.APIResourceList{})
}
