// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package backup carries everything of Ticketflow from one cluster to another:
// definitions, tickets with their status, records, revisions, and the ids that
// REST clients know them by.
//
// An export is a stream of JSON lines, compressed by gzip: a Header, objects as
// the API server shows them, and a Trailer, without which it is not whole.
// docs/backup.md says what stands in it and in which order.
package backup

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// ImporterName is whom an import acts as where the admission policy lets nobody
// else write: tickets that were opened elsewhere, statuses, records, revisions.
// Nothing else is allowed to it, and nothing ever runs under it by itself. It is
// a service account of the namespace that Ticketflow is installed in.
func ImporterName(systemNamespace string) string {
	return "system:serviceaccount:" + systemNamespace + ":ticketflow-importer"
}

// pageSize is how many objects are asked for at once.
const pageSize = 200

var (
	configMaps = schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	secrets    = schema.GroupVersionKind{Version: "v1", Kind: "Secret"}
	revisions  = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "ControllerRevision"}
	tickets    = ours("Ticket")
	records    = ours("TicketRecord")
	workflows  = ours("Workflow")

	applications = ours("Application")
)

// definitions are the kinds that people write, in the order in which they are carried.
var definitions = []schema.GroupVersionKind{
	ours("Department"), ours("User"), ours("UserRole"), applications, ours("Script"), ours("Notifier"), workflows,
}

func ours(kind string) schema.GroupVersionKind { return v1alpha1.SchemeGroupVersion.WithKind(kind) }

func isDefinition(o *unstructured.Unstructured) bool {
	return slices.Contains(definitions, o.GroupVersionKind())
}

func newObject(gvk schema.GroupVersionKind, namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(gvk)
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

// describe names an object for people.
func describe(o *unstructured.Unstructured) string {
	if o.GetNamespace() == "" {
		return o.GetKind() + " " + o.GetName()
	}
	return o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
}
