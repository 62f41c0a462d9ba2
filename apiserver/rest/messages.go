// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"fmt"
	"strings"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
)

// The texts of this surface's own refusals. The engine words those about tickets.

func unknownTicket(id v1alpha1.WireID) *backend.Failure {
	return backend.Failf(engine.ReasonUnknownTicket, "ticket_id: there is no ticket %d", id)
}

func unknownWorkflow(id v1alpha1.WireID) *backend.Failure {
	return backend.Failf(engine.ReasonUnknownWorkflow, "workflow_id: there is no workflow %d for this application", id)
}

func unknownState(id v1alpha1.WireID) *backend.Failure {
	return backend.Failf(engine.ReasonUnknownState, "state_id: there is no state %d here", id)
}

// transitionElsewhere tells a participant which transitions there are, by the ids
// and names that the wire has.
func transitionElsewhere(id v1alpha1.WireID, state *engine.State) *backend.Failure {
	has := make([]string, 0, len(state.Transitions))
	for _, t := range state.Transitions {
		has = append(has, fmt.Sprintf("%d (%s)", t.ID, t.DisplayName))
	}
	return backend.Failf(engine.ReasonUnknownTransition, "transition_id: the ticket's state %q has no transition with the id %d; it has %s",
		state.DisplayName, id, strings.Join(has, ", "))
}

func stateElsewhere(id v1alpha1.WireID) *backend.Failure {
	return backend.Failf(engine.ReasonUnknownState, "state_id: the ticket's workflow has no state with the id %d", id)
}

func notAllowedToView(user string, id v1alpha1.WireID) *backend.Failure {
	if user == "" {
		return backend.Failf(engine.ReasonNotAllowed, "not everybody may look at ticket %d, and no user is named", id)
	}
	return backend.Failf(engine.ReasonNotAllowed, "%q has nothing to do with ticket %d and may not look at it", user, id)
}

func administratorsOnly(user string) *backend.Failure {
	return backend.Failf(engine.ReasonNotAllowed, "%q may not read this: it is for administrators", user)
}

// noUser says that somebody must act and nobody is named: of a Kubernetes user,
// that it is no user here.
func noUser(c backend.Caller) *backend.Failure {
	if c.Kubernetes != nil {
		return c.NoUser()
	}
	return backend.Failf(backend.ReasonMissingCredentials, "the header username is missing")
}

func noEndpoint(path string) *backend.Failure {
	return backend.Failf(engine.ReasonBadParameter, "there is no endpoint %s", path)
}

func noMethod(method, path string) *backend.Failure {
	return backend.Failf(engine.ReasonBadParameter, "the endpoint %s has no method %s", path, method)
}

func badParameter(name, why string, args ...any) *backend.Failure {
	return backend.Failf(engine.ReasonBadParameter, "%s %s", name, engine.Say(why, args...))
}

func badBody(why string) *backend.Failure {
	return backend.Failf(backend.ReasonBadBody, "the body %s", engine.Say(why))
}

func unknownKey(name string) *backend.Failure {
	return backend.Failf(engine.ReasonUnknownKey, "the body has an unknown key %q", name)
}

func tooBusy() *backend.Failure {
	return backend.Failf(backend.ReasonBusy, "too many requests are being served: try again")
}

const internalText = "something went wrong on our side; the request id in the header X-Request-Id names it in the log"

// Texts of successes that clients know.
const (
	msgRetryDocumented = "Ticket script retry start successful"
	msgRetryR1         = "Ticket script or hook retry start successful"
	msgCommentR1       = "add ticket comment successful"
)
