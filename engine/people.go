// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// IsParticipant says whether a user is one of those the ticket waits for. Who
// has voted in an All state still is: votes can be revised (decisions.md §5).
func IsParticipant(s Snapshot, user string) bool {
	if user == "" || s.Status.Participants.Kind != v1alpha1.ParticipantsUsers {
		return false
	}
	return slices.Contains(s.Status.Participants.Users, v1alpha1.UserName(user)) ||
		slices.ContainsFunc(s.Status.Votes, func(v v1alpha1.Vote) bool { return string(v.User) == user })
}

// CanView says whether a user may look at a ticket (decisions.md §4). An
// empty user is nobody and sees what everyone may.
func CanView(g *Graph, s Snapshot, user string, dir Directory) bool {
	if NewOnlooker(user, dir).SeesAll(&g.Spec) {
		return true
	}
	return user != "" && (string(s.Spec.Creator) == user || isRelated(&s.Status, user) || IsParticipant(s, user))
}

// Onlooker is a user who may be asked about many workflows: the directory is asked
// once for all of them.
type Onlooker struct {
	name          string
	administrator bool
}

// NewOnlooker makes an Onlooker of a user; of an empty one, nobody.
func NewOnlooker(user string, dir Directory) Onlooker {
	return Onlooker{name: user, administrator: IsAdministrator(user, dir)}
}

// SeesAll says whether the user may look at all tickets of a workflow.
func (o Onlooker) SeesAll(spec *v1alpha1.WorkflowSpec) bool {
	return spec.Visibility == v1alpha1.VisibilityEveryone || o.Manages(spec)
}

// Manages says whether the user is one of a workflow's admins or an administrator.
func (o Onlooker) Manages(spec *v1alpha1.WorkflowSpec) bool {
	return o.administrator || IsWorkflowAdmin(spec, o.name)
}

func isRelated(status *v1alpha1.TicketStatus, user string) bool {
	return slices.ContainsFunc(status.Related, func(r v1alpha1.RelatedUser) bool { return string(r.User) == user })
}

// IsWorkflowAdmin says whether a user is one of a workflow's admins, its creator
// among them.
func IsWorkflowAdmin(spec *v1alpha1.WorkflowSpec, user string) bool {
	name := v1alpha1.UserName(user)
	return name != "" && (name == spec.Creator || slices.Contains(spec.Admins, name))
}

// IsAdministrator says whether a user is an active administrator.
func IsAdministrator(user string, dir Directory) bool {
	person, ok := dir.User(user)
	return ok && person.Active && person.Administrator
}

// CanIntervene says whether a user may intervene in a workflow's tickets:
// its admins, administrators, and any user of an application with that grant.
func CanIntervene(g *Graph, user string, by v1alpha1.RequestedBy, dir Directory) bool {
	if NewOnlooker(user, dir).Manages(&g.Spec) {
		return true
	}
	if by.Application == "" {
		return false
	}
	application, ok := dir.Application(by.Application)
	return ok && application.Intervene
}

// Speaks says whether a request may speak for a user: the application exists
// and is allowed the workflow, the user exists and is active or unknown users
// are allowed; or the Kubernetes identity is that user's.
func Speaks(namespace, workflow, user string, by v1alpha1.RequestedBy, dir Directory) *Refusal {
	if by.Application != "" {
		if r := mayUse(namespace, workflow, by.Application, dir); r != nil {
			return r
		}
	}
	return SpeaksFor(user, by, dir)
}

// mayUse refuses an application that is not allowed the workflow, telling nothing.
func mayUse(namespace, workflow, name string, dir Directory) *Refusal {
	application, ok := dir.Application(name)
	if !ok {
		return refuse(ReasonUnknownApplication, "there is no application %q", name)
	}
	if !application.MayUse(namespace, workflow) {
		return refuse(ReasonUnknownTicket, "there is no such ticket")
	}
	return nil
}

// SpeaksFor is Speaks where no workflow is concerned.
func SpeaksFor(user string, by v1alpha1.RequestedBy, dir Directory) *Refusal {
	if user == v1alpha1.RobotUser || user == v1alpha1.HookUser {
		return refuse(ReasonUnknownUser, "%q is a reserved name: nobody acts as it", user)
	}
	if by.Application == "" {
		person, ok := dir.UserOf(by.User)
		if !ok || person.Name != user {
			return refuse(ReasonNotAllowed, "the Kubernetes user %q is not the user %q", by.User, user)
		}
		if !person.Active {
			return refuse(ReasonUnknownUser, "the user %q is not active", user)
		}
		return nil
	}
	application, _ := dir.Application(by.Application)
	return knownUser(user, application, dir)
}

func knownUser(user string, application Application, dir Directory) *Refusal {
	person, ok := dir.User(user)
	switch {
	case !ok && !application.AllowUnknownUsers:
		return refuse(ReasonUnknownUser, "there is no user %q", user)
	case !ok && !isUserName(user):
		return refuse(ReasonUnknownUser, "%q is not one user name", user)
	case ok && !person.Active:
		return refuse(ReasonUnknownUser, "the user %q is not active", user)
	}
	return nil
}

// isUserName says whether a name has the form of one (v1alpha1.UserName).
func isUserName(name string) bool {
	return name != "" && name == strings.TrimSpace(name) && utf8.RuneCountInString(name) <= maxUserName &&
		!strings.ContainsFunc(name, func(r rune) bool { return r == ',' || unicode.IsControl(r) })
}

// Ended says whether a ticket has come to its end: Finished or Closed, or
// refused into an end state. Ended is ended (decisions.md §5).
func Ended(g *Graph, status *v1alpha1.TicketStatus) bool {
	if status.Progress == v1alpha1.ProgressFinished || status.Progress == v1alpha1.ProgressClosed {
		return true
	}
	state, ok := g.State(status.State)
	return ok && state.Type == v1alpha1.StateEnd
}

// Options lists what a user may do with a ticket now, as decisions.md §1.5 and
// rest-behaviour.md §4.4 have it; empty if nothing.
func Options(g *Graph, s Snapshot, user string) []Option {
	state, ok := g.State(s.Status.State)
	if !ok || Ended(g, &s.Status) || !IsParticipant(s, user) {
		return nil
	}
	if len(s.Status.Signers) > 0 {
		return []Option{{Kind: OptionEndAddSigner}}
	}
	if mustAccept(state, &s.Status) {
		return []Option{{Kind: OptionAccept}}
	}
	options := make([]Option, 0, len(state.Transitions))
	for _, t := range state.Transitions {
		options = append(options, Option{Kind: OptionTransition, Transition: t})
	}
	return options
}

// beside are the kinds of action that Allowed tells of: what can be done with a
// ticket besides taking part in its state.
var beside = []v1alpha1.ActionType{
	v1alpha1.ActionDeliver, v1alpha1.ActionAddSigner, v1alpha1.ActionRetryScript, v1alpha1.ActionRetreat,
	v1alpha1.ActionComment, v1alpha1.ActionClose,
}

// Allowed lists what a user would be let do with a ticket now besides what
// Options offers. Handing it on is tried with the user as the target: whether
// somebody else would do, only the request itself can tell.
func Allowed(g *Graph, s Snapshot, user string, by v1alpha1.RequestedBy, dir Directory, now time.Time) []v1alpha1.ActionType {
	var out []v1alpha1.ActionType
	for _, kind := range beside {
		action := v1alpha1.TicketAction{ID: "allowed", Type: kind, Actor: v1alpha1.UserName(user), By: by}
		if kind == v1alpha1.ActionDeliver || kind == v1alpha1.ActionAddSigner {
			action.Target = action.Actor
		}
		if _, refusal := Decide(g, s, Command{Kind: CommandAction, Action: action}, dir, now); refusal == nil {
			out = append(out, kind)
		}
	}
	return out
}

// mustParticipate refuses who is not waited for.
func (t *turn) mustParticipate() *Refusal {
	if Ended(t.graph, &t.s.Status) {
		return refuse(ReasonNotParticipant, "the ticket has ended: nobody can handle it any more")
	}
	if !IsParticipant(t.s, string(t.actor)) {
		return refuse(ReasonNotParticipant, "%q is not a current participant of the ticket", t.actor)
	}
	return nil
}

func (t *turn) mustIntervene(what Phrase) *Refusal {
	if !CanIntervene(t.graph, string(t.actor), t.action.By, t.dir) {
		return refuse(ReasonNotAllowed, "%q may not %s: that needs an administrator or an admin of the workflow", t.actor, what)
	}
	return nil
}

// targetUser is who an action hands something to (decisions.md §4: the target
// must exist, unless the application may use unknown users).
func (t *turn) targetUser() *Refusal {
	target := string(t.action.Target)
	if target == v1alpha1.RobotUser || target == v1alpha1.HookUser {
		return refuse(ReasonUnknownUser, "target_username: %q is a reserved name", target)
	}
	allowUnknown := false
	if t.by != nil && t.by.Application != "" {
		application, _ := t.dir.Application(t.by.Application)
		allowUnknown = application.AllowUnknownUsers
	}
	person, ok := t.dir.User(target)
	switch {
	case !ok && !allowUnknown:
		return refuse(ReasonUnknownUser, "target_username: there is no user %q", target)
	case !ok && !isUserName(target):
		return refuse(ReasonUnknownUser, "target_username: %q is not one user name", target)
	case ok && !person.Active:
		return refuse(ReasonUnknownUser, "target_username: the user %q is not active", target)
	}
	return nil
}

// relate notes that users are involved, in order of appearance.
func (t *turn) relate(users ...v1alpha1.UserName) {
	for _, user := range users {
		if user != "" && !isRelated(&t.s.Status, string(user)) {
			t.s.Status.Related = append(t.s.Status.Related, v1alpha1.RelatedUser{User: user})
		}
	}
}

// handled notes that the actor has taken a transition.
func (t *turn) handled() {
	t.relate(t.actor)
	for i := range t.s.Status.Related {
		if t.s.Status.Related[i].User == t.actor {
			t.s.Status.Related[i].Handled = true
		}
	}
}

// HasEnded is Ended for who has no graph at hand, such as an index: only an end
// state leaves a ticket to people of whom there are none.
func HasEnded(status *v1alpha1.TicketStatus) bool {
	switch status.Progress {
	case v1alpha1.ProgressFinished, v1alpha1.ProgressClosed:
		return true
	}
	return status.Participants.Kind == v1alpha1.ParticipantsUsers && len(status.Participants.Users) == 0
}
