// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated

import (
	"context"
	"encoding/json"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	wire "ticketflow.dev/ticketflow/apiserver/rest"
	"ticketflow.dev/ticketflow/engine"
)

// view is one read of a ticket. The empty name is the ticket itself.
type view struct {
	name   string
	render func(ctx context.Context, r *wire.Renderer, t *v1alpha1.Ticket, g *engine.Graph, user string) (any, error)
}

var views = []view{
	{"", func(ctx context.Context, r *wire.Renderer, t *v1alpha1.Ticket, g *engine.Graph, user string) (any, error) {
		return r.Detail(ctx, t, g, user, v1alpha1.ProfileDocumented), nil
	}},
	{"transitions", func(_ context.Context, r *wire.Renderer, t *v1alpha1.Ticket, g *engine.Graph, user string) (any, error) {
		return r.Transitions(t, g, user), nil
	}},
	{"flowlogs", func(ctx context.Context, r *wire.Renderer, t *v1alpha1.Ticket, g *engine.Graph, _ string) (any, error) {
		logs, err := r.FlowLogs(ctx, t, g, v1alpha1.ProfileDocumented, false)
		return map[string]any{"value": logs}, err
	}},
	{"flowsteps", func(ctx context.Context, r *wire.Renderer, t *v1alpha1.Ticket, g *engine.Graph, _ string) (any, error) {
		return r.FlowSteps(ctx, t, g, v1alpha1.ProfileDocumented)
	}},
}

// reader reads tickets for Kubernetes users.
type reader struct {
	backend *backend.Backend
	render  *wire.Renderer
	reviews authorizationclient.SubjectAccessReviewInterface
}

// refusal is what who may not look at something is told.
type refusal func(who user.Info) error

// looking is somebody who may look at a ticket.
type looking struct {
	graph *engine.Graph
	who   user.Info
	// name of the Ticketflow user; empty if none belongs to who.
	name string
}

// look lets somebody look at a ticket. RBAC has let the user in; the ticket's own
// view rule must be passed too, unless RBAC shows this user the raw tickets of
// the namespace anyway.
func (r *reader) look(ctx context.Context, t *v1alpha1.Ticket, refuse refusal) (looking, error) {
	graph, err := r.backend.Graph(ctx, t)
	if err != nil {
		return looking{}, apierrors.NewInternalError(fmt.Errorf("the ticket's workflow revision cannot be read"))
	}
	who, name, err := r.reading(ctx)
	if err != nil {
		return looking{}, err
	}
	if !engine.CanView(graph, backend.Snapshot(t), name, r.backend.Directory()) {
		if err := r.mustBeAllowed(ctx, who, rawTicket(t), refuse); err != nil {
			return looking{}, err
		}
	}
	return looking{graph: graph, who: who, name: name}, nil
}

// reading is who reads, and which user that is. Whom the directory does not know,
// or not as active, is nobody and sees what everyone may.
func (r *reader) reading(ctx context.Context) (user.Info, string, error) {
	who, ok := request.UserFrom(ctx)
	if !ok {
		return nil, "", apierrors.NewUnauthorized("nobody is logged in")
	}
	if person, known := r.backend.Directory().UserOf(who.GetName()); known && person.Active {
		return who, person.Name, nil
	}
	return who, "", nil
}

// viewed serves a view of tickets.
type viewed struct {
	*reader
	*place
	view view
}

var _ rest.Getter = &viewed{}

// New is an empty object of the kind that is served.
func (s *viewed) New() runtime.Object { return s.empty() }

// Get answers one.
func (s *viewed) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	t, err := s.find(ctx, s.reader, name, s.view.name, "get")
	if err != nil {
		return nil, err
	}
	by, err := s.look(ctx, t, s.hidden(name))
	if err != nil {
		return nil, err
	}
	value, err := s.view.render(ctx, s.render, t, by.graph, by.name)
	if err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("the ticket's history cannot be read"))
	}
	object, err := plain(value)
	if err != nil {
		return nil, err
	}
	return s.answer(t, name, object), nil
}

// plain is a value as it is written.
func plain(value any) (v1alpha1.JSONObject, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("the ticket cannot be written"))
	}
	var out v1alpha1.JSONObject
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("the ticket cannot be written"))
	}
	return out, nil
}

// rawTicket is the right to see a ticket as it is stored.
func rawTicket(t *v1alpha1.Ticket) *authorizationv1.ResourceAttributes {
	return &authorizationv1.ResourceAttributes{
		Group: v1alpha1.SchemeGroupVersion.Group, Resource: "tickets", Verb: "get", Namespace: t.Namespace, Name: t.Name,
	}
}

// mustBeAllowed asks Kubernetes whether a user has a right.
func (r *reader) mustBeAllowed(ctx context.Context, who user.Info, to *authorizationv1.ResourceAttributes, refuse refusal) error {
	extra := map[string]authorizationv1.ExtraValue{}
	for key, values := range who.GetExtra() {
		extra[key] = values
	}
	review, err := r.reviews.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: who.GetName(), UID: who.GetUID(), Groups: who.GetGroups(), Extra: extra, ResourceAttributes: to,
	}}, metav1.CreateOptions{})
	if err != nil {
		return apierrors.NewInternalError(fmt.Errorf("the user's rights cannot be asked for"))
	}
	if !review.Status.Allowed {
		return refuse(who)
	}
	return nil
}
