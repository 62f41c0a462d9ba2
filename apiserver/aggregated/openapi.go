// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated

import (
	"maps"

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

// OpenAPIModelName is the name of the schema of a list of tickets.
func (TicketList) OpenAPIModelName() string { return "dev.ticketflow.rest.v1.TicketList" }

// OpenAPIModelName is the name of the schema of what is asked.
func (Action) OpenAPIModelName() string { return "dev.ticketflow.rest.v1.Action" }

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
	value := anything("What the same read answers as data on /api/v1.0.")
	ticket := object("The ticket that has the id.",
		map[string]spec.Schema{"namespace": text("Its namespace."), "name": text("Its name.")}, "name", "namespace")
	for _, each := range []struct {
		name, kind, description string
		own                     map[string]spec.Schema
	}{
		{Ticket{}.OpenAPIModelName(), "Ticket", "A ticket as a Kubernetes user sees it; with a request, one to be opened.",
			map[string]spec.Schema{"value": value, "request": opening()}},
		{TicketID{}.OpenAPIModelName(), "TicketID", "A ticket by its wire id.", map[string]spec.Schema{"value": value, "ticket": ticket}},
		{Action{}.OpenAPIModelName(), "Action", "What is asked to be done with a ticket.", action()},
	} {
		properties := map[string]spec.Schema{
			"kind":       text("The kind: " + each.kind + "."),
			"apiVersion": text("The group and version: rest.ticketflow.dev/v1."),
			"metadata":   {SchemaProps: spec.SchemaProps{Ref: ref(meta)}},
		}
		maps.Copy(properties, each.own)
		all[each.name] = common.OpenAPIDefinition{
			Schema:       object(each.description, properties),
			Dependencies: []string{meta},
		}
	}
	listMeta, item := metav1.ListMeta{}.OpenAPIModelName(), Ticket{}.OpenAPIModelName()
	items := spec.Schema{SchemaProps: spec.SchemaProps{Ref: ref(item)}}
	all[TicketList{}.OpenAPIModelName()] = common.OpenAPIDefinition{
		Schema: object("A page of tickets.", map[string]spec.Schema{
			"kind": text("The kind: TicketList."), "apiVersion": text("The group and version: rest.ticketflow.dev/v1."),
			"metadata": {SchemaProps: spec.SchemaProps{Ref: ref(listMeta)}},
			"items":    {SchemaProps: spec.SchemaProps{Type: []string{"array"}, Items: &spec.SchemaOrArray{Schema: &items}}},
		}, "items"),
		Dependencies: []string{listMeta, item},
	}
	return all
}

// onBehalf are the members of what is asked for by programs.
func onBehalf() map[string]spec.Schema {
	return map[string]spec.Schema{
		"actor":          text("The user who acts, if it is another than the Kubernetes user: needs the verb act-as on actors.ticketflow.dev."),
		"application":    text("The application through which the actor acts."),
		"idempotencyKey": text("Makes the repetition of a request harmless."),
		"comment":        text("What is said with it; at most 10 000 characters."),
		"fields":         anything("Fields to set, by name."),
	}
}

func opening() spec.Schema {
	members := onBehalf()
	maps.Copy(members, map[string]spec.Schema{
		"workflow":   text("The workflow that the ticket is to follow, in the same namespace."),
		"title":      text("A line about the ticket; at most 500 characters."),
		"transition": text("The start state's transition that opens it; may be absent where there is only one."),
		"parent": object("The ticket that this one is a sub-ticket of.",
			map[string]spec.Schema{"name": text("Its name."), "state": text("The state of it that this one hangs on.")}, "name"),
	})
	return object("Asks for a ticket.", members, "workflow")
}

func action() map[string]spec.Schema {
	members := onBehalf()
	name := text("A field.")
	maps.Copy(members, map[string]spec.Schema{
		"transition":      text("handle: the transition to take."),
		"fromState":       text("handle: the state that the transition is meant to leave."),
		"clear":           {SchemaProps: spec.SchemaProps{Description: "Names of fields to empty.", Type: []string{"array"}, Items: &spec.SchemaOrArray{Schema: &name}}},
		"target":          text("deliver, add_node: the user that it is handed to."),
		"state":           text("state: the state to force the ticket into."),
		"asAdministrator": {SchemaProps: spec.SchemaProps{Description: "deliver: by an administrator's right.", Type: []string{"boolean"}}},
	})
	return members
}

func anything(description string) spec.Schema {
	return spec.Schema{
		SchemaProps:      spec.SchemaProps{Description: description, Type: []string{"object"}},
		VendorExtensible: spec.VendorExtensible{Extensions: spec.Extensions{"x-kubernetes-preserve-unknown-fields": true}},
	}
}

func object(description string, properties map[string]spec.Schema, required ...string) spec.Schema {
	return spec.Schema{SchemaProps: spec.SchemaProps{
		Description: description, Type: []string{"object"}, Required: required, Properties: properties,
	}}
}

func text(description string) spec.Schema {
	return spec.Schema{SchemaProps: spec.SchemaProps{Description: description, Type: []string{"string"}}}
}
