// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ActionType is what a person asks of a ticket.
// +kubebuilder:validation:Enum=Transition;Accept;Deliver;AddSigner;EndAddSigner;Comment;SetState;SetFields;RetryScript;HookCallback;Retreat;Close;Delete
type ActionType string

// Action types. Which members each may carry is a CEL rule on TicketAction.
const (
	ActionTransition   ActionType = "Transition"
	ActionAccept       ActionType = "Accept"
	ActionDeliver      ActionType = "Deliver"
	ActionAddSigner    ActionType = "AddSigner"
	ActionEndAddSigner ActionType = "EndAddSigner"
	ActionComment      ActionType = "Comment"
	ActionSetState     ActionType = "SetState"
	ActionSetFields    ActionType = "SetFields"
	ActionRetryScript  ActionType = "RetryScript"
	ActionHookCallback ActionType = "HookCallback"
	ActionRetreat      ActionType = "Retreat"
	ActionClose        ActionType = "Close"
	ActionDelete       ActionType = "Delete"
)

// RequestedBy says on whose word something is asked: an application that
// vouches for the user, or a Kubernetes identity. Exactly one is set: a rule says
// so wherever somebody asks, but not in the history, which is the manager's. Rules
// within it would be evaluated for each entry at every write.
type RequestedBy struct {
	// application by its appname.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	Application string `json:"application,omitempty"`

	// user is the Kubernetes user name of whoever made the request.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=500
	User string `json:"user,omitempty"`
}

// WorkflowReference names a Workflow in the ticket's namespace.
type WorkflowReference struct {
	// name of the Workflow.
	// +required
	Name ObjectName `json:"name"`
}

// ParentReference names the ticket, and its state, that a sub-ticket hangs on.
type ParentReference struct {
	// name of the parent Ticket, in the same namespace.
	// +required
	Name ObjectName `json:"name"`

	// state of the parent that the sub-ticket belongs to.
	// +optional
	State Name `json:"state,omitempty"`
}

// Rules that look at oldSelf run at every write of the status too, and each
// reach for a member makes a map of all its siblings: so what a field has is kept
// by a rule on the field, and only whether it is there by one on the spec.

// TicketSpec is what is asked. All but action is fixed at creation.
// +kubebuilder:validation:XValidation:rule="has(self.title) == has(oldSelf.title)",message="title is immutable: ask for SetFields instead",fieldPath=".title",reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule="has(self.transition) == has(oldSelf.transition)",message="transition is immutable",fieldPath=".transition",reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule="has(self.comment) == has(oldSelf.comment)",message="comment is immutable: ask for Comment instead",fieldPath=".comment",reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule="has(self.parent) == has(oldSelf.parent)",message="parent is immutable",fieldPath=".parent",reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule="has(self.fields) == has(oldSelf.fields)",message="fields are immutable: ask for SetFields instead",fieldPath=".fields",reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || !has(self.action)",optionalOldSelf=true,message="a new ticket has no action yet: spec itself asks for its opening",fieldPath=".action",reason=FieldValueForbidden
type TicketSpec struct {
	// workflowRef is the workflow that the ticket follows.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="workflowRef is immutable",reason=FieldValueForbidden
	WorkflowRef WorkflowReference `json:"workflowRef"`

	// creator is the user who opens the ticket.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="creator is immutable",reason=FieldValueForbidden
	Creator UserName `json:"creator"`

	// by says on whose word.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="by is immutable",reason=FieldValueForbidden
	// +kubebuilder:validation:XValidation:rule="has(self.application) != has(self.user)",message="exactly one of the fields in [application user] must be set"
	By RequestedBy `json:"by"`

	// title is a line about the ticket.
	// +optional
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="title is immutable: ask for SetFields instead",reason=FieldValueForbidden
	Title string `json:"title,omitempty"`

	// transition of the start state that opens the ticket; may be absent where
	// there is only one.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="transition is immutable",reason=FieldValueForbidden
	Transition Name `json:"transition,omitempty"`

	// fields are values for the start state's form.
	// +optional
	Fields JSONObject `json:"fields,omitempty"`

	// comment to the opening.
	// +optional
	// +kubebuilder:validation:MaxLength=10000
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="comment is immutable: ask for Comment instead",reason=FieldValueForbidden
	Comment string `json:"comment,omitempty"`

	// parent that this ticket is a sub-ticket of.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="parent is immutable",reason=FieldValueForbidden
	Parent *ParentReference `json:"parent,omitempty"`

	// action asks the ticket reconciler for something. It is always replaced
	// whole, and only once the present one has its outcome in
	// status.recentActions.
	// +optional
	Action *TicketAction `json:"action,omitempty"`
}

// TicketAction is one thing that a person asks of a ticket.
// +kubebuilder:validation:XValidation:rule="self.id != oldSelf.id || self == oldSelf",message="another action needs another id",fieldPath=".id",reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule="self.type == 'Transition' ? has(self.transition) : !has(self.transition)",message="transition belongs to the type Transition, which needs it",fieldPath=".transition",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="!has(self.fromState) || self.type in ['Transition', 'HookCallback']",message="fromState belongs to the types Transition and HookCallback",fieldPath=".fromState",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="!has(self.fields) || self.type in ['Transition', 'SetFields', 'HookCallback']",message="fields belong to the types Transition, SetFields and HookCallback",fieldPath=".fields",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="!has(self.clear) || self.type in ['Transition', 'SetFields']",message="clear belongs to the types Transition and SetFields",fieldPath=".clear",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="self.type in ['Deliver', 'AddSigner'] ? has(self.target) : !has(self.target)",message="target belongs to the types Deliver and AddSigner, which need it",fieldPath=".target",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="self.type == 'SetState' ? has(self.state) : !has(self.state)",message="state belongs to the type SetState, which needs it",fieldPath=".state",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="self.type == 'HookCallback' ? has(self.succeeded) : !has(self.succeeded)",message="succeeded belongs to the type HookCallback, which needs it",fieldPath=".succeeded",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="!has(self.asAdministrator) || self.type == 'Deliver'",message="asAdministrator belongs to the type Deliver",fieldPath=".asAdministrator",reason=FieldValueInvalid
type TicketAction struct {
	// id is new for every action, and the same for its repetition.
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id"`

	// type says what is asked.
	// +required
	Type ActionType `json:"type"`

	// actor is the user who asks.
	// +required
	Actor UserName `json:"actor"`

	// by says on whose word.
	// +required
	// +kubebuilder:validation:XValidation:rule="has(self.application) != has(self.user)",message="exactly one of the fields in [application user] must be set"
	By RequestedBy `json:"by"`

	// comment for the history.
	// +optional
	// +kubebuilder:validation:MaxLength=10000
	Comment string `json:"comment,omitempty"`

	// transition to take.
	// +optional
	Transition Name `json:"transition,omitempty"`

	// fromState is the state that the transition is meant to leave, or whose hook
	// calls back. If the ticket is elsewhere by then, the action is refused:
	// transitions of different states may bear the same name.
	// +optional
	FromState Name `json:"fromState,omitempty"`

	// fields to set.
	// +optional
	Fields JSONObject `json:"fields,omitempty"`

	// clear names fields to empty.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=200
	Clear []FormFieldName `json:"clear,omitempty"`

	// target is the user to deliver to or to ask.
	// +optional
	Target UserName `json:"target,omitempty"`

	// state to force the ticket into.
	// +optional
	State Name `json:"state,omitempty"`

	// succeeded is what a hook's call-back reports.
	// +optional
	Succeeded *bool `json:"succeeded,omitempty"`

	// asAdministrator delivers by an administrator's right, not a participant's.
	// +optional
	AsAdministrator bool `json:"asAdministrator,omitempty"`
}

// Progress is how far a ticket has come, apart from its state.
// +kubebuilder:validation:Enum=Draft;InProgress;Refused;Retreated;Finished;Closed
type Progress string

// Progresses: rest-behaviour.md §3.9, in its order.
const (
	ProgressDraft      Progress = "Draft"
	ProgressInProgress Progress = "InProgress"
	ProgressRefused    Progress = "Refused"
	ProgressRetreated  Progress = "Retreated"
	ProgressFinished   Progress = "Finished"
	ProgressClosed     Progress = "Closed"
)

// ParticipantsKind says what kind of actor a ticket waits for.
// +kubebuilder:validation:Enum=Users;Script;Hook;Children;None
type ParticipantsKind string

// Kinds of participants.
const (
	ParticipantsUsers    ParticipantsKind = "Users"
	ParticipantsScript   ParticipantsKind = "Script"
	ParticipantsHook     ParticipantsKind = "Hook"
	ParticipantsChildren ParticipantsKind = "Children"
	ParticipantsNone     ParticipantsKind = "None"
)

// CurrentParticipants are who a ticket waits for.
type CurrentParticipants struct {
	// kind of actor.
	// +required
	Kind ParticipantsKind `json:"kind"`

	// users by name, sorted; while an All state is on, those who have not voted.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	Users []UserName `json:"users,omitempty"`

	// script names the Script that runs.
	// +optional
	Script ObjectName `json:"script,omitempty"`

	// several says that the state resolved to several people, which decides
	// how the ticket shows on the wire while an All state is on.
	// +optional
	Several bool `json:"several,omitempty"`
}

// Vote is a seat in an All state, with its vote once given.
type Vote struct {
	// user who has the seat.
	// +required
	User UserName `json:"user"`

	// transition voted for; absent until the vote is given.
	// +optional
	Transition Name `json:"transition,omitempty"`
}

// RelatedUser is somebody who is or was involved with a ticket.
type RelatedUser struct {
	// user by name.
	// +required
	User UserName `json:"user"`

	// handled says that the user has taken a transition.
	// +optional
	Handled bool `json:"handled,omitempty"`
}

// HistoryAction is what a history entry records.
// +kubebuilder:validation:Enum=Open;Transition;Accept;Deliver;AddSigner;EndAddSigner;Comment;SetState;SetFields;RetryScript;HookCallback;Retreat;Close;Delete;ScriptSucceeded;ScriptFailed;HookSucceeded;HookFailed;Timer;ChildrenEnded;Skipped
type HistoryAction string

// History actions beyond the action types.
const (
	HistoryOpen            HistoryAction = "Open"
	HistoryScriptSucceeded HistoryAction = "ScriptSucceeded"
	HistoryScriptFailed    HistoryAction = "ScriptFailed"
	HistoryHookSucceeded   HistoryAction = "HookSucceeded"
	HistoryHookFailed      HistoryAction = "HookFailed"
	HistoryTimer           HistoryAction = "Timer"
	HistoryChildrenEnded   HistoryAction = "ChildrenEnded"
	HistorySkipped         HistoryAction = "Skipped"
)

// HistoryEntry records one thing that happened to a ticket.
type HistoryEntry struct {
	// seq counts from 1 without gaps.
	// +required
	// +kubebuilder:validation:Minimum=1
	Seq int64 `json:"seq"`

	// actionID is the id of the action that caused it, if one did.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ActionID string `json:"actionID,omitempty"`

	// time it happened.
	// +required
	Time metav1.Time `json:"time"`

	// action says what happened.
	// +required
	Action HistoryAction `json:"action"`

	// state that the entry belongs to: the one that was left, for a transition.
	// +optional
	State Name `json:"state,omitempty"`

	// transition that was taken or voted for.
	// +optional
	Transition Name `json:"transition,omitempty"`

	// outcome of the transition.
	// +optional
	Outcome Outcome `json:"outcome,omitempty"`

	// actor is the user who did it; loonrobot for what happened by itself, or for an
	// application that named nobody.
	// +required
	Actor UserName `json:"actor"`

	// by says on whose word; absent for what happened by itself.
	// +optional
	By *RequestedBy `json:"by,omitempty"`

	// target of a delivery or an added signer.
	// +optional
	Target UserName `json:"target,omitempty"`

	// comment given with it, or what a script printed.
	// +optional
	// +kubebuilder:validation:MaxLength=16384
	Comment string `json:"comment,omitempty"`

	// script that ran.
	// +optional
	Script *ScriptTrace `json:"script,omitempty"`

	// changes are the values that were set, title included; null where emptied.
	// +optional
	Changes JSONObject `json:"changes,omitempty"`

	// after is where the ticket stood then.
	// +required
	After HistoryPosition `json:"after"`

	// hash is SHA-256, as hex, over the entry's canonical JSON (RFC 8785)
	// without this member, preceded by the previous entry's hash.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Hash string `json:"hash"`
}

// ScriptTrace says which script ran.
type ScriptTrace struct {
	// name of the Script.
	// +required
	Name ObjectName `json:"name"`

	// fileName is its name on the wire.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	FileName string `json:"fileName,omitempty"`

	// sourceHash is SHA-256, as hex, over the source that ran.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	SourceHash string `json:"sourceHash,omitempty"`

	// attempt counts from 1.
	// +optional
	Attempt int32 `json:"attempt,omitempty"`
}

// HistoryPosition is where a ticket stood after something happened.
type HistoryPosition struct {
	// state it was in.
	// +optional
	State Name `json:"state,omitempty"`

	// progress it had.
	// +optional
	Progress Progress `json:"progress,omitempty"`

	// participants it waited for.
	// +optional
	Participants CurrentParticipants `json:"participants,omitzero"`

	// signers is who was to have it back while add-node was on.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	Signers []UserName `json:"signers,omitempty"`

	// votes of an All state.
	// +optional
	// +listType=map
	// +listMapKey=user
	// +kubebuilder:validation:MaxItems=1000
	Votes []Vote `json:"votes,omitempty"`

	// lastRunFailed says that the last script or hook run had failed.
	// +optional
	LastRunFailed bool `json:"lastRunFailed,omitempty"`
}

// ActionOutcome says what became of an action.
// +kubebuilder:validation:Enum=Applied;Refused
type ActionOutcome string

// Action outcomes.
const (
	ActionApplied ActionOutcome = "Applied"
	ActionRefused ActionOutcome = "Refused"
)

// RecentAction is an action with its outcome.
type RecentAction struct {
	// id of the action.
	// +required
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id"`

	// outcome of the action.
	// +required
	Outcome ActionOutcome `json:"outcome"`

	// reason of a refusal, from the closed list of decisions.md §3.
	// +optional
	// +kubebuilder:validation:MaxLength=50
	Reason string `json:"reason,omitempty"`

	// message says what a refusal is about.
	// +optional
	// +kubebuilder:validation:MaxLength=2000
	Message string `json:"message,omitempty"`
}

// WantedRun is the script or hook run that the ticket asks for.
type WantedRun struct {
	// visit of the state that the run belongs to.
	// +required
	Visit int32 `json:"visit"`

	// attempt counts a visit's runs from 1.
	// +required
	Attempt int32 `json:"attempt"`

	// requestedBy is loonrobot, or <user>_retry: what a script sees as action_from.
	// +optional
	// +kubebuilder:validation:MaxLength=120
	RequestedBy string `json:"requestedBy,omitempty"`

	// repetition counts the attempts that were made by themselves, as the
	// script's retries allow, since somebody or the state asked for a run.
	// +optional
	Repetition int32 `json:"repetition,omitempty"`

	// notBefore is when a repetition is to be made.
	// +optional
	NotBefore *metav1.Time `json:"notBefore,omitempty"`

	// noted says that a hook took the call and the ticket waits for it to call back.
	// +optional
	Noted bool `json:"noted,omitempty"`

	// unreached says that the history has it that the hook could not be reached. It
	// is called again for a while.
	// +optional
	Unreached bool `json:"unreached,omitempty"`
}

// RunPhase is how far a run has come.
// +kubebuilder:validation:Enum=Running;Succeeded;Failed
type RunPhase string

// Run phases.
const (
	RunRunning   RunPhase = "Running"
	RunSucceeded RunPhase = "Succeeded"
	RunFailed    RunPhase = "Failed"
)

// Run is a script or hook run, as its reconciler reports it.
type Run struct {
	// visit of the state that the run belongs to.
	// +required
	Visit int32 `json:"visit"`

	// attempt counts a visit's runs from 1.
	// +required
	Attempt int32 `json:"attempt"`

	// name of the run: hashed from ticket UID, visit and attempt.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// phase of the run.
	// +required
	Phase RunPhase `json:"phase"`

	// startedAt is when it was started.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`

	// finishedAt is when it ended.
	// +optional
	FinishedAt *metav1.Time `json:"finishedAt,omitempty"`

	// message is what the run printed, or why it failed.
	// +optional
	// +kubebuilder:validation:MaxLength=16384
	Message string `json:"message,omitempty"`

	// fields that the run's result sets.
	// +optional
	Fields JSONObject `json:"fields,omitempty"`

	// sourceHash is SHA-256, as hex, over the script that ran.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	SourceHash string `json:"sourceHash,omitempty"`
}

// NotifiedMark says up to where a notifier has been told.
type NotifiedMark struct {
	// notifier by name.
	// +required
	Notifier ObjectName `json:"notifier"`

	// seq of the last history entry it was told of.
	// +required
	Seq int64 `json:"seq"`
}

// Timer is a transition that will be taken by itself.
type Timer struct {
	// transition of the present state.
	// +required
	Transition Name `json:"transition"`

	// at is when.
	// +required
	At metav1.Time `json:"at"`
}

// ChildrenCount counts sub-tickets of a state.
type ChildrenCount struct {
	// state of the parent that they hang on.
	// +required
	State Name `json:"state"`

	// total number.
	// +required
	Total int32 `json:"total"`

	// ended of them.
	// +required
	Ended int32 `json:"ended"`

	// newest is the highest id among them.
	// +optional
	Newest WireID `json:"newest,omitempty"`

	// goneOnFor is the highest id among those whose end has let the ticket go
	// on. Should it come back to the state, it waits for newer ones.
	// +optional
	GoneOnFor WireID `json:"goneOnFor,omitempty"`
}

// TicketStatus is where a ticket stands. It is the ticket reconciler's alone
// but for run (script and hook reconcilers) and notified (notify reconciler).
type TicketStatus struct {
	// id that REST clients know the ticket by.
	// +optional
	ID WireID `json:"id,omitempty"`

	// serialNumber is <prefix>_<YYYYMMDD><NNNN…>.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	SerialNumber string `json:"serialNumber,omitempty"`

	// openedAt is when it was opened.
	// +optional
	OpenedAt *metav1.Time `json:"openedAt,omitempty"`

	// updatedAt is when the ticket last changed; a comment does not change it.
	// +optional
	UpdatedAt *metav1.Time `json:"updatedAt,omitempty"`

	// workflowID is its workflow's wire id.
	// +optional
	WorkflowID WireID `json:"workflowID,omitempty"`

	// workflowRevision is the ControllerRevision that it follows to its end.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	WorkflowRevision string `json:"workflowRevision,omitempty"`

	// parentID is the parent ticket's wire id.
	// +optional
	ParentID WireID `json:"parentID,omitempty"`

	// parentStateID is the wire id of the parent's state it hangs on.
	// +optional
	ParentStateID WireID `json:"parentStateID,omitempty"`

	// title as it is now.
	// +optional
	// +kubebuilder:validation:MaxLength=500
	Title string `json:"title,omitempty"`

	// state it is in.
	// +optional
	State Name `json:"state,omitempty"`

	// stateID is the state's wire id.
	// +optional
	StateID WireID `json:"stateID,omitempty"`

	// enteredAt is when it entered the state.
	// +optional
	EnteredAt *metav1.Time `json:"enteredAt,omitempty"`

	// visit counts the states it has entered, from 1.
	// +optional
	Visit int32 `json:"visit,omitempty"`

	// progress it has.
	// +optional
	Progress Progress `json:"progress,omitempty"`

	// participants it waits for.
	// +optional
	Participants CurrentParticipants `json:"participants,omitzero"`

	// signers is the stack of who asked whom while add-node is on: each is a
	// user to return to, the last one first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	Signers []UserName `json:"signers,omitempty"`

	// votes of an All state: every seat.
	// +optional
	// +listType=map
	// +listMapKey=user
	// +kubebuilder:validation:MaxItems=1000
	Votes []Vote `json:"votes,omitempty"`

	// related is everyone who is or was involved, in order of appearance.
	// +optional
	// +listType=map
	// +listMapKey=user
	// +kubebuilder:validation:MaxItems=2000
	Related []RelatedUser `json:"related,omitempty"`

	// lastHandlers is who last took a transition out of each state that remembers it.
	// +optional
	// +kubebuilder:validation:MaxProperties=100
	LastHandlers map[string]UserName `json:"lastHandlers,omitempty"`

	// fields are the present values.
	// +optional
	Fields JSONObject `json:"fields,omitempty"`

	// history is its newest entries, oldest of them first; older ones are in
	// TicketRecords.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	History []HistoryEntry `json:"history,omitempty"`

	// historyCount counts all entries.
	// +optional
	HistoryCount int64 `json:"historyCount,omitempty"`

	// headHash is the newest entry's hash.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	HeadHash string `json:"headHash,omitempty"`

	// recentActions are the newest actions with their outcomes.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	RecentActions []RecentAction `json:"recentActions,omitempty"`

	// wanted is the run that the ticket asks for.
	// +optional
	Wanted *WantedRun `json:"wanted,omitempty"`

	// run is what became of it.
	// +optional
	Run *Run `json:"run,omitempty"`

	// lastRunFailed says that the last script or hook run failed; on the wire
	// script_run_last_result is its opposite.
	// +optional
	LastRunFailed bool `json:"lastRunFailed,omitempty"`

	// notified says up to where notifiers have been told.
	// +optional
	// +listType=map
	// +listMapKey=notifier
	// +kubebuilder:validation:MaxItems=100
	Notified []NotifiedMark `json:"notified,omitempty"`

	// timers of the present state.
	// +optional
	// +listType=map
	// +listMapKey=transition
	// +kubebuilder:validation:MaxItems=50
	Timers []Timer `json:"timers,omitempty"`

	// children counts sub-tickets by the state they hang on.
	// +optional
	// +listType=map
	// +listMapKey=state
	// +kubebuilder:validation:MaxItems=100
	Children []ChildrenCount `json:"children,omitempty"`

	// observedGeneration is the generation that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Opened, Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=10
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// Packed is, in a ticket that a cache keeps, what is left out of it there. A
	// status that has it lacks parts of itself and cannot be written.
	Packed []byte `json:"-"`
}

// Ticket is one request going through one Workflow.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=tkt,categories=ticketflow
// +kubebuilder:printcolumn:name="ID",type=integer,JSONPath=`.status.id`
// +kubebuilder:printcolumn:name="SN",type=string,JSONPath=`.status.serialNumber`
// +kubebuilder:printcolumn:name="Workflow",type=string,JSONPath=`.spec.workflowRef.name`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Progress",type=string,JSONPath=`.status.progress`
// +kubebuilder:printcolumn:name="Participants",type=string,JSONPath=`.status.participants.users`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Title",type=string,priority=1,JSONPath=`.status.title`
// +kubebuilder:printcolumn:name="Creator",type=string,priority=1,JSONPath=`.spec.creator`
// +kubebuilder:selectablefield:JSONPath=`.status.id`
// +kubebuilder:selectablefield:JSONPath=`.status.state`
// +kubebuilder:selectablefield:JSONPath=`.status.progress`
// +kubebuilder:selectablefield:JSONPath=`.spec.creator`
// +kubebuilder:selectablefield:JSONPath=`.spec.workflowRef.name`
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.spec.action) || (has(self.spec.action) && self.spec.action.id == oldSelf.spec.action.id) || (has(oldSelf.status) && has(oldSelf.status.recentActions) && [oldSelf.spec.action.id].exists(id, oldSelf.status.recentActions.exists(a, a.id == id)))",message="the present action has no outcome yet: wait until status.recentActions has its id",fieldPath=".spec.action",reason=FieldValueForbidden
type Ticket struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is asked.
	// +required
	Spec TicketSpec `json:"spec"`

	// status is where the ticket stands.
	// +optional
	Status TicketStatus `json:"status,omitempty"`
}

// TicketList is a list of tickets.
// +kubebuilder:object:root=true
type TicketList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Ticket `json:"items"`
}

// TicketRecordSpec is a block of a ticket's older history.
// +kubebuilder:validation:XValidation:rule="self.ticketName == oldSelf.ticketName && self.ticketID == oldSelf.ticketID && self.firstSeq == oldSelf.firstSeq && self.lastHash == oldSelf.lastHash && self.previousHash == oldSelf.previousHash && self.entries == oldSelf.entries",message="a record is immutable",reason=FieldValueForbidden
type TicketRecordSpec struct {
	// ticketName is the ticket's name.
	// +required
	TicketName ObjectName `json:"ticketName"`

	// ticketID is the ticket's wire id.
	// +required
	TicketID WireID `json:"ticketID"`

	// firstSeq is the first entry's seq.
	// +required
	// +kubebuilder:validation:Minimum=1
	FirstSeq int64 `json:"firstSeq"`

	// previousHash is the hash of the entry before the first; empty for the first block.
	// +required
	// +kubebuilder:validation:MaxLength=64
	PreviousHash string `json:"previousHash"`

	// lastHash is the last entry's hash, which vouches for the whole block.
	// +required
	// +kubebuilder:validation:MaxLength=64
	LastHash string `json:"lastHash"`

	// entries, oldest first.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	Entries []HistoryEntry `json:"entries"`
}

// TicketRecord keeps a block of a ticket's older history. It is written by the
// ticket reconciler before the status that drops the entries, and never changed.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=tktr,categories=ticketflow
// +kubebuilder:printcolumn:name="Ticket",type=string,JSONPath=`.spec.ticketName`
// +kubebuilder:printcolumn:name="First",type=integer,JSONPath=`.spec.firstSeq`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.ticketName`
type TicketRecord struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the block.
	// +required
	Spec TicketRecordSpec `json:"spec"`
}

// TicketRecordList is a list of records.
// +kubebuilder:object:root=true
type TicketRecordList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []TicketRecord `json:"items"`
}
