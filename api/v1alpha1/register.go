// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// SchemeGroupVersion is the group and version of the resources in this package.
	SchemeGroupVersion = schema.GroupVersion{Group: "ticketflow.dev", Version: "v1alpha1"}

	// SchemeBuilder collects what AddToScheme adds.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds the types of this package to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(SchemeGroupVersion,
		&Workflow{}, &WorkflowList{},
		&Ticket{}, &TicketList{},
		&TicketRecord{}, &TicketRecordList{},
		&Script{}, &ScriptList{},
		&Notifier{}, &NotifierList{},
		&User{}, &UserList{},
		&Department{}, &DepartmentList{},
		&UserRole{}, &UserRoleList{},
		&Application{}, &ApplicationList{},
	)
	metav1.AddToGroupVersion(scheme, SchemeGroupVersion)
	return nil
}
