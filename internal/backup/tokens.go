// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// referenceOf is where an Application says which Secret has its token.
var referenceOf = []string{"spec", "tokenSecretRef"}

// tokens are the Secrets with applications' tokens. The API server reads them in
// its own namespace only, which may have another name in the new cluster.
type tokens struct {
	from, to string
	names    map[string]bool
}

// note takes in which Secret an Application refers to.
func (t *tokens) note(application *unstructured.Unstructured) {
	if t.names == nil {
		t.names = map[string]bool{}
	}
	if t.isHere(application) {
		name, _, _ := unstructured.NestedString(application.Object, append(referenceOf, "name")...)
		t.names[name] = true
	}
}

// move has a token, or the reference to one, in the new system namespace.
func (t *tokens) move(o *unstructured.Unstructured) {
	switch kind := o.GroupVersionKind(); {
	case kind == secrets && o.GetNamespace() == t.from && t.names[o.GetName()]:
		o.SetNamespace(t.to)
	case kind == applications && t.isHere(o):
		reference, _, _ := unstructured.NestedMap(o.Object, referenceOf...)
		reference["namespace"] = t.to
		_ = unstructured.SetNestedMap(o.Object, reference, referenceOf...) // it was one
	}
}

// isHere says whether an Application's token is in the system namespace that is exported.
func (t *tokens) isHere(application *unstructured.Unstructured) bool {
	namespace, _, _ := unstructured.NestedString(application.Object, append(referenceOf, "namespace")...)
	return namespace != "" && namespace == t.from
}
