// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated

import (
	"context"
	"path"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
)

// tickets serves tickets by name, and opens them.
type tickets struct{ viewed }

var _ rest.Creater = &tickets{} //nolint:misspell // the library spells it so

// Create opens a ticket. Its name is the server's to give.
func (s *tickets) Create(ctx context.Context, object runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	if err := validate(ctx, object); err != nil {
		return nil, err
	}
	asked, ok := object.(*restv1.Ticket)
	switch {
	case !ok || asked.Request == nil:
		return nil, apierrors.NewBadRequest("request: is missing")
	case asked.Name != "" || len(asked.Value) > 0:
		return nil, apierrors.NewBadRequest("metadata.name and value: are the server's to give")
	}
	if err := noDryRun(options); err != nil {
		return nil, err
	}
	t, who, err := s.open(ctx, request.NamespaceValue(ctx), asked.Request)
	if err != nil {
		return nil, s.answered(ctx, err, "")
	}
	value, err := s.shown(ctx, t, who, false)
	if err != nil {
		return nil, s.answered(ctx, err, t.Name)
	}
	return &restv1.Ticket{ObjectMeta: meta(t), Value: value}, nil
}

func (s *tickets) open(ctx context.Context, namespace string, o *restv1.Opening) (*v1alpha1.Ticket, string, error) {
	workflow, ok := s.backend.Workflow(ctx, namespace, o.Workflow)
	if !ok || workflow.Status.ID == 0 {
		return nil, "", backend.Failf(engine.ReasonUnknownWorkflow, "workflow: there is no %q in this namespace", o.Workflow)
	}
	c, err := s.caller(ctx, o.OnBehalf, namespace, o.Workflow, path.Join(namespace, "tickets"))
	if err != nil {
		return nil, "", err
	}
	note(ctx, c)
	if t, before, err := s.backend.OpenedBefore(ctx, c, workflow); before {
		return t, c.User, err
	}
	t, err := s.backend.Create(ctx, c, workflow, v1alpha1.TicketSpec{
		Title: o.Title, Transition: o.Transition, Fields: o.Fields, Comment: o.Comment, Parent: o.Parent,
	})
	return t, c.User, err
}
