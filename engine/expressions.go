// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	apiservercel "k8s.io/apiserver/pkg/cel"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

const (
	// maxCost bounds what one evaluation may cost, in CEL's own units; what is
	// estimated above it is refused when the workflow is applied.
	maxCost = 1_000_000
	// maxValueSize is what the estimate takes a text to hold at most.
	maxValueSize = 10_000
)

// environment compiles a workflow's CEL. Expressions see `fields` (typed as the
// workflow declares them), `title` and `creator`; see formValues for what reading
// a field gives.
type environment struct {
	conditions *cel.Env
}

func newEnvironment(fields []*Field) (*environment, error) {
	declared := make(map[string]*apiservercel.DeclField, len(fields))
	for _, field := range fields {
		name := string(field.Name)
		declared[name] = apiservercel.NewDeclField(name, declType(field.Type), false, nil, nil)
	}
	provider := apiservercel.NewDeclTypeProvider(apiservercel.NewObjectType(fieldsName, declared))
	base, err := cel.NewEnv(cel.CrossTypeNumericComparisons(true))
	if err != nil {
		return nil, err
	}
	options, err := provider.EnvOptions(base.CELTypeProvider())
	if err != nil {
		return nil, err
	}
	options = append(options,
		cel.Variable(fieldsName, cel.ObjectType(fieldsName)),
		cel.Variable("title", cel.StringType),
		cel.Variable("creator", cel.StringType),
	)
	env, err := base.Extend(options...)
	return &environment{conditions: env}, err
}

func declType(t v1alpha1.FieldType) *apiservercel.DeclType {
	switch t {
	case v1alpha1.FieldInteger:
		return apiservercel.IntType
	case v1alpha1.FieldNumber:
		return apiservercel.DoubleType
	case v1alpha1.FieldBoolean:
		return apiservercel.BoolType
	default:
		return apiservercel.StringType
	}
}

// compileCondition compiles a route's condition.
func (e *environment) compileCondition(source string) (cel.Program, error) {
	return compileBool(e.conditions, source)
}

// compileValidation compiles a field's validation; the value is self.
func (e *environment) compileValidation(field *Field) (cel.Program, error) {
	env, err := cel.NewEnv(cel.CrossTypeNumericComparisons(true), cel.Variable("self", declType(field.Type).CelType()))
	if err != nil {
		return nil, err
	}
	return compileBool(env, string(field.Validation))
}

func compileBool(env *cel.Env, source string) (cel.Program, error) {
	ast, issues := env.Compile(source)
	if issues.Err() != nil {
		return nil, fmt.Errorf("wrong CEL %q: %s", source, issueText(issues))
	}
	if ast.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("wrong CEL %q: it must be true or false, not %s", source, ast.OutputType())
	}
	cost, err := env.EstimateCost(ast, sizes{})
	if err != nil {
		return nil, fmt.Errorf("wrong CEL %q: %w", source, err)
	}
	if cost.Max > maxCost {
		return nil, fmt.Errorf("wrong CEL %q: it may cost too much to evaluate", source)
	}
	return env.Program(ast, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(100))
}

// issueText is CEL's own findings in one line, without its drawing of the source.
func issueText(issues *cel.Issues) string {
	texts := make([]string, 0, len(issues.Errors()))
	for _, issue := range issues.Errors() {
		texts = append(texts, fmt.Sprintf("column %d: %s", issue.Location.Column()+1, issue.Message))
	}
	return strings.Join(texts, ", ")
}

// sizes estimates that every text and list is as large as values may be.
type sizes struct{}

// EstimateSize takes everything to be as large as values may be.
func (sizes) EstimateSize(checker.AstNode) *checker.SizeEstimate {
	return &checker.SizeEstimate{Min: 0, Max: maxValueSize}
}

// EstimateCallCost leaves calls to CEL's own estimate.
func (sizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

var errNotBool = errors.New("the result is neither true nor false")

// holds evaluates a compiled expression.
func holds(program cel.Program, variables map[string]any) (bool, error) {
	result, _, err := program.Eval(variables)
	if err != nil {
		return false, err
	}
	return boolOf(result)
}

func boolOf(value ref.Val) (bool, error) {
	b, ok := value.(types.Bool)
	if !ok {
		return false, errNotBool
	}
	return bool(b), nil
}
