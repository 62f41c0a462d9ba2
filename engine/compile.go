// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"fmt"
	"slices"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// reservedFields are the keys that mean something of their own on the wire
// (rest-behaviour.md §3.11): a workflow's own field cannot bear them.
var reservedFields = []v1alpha1.FieldName{
	"title", "workflow_id", "sn", "state_id", "parent_ticket_id", "parent_ticket_state_id",
	"participant_type_id", "participant", "relation", "in_add_node", "add_node_man",
	"transition_id", "suggestion", "username", "creator", "gmt_created", "gmt_modified",
	"is_deleted", "id", "script_run_last_result", "act_state_id", "multi_all_person",
}

// BuiltInFields are the fields that every ticket has and a form may show:
// rest-behaviour.md §4.3. Only the title can be filled.
var BuiltInFields = []v1alpha1.FormFieldName{
	"sn", "title", "state_id", "state.state_name", "participant_info.participant_name",
	"participant_info.participant_alias", "workflow.workflow_name", "creator", "gmt_created", "gmt_modified",
}

const titleField = "title"

// compiler gathers problems while it builds a Graph.
type compiler struct {
	graph    *Graph
	problems []Problem
	env      *environment
}

func (c *compiler) problem(path, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// Compile turns a workflow's spec into a Graph. If there are problems, the
// Graph is nil and all of them are named, in the order of the spec.
func Compile(namespace, name string, spec v1alpha1.WorkflowSpec, ids IDs) (*Graph, []Problem) {
	c := &compiler{graph: &Graph{
		Namespace: namespace, Name: name, Spec: *spec.DeepCopy(), IDs: ids,
		states:    map[v1alpha1.Name]*State{},
		fields:    map[v1alpha1.FieldName]*Field{},
		stateByID: map[v1alpha1.WireID]*State{},
		transByID: map[v1alpha1.WireID]*Transition{},
	}}
	c.compileFields()
	c.compileDisplayFields()
	c.compileStates()
	c.checkRetention()
	c.linkTransitions()
	c.checkReachability()
	c.checkCircles()
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return c.graph, nil
}

func (c *compiler) checkRetention() {
	if retention := c.graph.Spec.Retention; retention != nil && retention.AfterFinished.Duration <= 0 {
		c.problem("spec.retention.afterFinished", "it must be longer than 0; leave retention out to keep tickets for good")
	}
}

func (c *compiler) compileFields() {
	for i := range c.graph.Spec.Fields {
		spec := c.graph.Spec.Fields[i]
		path := fmt.Sprintf("spec.fields[%s]", spec.Name)
		if slices.Contains(reservedFields, spec.Name) {
			c.problem(path+".name", "%q is reserved: every ticket has it already or the API uses it", spec.Name)
		}
		if spec.DisplayName == "" {
			spec.DisplayName = string(spec.Name)
		}
		if needsChoices(spec.Type) && len(spec.Choices) == 0 {
			c.problem(path+".choices", "a field of type %s needs choices", spec.Type)
		}
		field := &Field{Field: spec, ID: c.graph.IDs.Fields[string(spec.Name)]}
		c.graph.fields[spec.Name] = field
		c.graph.fieldsInRow = append(c.graph.fieldsInRow, field)
	}
	env, err := newEnvironment(c.graph.fieldsInRow)
	if err != nil {
		c.problem("spec.fields", "the fields cannot be used in CEL: %v", err)
		return
	}
	c.env = env
	for _, field := range c.graph.fieldsInRow {
		if field.Validation == "" {
			continue
		}
		program, err := env.compileValidation(field)
		if err != nil {
			c.problem(fmt.Sprintf("spec.fields[%s].validation", field.Name), "%v", err)
		}
		field.validation = program
	}
}

func needsChoices(t v1alpha1.FieldType) bool {
	switch t {
	case v1alpha1.FieldRadio, v1alpha1.FieldCheckbox, v1alpha1.FieldSelect, v1alpha1.FieldMultiSelect:
		return true
	}
	return false
}

func (c *compiler) compileDisplayFields() {
	for _, name := range c.graph.Spec.DisplayFields {
		if !c.isField(name) {
			c.problem("spec.displayFields", "there is no field %q", name)
		}
	}
}

func (c *compiler) isField(name v1alpha1.FormFieldName) bool {
	_, own := c.graph.fields[v1alpha1.FieldName(name)]
	return own || slices.Contains(BuiltInFields, name)
}

func (c *compiler) compileStates() {
	g := c.graph
	for i := range g.Spec.States {
		state := c.compileState(g.Spec.States[i], int32(i))
		g.states[state.Name] = state
		g.States = append(g.States, state)
		if state.ID != 0 {
			g.stateByID[state.ID] = state
		}
		switch {
		case state.Type == v1alpha1.StateStart && g.Start != nil:
			c.problem(statePath(state.Name)+".type", "there is a start state already: %q", g.Start.Name)
		case state.Type == v1alpha1.StateStart:
			g.Start = state
		case state.Type == v1alpha1.StateEnd && g.FirstEnd == nil:
			g.FirstEnd = state
		}
	}
	if g.Start == nil {
		c.problem("spec.states", "there is no start state: one state must have type Start")
	}
	if g.FirstEnd == nil {
		c.problem("spec.states", "there is no end state: at least one state must have type End")
	}
	slices.SortStableFunc(g.States, func(a, b *State) int { return cmp.Compare(a.Order, b.Order) })
}

func statePath(name v1alpha1.Name) string { return fmt.Sprintf("spec.states[%s]", name) }

func (c *compiler) compileState(spec v1alpha1.State, position int32) *State {
	path := statePath(spec.Name)
	if spec.DisplayName == "" {
		spec.DisplayName = string(spec.Name)
	}
	spec.Type = cmp.Or(spec.Type, v1alpha1.StateNormal)
	spec.Distribution = cmp.Or(spec.Distribution, v1alpha1.DistributionClaim)
	spec.OnEmpty = cmp.Or(spec.OnEmpty, v1alpha1.OnEmptyRefuse)
	state := &State{
		State: spec, ID: c.graph.IDs.States[string(spec.Name)], Order: position,
		byName: map[v1alpha1.Name]*Transition{}, form: map[v1alpha1.FormFieldName]v1alpha1.Access{},
	}
	if spec.Order != nil {
		state.Order = *spec.Order
	}
	c.compileForm(state, path)
	c.compileParticipants(state, path)
	if spec.Approval != nil && spec.Approval.Require != nil && spec.Approval.Require.Unknown != "" {
		c.problem(path+".approval.require", "%s is none of All, Any, {count: N} with N from 1 and {percent: P} with P from 1 to 100", spec.Approval.Require.Unknown)
	}
	return state
}

func (c *compiler) compileForm(state *State, path string) {
	for _, entry := range state.Form {
		if !c.isField(entry.Field) {
			c.problem(path+".form", "there is no field %q", entry.Field)
			continue
		}
		_, own := c.graph.fields[v1alpha1.FieldName(entry.Field)]
		if !own && entry.Field != titleField && entry.Access != v1alpha1.AccessReadOnly {
			c.problem(path+".form", "the built-in field %q can only be ReadOnly", entry.Field)
		}
		state.form[entry.Field] = entry.Access
	}
}

func (c *compiler) compileParticipants(state *State, path string) {
	p := state.Participants
	if p == nil {
		return
	}
	for _, name := range p.Fields {
		if !c.isField(name) && !slices.Contains(peopleFields, name) {
			c.problem(path+".participants.fields", "there is no field %q", name)
		}
	}
	for _, name := range p.Users {
		if name == v1alpha1.HookUser {
			c.problem(path+".participants.users", "%q is a reserved name", name)
		}
	}
	if p.Script != "" && len(state.personTransitions()) != 1 {
		c.problem(path+".transitions", "a script leads on by exactly one transition, not %d", len(state.personTransitions()))
	}
}

// personTransitions are the spec's transitions that are not timers.
func (s *State) personTransitions() []v1alpha1.Transition {
	return slices.DeleteFunc(slices.Clone(s.State.Transitions), func(t v1alpha1.Transition) bool { return t.After != nil })
}

func (c *compiler) linkTransitions() {
	for i := range c.graph.Spec.States {
		state := c.graph.states[c.graph.Spec.States[i].Name]
		for _, spec := range state.State.Transitions {
			t := c.compileTransition(state, spec)
			state.Transitions = append(state.Transitions, t)
			state.byName[t.Name] = t
			if t.ID != 0 {
				c.graph.transByID[t.ID] = t
			}
		}
		slices.SortStableFunc(state.Transitions, func(a, b *Transition) int { return cmp.Compare(a.ID, b.ID) })
		if state.Type == v1alpha1.StateEnd && len(state.Transitions) > 0 {
			c.problem(statePath(state.Name)+".transitions", "an end state has no transitions: ended is ended")
		}
		if state.Type != v1alpha1.StateEnd && len(state.Transitions) == 0 {
			c.problem(statePath(state.Name)+".transitions", "the state is a dead end: no transition leads on")
		}
	}
}

func (c *compiler) compileTransition(state *State, spec v1alpha1.Transition) *Transition {
	path := fmt.Sprintf("%s.transitions[%s]", statePath(state.Name), spec.Name)
	if spec.DisplayName == "" {
		spec.DisplayName = string(spec.Name)
	}
	spec.Outcome = cmp.Or(spec.Outcome, v1alpha1.OutcomeAccept)
	spec.FieldCheck = cmp.Or(spec.FieldCheck, v1alpha1.FieldCheckRequire)
	t := &Transition{Transition: spec, ID: c.graph.IDs.Transitions[string(state.Name)+"/"+string(spec.Name)], From: state}
	if _, ok := c.graph.states[spec.To]; !ok {
		c.problem(path+".to", "there is no state %q", spec.To)
	}
	if spec.After != nil && spec.After.Duration <= 0 {
		c.problem(path+".after", "a timer needs a time longer than 0")
	}
	if spec.After != nil && state.Type == v1alpha1.StateStart && len(state.personTransitions()) == 0 {
		c.problem(path+".after", "a start state needs a transition that a person can take")
	}
	for i, r := range spec.Routes {
		t.routes = append(t.routes, c.compileRoute(fmt.Sprintf("%s.routes[%d]", path, i), r))
	}
	return t
}

func (c *compiler) compileRoute(path string, spec v1alpha1.Route) route {
	to, ok := c.graph.states[spec.To]
	if !ok {
		c.problem(path+".to", "there is no state %q", spec.To)
	}
	if c.env == nil {
		return route{to: to}
	}
	program, err := c.env.compileCondition(string(spec.When))
	if err != nil {
		c.problem(path+".when", "%v", err)
	}
	return route{condition: program, to: to}
}
