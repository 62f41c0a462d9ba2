// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated

import (
	"cmp"
	"context"
	"net/url"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
)

var workflowsResource = restv1.GroupVersion.WithResource("workflows").GroupResource()

// workflows serves workflows to those who open tickets on them.
type workflows struct{ *reader }

var (
	_ rest.Getter               = &workflows{}
	_ rest.Lister               = &workflows{}
	_ rest.Scoper               = &workflows{}
	_ rest.SingularNameProvider = &workflows{}
)

// New is an empty object of the kind that is served.
func (*workflows) New() runtime.Object { return &restv1.Workflow{} }

// NewList is an empty list.
func (*workflows) NewList() runtime.Object { return &restv1.WorkflowList{} }

// Destroy has nothing to release.
func (*workflows) Destroy() {}

// NamespaceScoped is true: workflows live in namespaces.
func (*workflows) NamespaceScoped() bool { return true }

// GetSingularName is what one of them is called.
func (*workflows) GetSingularName() string { return "workflow" }

// Get answers one, with what new tickets follow.
func (s *workflows) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	w, ok := s.backend.Workflow(ctx, request.NamespaceValue(ctx), name)
	if !ok {
		return nil, apierrors.NewNotFound(workflowsResource, name)
	}
	out := openWorkflow(w)
	if w.Status.Revision == "" {
		return out, nil
	}
	graph, err := s.backend.CurrentGraph(ctx, w)
	if err != nil {
		return nil, problem(ctx, workflowsResource, name, err)
	}
	out.Definition = definition(graph)
	return out, nil
}

// List lists those of a namespace, or of all, by name. They are not so many that
// pages are needed.
func (s *workflows) List(ctx context.Context, options *internalversion.ListOptions) (runtime.Object, error) {
	if byLabels, byFields := selected(options); byLabels || byFields {
		return nil, apierrors.NewBadRequest("workflows are not selected by labels or fields here")
	}
	list := &restv1.WorkflowList{}
	for _, w := range s.backend.Workflows() {
		if namespace := request.NamespaceValue(ctx); namespace == "" || namespace == w.Namespace {
			list.Items = append(list.Items, *openWorkflow(w.Workflow))
		}
	}
	slices.SortFunc(list.Items, func(a, b restv1.Workflow) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return list, nil
}

// openWorkflow is a workflow as those see it who open tickets.
func openWorkflow(w *v1alpha1.Workflow) *restv1.Workflow {
	out := &restv1.Workflow{DisplayName: w.Spec.DisplayName, Description: w.Spec.Description}
	out.Namespace, out.Name, out.UID = w.Namespace, w.Name, w.UID
	out.ResourceVersion, out.CreationTimestamp = w.ResourceVersion, w.CreationTimestamp
	if w.Spec.Suspend {
		out.Trouble = "it is suspended"
	}
	if why := backend.NotReady(w); why != "" {
		out.Trouble = why
	}
	return out
}

// definition is what a graph was compiled from, without what hooks' addresses
// may hold of secrets.
func definition(graph *engine.Graph) *restv1.Definition {
	spec := graph.Spec.DeepCopy()
	for i := range spec.States {
		if p := spec.States[i].Participants; p != nil && p.Hook != nil {
			p.Hook.URL, p.Hook.ExtraInfo = hostOf(p.Hook.URL), nil
		}
	}
	return &restv1.Definition{Workflow: graph.Name, Spec: *spec, IDs: restv1.DefinitionIDs(graph.IDs)}
}

// hostOf is an address without all that comes behind the host, or before it.
func hostOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return "http://unknown"
	}
	return (&url.URL{Scheme: parsed.Scheme, Host: parsed.Host}).String()
}

// ConvertToTable writes the columns of kubectl get.
func (*workflows) ConvertToTable(_ context.Context, object, _ runtime.Object) (*metav1.Table, error) {
	out := &metav1.Table{ColumnDefinitions: []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name"}, {Name: "Display Name", Type: "string"}, {Name: "Trouble", Type: "string"},
	}}
	row := func(w *restv1.Workflow) {
		out.Rows = append(out.Rows, metav1.TableRow{
			Cells: []any{w.Name, w.DisplayName, w.Trouble}, Object: runtime.RawExtension{Object: w},
		})
	}
	switch o := object.(type) {
	case *restv1.Workflow:
		row(o)
	case *restv1.WorkflowList:
		out.ListMeta = o.ListMeta
		for i := range o.Items {
			row(&o.Items[i])
		}
	}
	return out, nil
}
