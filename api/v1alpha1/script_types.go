// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ScriptSpec is a program that runs when a ticket enters a state.
// +kubebuilder:validation:ExactlyOneOf=source;sourceFrom
// +kubebuilder:validation:AtMostOneOf=interpreter;command
type ScriptSpec struct {
	// id keeps a known wire id; by default one is assigned.
	// +optional
	ID WireID `json:"id,omitempty"`

	// fileName is the script's name on the wire; default: metadata.name.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[^/[:cntrl:]]+$`
	FileName string `json:"fileName,omitempty"`

	// description says what the script does.
	// +optional
	// +kubebuilder:validation:MaxLength=1000
	Description string `json:"description,omitempty"`

	// interpreter that is given the script's file; default python3.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Interpreter string `json:"interpreter,omitempty"`

	// command that is run instead, with the script's file as its last argument.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=1000
	Command []string `json:"command,omitzero"`

	// source is the script's text.
	// +optional
	// +kubebuilder:validation:MaxLength=200000
	Source string `json:"source,omitempty"`

	// sourceFrom is where the script's text is.
	// +optional
	SourceFrom *ScriptSource `json:"sourceFrom,omitempty"`

	// env are variables for the script, besides those that tell of the ticket.
	// With TICKETFLOW_TRACEBACK, a Python script that raises says where.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Env []EnvVar `json:"env,omitzero"`

	// timeout after which the script and all it started are killed; default 60s.
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`

	// retries is how often a failed run is repeated by itself; default 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	Retries int32 `json:"retries,omitempty"`

	// active scripts run; default true. A run of an inactive one fails and says so.
	// +optional
	Active *bool `json:"active,omitempty"`

	// image to run the script in, in a cluster.
	// +optional
	// +kubebuilder:validation:MaxLength=500
	Image string `json:"image,omitempty"`

	// resources of the script's container, in a cluster.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
}

// ScriptSource is where a script's text is.
type ScriptSource struct {
	// configMapKeyRef is a key of a ConfigMap in the same namespace.
	// +required
	ConfigMapKeyRef ConfigMapKeyRef `json:"configMapKeyRef"`
}

// ConfigMapKeyRef names a key of a ConfigMap in the same namespace.
type ConfigMapKeyRef struct {
	// name of the ConfigMap.
	// +required
	Name ObjectName `json:"name"`

	// key in the ConfigMap.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}

// EnvVar is an environment variable, by value or from a Secret that carries
// the label ticketflow.dev/use=script.
// +kubebuilder:validation:AtMostOneOf=value;valueFrom
type EnvVar struct {
	// name of the variable.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	Name string `json:"name"`

	// value of the variable.
	// +optional
	// +kubebuilder:validation:MaxLength=10000
	Value string `json:"value,omitempty"`

	// valueFrom is where the value is.
	// +optional
	ValueFrom *EnvVarSource `json:"valueFrom,omitempty"`
}

// EnvVarSource is where a variable's value is.
type EnvVarSource struct {
	// secretKeyRef is a key of a Secret in the same namespace.
	// +required
	SecretKeyRef SecretKeyRef `json:"secretKeyRef"`
}

// DirectoryStatus is the status of kinds that only need an id.
type DirectoryStatus struct {
	// id that REST clients know the object by.
	// +optional
	ID WireID `json:"id,omitempty"`

	// observedGeneration is the generation that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=10
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Script is a program that runs when a ticket enters a state.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=tscript,categories=ticketflow
// +kubebuilder:printcolumn:name="ID",type=integer,JSONPath=`.status.id`
// +kubebuilder:printcolumn:name="File",type=string,JSONPath=`.spec.fileName`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Script struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the program.
	// +required
	Spec ScriptSpec `json:"spec"`

	// status has its id.
	// +optional
	Status DirectoryStatus `json:"status,omitempty"`
}

// ScriptList is a list of scripts.
// +kubebuilder:object:root=true
type ScriptList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Script `json:"items"`
}

// NotifierSpec is a way to tell people.
// +kubebuilder:validation:ExactlyOneOf=webhook;email
type NotifierSpec struct {
	// id keeps a known wire id; by default one is assigned.
	// +optional
	ID WireID `json:"id,omitempty"`

	// displayName is what people read; default: metadata.name.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	DisplayName string `json:"displayName,omitempty"`

	// description says whom it tells.
	// +optional
	// +kubebuilder:validation:MaxLength=1000
	Description string `json:"description,omitempty"`

	// webhook is called with a signed POST.
	// +optional
	Webhook *Webhook `json:"webhook,omitempty"`

	// email is sent to the people whom the ticket waits for; to its creator when
	// it has ended.
	// +optional
	Email *Email `json:"email,omitempty"`
}

// TLSMode says how a mail server is spoken to.
// +kubebuilder:validation:Enum=StartTLS;TLS;None
type TLSMode string

// TLS modes; StartTLS is the default.
const (
	// TLSModeStart changes to TLS before anything is said.
	TLSModeStart TLSMode = "StartTLS"
	// TLSModeFromStart is TLS from the first byte.
	TLSModeFromStart TLSMode = "TLS"
	// TLSModeNone is plain text: for servers on the same machine.
	TLSModeNone TLSMode = "None"
)

// Email is a mail server that messages are handed to.
type Email struct {
	// server is its host and port.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=260
	// +kubebuilder:validation:Pattern=`^.+:[0-9]{1,5}$`
	Server string `json:"server"`

	// from is the address of the sender, also as "Name <address>".
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=320
	From string `json:"from"`

	// to are addresses that every message goes to as well.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MinLength=3
	// +kubebuilder:validation:items:MaxLength=320
	To []string `json:"to,omitzero"`

	// tls says how the server is spoken to.
	// +optional
	// +kubebuilder:default=StartTLS
	TLS TLSMode `json:"tls,omitempty"`

	// usernameSecretRef is the user name to log in with, in the same namespace;
	// without it nobody logs in. The Secret carries the label ticketflow.dev/use=notifier.
	// +optional
	UsernameSecretRef *SecretKeyRef `json:"usernameSecretRef,omitempty"`

	// passwordSecretRef is the password to log in with, from a Secret like it.
	// +optional
	PasswordSecretRef *SecretKeyRef `json:"passwordSecretRef,omitempty"`
}

// Webhook is an HTTP endpoint that is told of tickets.
type Webhook struct {
	// url that is called.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2000
	// +kubebuilder:validation:Pattern=`^https?://`
	URL string `json:"url"`

	// tokenSecretRef is the token to sign with, in the same namespace. The Secret
	// carries the label ticketflow.dev/use=notifier.
	// +optional
	TokenSecretRef *SecretKeyRef `json:"tokenSecretRef,omitempty"`
}

// Notifier is a way to tell people of tickets.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=tnotifier,categories=ticketflow
// +kubebuilder:printcolumn:name="ID",type=integer,JSONPath=`.status.id`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Notifier struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the way.
	// +required
	Spec NotifierSpec `json:"spec"`

	// status has its id.
	// +optional
	Status DirectoryStatus `json:"status,omitempty"`
}

// NotifierList is a list of notifiers.
// +kubebuilder:object:root=true
type NotifierList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Notifier `json:"items"`
}
