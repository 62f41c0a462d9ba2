// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// reference is to a ConfigMap or a Secret.
type reference struct {
	kind            schema.GroupVersionKind
	namespace, name string
}

// references are those that definitions have, each once.
type references map[reference]bool

// find adds all references below a value. They are told by their keys, as API
// conventions have it: …configMapKeyRef and …secretRef, …secretKeyRef.
func (r references) find(namespace string, value any) {
	switch v := value.(type) {
	case []any:
		for _, each := range v {
			r.find(namespace, each)
		}
	case map[string]any:
		for key, each := range v {
			r.add(namespace, key, each)
			r.find(namespace, each)
		}
	}
}

func (r references) add(namespace, key string, value any) {
	ref, ok := value.(map[string]any)
	if !ok {
		return
	}
	name, _ := ref["name"].(string)
	if other, _ := ref["namespace"].(string); other != "" {
		namespace = other
	}
	key = strings.ToLower(key)
	switch {
	case name == "" || namespace == "":
	case strings.HasSuffix(key, "configmapkeyref"):
		r[reference{configMaps, namespace, name}] = true
	case strings.HasSuffix(key, "secretref"), strings.HasSuffix(key, "secretkeyref"):
		r[reference{secrets, namespace, name}] = true
	}
}

func (r references) sorted() []reference {
	return slices.SortedFunc(maps.Keys(r), func(a, b reference) int {
		return cmp.Or(cmp.Compare(a.kind.Kind, b.kind.Kind), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	})
}
