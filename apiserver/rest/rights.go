// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"net/http"
	"strings"

	"k8s.io/apiserver/pkg/authorization/authorizer"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
)

// The group whose tickets Kubernetes users have rights on: the aggregated one,
// so that one role serves both mounts.
const (
	rightsGroup    = "rest.ticketflow.dev"
	rightsVersion  = "v1"
	rightsResource = "tickets"
)

// mayUse says whether the caller may reach a workflow's tickets at all.
func (r *request) mayUse(namespace, workflow string) bool { return r.reach()(namespace, workflow) }

// reach is mayUse for many workflows: an application reaches those of its list, a
// Kubernetes user those of the namespaces where RBAC lets it, a hook that of its
// own ticket.
func (r *request) reach() func(namespace, workflow string) bool {
	switch {
	case r.caller.App != nil:
		if application, ok := r.people().Application(r.caller.AppName); ok {
			return application.MayUse
		}
	case r.caller.Hook != nil:
		return func(namespace, workflow string) bool {
			return r.caller.Hook.Namespace == namespace && string(r.caller.Hook.Spec.WorkflowRef.Name) == workflow
		}
	case r.caller.Kubernetes != nil && r.api.rights != nil:
		known := map[string]bool{}
		return func(namespace, _ string) bool {
			if _, asked := known[namespace]; !asked {
				known[namespace] = r.isAllowedIn(namespace)
			}
			return known[namespace]
		}
	}
	return func(string, string) bool { return false }
}

// isAllowedIn asks RBAC about a Kubernetes user.
func (r *request) isAllowedIn(namespace string) bool {
	verb, subresource := r.route.right()
	decision, _, err := r.api.rights.Authorize(r.Context(), authorizer.AttributesRecord{
		User: r.caller.Kubernetes, Verb: verb, Namespace: namespace, APIGroup: rightsGroup, APIVersion: rightsVersion,
		Resource: rightsResource, Subresource: subresource, ResourceRequest: true,
	})
	return err == nil && decision == authorizer.DecisionAllow
}

// right is what a Kubernetes user needs for an endpoint: get for what is read,
// create of the subresource that the path ends with for what is done.
func (r *route) right() (verb, subresource string) {
	last := r.path[strings.LastIndex(r.path, "/")+1:]
	switch {
	case r.method == http.MethodGet:
		return "get", ""
	case r.method == http.MethodDelete:
		return "delete", ""
	case last == "tickets":
		return "create", ""
	case last == "{id}":
		return "create", "handle"
	}
	return "create", last
}

// checkSubject refuses a caller that may not reach what the request is about.
func (r *request) checkSubject() (err error) {
	switch path := r.route.path; {
	case strings.HasPrefix(path, "tickets/{id}"):
		if t, ok := r.api.backend.HeadByID(r.id); (!ok || !r.reaches(t)) && !r.api.backend.HasDeleted(r.caller) {
			return unknownTicket(r.id)
		}
	case strings.HasPrefix(path, "workflows/{id}"):
		_, err = r.workflow(r.id)
	case path == "tickets" && r.route.method == http.MethodPost:
		var id v1alpha1.WireID
		if id, err = r.mustID("workflow_id"); err == nil {
			_, err = r.workflow(id)
		}
	}
	return err
}

// checkUser refuses a user whom the caller may not speak for, and nobody where
// somebody must act.
func (r *request) checkUser() error {
	switch {
	case r.caller.User != "":
		if refusal := engine.SpeaksFor(r.caller.User, r.caller.By(), r.people()); refusal != nil {
			return refusal
		}
	case r.route.needs, r.route.alone && r.caller.App == nil:
		return noUser(r.caller)
	}
	return nil
}

// reaches is mayUse for a ticket's workflow.
func (r *request) reaches(t *v1alpha1.Ticket) bool {
	return r.mayUse(t.Namespace, string(t.Spec.WorkflowRef.Name))
}

// ticket finds the ticket of the path and the graph it follows. A ticket of a
// workflow that the caller may not reach is unknown, telling nothing.
func (r *request) ticket() (*v1alpha1.Ticket, *engine.Graph, error) {
	t, ok := r.api.backend.TicketByID(r.id)
	if !ok || !r.reaches(t) {
		return nil, nil, unknownTicket(r.id)
	}
	graph, err := r.api.backend.Graph(r.Context(), t)
	return t, graph, err
}

// visibleTicket is ticket for who wants to look at it.
func (r *request) visibleTicket() (*v1alpha1.Ticket, *engine.Graph, error) {
	t, graph, err := r.ticket()
	if err != nil {
		return nil, nil, err
	}
	if !engine.CanView(graph, backend.Snapshot(t), r.caller.User, r.people()) {
		return nil, nil, notAllowedToView(r.caller.User, r.id)
	}
	return t, graph, nil
}
