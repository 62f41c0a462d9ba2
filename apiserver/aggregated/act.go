// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated

import (
	"context"
	"fmt"
	"net/http"
	"path"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
)

// caller is who asks for something, on what namespace's workflow and under
// which path: the user that the Kubernetes user is, or an actor whom the
// Kubernetes user may speak for.
func (r *reader) caller(ctx context.Context, b restv1.OnBehalf, namespace, workflow, under string) (backend.Caller, error) {
	who, ok := request.UserFrom(ctx)
	if !ok {
		return backend.Caller{}, apierrors.NewUnauthorized("nobody is logged in")
	}
	c := backend.Caller{Kubernetes: who, IdempotencyKey: b.IdempotencyKey, Method: http.MethodPost, Path: under}
	if b.Actor != "" || b.Application != "" {
		return r.onBehalf(ctx, c, b, namespace, workflow)
	}
	person, known := r.backend.Directory().UserOf(who.GetName())
	if !known {
		return c, c.NoUser()
	}
	c.User = person.Name
	if refusal := engine.SpeaksFor(c.User, c.By(), r.backend.Directory()); refusal != nil {
		return c, refusal
	}
	return c, nil
}

func (r *reader) onBehalf(ctx context.Context, c backend.Caller, b restv1.OnBehalf, namespace, workflow string) (backend.Caller, error) {
	if b.Actor == "" || b.Application == "" {
		return c, backend.Failf(engine.ReasonBadParameter, "actor and application belong together")
	}
	// Through an application, one has what was granted to it besides, whoever the
	// actor is: both are asked for.
	if err := r.mustActAs(ctx, c.Kubernetes, "actors", b.Actor, "act as this user"); err != nil {
		return c, err
	}
	if err := r.mustActAs(ctx, c.Kubernetes, "applications", b.Application, "act through this application"); err != nil {
		return c, err
	}
	application, ok := r.backend.Directory().ApplicationObject(b.Application)
	if !ok {
		return c, backend.Failf(engine.ReasonUnknownApplication, "there is no application %q", b.Application)
	}
	c.App, c.AppName, c.User = application, b.Application, b.Actor
	if known, _ := r.backend.Directory().Application(b.Application); !known.MayUse(namespace, workflow) {
		return c, backend.Failf(engine.ReasonUnknownApplication, "the application %q is not for this workflow", b.Application)
	}
	if refusal := engine.SpeaksFor(c.User, c.By(), r.backend.Directory()); refusal != nil {
		return c, refusal
	}
	return c, nil
}

// mustActAs asks for the verb act-as on an actor or an application.
func (r *reader) mustActAs(ctx context.Context, who user.Info, kind, name, what string) error {
	resource := v1alpha1.SchemeGroupVersion.WithResource(kind).GroupResource()
	right := &authorizationv1.ResourceAttributes{Group: resource.Group, Resource: resource.Resource, Verb: "act-as", Name: name}
	return r.mustBeAllowed(ctx, who, right, func(who user.Info) error {
		return apierrors.NewForbidden(resource, name, fmt.Errorf("%s may not %s", who.GetName(), what))
	})
}

// noDryRun refuses what would be promised and not kept.
func noDryRun(options *metav1.CreateOptions) error {
	if options != nil && len(options.DryRun) > 0 {
		return apierrors.NewBadRequest("there is no dry run of what is done with tickets")
	}
	return nil
}

// shown is a ticket for who has done something with it, or is allowed to see it.
func (r *reader) shown(ctx context.Context, t *v1alpha1.Ticket, name string, allowed bool) (v1alpha1.JSONObject, error) {
	if t.Status.State == "" {
		return nil, nil // deleted since: no more is remembered of it
	}
	graph, err := r.backend.Graph(ctx, t)
	if err != nil {
		return nil, err
	}
	if !allowed && !engine.CanView(graph, backend.Snapshot(t), name, r.backend.Directory()) {
		return nil, nil // it was done; what the ticket holds is not for this user
	}
	value, err := views[0].render(ctx, r.render, t, graph, name)
	if err != nil {
		return nil, err
	}
	return plain(value)
}

// deedOn serves a deed on tickets.
type deedOn struct {
	*reader
	*place
	deed deed
}

var _ rest.NamedCreater = &deedOn{}

// New is an empty object of the kind that is read.
func (*deedOn) New() runtime.Object { return &restv1.Action{} }

// Create does the deed and answers the ticket after it.
func (s *deedOn) Create(ctx context.Context, name string, object runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	if err := validate(ctx, object); err != nil {
		return nil, err
	}
	asked, ok := object.(*restv1.Action)
	if !ok {
		return nil, apierrors.NewBadRequest("the body is not an Action")
	}
	t, err := s.find(ctx, s.reader, name, s.deed.name, "create")
	if err != nil {
		return nil, err
	}
	after, who, err := s.do(ctx, t, asked, options)
	if err != nil {
		return nil, s.answered(ctx, err, name)
	}
	value, err := s.shown(ctx, after, who, false)
	if err != nil {
		return nil, s.answered(ctx, err, name)
	}
	return s.answer(after, name, value), nil
}

// do does the deed and answers the ticket after it, and who did it.
func (s *deedOn) do(ctx context.Context, t *v1alpha1.Ticket, asked *restv1.Action, options *metav1.CreateOptions) (*v1alpha1.Ticket, string, error) {
	if err := noDryRun(options); err != nil {
		return nil, "", err
	}
	action, failure := s.deed.read(asked)
	if failure != nil {
		return nil, "", failure
	}
	c, err := s.caller(ctx, asked.OnBehalf, t.Namespace, string(t.Spec.WorkflowRef.Name), path.Join(t.Namespace, t.Name, s.deed.name))
	if err != nil {
		return nil, "", err
	}
	note(ctx, c)
	after, err := s.backend.Act(ctx, c, t, action)
	return after, c.User, err
}
