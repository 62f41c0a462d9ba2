// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiopenapi "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	kubernetesopenapi "k8s.io/kube-aggregator/pkg/generated/openapi"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// OpenAPIModelName is the name of the ticket's schema.
func (Ticket) OpenAPIModelName() string { return "dev.ticketflow.rest.v1.Ticket" }

// OpenAPIModelName is the name of the schema of tickets by id.
func (TicketID) OpenAPIModelName() string { return "dev.ticketflow.rest.v1.TicketID" }

// describe sets the OpenAPI that genericapiserver asks for.
func describe(config *genericapiserver.Config) {
	namer := apiopenapi.NewDefinitionNamer(scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, namer)
	for _, info := range []*spec.Info{config.OpenAPIConfig.Info, config.OpenAPIV3Config.Info} {
		info.Title, info.Version = "Ticketflow", GroupVersion.Version
	}
}

// definitions are Kubernetes' own, generated, and those of tickets.
func definitions(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	all := kubernetesopenapi.GetOpenAPIDefinitions(ref)
	meta := metav1.ObjectMeta{}.OpenAPIModelName()
	value := spec.Schema{
		SchemaProps:      spec.SchemaProps{Description: "What the same read answers as data on /api/v1.0.", Type: []string{"object"}},
		VendorExtensible: spec.VendorExtensible{Extensions: spec.Extensions{"x-kubernetes-preserve-unknown-fields": true}},
	}
	ticket := object("The ticket that has the id.",
		map[string]spec.Schema{"namespace": text("Its namespace."), "name": text("Its name.")}, "name", "namespace")
	for _, each := range []struct {
		name, kind, description string
		own                     map[string]spec.Schema
	}{
		{Ticket{}.OpenAPIModelName(), "Ticket", "A ticket as a Kubernetes user sees it.", map[string]spec.Schema{"value": value}},
		{TicketID{}.OpenAPIModelName(), "TicketID", "A ticket by its wire id.", map[string]spec.Schema{"value": value, "ticket": ticket}},
	} {
		properties := map[string]spec.Schema{
			"kind":       text("The kind: " + each.kind + "."),
			"apiVersion": text("The group and version: rest.ticketflow.dev/v1."),
			"metadata":   {SchemaProps: spec.SchemaProps{Ref: ref(meta)}},
		}
		maps.Copy(properties, each.own)
		all[each.name] = common.OpenAPIDefinition{
			Schema:       object(each.description, properties, slices.Sorted(maps.Keys(each.own))...),
			Dependencies: []string{meta},
		}
	}
	return all
}

func object(description string, properties map[string]spec.Schema, required ...string) spec.Schema {
	return spec.Schema{SchemaProps: spec.SchemaProps{
		Description: description, Type: []string{"object"}, Required: required, Properties: properties,
	}}
}

func text(description string) spec.Schema {
	return spec.Schema{SchemaProps: spec.SchemaProps{Description: description, Type: []string{"string"}}}
}
