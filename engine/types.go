// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"time"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Snapshot is a ticket as the engine sees it. The engine never changes the one
// it was given: it answers with a changed copy.
type Snapshot struct {
	// Namespace and Name of the ticket.
	Namespace, Name string
	// UID of the ticket: with the visit it seeds what is drawn by lot.
	UID string
	// Spec is what was asked at creation; its Action is not looked at.
	Spec v1alpha1.TicketSpec
	// Status is where the ticket stands.
	Status v1alpha1.TicketStatus
}

// CommandKind says where a command comes from.
type CommandKind string

// Command kinds.
const (
	// CommandAction is what a person asks: Command.Action.
	CommandAction CommandKind = "Action"
	// CommandRunUnreached takes note of a hook that could not be reached and is
	// called again.
	CommandRunUnreached CommandKind = "RunUnreached"
	// CommandRunFinished takes note of the run in Status.Run, which has ended.
	CommandRunFinished CommandKind = "RunFinished"
	// CommandTimer takes the timer transition in Command.Action.Transition.
	CommandTimer CommandKind = "Timer"
	// CommandChildrenEnded goes on because all sub-tickets of the state have ended.
	CommandChildrenEnded CommandKind = "ChildrenEnded"
)

// Command is one thing to do with a ticket.
type Command struct {
	Kind CommandKind
	// Action is what a person asks, for CommandAction; for CommandTimer only
	// its Transition counts.
	Action v1alpha1.TicketAction
}

// Identities are the ids that a ticket is given when it is opened.
type Identities struct {
	// ID is the ticket's wire id.
	ID v1alpha1.WireID
	// SerialNumber of the ticket.
	SerialNumber string
	// Revision is the ControllerRevision that the ticket will follow.
	Revision string
}

// Person is somebody in the directory.
type Person struct {
	Name          string
	Department    string // name of the department; may be empty
	Active        bool
	Administrator bool
}

// Department is a part of the organisation.
type Department struct {
	Name      string
	Parent    string // name of the department above; may be empty
	Leader    string
	Approvers []string
}

// Application is a program that vouches for its users.
type Application struct {
	Name              string
	AllowUnknownUsers bool
	Intervene         bool
	AllWorkflows      bool
	Workflows         []string // namespace/name
}

// MayUse says whether the application is allowed a workflow.
func (a Application) MayUse(namespace, workflow string) bool {
	return a.AllWorkflows || slices.Contains(a.Workflows, namespace+"/"+workflow)
}

// Script is what the engine needs to know of a Script.
type Script struct {
	Name     string
	FileName string
	Active   bool
	// Retries is how often a failed run is repeated by itself.
	Retries int32
}

// ParentTicket is what the engine needs to know of a parent ticket.
type ParentTicket struct {
	Snapshot Snapshot
	// Graph that it follows.
	Graph *Graph
}

// Directory answers the engine's questions about what lies outside the ticket.
// An implementation answers from memory and the same way during one decision.
type Directory interface {
	// User finds a person by user name.
	User(name string) (Person, bool)
	// UserOf finds the person that a Kubernetes user name belongs to.
	UserOf(kubernetesUser string) (Person, bool)
	// Department finds a department by metadata.name.
	Department(name string) (Department, bool)
	// PeopleIn lists the active people of departments and all their
	// sub-departments, sorted, each once.
	PeopleIn(departments []string) []string
	// RoleMembers lists the active members of a role, sorted; false if there
	// is no such role.
	RoleMembers(role string) ([]string, bool)
	// Application finds an application by its appname.
	Application(name string) (Application, bool)
	// Script finds a Script of a namespace.
	Script(namespace, name string) (Script, bool)
	// OpenedSince counts a workflow's tickets opened at or after a time and, by
	// whatever clock, not much later than now; by one creator or, if creator is
	// empty, by anyone.
	OpenedSince(namespace, workflow, creator string, since, now time.Time) int
	// Parent finds a parent ticket by name.
	Parent(namespace, name string) (ParentTicket, bool)
}

// Option is something that a user may do with a ticket now, as the
// transitions endpoint lists it.
type Option struct {
	// Kind of option.
	Kind OptionKind
	// Transition is set for OptionTransition.
	Transition *Transition
}

// OptionKind says what kind an Option is.
type OptionKind string

// Option kinds.
const (
	OptionTransition   OptionKind = "Transition"
	OptionAccept       OptionKind = "Accept"
	OptionEndAddSigner OptionKind = "EndAddSigner"
)
