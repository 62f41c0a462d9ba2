// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package aggregated serves tickets to Kubernetes users, through the kube-apiserver's
// aggregation layer: the same handlers' answers as /api/v1.0 has, with
// Kubernetes' own authentication, authorization and errors.
package aggregated

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
)

// selectCategory is the field by which stored tickets are selected: a category
// of lists as /api/v1.0 has them.
const selectCategory = "category"

var (
	scheme = runtime.NewScheme()
	codecs = serializer.NewCodecFactory(scheme)
)

func init() {
	utilruntime.Must(restv1.AddToScheme(scheme))
	// Nothing is stored: the one form is read and written.
	scheme.AddKnownTypes(schema.GroupVersion{Group: restv1.GroupVersion.Group, Version: runtime.APIVersionInternal}, restv1.Types()...)
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	scheme.AddUnversionedTypes(schema.GroupVersion{Version: "v1"}, &metav1.Status{}, &metav1.APIVersions{},
		&metav1.APIGroupList{}, &metav1.APIGroup{}, &metav1.APIResourceList{})
	utilruntime.Must(scheme.AddFieldLabelConversionFunc(restv1.GroupVersion.WithKind("StoredTicket"), func(label, value string) (string, string, error) {
		if label != selectCategory {
			return "", "", fmt.Errorf("stored tickets are selected by the field %q alone", selectCategory)
		}
		return label, value, nil
	}))
}
