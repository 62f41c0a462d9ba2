// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"fmt"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"ticketflow.dev/ticketflow/config"
	"ticketflow.dev/ticketflow/engine"
)

const workflowCRD = "crd/bases/ticketflow.dev_workflows.yaml"

// schema is what kube-apiserver holds a Workflow to, by its CRD: types, bounds,
// enums and rules. It is asked here the same way, without a cluster.
type schema struct {
	structural *structuralschema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

func workflowSchema() (*schema, error) {
	data, err := config.Manifests.ReadFile(workflowCRD)
	if err != nil {
		return nil, fmt.Errorf("read the CRD: %w", err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(data, &crd); err != nil {
		return nil, fmt.Errorf("read the CRD: %w", err)
	}
	var internal apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(crd.Spec.Versions[0].Schema.OpenAPIV3Schema, &internal, nil); err != nil {
		return nil, fmt.Errorf("read the CRD's schema: %w", err)
	}
	s := &schema{}
	if s.structural, err = structuralschema.NewStructural(&internal); err != nil {
		return nil, fmt.Errorf("read the CRD's schema: %w", err)
	}
	if s.validator, _, err = validation.NewSchemaValidator(&internal); err != nil {
		return nil, fmt.Errorf("read the CRD's schema: %w", err)
	}
	s.rules = cel.NewValidator(s.structural, true, celconfig.PerCallLimit)
	return s, nil
}

// problems are what kube-apiserver would refuse the object for, and keys that
// it would drop.
func (s *schema) problems(ctx context.Context, object map[string]any) []engine.Problem {
	var out []engine.Problem
	pruned := runtime.DeepCopyJSON(object)
	unknown := pruning.PruneWithOptions(pruned, s.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	for _, path := range unknown {
		out = append(out, engine.Problem{Path: path, Message: "there is no such key"})
	}
	errs := validation.ValidateCustomResource(nil, pruned, s.validator)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, pruned)...)
	if len(errs) == 0 { // rules expect what the types promise
		errs, _ = s.rules.Validate(ctx, nil, s.structural, pruned, nil, celconfig.RuntimeCELCostBudget)
	}
	for _, e := range errs {
		out = append(out, engine.Problem{Path: e.Field, Message: message(e)})
	}
	return out
}

// message is a field error without its path, which is told beside it.
func message(e *field.Error) string {
	if e.Type == field.ErrorTypeInvalid && e.Detail != "" {
		return e.Detail
	}
	return e.ErrorBody()
}
