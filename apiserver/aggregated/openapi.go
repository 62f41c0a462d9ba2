// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiopenapi "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	kubernetesopenapi "k8s.io/kube-aggregator/pkg/generated/openapi"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// OpenAPIModelName is the name of the ticket's schema.
func (Ticket) OpenAPIModelName() string { return "dev.ticketflow.rest.v1.Ticket" }

// describe sets the OpenAPI that genericapiserver asks for.
func describe(config *genericapiserver.Config) {
	namer := apiopenapi.NewDefinitionNamer(scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, namer)
	for _, info := range []*spec.Info{config.OpenAPIConfig.Info, config.OpenAPIV3Config.Info} {
		info.Title, info.Version = "Ticketflow", GroupVersion.Version
	}
}

// definitions are Kubernetes' own, generated, and the ticket's.
func definitions(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	all := kubernetesopenapi.GetOpenAPIDefinitions(ref)
	meta := metav1.ObjectMeta{}.OpenAPIModelName()
	object := spec.Schema{SchemaProps: spec.SchemaProps{
		Description: "A ticket as a Kubernetes user sees it.",
		Type:        []string{"object"},
		Required:    []string{"value"},
		Properties: map[string]spec.Schema{
			"kind":       text("The kind: Ticket."),
			"apiVersion": text("The group and version: rest.ticketflow.dev/v1."),
			"metadata":   {SchemaProps: spec.SchemaProps{Ref: ref(meta)}},
			"value": {
				SchemaProps:      spec.SchemaProps{Description: "What the same read answers as data on /api/v1.0.", Type: []string{"object"}},
				VendorExtensible: spec.VendorExtensible{Extensions: spec.Extensions{"x-kubernetes-preserve-unknown-fields": true}},
			},
		},
	}}
	all[Ticket{}.OpenAPIModelName()] = common.OpenAPIDefinition{Schema: object, Dependencies: []string{meta}}
	return all
}

func text(description string) spec.Schema {
	return spec.Schema{SchemaProps: spec.SchemaProps{Description: description, Type: []string{"string"}}}
}
