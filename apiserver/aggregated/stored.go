// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/apiserver/index"
	"ticketflow.dev/ticketflow/engine"
)

// storedTickets serves tickets as they are stored, to who may look at them.
type storedTickets struct{ *reader }

var (
	_ rest.Getter               = &storedTickets{}
	_ rest.Lister               = &storedTickets{}
	_ rest.Scoper               = &storedTickets{}
	_ rest.SingularNameProvider = &storedTickets{}
)

// New is an empty object of the kind that is served.
func (*storedTickets) New() runtime.Object { return &restv1.StoredTicket{} }

// NewList is an empty list.
func (*storedTickets) NewList() runtime.Object { return &restv1.StoredTicketList{} }

// Destroy has nothing to release.
func (*storedTickets) Destroy() {}

// NamespaceScoped is true: tickets live in namespaces.
func (*storedTickets) NamespaceScoped() bool { return true }

// GetSingularName is what one of them is called.
func (*storedTickets) GetSingularName() string { return "storedticket" }

// Get answers one.
func (s *storedTickets) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	t, err := byName.find(ctx, s.reader, name, "", "get")
	if err != nil {
		return nil, err
	}
	by, err := s.look(ctx, t, byName.hidden(name))
	if err != nil {
		return nil, err
	}
	out := storedTicket(t)
	out.Status.History = t.Status.History
	if out.Records, err = s.backend.Records(ctx, t); err != nil {
		return nil, problem(ctx, byName.resource, name, err)
	}
	out.Definition = definition(by.graph)
	out.Viewer = &restv1.Viewer{Kubernetes: by.who.GetName(), User: v1alpha1.UserName(by.name)}
	if by.name != "" {
		out.Viewer.May = engine.Allowed(by.graph, backend.Snapshot(t), by.name, backend.Caller{Kubernetes: by.who}.By(), s.backend.Directory(), s.backend.Now())
	}
	return out, nil
}

// List lists what the user may look at, newest first, or those tickets of a
// category that are the user's.
func (s *storedTickets) List(ctx context.Context, options *internalversion.ListOptions) (runtime.Object, error) {
	category, err := categoryOf(options)
	if err != nil {
		return nil, err
	}
	found, err := s.page(ctx, options, category)
	if err != nil {
		return nil, err
	}
	list := &restv1.StoredTicketList{ListMeta: found.meta, Viewer: &restv1.Viewer{Kubernetes: found.who.GetName(), User: v1alpha1.UserName(found.name)}}
	for _, t := range found.tickets {
		list.Items = append(list.Items, *storedTicket(t))
	}
	return list, nil
}

// categoryOf is the category that tickets are selected by.
func categoryOf(options *internalversion.ListOptions) (index.Category, error) {
	if _, byFields := selected(options); !byFields {
		return index.CategoryAll, nil
	}
	value, exact := options.FieldSelector.RequiresExactMatch(selectCategory)
	category := index.Category(value)
	if !exact || !slices.Contains(index.Categories, category) {
		return "", apierrors.NewBadRequest(fmt.Sprintf("fieldSelector: %s=C is what there is, where C is one of %v", selectCategory, index.Categories))
	}
	return category, nil
}

// storedTicket is a ticket without its history.
func storedTicket(t *v1alpha1.Ticket) *restv1.StoredTicket {
	out := &restv1.StoredTicket{ObjectMeta: meta(t), Spec: t.Spec, Status: t.Status}
	out.Labels, out.Annotations, out.DeletionTimestamp = t.Labels, t.Annotations, t.DeletionTimestamp
	out.Status.History = nil
	return out
}

// ConvertToTable writes the columns of kubectl get.
func (*storedTickets) ConvertToTable(_ context.Context, object, _ runtime.Object) (*metav1.Table, error) {
	out := &metav1.Table{ColumnDefinitions: []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name"}, {Name: "ID", Type: "integer"}, {Name: "State", Type: "string"},
		{Name: "Progress", Type: "string"}, {Name: "Title", Type: "string"},
	}}
	row := func(t *restv1.StoredTicket) {
		out.Rows = append(out.Rows, metav1.TableRow{
			Cells:  []any{t.Name, t.Status.ID, t.Status.State, t.Status.Progress, t.Status.Title},
			Object: runtime.RawExtension{Object: t},
		})
	}
	switch o := object.(type) {
	case *restv1.StoredTicket:
		row(o)
	case *restv1.StoredTicketList:
		out.ListMeta = o.ListMeta
		for i := range o.Items {
			row(&o.Items[i])
		}
	}
	return out, nil
}
