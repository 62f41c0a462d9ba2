// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Condition types.
const (
	// ConditionReady says whether the object can be used. On a Workflow: new
	// tickets can be opened on the present spec. On a Ticket: nothing about it
	// needs a person's repair. On the other kinds: it has its id and its wire
	// name is its own.
	ConditionReady = "Ready"

	// ConditionStalled, on definitions, is True where Ready is False and only an
	// edit helps; else it is absent. It is for tools that wait for what they apply.
	ConditionStalled = "Stalled"

	// ConditionOpened says whether a Ticket was opened. False is final: the
	// ticket was refused, the reason is one of the wire's refusal reasons.
	ConditionOpened = "Opened"
)

// Reasons of ConditionReady.
const (
	// ReasonReady: all is well.
	ReasonReady = "Ready"
	// ReasonInvalid: the spec has problems; the message names all of them. If
	// status.revision is set, that older revision still serves new tickets.
	ReasonInvalid = "Invalid"
	// ReasonSuspended: the workflow is sound, but opens no new tickets.
	ReasonSuspended = "Suspended"
	// ReasonTerminating: the workflow was deleted, and stays until no unfinished
	// ticket is on it.
	ReasonTerminating = "Terminating"
	// ReasonIDTaken: the wanted id belongs to something else, which came first.
	ReasonIDTaken = "IDTaken"
	// ReasonNameTaken: the wanted wire name belongs to something else, which came first.
	ReasonNameTaken = "NameTaken"
	// ReasonNameReserved: the wire name is one of the reserved names.
	ReasonNameReserved = "NameReserved"
	// ReasonRunFailed: the ticket's script or hook failed; retry it, or move the ticket by hand.
	ReasonRunFailed = "RunFailed"
	// ReasonNoticeRefused, of events: a notifier does not take what it is told.
	ReasonNoticeRefused = "NoticeRefused"
	// ReasonNoticeStuck, of events: a notifier has been down for long.
	ReasonNoticeStuck = "NoticeStuck"
	// ReasonTimerRefused, of events: a timer fired, and the ticket could not go on.
	ReasonTimerRefused = "TimerRefused"
	// ReasonStuck: the ticket should go on by itself and cannot; the message says
	// what to repair.
	ReasonStuck = "Stuck"
	// ReasonRevisionMissing: the ticket's workflow revision is gone; restore it.
	ReasonRevisionMissing = "RevisionMissing"
	// ReasonStatusLost: the ticket had been opened, but has no status any more.
	ReasonStatusLost = "StatusLost"
)

// Names that no person may bear and no request from outside may say that it acts as.
const (
	// RobotUser acts for scripts, hooks, timers and finished sub-tickets, and for an
	// application that names no user.
	RobotUser = "loonrobot"
	// HookUser appears in histories for what a hook answered.
	HookUser = "hook"
)

// Labels, annotations and finalizers that Ticketflow owns. The admission policy
// keeps everyone but the manager from changing them.
const (
	// LabelUse marks a Secret as one that Ticketflow may read; its value, a
	// SecretUse, says what for.
	LabelUse = "ticketflow.dev/use"
	// LabelWorkflow on a ControllerRevision names its Workflow.
	LabelWorkflow = "ticketflow.dev/workflow"
	// LabelRun on a Job, its pod and what it needs is the script run's name.
	LabelRun = "ticketflow.dev/run"
	// LabelTicket on a TicketRecord names its Ticket.
	LabelTicket = "ticketflow.dev/ticket"
	// AnnotationOpened on a Ticket says that it was opened once: a ticket that
	// has it and no status has lost its status and is never opened again.
	AnnotationOpened = "ticketflow.dev/opened"
	// FinalizerInUse keeps a Workflow while unfinished tickets are on it.
	FinalizerInUse = "ticketflow.dev/in-use"
)

// SecretUse is what a Secret may be used for, and a value of LabelUse. A Secret
// has one use: whoever may write Scripts sees in them what scripts may use, and
// must not see by that what hooks, notifiers or applications sign with.
type SecretUse string

// The uses that there are.
const (
	// UseApplication: an Application's token, in the system namespace.
	UseApplication SecretUse = "application"
	// UseHook: what a Workflow's hook signs its calls with, and is called back with.
	UseHook SecretUse = "hook"
	// UseNotifier: what a Notifier signs its calls or logs in with.
	UseNotifier SecretUse = "notifier"
	// UseScript: variables of a Script, which sees them in the clear.
	UseScript SecretUse = "script"
)
