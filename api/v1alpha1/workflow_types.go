// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// FieldType is the type of a ticket field.
// +kubebuilder:validation:Enum=String;Integer;Number;Boolean;Date;DateTime;Radio;Checkbox;Select;MultiSelect;Text;User;Users;Attachment
type FieldType string

// Field types. On the wire they are the numbers of rest-behaviour.md §3.7.
const (
	FieldString      FieldType = "String"
	FieldInteger     FieldType = "Integer"
	FieldNumber      FieldType = "Number"
	FieldBoolean     FieldType = "Boolean"
	FieldDate        FieldType = "Date"
	FieldDateTime    FieldType = "DateTime"
	FieldRadio       FieldType = "Radio"
	FieldCheckbox    FieldType = "Checkbox"
	FieldSelect      FieldType = "Select"
	FieldMultiSelect FieldType = "MultiSelect"
	FieldText        FieldType = "Text"
	FieldUser        FieldType = "User"
	FieldUsers       FieldType = "Users"
	FieldAttachment  FieldType = "Attachment"
)

// StateType says where in a ticket's life a state stands.
// +kubebuilder:validation:Enum=Normal;Start;End
type StateType string

// State types; Normal is the default.
const (
	StateNormal StateType = "Normal"
	StateStart  StateType = "Start"
	StateEnd    StateType = "End"
)

// Access says what a form allows with a field.
// +kubebuilder:validation:Enum=ReadOnly;Required;Optional
type Access string

// Form accesses.
const (
	AccessReadOnly Access = "ReadOnly"
	AccessRequired Access = "Required"
	AccessOptional Access = "Optional"
)

// Outcome is what taking a transition means.
// +kubebuilder:validation:Enum=Accept;Refuse;Other
type Outcome string

// Transition outcomes; Accept is the default.
const (
	OutcomeAccept Outcome = "Accept"
	OutcomeRefuse Outcome = "Refuse"
	OutcomeOther  Outcome = "Other"
)

// FieldCheck says whether a transition demands the form's required fields.
// +kubebuilder:validation:Enum=Require;Skip
type FieldCheck string

// Field checks; Require is the default.
const (
	FieldCheckRequire FieldCheck = "Require"
	FieldCheckSkip    FieldCheck = "Skip"
)

// Distribution says how several participants share a state.
// +kubebuilder:validation:Enum=Claim;Direct;Random;All
type Distribution string

// Distributions; Claim is the default.
const (
	// DistributionClaim: with several participants, one must claim the ticket first.
	DistributionClaim Distribution = "Claim"
	// DistributionDirect: any participant may act.
	DistributionDirect Distribution = "Direct"
	// DistributionRandom: one participant is drawn on arrival.
	DistributionRandom Distribution = "Random"
	// DistributionAll: every participant votes; see Approval.
	DistributionAll Distribution = "All"
)

// OnEmpty says what happens when a state's participants resolve to nobody.
// +kubebuilder:validation:Enum=Refuse;Skip;Admins
type OnEmpty string

// Choices for OnEmpty; Refuse is the default.
const (
	// OnEmptyRefuse refuses the transition that leads here.
	OnEmptyRefuse OnEmpty = "Refuse"
	// OnEmptySkip takes the state's first transition at once.
	OnEmptySkip OnEmpty = "Skip"
	// OnEmptyAdmins gives the state to the workflow's admins.
	OnEmptyAdmins OnEmpty = "Admins"
)

// Visibility says who may look at a workflow's tickets.
// +kubebuilder:validation:Enum=Related;Everyone
type Visibility string

// Visibilities; Related is the default.
const (
	// VisibilityRelated: the creator, everyone ever involved, and admins.
	VisibilityRelated Visibility = "Related"
	// VisibilityEveryone: any user.
	VisibilityEveryone Visibility = "Everyone"
)

// Variable stands for people who follow from the ticket.
// +kubebuilder:validation:Enum=Creator;CreatorLeader
type Variable string

// Variables.
const (
	// VariableCreator is the ticket's creator.
	VariableCreator Variable = "Creator"
	// VariableCreatorLeader is the approvers of the creator's department, or
	// its leader where it has none.
	VariableCreatorLeader Variable = "CreatorLeader"
)

// Name identifies a state or transition within its workflow.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$`
type Name string

// FieldName identifies a field within its workflow; it is the field's key on
// the wire and its name in CEL.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=50
// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
type FieldName string

// FormFieldName names a workflow's own field or one of the built-in fields of
// rest-behaviour.md §4.3, such as sn, title or state.state_name. Participants may
// also be those of participant, relation and add_node_man.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=50
// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_.]*$`
type FormFieldName string

// UserName is a person's name on the wire: anything printable but a comma.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=100
// +kubebuilder:validation:Pattern=`^[^,[:cntrl:]]+$`
type UserName string

// ObjectName is the name of another Ticketflow object.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
type ObjectName string

// WireID is an id that REST clients know something by: unique for its kind
// across the cluster, never reused.
// +kubebuilder:validation:Minimum=1
// +kubebuilder:validation:Maximum=2147483647
type WireID int64

// CELExpression is an expression in the Common Expression Language.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=1000
type CELExpression string

// WorkflowSpec says how a kind of request is handled.
type WorkflowSpec struct {
	// displayName is the workflow's name on the wire; default: metadata.name.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	DisplayName string `json:"displayName,omitempty"`

	// description says what the workflow is for.
	// +optional
	// +kubebuilder:validation:MaxLength=1000
	Description string `json:"description,omitempty"`

	// id keeps a known wire id; by default one is assigned.
	// +optional
	ID WireID `json:"id,omitempty"`

	// creator is shown on the wire and counts as one of the admins.
	// +optional
	Creator UserName `json:"creator,omitempty"`

	// admins may intervene in the workflow's tickets.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	Admins []UserName `json:"admins,omitzero"`

	// visibility says who may look at the tickets; default Related.
	// +optional
	Visibility Visibility `json:"visibility,omitempty"`

	// creation says who may open tickets; by default everyone may.
	// +optional
	Creation *CreationRule `json:"creation,omitempty"`

	// fields are the workflow's own fields.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=200
	Fields []Field `json:"fields,omitzero"`

	// displayFields are the fields that someone sees who may look at a ticket
	// but not act on it; built-in fields may be named too.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=200
	DisplayFields []FormFieldName `json:"displayFields,omitzero"`

	// notifications says whom to tell when a ticket is opened or handled.
	// +optional
	Notifications *Notifications `json:"notifications,omitempty"`

	// retention says when finished tickets are deleted; by default never.
	// +optional
	Retention *Retention `json:"retention,omitempty"`

	// suspend refuses new tickets while true; tickets under way go on.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// states are the stations of a ticket's life. Exactly one is the start.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	States []State `json:"states"`
}

// CreationRule says who may open tickets. Every part that is present must be
// satisfied.
type CreationRule struct {
	// users who may.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	Users []UserName `json:"users,omitzero"`

	// departments whose people may, those of sub-departments included.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	Departments []ObjectName `json:"departments,omitzero"`

	// userRoles whose members may.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	UserRoles []ObjectName `json:"userRoles,omitzero"`

	// limit bounds how many tickets may be opened within a period.
	// +optional
	Limit *CreationLimit `json:"limit,omitempty"`
}

// LimitScope says what a creation limit counts.
// +kubebuilder:validation:Enum=User;Workflow
type LimitScope string

// Scopes of a creation limit; User is the default.
const (
	LimitPerUser     LimitScope = "User"
	LimitPerWorkflow LimitScope = "Workflow"
)

// CreationLimit bounds how many tickets may be opened within a period.
type CreationLimit struct {
	// count is the most tickets that may be opened within the period, this one included.
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	Count *int32 `json:"count,omitempty"`

	// period that is looked back on, such as 24h.
	// +required
	Period metav1.Duration `json:"period"`

	// per says whether a user's own tickets are counted or all; default User.
	// +optional
	Per LimitScope `json:"per,omitempty"`
}

// Field is one of a workflow's own fields.
// +kubebuilder:validation:XValidation:rule="!has(self.choices) || size(self.choices) == 0 || self.type in ['Radio', 'Checkbox', 'Select', 'MultiSelect']",message="choices belong to the types Radio, Checkbox, Select and MultiSelect",fieldPath=".choices",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="!has(self.booleanLabels) || self.type == 'Boolean'",message="booleanLabels belong to the type Boolean",fieldPath=".booleanLabels",reason=FieldValueInvalid
type Field struct {
	// name is the field's key.
	// +required
	Name FieldName `json:"name"`

	// id keeps a known wire id; by default one is assigned.
	// +optional
	ID WireID `json:"id,omitempty"`

	// displayName is what people read; default: the name.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	DisplayName string `json:"displayName,omitempty"`

	// type of the values.
	// +required
	Type FieldType `json:"type"`

	// order of the field in forms, ascending; default 0.
	// +optional
	// +kubebuilder:validation:Minimum=-1000000
	// +kubebuilder:validation:Maximum=1000000
	Order int32 `json:"order,omitempty"`

	// description explains the field to whoever fills it.
	// +optional
	// +kubebuilder:validation:MaxLength=1000
	Description string `json:"description,omitempty"`

	// template is a text to start from, for clients.
	// +optional
	// +kubebuilder:validation:MaxLength=10000
	Template string `json:"template,omitempty"`

	// default is a hint for clients, as text; it is never applied by the server.
	// +optional
	// +kubebuilder:validation:MaxLength=1000
	Default *string `json:"default,omitempty"`

	// choices of the types Radio, Checkbox, Select and MultiSelect.
	// +optional
	// +listType=map
	// +listMapKey=key
	// +kubebuilder:validation:MaxItems=500
	Choices []Choice `json:"choices,omitzero"`

	// booleanLabels are what true and false are called.
	// +optional
	// +kubebuilder:validation:MaxProperties=10
	BooleanLabels map[string]string `json:"booleanLabels,omitempty"`

	// validation is a CEL rule that a value must satisfy; the value is self.
	// +optional
	Validation CELExpression `json:"validation,omitempty"`

	// label is passed through to clients.
	// +optional
	Label JSONObject `json:"label,omitempty"`
}

// Choice is one of the values that a field may take.
type Choice struct {
	// key is what is stored. A comma would make lists of keys ambiguous.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=50
	// +kubebuilder:validation:Pattern=`^[^,]+$`
	Key string `json:"key"`

	// label is what people read.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Label string `json:"label,omitempty"`
}

// Notifications says whom to tell when a ticket is opened or handled.
type Notifications struct {
	// notifiers in the workflow's namespace.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	Notifiers []ObjectName `json:"notifiers,omitzero"`

	// title is a template over the ticket's values, such as "To do: {title}":
	// a key of the ticket or of a field stands in braces, and {{ and }} for
	// braces themselves.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// body is a template over the ticket's values.
	// +optional
	// +kubebuilder:validation:MaxLength=2000
	Body string `json:"body,omitempty"`

	// events are what else people are told of: opening and handling always are, by
	// whomever or whatever they are done.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	Events []NoticeEvent `json:"events,omitzero"`
}

// NoticeEvent is something that people are told of if a workflow says so.
// +kubebuilder:validation:Enum=Accept;Deliver;AddSigner;EndAddSigner;Comment;SetState;Retreat;Close;Failure
type NoticeEvent string

// Notice events.
const (
	NoticeAccept       NoticeEvent = "Accept"
	NoticeDeliver      NoticeEvent = "Deliver"
	NoticeAddSigner    NoticeEvent = "AddSigner"
	NoticeEndAddSigner NoticeEvent = "EndAddSigner"
	NoticeComment      NoticeEvent = "Comment"
	NoticeSetState     NoticeEvent = "SetState"
	NoticeRetreat      NoticeEvent = "Retreat"
	NoticeClose        NoticeEvent = "Close"
	// NoticeFailure is a script, a hook or a timer that failed.
	NoticeFailure NoticeEvent = "Failure"
)

// Retention says when finished tickets are deleted: all of the workflow's,
// whatever revision they follow. One is kept longer while notices of it are
// outstanding, while its parent is under way, and while it has sub-tickets.
type Retention struct {
	// afterFinished is how long a finished ticket is kept.
	// +required
	AfterFinished metav1.Duration `json:"afterFinished"`
}

// State is a station in a ticket's life.
// +kubebuilder:validation:XValidation:rule="!has(self.approval) || (has(self.distribution) && self.distribution == 'All')",message="approval belongs to the distribution All",fieldPath=".approval",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="!has(self.type) || self.type == 'Normal' || !has(self.participants)",message="only a Normal state names participants: a start state belongs to the creator, an end state to nobody",fieldPath=".participants",reason=FieldValueInvalid
type State struct {
	// name identifies the state within the workflow.
	// +required
	Name Name `json:"name"`

	// id keeps a known wire id; by default one is assigned.
	// +optional
	ID WireID `json:"id,omitempty"`

	// displayName is what people read; default: the name.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	DisplayName string `json:"displayName,omitempty"`

	// type is Normal by default.
	// +optional
	Type StateType `json:"type,omitempty"`

	// order among the states, ascending; default: the position in the list.
	// +optional
	// +kubebuilder:validation:Minimum=-1000000
	// +kubebuilder:validation:Maximum=1000000
	Order *int32 `json:"order,omitempty"`

	// hidden leaves the state out of a ticket's steps unless the ticket is in it.
	// +optional
	Hidden bool `json:"hidden,omitempty"`

	// form names the fields that who acts here sees, and what may be done with each.
	// +optional
	// +listType=map
	// +listMapKey=field
	// +kubebuilder:validation:MaxItems=200
	Form []FormField `json:"form,omitzero"`

	// participants are who acts here; nobody by default.
	// +optional
	Participants *Participants `json:"participants,omitempty"`

	// distribution says how several participants share the state; default Claim.
	// +optional
	Distribution Distribution `json:"distribution,omitempty"`

	// approval says when votes decide; for the distribution All.
	// +optional
	Approval *Approval `json:"approval,omitempty"`

	// onEmpty says what happens when participants resolve to nobody; default Refuse.
	// +optional
	OnEmpty OnEmpty `json:"onEmpty,omitempty"`

	// rememberLastHandler gives the state, when it is entered again, to who
	// last took a transition out of it.
	// +optional
	RememberLastHandler bool `json:"rememberLastHandler,omitempty"`

	// allowRetreat lets the creator take the ticket back from here.
	// +optional
	AllowRetreat bool `json:"allowRetreat,omitempty"`

	// transitions lead on from here.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	Transitions []Transition `json:"transitions,omitzero"`

	// label is passed through to clients.
	// +optional
	Label JSONObject `json:"label,omitempty"`
}

// FormField says what a form allows with a field.
type FormField struct {
	// field is a workflow's own field or a built-in one.
	// +required
	Field FormFieldName `json:"field"`

	// access to the field.
	// +required
	Access Access `json:"access"`
}

// Participants are who acts in a state: exactly one of the members. People
// resolve to user names when a ticket enters the state.
// +kubebuilder:validation:ExactlyOneOf=users;departments;userRoles;variables;fields;parentFields;script;hook;children
type Participants struct {
	// users by name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	Users []UserName `json:"users,omitzero"`

	// departments, with their sub-departments.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	Departments []ObjectName `json:"departments,omitzero"`

	// userRoles whose members act.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	UserRoles []ObjectName `json:"userRoles,omitzero"`

	// variables stand for people who follow from the ticket.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=2
	Variables []Variable `json:"variables,omitzero"`

	// fields of the ticket that hold user names.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	Fields []FormFieldName `json:"fields,omitzero"`

	// parentFields are fields of the parent ticket that hold user names.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	ParentFields []FormFieldName `json:"parentFields,omitzero"`

	// script names a Script in the workflow's namespace; it runs when the
	// state is entered, and the state's one transition is taken when it succeeds.
	// +optional
	Script ObjectName `json:"script,omitempty"`

	// hook is called when the state is entered.
	// +optional
	Hook *Hook `json:"hook,omitempty"`

	// children waits until all sub-tickets that hang on this state have ended.
	// +optional
	Children *Children `json:"children,omitempty"`
}

// Children waits for sub-tickets. It has no members yet.
type Children struct{}

// Hook is an HTTP call to another system.
type Hook struct {
	// url that is called with a signed POST.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2000
	// +kubebuilder:validation:Pattern=`^https?://`
	URL string `json:"url"`

	// tokenSecretRef is the token to sign with, in the workflow's namespace. The
	// Secret carries the label ticketflow.dev/use=hook.
	// +optional
	TokenSecretRef *SecretKeyRef `json:"tokenSecretRef,omitempty"`

	// wait leaves the ticket here until the other system calls back.
	// +optional
	Wait bool `json:"wait,omitempty"`

	// extraInfo is sent along.
	// +optional
	ExtraInfo JSONObject `json:"extraInfo,omitempty"`
}

// SecretKeyRef names a key of a Secret in the same namespace.
type SecretKeyRef struct {
	// name of the Secret.
	// +required
	Name ObjectName `json:"name"`

	// key in the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}

// OnRefuse says when a refusing vote decides.
// +kubebuilder:validation:Enum=FailFast;Wait
type OnRefuse string

// Choices for OnRefuse; FailFast is the default.
const (
	OnRefuseFailFast OnRefuse = "FailFast"
	OnRefuseWait     OnRefuse = "Wait"
)

// Approval says when votes decide in an All state.
type Approval struct {
	// require says how many accepting votes carry: All (default), Any,
	// {count: N} or {percent: P}. Its shape is checked when the workflow is compiled.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Require *Requirement `json:"require,omitempty"`

	// onRefuse says when a refusing vote decides; default FailFast.
	// +optional
	OnRefuse OnRefuse `json:"onRefuse,omitempty"`
}

// Transition leads from one state to another.
type Transition struct {
	// name identifies the transition within its state.
	// +required
	Name Name `json:"name"`

	// id keeps a known wire id; by default one is assigned.
	// +optional
	ID WireID `json:"id,omitempty"`

	// displayName is what people read; default: the name.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	DisplayName string `json:"displayName,omitempty"`

	// to is the state it leads to, unless a route says otherwise.
	// +required
	To Name `json:"to"`

	// routes lead elsewhere: the first whose condition holds wins.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Routes []Route `json:"routes,omitzero"`

	// outcome is what taking the transition means; default Accept.
	// +optional
	Outcome Outcome `json:"outcome,omitempty"`

	// fieldCheck says whether required fields are demanded; default Require.
	// +optional
	FieldCheck FieldCheck `json:"fieldCheck,omitempty"`

	// confirm is a question that clients ask before taking the transition.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Confirm string `json:"confirm,omitempty"`

	// after makes it a timer: it is taken by itself that long after the state was entered.
	// +optional
	After *metav1.Duration `json:"after,omitempty"`
}

// Route leads elsewhere under a condition.
type Route struct {
	// when is a CEL condition over fields, such as fields.days > 3.
	// +required
	When CELExpression `json:"when"`

	// to is the state it leads to.
	// +required
	To Name `json:"to"`
}

// WorkflowStatus is what the workflow reconciler made of the spec.
type WorkflowStatus struct {
	// id that REST clients know the workflow by.
	// +optional
	ID WireID `json:"id,omitempty"`

	// stateIDs by state name.
	// +optional
	// +kubebuilder:validation:MaxProperties=1000
	StateIDs map[string]WireID `json:"stateIDs,omitempty"`

	// transitionIDs by state and transition name, as state/transition.
	// +optional
	// +kubebuilder:validation:MaxProperties=10000
	TransitionIDs map[string]WireID `json:"transitionIDs,omitempty"`

	// fieldIDs by field name.
	// +optional
	// +kubebuilder:validation:MaxProperties=1000
	FieldIDs map[string]WireID `json:"fieldIDs,omitempty"`

	// revision is the ControllerRevision that serves new tickets.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Revision string `json:"revision,omitempty"`

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

// Workflow says how a kind of request is handled: its states, who acts in
// them, which transitions lead on, which forms are filled, which scripts run.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=twf,categories=ticketflow
// +kubebuilder:printcolumn:name="ID",type=integer,JSONPath=`.status.id`
// +kubebuilder:printcolumn:name="Name",type=string,JSONPath=`.spec.displayName`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Revision",type=string,priority=1,JSONPath=`.status.revision`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:selectablefield:JSONPath=`.status.id`
type Workflow struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says how a kind of request is handled.
	// +required
	Spec WorkflowSpec `json:"spec"`

	// status is what the workflow reconciler made of the spec.
	// +optional
	Status WorkflowStatus `json:"status,omitempty"`
}

// WorkflowList is a list of workflows.
// +kubebuilder:object:root=true
type WorkflowList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Workflow `json:"items"`
}
