// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/google/cel-go/cel"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Problem is something wrong with a workflow.
type Problem struct {
	// Path of the field in the Workflow, such as spec.states[lead].transitions[approve].to.
	Path string
	// Message says what is wrong.
	Message string
}

// String is path and message in a line.
func (p Problem) String() string { return p.Path + ": " + p.Message }

// Graph is a compiled workflow. It is immutable and safe to share.
type Graph struct {
	// Namespace and Name of the workflow.
	Namespace, Name string
	// Spec that was compiled.
	Spec v1alpha1.WorkflowSpec
	// IDs on the wire.
	IDs IDs

	// Start is the start state.
	Start *State
	// FirstEnd is the first end state in the list; a close leads there.
	FirstEnd *State
	// States in wire order: by order, then by position.
	States []*State

	states      map[v1alpha1.Name]*State
	fields      map[v1alpha1.FieldName]*Field
	stateByID   map[v1alpha1.WireID]*State
	transByID   map[v1alpha1.WireID]*Transition
	fieldsInRow []*Field
}

// IDs are the wire ids of a workflow and its parts.
type IDs struct {
	Workflow    v1alpha1.WireID            `json:"workflow"`
	States      map[string]v1alpha1.WireID `json:"states"`      // by state name
	Transitions map[string]v1alpha1.WireID `json:"transitions"` // by state/transition
	Fields      map[string]v1alpha1.WireID `json:"fields"`      // by field name
}

// State is a compiled state, its defaults filled in.
type State struct {
	v1alpha1.State
	// ID on the wire.
	ID v1alpha1.WireID
	// Order on the wire: spec's, or the position counted from 0.
	Order int32
	// Transitions in wire id order.
	Transitions []*Transition

	byName map[v1alpha1.Name]*Transition
	form   map[v1alpha1.FormFieldName]v1alpha1.Access
}

// Transition is a compiled transition, its defaults filled in.
type Transition struct {
	v1alpha1.Transition
	// ID on the wire.
	ID v1alpha1.WireID
	// From is the state it leaves.
	From *State

	routes []route
}

type route struct {
	condition cel.Program
	to        *State
}

// Field is a compiled field, its defaults filled in.
type Field struct {
	v1alpha1.Field
	// ID on the wire.
	ID v1alpha1.WireID

	validation cel.Program
}

// State finds a state by name.
func (g *Graph) State(name v1alpha1.Name) (*State, bool) {
	s, ok := g.states[name]
	return s, ok
}

// StateByID finds a state by its wire id.
func (g *Graph) StateByID(id v1alpha1.WireID) (*State, bool) {
	s, ok := g.stateByID[id]
	return s, ok
}

// TransitionByID finds a transition by its wire id.
func (g *Graph) TransitionByID(id v1alpha1.WireID) (*Transition, bool) {
	t, ok := g.transByID[id]
	return t, ok
}

// Field finds a field by name.
func (g *Graph) Field(name v1alpha1.FieldName) (*Field, bool) {
	f, ok := g.fields[name]
	return f, ok
}

// Fields lists the workflow's own fields as they stand in the spec.
func (g *Graph) Fields() []*Field { return g.fieldsInRow }

// Admins are the workflow's admins, its creator among them, sorted.
func (g *Graph) Admins() []string {
	names := make([]string, 0, len(g.Spec.Admins)+1)
	for _, admin := range append(slices.Clone(g.Spec.Admins), g.Spec.Creator) {
		if admin != "" {
			names = append(names, string(admin))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// WithRightsOf is the graph of a ticket under way, with who may look at it and
// intervene in it as another revision of its workflow has it: the one in force.
// Who is no admin any more is none of older tickets either.
func (g *Graph) WithRightsOf(inForce *Graph) *Graph {
	with := *g
	with.Spec.Creator, with.Spec.Admins, with.Spec.Visibility = inForce.Spec.Creator, inForce.Spec.Admins, inForce.Spec.Visibility
	return &with
}

// Transition finds one of the state's transitions by name.
func (s *State) Transition(name v1alpha1.Name) (*Transition, bool) {
	t, ok := s.byName[name]
	return t, ok
}

// transitions names them, for who asked for one that there is not.
func (s *State) transitions() string {
	names := make([]string, 0, len(s.Transitions))
	for _, t := range s.Transitions {
		names = append(names, string(t.Name))
	}
	return strings.Join(names, ", ")
}

// Access says what the state's form allows with a field; false if it does not
// show the field.
func (s *State) Access(field v1alpha1.FormFieldName) (v1alpha1.Access, bool) {
	a, ok := s.form[field]
	return a, ok
}

// Takes says whether the state's form takes a value for a field.
func (s *State) Takes(field v1alpha1.FormFieldName) bool {
	access, shown := s.Access(field)
	return shown && access != v1alpha1.AccessReadOnly
}

// Delay is how long after entering the state a timer transition is taken; 0
// for one that people take.
func (t *Transition) Delay() time.Duration {
	if t.After == nil {
		return 0
	}
	return t.After.Duration
}
