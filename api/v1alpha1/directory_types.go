// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// UserSpec is a person.
type UserSpec struct {
	// id keeps a known wire id; by default one is assigned.
	// +optional
	ID WireID `json:"id,omitempty"`

	// username is the person's name on the wire; default: metadata.name.
	// +optional
	Username UserName `json:"username,omitempty"`

	// displayName is what people read; default: the user name.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	DisplayName string `json:"displayName,omitempty"`

	// email address.
	// +optional
	// +kubebuilder:validation:MaxLength=254
	Email string `json:"email,omitempty"`

	// phone number.
	// +optional
	// +kubebuilder:validation:MaxLength=50
	Phone string `json:"phone,omitempty"`

	// department that the person belongs to, by metadata.name.
	// +optional
	Department ObjectName `json:"department,omitempty"`

	// active people can act; default true.
	// +optional
	Active *bool `json:"active,omitempty"`

	// administrator may intervene in every workflow's tickets.
	// +optional
	Administrator bool `json:"administrator,omitempty"`

	// identities are the Kubernetes user names that are this person, besides
	// the user name itself.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=500
	Identities []string `json:"identities,omitzero"`
}

// User is a person who opens or handles tickets.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=tuser,categories=ticketflow
// +kubebuilder:printcolumn:name="ID",type=integer,JSONPath=`.status.id`
// +kubebuilder:printcolumn:name="Name",type=string,JSONPath=`.spec.displayName`
// +kubebuilder:printcolumn:name="Department",type=string,JSONPath=`.spec.department`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type User struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the person.
	// +required
	Spec UserSpec `json:"spec"`

	// status has its id.
	// +optional
	Status DirectoryStatus `json:"status,omitempty"`
}

// UserList is a list of users.
// +kubebuilder:object:root=true
type UserList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []User `json:"items"`
}

// DepartmentSpec is a part of the organisation.
type DepartmentSpec struct {
	// id keeps a known wire id; by default one is assigned.
	// +optional
	ID WireID `json:"id,omitempty"`

	// displayName is what people read; default: metadata.name.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	DisplayName string `json:"displayName,omitempty"`

	// parent department, by metadata.name.
	// +optional
	Parent ObjectName `json:"parent,omitempty"`

	// leader of the department.
	// +optional
	Leader UserName `json:"leader,omitempty"`

	// approvers stand for the leader where a creator's leader is asked for.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	Approvers []UserName `json:"approvers,omitzero"`

	// label is passed through to clients.
	// +optional
	Label JSONObject `json:"label,omitempty"`
}

// Department is a part of the organisation.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=tdept,categories=ticketflow
// +kubebuilder:printcolumn:name="ID",type=integer,JSONPath=`.status.id`
// +kubebuilder:printcolumn:name="Name",type=string,JSONPath=`.spec.displayName`
// +kubebuilder:printcolumn:name="Parent",type=string,JSONPath=`.spec.parent`
// +kubebuilder:printcolumn:name="Leader",type=string,JSONPath=`.spec.leader`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Department struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the department.
	// +required
	Spec DepartmentSpec `json:"spec"`

	// status has its id.
	// +optional
	Status DirectoryStatus `json:"status,omitempty"`
}

// DepartmentList is a list of departments.
// +kubebuilder:object:root=true
type DepartmentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Department `json:"items"`
}

// UserRoleSpec is a role that people play.
type UserRoleSpec struct {
	// id keeps a known wire id; by default one is assigned.
	// +optional
	ID WireID `json:"id,omitempty"`

	// displayName is what people read; default: metadata.name.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	DisplayName string `json:"displayName,omitempty"`

	// description says what the role is for.
	// +optional
	// +kubebuilder:validation:MaxLength=1000
	Description string `json:"description,omitempty"`

	// members by user name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	Members []UserName `json:"members,omitzero"`

	// label is passed through to clients.
	// +optional
	Label JSONObject `json:"label,omitempty"`
}

// UserRole is a role that people play.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=trole,categories=ticketflow
// +kubebuilder:printcolumn:name="ID",type=integer,JSONPath=`.status.id`
// +kubebuilder:printcolumn:name="Name",type=string,JSONPath=`.spec.displayName`
// +kubebuilder:printcolumn:name="Members",type=string,JSONPath=`.spec.members`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type UserRole struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the role.
	// +required
	Spec UserRoleSpec `json:"spec"`

	// status has its id.
	// +optional
	Status DirectoryStatus `json:"status,omitempty"`
}

// UserRoleList is a list of roles.
// +kubebuilder:object:root=true
type UserRoleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []UserRole `json:"items"`
}

// Profile says how the contract is read where its sources conflict.
// +kubebuilder:validation:Enum=Documented;R1
type Profile string

// Profiles: decisions.md §1.3. Documented is the default.
const (
	ProfileDocumented Profile = "Documented"
	ProfileR1         Profile = "R1"
)

// HTTPStatus says which HTTP statuses refusals carry.
// +kubebuilder:validation:Enum=Always200;Standard
type HTTPStatus string

// HTTP status policies: decisions.md §3. Always200 is the default.
const (
	HTTPAlways200 HTTPStatus = "Always200"
	HTTPStandard  HTTPStatus = "Standard"
)

// SignaturePolicy says which signatures are taken.
// +kubebuilder:validation:Enum=Any;Strong
type SignaturePolicy string

// Signature policies; Any is the default.
const (
	SignatureAny    SignaturePolicy = "Any"
	SignatureStrong SignaturePolicy = "Strong"
)

// UnknownUsersPolicy says what becomes of user names that are not in the directory.
// +kubebuilder:validation:Enum=Refuse;Allow
type UnknownUsersPolicy string

// Policies for unknown users; Refuse is the default.
const (
	UnknownUsersRefuse UnknownUsersPolicy = "Refuse"
	UnknownUsersAllow  UnknownUsersPolicy = "Allow"
)

// Grant is a right that an application has beyond its users'.
// +kubebuilder:validation:Enum=Intervene
type Grant string

// GrantIntervene lets any user of the application intervene as administrators do, and
// the application change fields in no user's name.
const GrantIntervene Grant = "Intervene"

// ApplicationSpec is a program that calls the REST API for its users.
type ApplicationSpec struct {
	// id keeps a known wire id; by default one is assigned.
	// +optional
	ID WireID `json:"id,omitempty"`

	// appName is the application's name on the wire; default: metadata.name.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	// +kubebuilder:validation:Pattern=`^[^[:cntrl:]]+$`
	AppName string `json:"appName,omitempty"`

	// tokenSecretRef is the application's token. The Secret lives in the
	// system namespace and carries the label ticketflow.dev/use=application.
	// +required
	TokenSecretRef NamespacedSecretKeyRef `json:"tokenSecretRef"`

	// workflows that the application may touch; none by default.
	// +optional
	Workflows *WorkflowScope `json:"workflows,omitempty"`

	// serialPrefix of the serial numbers of tickets that it opens; default loonflow.
	// +optional
	// +kubebuilder:validation:MaxLength=50
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_.-]+$`
	SerialPrefix string `json:"serialPrefix,omitempty"`

	// profile says how the contract is read; default Documented.
	// +optional
	Profile Profile `json:"profile,omitempty"`

	// httpStatus says which HTTP statuses refusals carry; default Always200.
	// +optional
	HTTPStatus HTTPStatus `json:"httpStatus,omitempty"`

	// signature says which signatures are taken; default Any.
	// +optional
	Signature SignaturePolicy `json:"signature,omitempty"`

	// unknownUsers says what becomes of users who are not in the directory; default Refuse.
	// +optional
	UnknownUsers UnknownUsersPolicy `json:"unknownUsers,omitempty"`

	// grants are rights beyond the users'.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	Grants []Grant `json:"grants,omitzero"`
}

// NamespacedSecretKeyRef names a key of a Secret.
type NamespacedSecretKeyRef struct {
	// namespace of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`

	// name of the Secret.
	// +required
	Name ObjectName `json:"name"`

	// key in the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}

// WorkflowScope is a set of workflows.
type WorkflowScope struct {
	// all workflows.
	// +optional
	All bool `json:"all,omitempty"`

	// names as namespace/name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MaxLength=317
	// +kubebuilder:validation:items:Pattern=`^[^/]+/[^/]+$`
	Names []string `json:"names,omitzero"`
}

// Application is a program that calls the REST API for its users.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=tapp,categories=ticketflow
// +kubebuilder:printcolumn:name="ID",type=integer,JSONPath=`.status.id`
// +kubebuilder:printcolumn:name="AppName",type=string,JSONPath=`.spec.appName`
// +kubebuilder:printcolumn:name="Profile",type=string,JSONPath=`.spec.profile`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Application struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the application.
	// +required
	Spec ApplicationSpec `json:"spec"`

	// status has its id.
	// +optional
	Status DirectoryStatus `json:"status,omitempty"`
}

// ApplicationList is a list of applications.
// +kubebuilder:object:root=true
type ApplicationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Application `json:"items"`
}
