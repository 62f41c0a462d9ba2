// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3gen"

	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
)

// OpenAPI is the document of this surface, written from its table of endpoints
// and from the types of their answers. Strict forbids keys in answers that no
// type has, as tests want it; clients should expect more keys to come.
func OpenAPI(strict bool) (*openapi3.T, error) {
	d := &document{strict: strict, doc: &openapi3.T{
		OpenAPI: "3.0.3",
		Info: &openapi3.Info{
			Title: "Ticketflow", Version: "v1.0",
			Description: "Tickets, the workflows that they follow, and the people in them. Every outcome that a client can cause is answered " +
				"with HTTP 200 and an envelope whose code is 0 or -1, unless its application asks for proper statuses.",
		},
		Servers: openapi3.Servers{{URL: strings.TrimSuffix(base, "/")}},
		Paths:   openapi3.NewPaths(),
		Components: &openapi3.Components{
			Schemas:         openapi3.Schemas{"Refusal": openapi3.NewSchemaRef("", refusalSchema())},
			SecuritySchemes: securitySchemes(),
		},
	}}
	for _, route := range (&API{}).table() { // its handlers are not called
		if err := d.add(&route); err != nil {
			return nil, fmt.Errorf("describe %s %s: %w", route.method, route.path, err)
		}
	}
	return d.doc, nil
}

// Document is OpenAPI as it is served and checked in.
func Document() ([]byte, error) {
	doc, err := OpenAPI(false)
	if err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	return append(data, '\n'), nil
}

type document struct {
	doc    *openapi3.T
	strict bool
}

func (d *document) add(r *route) error {
	success, err := d.success(r)
	if err != nil {
		return err
	}
	operation := &openapi3.Operation{
		OperationID: operationID(r), Summary: r.summary, Tags: []string{strings.Split(r.path, "/")[0]},
		Responses: openapi3.NewResponses(
			openapi3.WithName("200", response("What was asked for, or why not.", &openapi3.Schema{OneOf: openapi3.SchemaRefs{success, refusalRef()}})),
			openapi3.WithName("4XX", response("Why not, for applications that ask for proper statuses.", &openapi3.Schema{AllOf: openapi3.SchemaRefs{refusalRef()}})),
			openapi3.WithName("5XX", response("A fault of the server's.", &openapi3.Schema{AllOf: openapi3.SchemaRefs{refusalRef()}})),
		),
		Security: security(r),
	}
	if strings.Contains(r.path, "{id}") {
		operation.AddParameter(openapi3.NewPathParameter("id").WithSchema(kindSchema(anID)))
	}
	operation.AddParameter(usernameHeader(r))
	for _, p := range r.query {
		operation.AddParameter(&openapi3.Parameter{
			In: openapi3.ParameterInQuery, Name: p.name, Required: p.required, Description: p.about,
			Schema: openapi3.NewSchemaRef("", kindSchema(p.kind)),
		})
	}
	if r.method != http.MethodGet {
		operation.AddParameter(openapi3.NewHeaderParameter("Idempotency-Key").WithSchema(openapi3.NewStringSchema()).
			WithDescription("Makes the repetition of the request harmless: it has the same outcome, and is applied once. A ticket remembers " +
				"what was done with it as long as it is there; that a ticket was opened and is gone is remembered for an hour."))
		operation.RequestBody = requestBody(r)
	}
	d.doc.AddOperation("/"+r.path, r.method, operation)
	return nil
}

func operationID(r *route) string {
	words := strings.FieldsFunc(strings.ToLower(r.method)+"/"+strings.ReplaceAll(r.path, "{id}", "one"), func(c rune) bool { return c == '/' || c == '_' })
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}

func response(about string, schema *openapi3.Schema) *openapi3.Response {
	return openapi3.NewResponse().WithDescription(about).WithJSONSchema(schema)
}

func refusalRef() *openapi3.SchemaRef {
	return openapi3.NewSchemaRef("#/components/schemas/Refusal", refusalSchema())
}

func refusalSchema() *openapi3.Schema {
	reasons := make([]any, 0, len(Reasons))
	for _, reason := range Reasons {
		reasons = append(reasons, string(reason))
	}
	return envelopeSchema(-1, openapi3.NewSchemaRef("", openapi3.NewStringSchema().WithEnum(""))).
		WithProperty("reason", openapi3.NewStringSchema().WithEnum(reasons...)).
		WithRequired([]string{"code", "data", "msg", "reason"})
}

func envelopeSchema(code int, data *openapi3.SchemaRef) *openapi3.Schema {
	return openapi3.NewObjectSchema().
		WithProperty("code", openapi3.NewIntegerSchema().WithEnum(code)).
		WithPropertyRef("data", data).
		WithProperty("msg", openapi3.NewStringSchema()).
		WithRequired([]string{"code", "data", "msg"})
}

// success is the envelope around each of the types that the data may be of.
func (d *document) success(r *route) (*openapi3.SchemaRef, error) {
	var refs openapi3.SchemaRefs
	for _, value := range r.data {
		schema, err := d.schema(value)
		if err != nil {
			return nil, err
		}
		refs = append(refs, schema)
	}
	data := refs[0]
	if len(refs) > 1 {
		data = openapi3.NewSchemaRef("", &openapi3.Schema{OneOf: refs, Description: "The document's answer, or release r1.0.14's: by the application's profile."})
	}
	return openapi3.NewSchemaRef("", envelopeSchema(0, data)), nil
}

func (d *document) schema(value any) (*openapi3.SchemaRef, error) {
	schema, err := openapi3gen.NewSchemaRefForValue(value, nil, openapi3gen.SchemaCustomizer(d.customize))
	if err != nil {
		return nil, fmt.Errorf("describe %T: %w", value, err)
	}
	return schema, nil
}

// customize says what reflection does not: which keys are always there, and
// that what may be anything may be null.
func (d *document) customize(_ string, t reflect.Type, _ reflect.StructTag, schema *openapi3.Schema) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Interface {
		schema.Nullable = true
	}
	if t == reflect.TypeFor[choiceLabels]() { // it writes itself
		*schema = *openapi3.NewObjectSchema().WithAdditionalProperties(openapi3.NewStringSchema())
	}
	if t.Kind() != reflect.Struct || len(schema.Properties) == 0 {
		return nil
	}
	schema.Required = slices.DeleteFunc(slices.Sorted(propertyNames(schema)), func(name string) bool { return name == "ticket_data" })
	if d.strict {
		schema.WithoutAdditionalProperties()
	}
	return nil
}

func propertyNames(schema *openapi3.Schema) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range schema.Properties {
			if !yield(name) {
				return
			}
		}
	}
}

func kindSchema(kind propertyKind) *openapi3.Schema {
	switch kind {
	case aNumber:
		return openapi3.NewInt64Schema()
	case anID:
		return openapi3.NewInt64Schema().WithMin(0)
	case aFlag:
		// Numbers and their texts are taken too.
		return &openapi3.Schema{AnyOf: openapi3.SchemaRefs{
			openapi3.NewSchemaRef("", openapi3.NewIntegerSchema().WithEnum(0, 1)), openapi3.NewSchemaRef("", openapi3.NewBoolSchema()),
		}}
	case idList:
		return openapi3.NewStringSchema().WithPattern(`^ *[0-9]+ *(, *[0-9]+ *)*$`)
	case aTime:
		schema := openapi3.NewStringSchema()
		schema.Example = "2018-04-10 17:39:33"
		return schema
	case aDate:
		schema := openapi3.NewStringSchema()
		schema.Example = "2018-04-10"
		return schema
	case aCat:
		return openapi3.NewStringSchema().WithEnum("all", "owner", "duty", "relation", "worked")
	case anObj:
		return openapi3.NewObjectSchema().WithAnyAdditionalProperties()
	}
	return openapi3.NewStringSchema()
}

func requestBody(r *route) *openapi3.RequestBodyRef {
	schema := openapi3.NewObjectSchema()
	for _, p := range r.body {
		property := kindSchema(p.kind)
		property.Description = p.about
		schema.WithProperty(p.name, property)
		if p.required {
			schema.Required = append(schema.Required, p.name)
		}
	}
	if r.strict {
		schema.WithoutAdditionalProperties()
	} else {
		schema.WithAnyAdditionalProperties()
	}
	content := openapi3.NewContentWithSchema(schema, []string{"application/json", "application/x-www-form-urlencoded"})
	return &openapi3.RequestBodyRef{Value: openapi3.NewRequestBody().WithContent(content).WithRequired(r.mustSay || len(schema.Required) > 0)}
}

func usernameHeader(r *route) *openapi3.Parameter {
	about := "Who acts."
	switch {
	case r.needs:
		about = "Who acts; needed, but with a bearer token."
	case r.alone:
		about = "Who acts; needed, but with a bearer token and for an application that may intervene."
	}
	return openapi3.NewHeaderParameter("username").WithSchema(openapi3.NewStringSchema()).WithRequired(false).WithDescription(about)
}

// The ways to say who one is: docs/signatures.md.
func securitySchemes() openapi3.SecuritySchemes {
	header := func(name, about string) *openapi3.SecuritySchemeRef {
		return &openapi3.SecuritySchemeRef{Value: openapi3.NewSecurityScheme().WithType("apiKey").WithIn("header").WithName(name).WithDescription(about)}
	}
	return openapi3.SecuritySchemes{
		"appname":   header("appname", "Name of the calling application."),
		"timestamp": header("timestamp", "Unix time in seconds, within 120 seconds of the server's."),
		"signature": header("signature", "MD5, as hex, of timestamp and token; or, with the header signature-method, HMAC-SHA256 of the whole request."),
		"bearer":    &openapi3.SecuritySchemeRef{Value: openapi3.NewSecurityScheme().WithType("http").WithScheme("bearer").WithDescription("A Kubernetes token.")},
	}
}

func security(r *route) *openapi3.SecurityRequirements {
	all := openapi3.NewSecurityRequirements().
		With(openapi3.NewSecurityRequirement().Authenticate("appname").Authenticate("timestamp").Authenticate("signature")).
		With(openapi3.NewSecurityRequirement().Authenticate("bearer"))
	if r.byHook {
		all.With(openapi3.NewSecurityRequirement().Authenticate("timestamp").Authenticate("signature"))
	}
	return all
}

// Reasons are all that a refusal may have: the closed list of decisions.md §3.1.
var Reasons = []engine.Reason{
	backend.ReasonMissingCredentials, engine.ReasonUnknownApplication, backend.ReasonBadSignature, backend.ReasonExpired, backend.ReasonReplayed,
	engine.ReasonUnknownUser, backend.ReasonBadBody, engine.ReasonBadParameter, engine.ReasonUnknownKey, engine.ReasonTooLarge,
	engine.ReasonUnknownTicket, engine.ReasonUnknownWorkflow, engine.ReasonUnknownState, engine.ReasonUnknownTransition, engine.ReasonWorkflowNotReady,
	engine.ReasonNotParticipant, engine.ReasonNotCreator, engine.ReasonNotAllowed, engine.ReasonLimitReached, engine.ReasonAcceptFirst,
	engine.ReasonNothingToAccept, engine.ReasonInAddNode, engine.ReasonNotInAddNode, engine.ReasonNothingToDo, engine.ReasonWrongState,
	engine.ReasonNotRetreatable, engine.ReasonNotRetryable, engine.ReasonNotWaitingForHook, engine.ReasonParentElsewhere,
	engine.ReasonMissingFields, engine.ReasonInvalidFields, engine.ReasonNoParticipants, engine.ReasonConditionFailed,
	engine.ReasonConflict, backend.ReasonBusy, backend.ReasonPending, backend.ReasonUnavailable, engine.ReasonInternal,
}
