// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// place is where tickets are found, and as what they are answered there: by name
// in their namespace, or by wire id.
type place struct {
	resource   schema.GroupResource
	singular   string
	namespaced bool
	empty      func() runtime.Object
	// find finds a ticket for who has the right to a part of it.
	find func(ctx context.Context, r *reader, name, part, verb string) (*v1alpha1.Ticket, error)
	// hidden refuses somebody who may not look at a ticket. It tells nothing but
	// what was asked for: who knows an id does not thereby learn name or namespace.
	hidden func(name string) refusal
	answer func(t *v1alpha1.Ticket, name string, value v1alpha1.JSONObject) runtime.Object
}

var (
	ticketsResource   = restv1.GroupVersion.WithResource("tickets").GroupResource()
	ticketIDsResource = restv1.GroupVersion.WithResource("ticketids").GroupResource()
)

var byName = &place{
	resource: ticketsResource, singular: "ticket", namespaced: true,
	empty: func() runtime.Object { return &restv1.Ticket{} },
	find:  findByName,
	hidden: func(name string) refusal {
		return func(who user.Info) error {
			return forbidden(ticketsResource, name, fmt.Sprintf("%s may not look at this ticket", who.GetName()))
		}
	},
	answer: func(t *v1alpha1.Ticket, _ string, value v1alpha1.JSONObject) runtime.Object {
		return &restv1.Ticket{ObjectMeta: meta(t), Value: value}
	},
}

// byID has no namespace in its paths, so the server asks for the right in the
// ticket's own: kube-apiserver could not (architecture.md).
var byID = &place{
	resource: ticketIDsResource, singular: "ticketid",
	empty: func() runtime.Object { return &restv1.TicketID{} },
	find:  findByID, hidden: hiddenID,
	answer: func(t *v1alpha1.Ticket, id string, value v1alpha1.JSONObject) runtime.Object {
		out := &restv1.TicketID{ObjectMeta: meta(t), Ticket: restv1.TicketReference{Namespace: t.Namespace, Name: t.Name}, Value: value}
		out.Name, out.Namespace = id, ""
		return out
	},
}

// findByName finds a ticket whose part kube-apiserver's RBAC and ours have
// granted already: the path names the namespace.
func findByName(ctx context.Context, r *reader, name, _, _ string) (*v1alpha1.Ticket, error) {
	t, ok := r.backend.Ticket(ctx, request.NamespaceValue(ctx), name)
	if !ok || t.Status.ID == 0 {
		return nil, apierrors.NewNotFound(ticketsResource, name)
	}
	return t, nil
}

func findByID(ctx context.Context, r *reader, id, part, verb string) (*v1alpha1.Ticket, error) {
	missing := apierrors.NewNotFound(ticketIDsResource, id)
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil, missing
	}
	t, ok := r.backend.TicketByID(v1alpha1.WireID(number))
	if !ok {
		return nil, missing
	}
	who, ok := request.UserFrom(ctx)
	if !ok {
		return nil, apierrors.NewUnauthorized("nobody is logged in")
	}
	return t, r.mustBeAllowed(ctx, who, servedTicket(t, part, verb), hiddenID(id))
}

func hiddenID(id string) refusal {
	return func(who user.Info) error {
		return forbidden(ticketIDsResource, id, fmt.Sprintf("%s may not look at it", who.GetName()))
	}
}

// forbidden is Kubernetes' refusal, with the reason that /api/v1.0 would give.
func forbidden(resource schema.GroupResource, name, message string) error {
	out := apierrors.NewForbidden(resource, name, errors.New(message))
	out.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: metav1.CauseType(engine.ReasonNotAllowed), Message: message}}
	return out
}

// servedTicket is the right to a view of a ticket, or to a deed, by its name.
func servedTicket(t *v1alpha1.Ticket, part, verb string) *authorizationv1.ResourceAttributes {
	return &authorizationv1.ResourceAttributes{
		Group: restv1.GroupVersion.Group, Resource: "tickets", Subresource: part, Verb: verb, Namespace: t.Namespace, Name: t.Name,
	}
}

// answered makes an error what a client of the place is answered.
func (p *place) answered(ctx context.Context, err error, name string) error {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return err
	}
	return problem(ctx, p.resource, name, err)
}

var (
	_ rest.Scoper               = &place{}
	_ rest.SingularNameProvider = &place{}
	_ rest.TableConvertor       = &place{}
)

// Destroy has nothing to release.
func (*place) Destroy() {}

// NamespaceScoped says whether paths have a namespace: an id is unique without.
func (p *place) NamespaceScoped() bool { return p.namespaced }

// GetSingularName is what one of them is called.
func (p *place) GetSingularName() string { return p.singular }

// ConvertToTable writes the columns of kubectl get.
func (*place) ConvertToTable(_ context.Context, object, _ runtime.Object) (*metav1.Table, error) {
	return table(object), nil
}

// meta is what Kubernetes clients want to know of an object.
func meta(t *v1alpha1.Ticket) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: t.Name, Namespace: t.Namespace, UID: t.UID, ResourceVersion: t.ResourceVersion, CreationTimestamp: t.CreationTimestamp,
	}
}

// table is a ticket in one row.
func table(object runtime.Object) *metav1.Table {
	out := &metav1.Table{ColumnDefinitions: []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name"}, {Name: "ID", Type: "integer"},
		{Name: "SN", Type: "string"}, {Name: "Title", Type: "string"}, {Name: "Participant", Type: "string"},
	}}
	var name string
	var value v1alpha1.JSONObject
	switch o := object.(type) {
	case *restv1.Ticket:
		name, value = o.Name, o.Value
	case *restv1.TicketID:
		name, value = o.Ticket.Name, o.Value
	default:
		return out // a Status, say
	}
	out.Rows = []metav1.TableRow{{
		Cells:  []any{name, value["id"], value["sn"], value["title"], value["participant"]},
		Object: runtime.RawExtension{Object: object},
	}}
	return out
}
