// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

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

var (
	ticketsResource   = GroupVersion.WithResource("tickets").GroupResource()
	ticketIDsResource = GroupVersion.WithResource("ticketids").GroupResource()
)

// refusal is what who may not look at a ticket is told. It holds nothing but
// what was asked for: somebody who knows an id does not thereby learn the name
// or the namespace.
type refusal func(who user.Info) error

// read answers a view of a ticket. RBAC has let the user in; the ticket's own
// view rule must be passed too, unless RBAC shows this user the raw tickets of
// the namespace anyway. Whom the directory does not know, or not as active, is
// nobody and sees what everyone may.
func (r *reader) read(ctx context.Context, t *v1alpha1.Ticket, v view, refuse refusal) (v1alpha1.JSONObject, error) {
	graph, err := r.backend.Graph(ctx, t)
	if err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("the ticket's workflow revision cannot be read"))
	}
	who, ok := request.UserFrom(ctx)
	if !ok {
		return nil, apierrors.NewUnauthorized("nobody is logged in")
	}
	name := ""
	if person, known := r.backend.Directory().UserOf(who.GetName()); known && person.Active {
		name = person.Name
	}
	if !engine.CanView(graph, backend.Snapshot(t), name, r.backend.Directory()) {
		if err := r.mustBeAllowed(ctx, who, rawTicket(t), refuse); err != nil {
			return nil, err
		}
	}
	value, err := v.render(ctx, r.render, t, graph, name)
	if err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("the ticket's history cannot be read"))
	}
	return plain(value)
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

// servedTicket is the right to a view of a ticket, or to a deed, by its name.
func servedTicket(t *v1alpha1.Ticket, subresource, verb string) *authorizationv1.ResourceAttributes {
	return &authorizationv1.ResourceAttributes{
		Group: GroupVersion.Group, Resource: "tickets", Subresource: subresource, Verb: verb, Namespace: t.Namespace, Name: t.Name,
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

// byName serves tickets in their namespace.
type byName struct {
	*reader
	view view
}

var (
	_ rest.Getter               = &byName{}
	_ rest.Scoper               = &byName{}
	_ rest.SingularNameProvider = &byName{}
	_ rest.TableConvertor       = &byName{}
)

// New is an empty object of the kind that is served.
func (*byName) New() runtime.Object { return &Ticket{} }

// Destroy has nothing to release.
func (*byName) Destroy() {}

// NamespaceScoped is true: tickets live in namespaces.
func (*byName) NamespaceScoped() bool { return true }

// GetSingularName is what one of them is called.
func (*byName) GetSingularName() string { return "ticket" }

// ConvertToTable writes the columns of kubectl get.
func (*byName) ConvertToTable(_ context.Context, object, _ runtime.Object) (*metav1.Table, error) {
	return table(object)
}

// Get answers one.
func (s *byName) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	t, ok := s.backend.Ticket(ctx, request.NamespaceValue(ctx), name)
	if !ok || t.Status.ID == 0 {
		return nil, apierrors.NewNotFound(ticketsResource, name)
	}
	value, err := s.read(ctx, t, s.view, func(who user.Info) error {
		return apierrors.NewForbidden(ticketsResource, name, fmt.Errorf("%s may not look at this ticket", who.GetName()))
	})
	if err != nil {
		return nil, err
	}
	return &Ticket{ObjectMeta: meta(t), Value: value}, nil
}

// meta is what Kubernetes clients want to know of an object.
func meta(t *v1alpha1.Ticket) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: t.Name, Namespace: t.Namespace, UID: t.UID, ResourceVersion: t.ResourceVersion, CreationTimestamp: t.CreationTimestamp,
	}
}

// byID serves tickets by wire id. The path has no namespace, so the server asks
// for the right in the ticket's own: kube-apiserver could not (architecture.md).
type byID struct {
	*reader
	view view
}

var (
	_ rest.Getter               = &byID{}
	_ rest.Scoper               = &byID{}
	_ rest.SingularNameProvider = &byID{}
	_ rest.TableConvertor       = &byID{}
)

// New is an empty object of the kind that is served.
func (*byID) New() runtime.Object { return &TicketID{} }

// Destroy has nothing to release.
func (*byID) Destroy() {}

// NamespaceScoped is false: an id is unique across the cluster.
func (*byID) NamespaceScoped() bool { return false }

// GetSingularName is what one of them is called.
func (*byID) GetSingularName() string { return "ticketid" }

// ConvertToTable writes the columns of kubectl get.
func (*byID) ConvertToTable(_ context.Context, object, _ runtime.Object) (*metav1.Table, error) {
	return table(object)
}

// Get answers one.
func (s *byID) Get(ctx context.Context, id string, _ *metav1.GetOptions) (runtime.Object, error) {
	t, err := s.find(ctx, id, s.view.name, "get")
	if err != nil {
		return nil, err
	}
	value, err := s.read(ctx, t, s.view, hidden(id))
	if err != nil {
		return nil, err
	}
	return ticketID(t, id, value), nil
}

// find finds a ticket by its id for who has the right to it in its namespace.
func (r *reader) find(ctx context.Context, id, subresource, verb string) (*v1alpha1.Ticket, error) {
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil, apierrors.NewNotFound(ticketIDsResource, id)
	}
	t, ok := r.backend.TicketByID(v1alpha1.WireID(number))
	if !ok {
		return nil, apierrors.NewNotFound(ticketIDsResource, id)
	}
	who, ok := request.UserFrom(ctx)
	if !ok {
		return nil, apierrors.NewUnauthorized("nobody is logged in")
	}
	return t, r.mustBeAllowed(ctx, who, servedTicket(t, subresource, verb), hidden(id))
}

// hidden refuses a ticket of which nothing but the id may be told.
func hidden(id string) refusal {
	return func(who user.Info) error {
		return apierrors.NewForbidden(ticketIDsResource, id, fmt.Errorf("%s may not look at it", who.GetName()))
	}
}

func ticketID(t *v1alpha1.Ticket, id string, value v1alpha1.JSONObject) *TicketID {
	out := &TicketID{ObjectMeta: meta(t), Ticket: TicketReference{Namespace: t.Namespace, Name: t.Name}, Value: value}
	out.Name, out.Namespace = id, ""
	return out
}

// table is a ticket in one row.
func table(object runtime.Object) (*metav1.Table, error) {
	out := &metav1.Table{ColumnDefinitions: []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name"}, {Name: "ID", Type: "integer"},
		{Name: "SN", Type: "string"}, {Name: "Title", Type: "string"}, {Name: "Participant", Type: "string"},
	}}
	var name string
	var value v1alpha1.JSONObject
	switch o := object.(type) {
	case *Ticket:
		name, value = o.Name, o.Value
	case *TicketID:
		name, value = o.Ticket.Name, o.Value
	default:
		return out, nil // a Status, say
	}
	out.Rows = []metav1.TableRow{{
		Cells:  []any{name, value["id"], value["sn"], value["title"], value["participant"]},
		Object: runtime.RawExtension{Object: object},
	}}
	return out, nil
}
