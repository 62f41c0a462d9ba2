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

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/index"
	"ticketflow.dev/ticketflow/engine"
)

// pageSize is how many tickets are listed at a time.
const pageSize = 500

var _ rest.Lister = &tickets{}

// NewList is an empty list.
func (*tickets) NewList() runtime.Object { return &restv1.TicketList{} }

// ConvertToTable writes the columns of kubectl get.
func (*tickets) ConvertToTable(_ context.Context, object, _ runtime.Object) (*metav1.Table, error) {
	list, ok := object.(*restv1.TicketList)
	if !ok {
		return table(object), nil
	}
	out := table(nil)
	out.ListMeta = list.ListMeta
	for i := range list.Items {
		out.Rows = append(out.Rows, table(&list.Items[i]).Rows...)
	}
	return out, nil
}

// List lists what the user may look at, newest first: what each ticket's own
// rule shows, or all where the user has the right to the raw tickets.
func (s *tickets) List(ctx context.Context, options *internalversion.ListOptions) (runtime.Object, error) {
	if _, byFields := selected(options); byFields {
		return nil, apierrors.NewBadRequest("tickets are not selected by labels or fields here")
	}
	found, err := s.page(ctx, options, index.CategoryAll)
	if err != nil {
		return nil, err
	}
	list := &restv1.TicketList{ListMeta: found.meta}
	for _, t := range found.tickets {
		value, err := s.shown(ctx, t, found.name, true)
		if err != nil {
			return nil, s.answered(ctx, err, t.Name)
		}
		list.Items = append(list.Items, restv1.Ticket{ObjectMeta: meta(t), Value: value})
	}
	return list, nil
}

// page is a page of tickets that somebody may look at.
type page struct {
	tickets []*v1alpha1.Ticket
	meta    metav1.ListMeta
	who     user.Info
	name    string // of the Ticketflow user; empty for nobody
}

// page reads the page that is asked for, of the namespace that is asked for.
func (r *reader) page(ctx context.Context, options *internalversion.ListOptions, category index.Category) (page, error) {
	number, size, err := paging(options)
	if err != nil {
		return page{}, err
	}
	who, name, err := r.reading(ctx)
	if err != nil {
		return page{}, err
	}
	out := page{who: who, name: name}
	query, err := r.query(ctx, who, name, request.NamespaceValue(ctx))
	if err != nil {
		return out, err
	}
	query.Category, query.User, query.Page, query.PerPage = category, name, number, size
	if category != index.CategoryAll && name == "" {
		return out, nil // nobody has no tickets
	}
	found, total := r.backend.List(query)
	if number > 1 && (number-1)*size >= total {
		return out, nil // fewer than when the page before was read
	}
	if left := int64(total - number*size); left > 0 {
		out.meta.Continue, out.meta.RemainingItemCount = strconv.Itoa(number+1), &left
	}
	out.tickets = found
	return out, nil
}

// selected says what a list is selected by, if it is.
func selected(o *internalversion.ListOptions) (byLabels, byFields bool) {
	if o == nil {
		return false, false
	}
	return o.LabelSelector != nil && !o.LabelSelector.Empty(), o.FieldSelector != nil && !o.FieldSelector.Empty()
}

// paging is which page is asked for, and how long pages are.
func paging(o *internalversion.ListOptions) (page, size int, err error) {
	if o == nil {
		return 1, pageSize, nil
	}
	if byLabels, _ := selected(o); byLabels {
		return 0, 0, apierrors.NewBadRequest("tickets are not selected by labels or fields here")
	}
	page, size = 1, pageSize
	if o.Limit > 0 && o.Limit < pageSize {
		size = int(o.Limit)
	}
	if o.Continue != "" {
		next, err := strconv.ParseInt(o.Continue, 10, 32)
		if err != nil || next < 1 {
			return 0, 0, apierrors.NewBadRequest("continue: is not what an earlier list gave")
		}
		page = int(next)
	}
	return page, size, nil
}

// errHidden says that a right is not there; it is told to nobody.
var errHidden = errors.New("the raw tickets are not for this user")

func (r *reader) query(ctx context.Context, who user.Info, name, namespace string) (index.Query, error) {
	raw := &authorizationv1.ResourceAttributes{Group: v1alpha1.SchemeGroupVersion.Group, Resource: "tickets", Verb: "list", Namespace: namespace}
	err := r.mustBeAllowed(ctx, who, raw, func(user.Info) error { return errHidden })
	hidden := errors.Is(err, errHidden)
	if err != nil && !hidden {
		return index.Query{}, err
	}
	q := index.Query{Reverse: true, Workflows: []string{}, Onlooker: name}
	onlooker := engine.NewOnlooker(name, r.backend.Directory())
	for _, w := range r.backend.Workflows() {
		switch {
		case namespace != "" && w.Namespace != namespace:
		case !hidden || w.Graph != nil && onlooker.SeesAll(&w.Graph.Spec):
			q.Workflows = append(q.Workflows, w.Key)
		default:
			q.Partly = append(q.Partly, w.Key)
		}
	}
	return q, nil
}
