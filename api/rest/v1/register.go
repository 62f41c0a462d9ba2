// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// APIServiceName is the name under which the group and version are registered.
const APIServiceName = "v1.rest.ticketflow.dev"

var (
	// GroupVersion of the aggregated API.
	GroupVersion = schema.GroupVersion{Group: "rest.ticketflow.dev", Version: "v1"}

	// SchemeBuilder collects what AddToScheme adds.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds the types of this package to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, Types()...)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}

// Types is one of each kind that is served or read.
func Types() []runtime.Object {
	return []runtime.Object{
		&Ticket{}, &TicketList{}, &TicketID{}, &Action{},
		&StoredTicket{}, &StoredTicketList{}, &Workflow{}, &WorkflowList{},
	}
}
