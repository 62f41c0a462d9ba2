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
	"k8s.io/utils/ptr"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
)

// describe sets the OpenAPI that genericapiserver asks for.
func describe(config *genericapiserver.Config) {
	namer := apiopenapi.NewDefinitionNamer(scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, namer)
	for _, info := range []*spec.Info{config.OpenAPIConfig.Info, config.OpenAPIV3Config.Info} {
		info.Title, info.Version = "Ticketflow", restv1.GroupVersion.Version
	}
}

// model is the schema of a kind, or of a list where there are items.
type model struct {
	name, kind, description string
	members                 map[string]spec.Schema
	items                   string
}

// models are the schemas of all that is served and read.
func models() []model {
	value := anything("What the same read answers as data on /api/v1.0.")
	ticket := object("The ticket that has the id.",
		map[string]spec.Schema{"namespace": text("Its namespace."), "name": text("Its name.")}, "name", "namespace")
	definition := anything("The workflow's revision: its name, spec and wire ids. Of hooks' addresses only the host is told.")
	viewer := viewer()
	return []model{
		{restv1.Ticket{}.OpenAPIModelName(), "Ticket", "A ticket as a Kubernetes user sees it; with a request, one to be opened.",
			map[string]spec.Schema{"value": value, "request": opening()}, ""},
		{restv1.TicketList{}.OpenAPIModelName(), "TicketList", "A page of tickets.", nil, restv1.Ticket{}.OpenAPIModelName()},
		{restv1.TicketID{}.OpenAPIModelName(), "TicketID", "A ticket by its wire id.", map[string]spec.Schema{"value": value, "ticket": ticket}, ""},
		{restv1.Action{}.OpenAPIModelName(), "Action", "What is asked to be done with a ticket.", action(), ""},
		{restv1.StoredTicket{}.OpenAPIModelName(), "StoredTicket", "A ticket as it is stored, for who may look at it.", map[string]spec.Schema{
			"spec": anything("As in tickets.ticketflow.dev."), "status": anything("As in tickets.ticketflow.dev; in a list without history."),
			"records":    {SchemaProps: spec.SchemaProps{Description: "The older history, as in ticketrecords.ticketflow.dev.", Type: []string{"array"}, Items: &spec.SchemaOrArray{Schema: ptr.To(anything("A record's spec."))}}},
			"definition": definition, "viewer": viewer,
		}, ""},
		{restv1.StoredTicketList{}.OpenAPIModelName(), "StoredTicketList", "A page of stored tickets; the field selector category=C chooses those of a category of /api/v1.0's lists.",
			map[string]spec.Schema{"viewer": viewer}, restv1.StoredTicket{}.OpenAPIModelName()},
		{restv1.Workflow{}.OpenAPIModelName(), "Workflow", "A workflow as those see it who open tickets on it.", map[string]spec.Schema{
			"displayName": text("What it is called for people."), "description": text("What it is for."),
			"trouble": text("Why it opens no tickets; absent if it does."), "definition": definition,
		}, ""},
		{restv1.WorkflowList{}.OpenAPIModelName(), "WorkflowList", "Workflows, without their definitions.", nil, restv1.Workflow{}.OpenAPIModelName()},
	}
}

// definitions are Kubernetes' own, generated, and ours.
func definitions(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	all := kubernetesopenapi.GetOpenAPIDefinitions(ref)
	for _, each := range models() {
		meta := metav1.ObjectMeta{}.OpenAPIModelName()
		properties := map[string]spec.Schema{
			"kind":       text("The kind: " + each.kind + "."),
			"apiVersion": text("The group and version: rest.ticketflow.dev/v1."),
		}
		maps.Copy(properties, each.members)
		var required, dependencies []string
		if each.items != "" {
			meta = metav1.ListMeta{}.OpenAPIModelName()
			item := spec.Schema{SchemaProps: spec.SchemaProps{Ref: ref(each.items)}}
			properties["items"] = spec.Schema{SchemaProps: spec.SchemaProps{Type: []string{"array"}, Items: &spec.SchemaOrArray{Schema: &item}}}
			required, dependencies = []string{"items"}, []string{each.items}
		}
		properties["metadata"] = spec.Schema{SchemaProps: spec.SchemaProps{Ref: ref(meta)}}
		all[each.name] = common.OpenAPIDefinition{
			Schema: object(each.description, properties, required...), Dependencies: append(dependencies, meta),
		}
	}
	return all
}

func viewer() spec.Schema {
	kind := text("A type of action.")
	return object("Who reads.", map[string]spec.Schema{
		"kubernetes": text("The Kubernetes user."), "user": text("The Ticketflow user that it belongs to, if any."),
		"may": {SchemaProps: spec.SchemaProps{Description: "What that user may do with the ticket besides taking part in its state.",
			Type: []string{"array"}, Items: &spec.SchemaOrArray{Schema: &kind}}},
	}, "kubernetes")
}

// onBehalf are the members of what is asked for by programs.
func onBehalf() map[string]spec.Schema {
	return map[string]spec.Schema{
		"actor":          text("The user who acts, if it is another than the Kubernetes user: needs the verb act-as on actors.ticketflow.dev."),
		"application":    text("The application through which the actor acts: needs the verb act-as on applications.ticketflow.dev."),
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
