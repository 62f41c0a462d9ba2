// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated

import (
	"context"
	"errors"
	"strconv"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/index"
	"ticketflow.dev/ticketflow/engine"
)

// pageSize is how many tickets are listed at a time.
const pageSize = 500

var _ rest.Lister = &tickets{}

// NewList is an empty list.
func (*tickets) NewList() runtime.Object { return &TicketList{} }

// ConvertToTable writes the columns of kubectl get.
func (*tickets) ConvertToTable(_ context.Context, object, _ runtime.Object) (*metav1.Table, error) {
	list, ok := object.(*TicketList)
	if !ok {
		return table(object)
	}
	out, err := table(nil)
	out.ListMeta = list.ListMeta
	for i := range list.Items {
		row, err := table(&list.Items[i])
		if err != nil {
			return nil, err
		}
		out.Rows = append(out.Rows, row.Rows...)
	}
	return out, err
}

// List lists what the user may look at, newest first: what each ticket's own
// rule shows, or all where the user has the right to the raw tickets.
func (s *tickets) List(ctx context.Context, options *internalversion.ListOptions) (runtime.Object, error) {
	page, size, err := paging(options)
	if err != nil {
		return nil, err
	}
	who, ok := request.UserFrom(ctx)
	if !ok {
		return nil, apierrors.NewUnauthorized("nobody is logged in")
	}
	name := ""
	if person, known := s.backend.Directory().UserOf(who.GetName()); known && person.Active {
		name = person.Name
	}
	query, err := s.query(ctx, who, name, request.NamespaceValue(ctx))
	if err != nil {
		return nil, err
	}
	query.Page, query.PerPage = page, size
	found, total := s.backend.List(query)
	list := &TicketList{}
	if page > 1 && (page-1)*size >= total {
		return list, nil // fewer than when the page before was read
	}
	if left := int64(total - page*size); left > 0 {
		list.Continue, list.RemainingItemCount = strconv.Itoa(page+1), &left
	}
	for _, t := range found {
		value, err := s.shown(ctx, t, name, true)
		if err != nil {
			return nil, answered(ctx, s, err, t.Name)
		}
		list.Items = append(list.Items, Ticket{ObjectMeta: meta(t), Value: value})
	}
	return list, nil
}

// paging is which page is asked for, and how long pages are.
func paging(o *internalversion.ListOptions) (page, size int, err error) {
	if o == nil {
		return 1, pageSize, nil
	}
	if (o.LabelSelector != nil && !o.LabelSelector.Empty()) || (o.FieldSelector != nil && !o.FieldSelector.Empty()) {
		return 0, 0, apierrors.NewBadRequest("tickets are not selected by labels or fields here")
	}
	page, size = 1, pageSize
	if o.Limit > 0 && o.Limit < pageSize {
		size = int(o.Limit)
	}
	if o.Continue != "" {
		if page, err = strconv.Atoi(o.Continue); err != nil || page < 1 {
			return 0, 0, apierrors.NewBadRequest("continue: is not what an earlier list gave")
		}
	}
	return page, size, nil
}

// errHidden says that a right is not there; it is told to nobody.
var errHidden = errors.New("the raw tickets are not for this user")

func (s *tickets) query(ctx context.Context, who user.Info, name, namespace string) (index.Query, error) {
	q := index.Query{Category: index.CategoryAll, Reverse: true, Workflows: []string{}}
	visible := &index.Visibility{User: name}
	for _, w := range s.backend.Workflows(ctx) {
		if namespace != "" && w.Namespace != namespace {
			continue
		}
		key := w.Namespace + "/" + w.Name
		q.Workflows = append(q.Workflows, key)
		if graph, err := s.backend.CurrentGraph(ctx, w); err == nil && engine.CanViewAll(graph, name, s.backend.Directory()) {
			visible.Workflows = append(visible.Workflows, key)
		}
	}
	raw := &authorizationv1.ResourceAttributes{Group: v1alpha1.SchemeGroupVersion.Group, Resource: "tickets", Verb: "list", Namespace: namespace}
	switch err := s.mustBeAllowed(ctx, who, raw, func(user.Info) error { return errHidden }); {
	case errors.Is(err, errHidden):
		q.Visible = visible
	case err != nil:
		return q, err
	}
	return q, nil
}
