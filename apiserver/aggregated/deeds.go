// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated

import (
	"reflect"
	"slices"
	"strings"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
)

// deed is something that can be done with a ticket: a subresource that is
// created. Its name is that of the endpoint of /api/v1.0, so that one right
// counts for both.
type deed struct {
	name    string
	action  v1alpha1.ActionType
	members []string // of an Action, besides those that belong to all
}

var deeds = []deed{
	{"handle", v1alpha1.ActionTransition, []string{"transition", "fromState", "fields", "clear"}},
	{"accept", v1alpha1.ActionAccept, nil},
	{"deliver", v1alpha1.ActionDeliver, []string{"target", "asAdministrator"}},
	{"add_node", v1alpha1.ActionAddSigner, []string{"target"}},
	{"add_node_end", v1alpha1.ActionEndAddSigner, nil},
	{"comments", v1alpha1.ActionComment, nil},
	{"fields", v1alpha1.ActionSetFields, []string{"fields", "clear"}},
	{"state", v1alpha1.ActionSetState, []string{"state"}},
	{"retreat", v1alpha1.ActionRetreat, nil},
	{"close", v1alpha1.ActionClose, nil},
	{"retry_script", v1alpha1.ActionRetryScript, nil},
}

// commonMembers belong to every deed.
var commonMembers = []string{"comment", "actor", "application", "idempotencyKey"}

// read is what an Action asks for. A member that does not belong to the deed is
// refused: whoever wrote it meant something by it.
func (d deed) read(a *restv1.Action) (v1alpha1.TicketAction, *backend.Failure) {
	for _, name := range said(a) {
		if !slices.Contains(d.members, name) && !slices.Contains(commonMembers, name) {
			return v1alpha1.TicketAction{}, backend.Failf(engine.ReasonUnknownKey, "%s: does not belong to %s, which takes %s",
				name, d.name, strings.Join(append(slices.Clone(d.members), commonMembers...), ", "))
		}
	}
	if slices.Contains(d.members, "target") && a.Target == "" {
		return v1alpha1.TicketAction{}, backend.Failf(engine.ReasonBadParameter, "target: is missing")
	}
	return v1alpha1.TicketAction{
		Type: d.action, Comment: a.Comment, Transition: a.Transition, FromState: a.FromState, Fields: a.Fields, Clear: a.Clear,
		Target: a.Target, State: a.State, AsAdministrator: a.AsAdministrator,
	}, nil
}

// said are the names of an Action's members that are there, as they are written.
func said(a *restv1.Action) (names []string) {
	for _, of := range []reflect.Value{reflect.ValueOf(*a), reflect.ValueOf(a.OnBehalf)} {
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Type().Field(i).Tag.Get("json"), ",")
			if name != "" && name != "metadata" && !of.Field(i).IsZero() {
				names = append(names, name)
			}
		}
	}
	return names
}
