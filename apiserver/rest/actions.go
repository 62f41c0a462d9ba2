// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
)

// byProfile chooses between what the document and release r1.0.14 answer
// (decisions.md §1.3).
func (r *request) byProfile(documented, r1 any) answer {
	if r.profile() == v1alpha1.ProfileR1 {
		return answer{data: r1}
	}
	return answer{data: documented}
}

var empty = map[string]any{}

// act asks for an action on the ticket of the path, with the body's suggestion.
func (r *request) act(action v1alpha1.TicketAction) (*v1alpha1.Ticket, error) {
	t, _, err := r.ticket()
	if err != nil {
		return nil, err
	}
	if named(r.route.body, suggestion.name) {
		if action.Comment, err = r.bodyText(suggestion.name); err != nil {
			return nil, err
		}
	}
	return r.api.backend.Act(r.Context(), r.caller, t, action)
}

type createdTicket struct {
	ID v1alpha1.WireID `json:"ticket_id"`
}

type handledTicket struct {
	Value bool `json:"value"`
}

func (a *API) createTicket(r *request) (answer, error) {
	workflowID, err := r.mustID("workflow_id")
	if err != nil {
		return answer{}, err
	}
	transitionID, err := r.mustID("transition_id")
	if err != nil {
		return answer{}, err
	}
	workflow, err := r.workflow(workflowID)
	if err != nil {
		return answer{}, err
	}
	if t, before, err := a.backend.OpenedBefore(r.Context(), r.caller, workflow); before {
		return opened(t, err)
	}
	spec, err := r.ticketSpec(workflow, transitionID)
	if err != nil {
		return answer{}, err
	}
	t, err := a.backend.Create(r.Context(), r.caller, workflow, spec)
	if refused(err, engine.ReasonUnknownTransition) {
		return answer{}, engine.Refuse(engine.ReasonUnknownTransition, "transition_id: %d does not lead on from the start state of workflow %d", transitionID, workflowID)
	}
	return opened(t, err)
}

func opened(t *v1alpha1.Ticket, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	return answer{data: createdTicket{ID: t.Status.ID}}, nil
}

// ticketSpec is what the body asks for. Which of the values may be set is for
// the engine to say.
func (r *request) ticketSpec(w *v1alpha1.Workflow, transitionID v1alpha1.WireID) (spec v1alpha1.TicketSpec, err error) {
	if spec.Comment, err = r.bodyText("suggestion"); err != nil {
		return spec, err
	}
	if spec.Parent, err = r.parent(w); err != nil {
		return spec, err
	}
	if w.Status.Revision == "" {
		return spec, nil // refused for that, with what is wrong with the workflow
	}
	graph, err := r.api.backend.CurrentGraph(r.Context(), w)
	if err != nil {
		return spec, err
	}
	spec.Transition = noTransition(transitionID)
	if transition, ok := graph.TransitionByID(transitionID); ok && transition.From == graph.Start {
		spec.Transition = transition.Name
	}
	spec.Fields, _ = r.fields(graph.Settable)
	// What is no title stays among the fields, where the resource has room for it.
	if title, ok := spec.Fields["title"].(string); ok && utf8.RuneCountInString(title) <= engine.MaxTitle {
		spec.Title = title
		delete(spec.Fields, "title")
	}
	return spec, nil
}

// parent finds the parent ticket that the body names.
func (r *request) parent(w *v1alpha1.Workflow) (*v1alpha1.ParentReference, error) {
	id, err := r.bodyID("parent_ticket_id")
	if err != nil || id == 0 {
		return nil, err
	}
	stateID, err := r.bodyID("parent_ticket_state_id")
	if err != nil {
		return nil, err
	}
	parent, ok := r.api.backend.TicketByID(id)
	if !ok || parent.Namespace != w.Namespace || !r.reaches(parent) {
		return nil, engine.NoSuchParent()
	}
	graph, err := r.api.backend.Graph(r.Context(), parent)
	if err != nil {
		return nil, err
	}
	on := engine.ParentTicket{Snapshot: backend.Snapshot(parent), Graph: graph}
	if !engine.MayHangOn(on, r.caller.User, r.caller.By(), r.people()) {
		return nil, engine.NoSuchParent()
	}
	reference := &v1alpha1.ParentReference{Name: v1alpha1.ObjectName(parent.Name)}
	if stateID == 0 {
		return reference, nil
	}
	state, ok := graph.StateByID(stateID)
	if !ok {
		return nil, engine.Refuse(engine.ReasonParentElsewhere, "parent_ticket_state_id: ticket %d has no state %d", id, stateID)
	}
	reference.State = state.Name
	return reference, nil
}

// fields are the body's values of fields that are meant; null ones empty.
func (r *request) fields(meant func(name string) bool) (set v1alpha1.JSONObject, emptied []v1alpha1.FormFieldName) {
	for _, name := range slices.Sorted(maps.Keys(r.body)) {
		switch value := r.body[name]; {
		case !meant(name):
		case value == nil:
			emptied = append(emptied, v1alpha1.FormFieldName(name))
		default:
			if set == nil {
				set = v1alpha1.JSONObject{}
			}
			set[name] = value
		}
	}
	return set, emptied
}

func (a *API) handleTicket(r *request) (answer, error) {
	id, err := r.mustID("transition_id")
	if err != nil {
		return answer{}, err
	}
	_, graph, err := r.ticket()
	if err != nil {
		return answer{}, err
	}
	action := v1alpha1.TicketAction{Type: v1alpha1.ActionTransition}
	if transition, ok := graph.TransitionByID(id); ok {
		action.Transition, action.FromState = transition.Name, transition.From.Name
	} else {
		action.Transition = noTransition(id)
	}
	action.Fields, action.Clear = r.fields(graph.Settable)
	_, err = r.act(action)
	if refused(err, engine.ReasonUnknownTransition) {
		return answer{}, r.elsewhere(id, err)
	}
	if err != nil {
		return answer{}, err
	}
	return r.byProfile("", handledTicket{Value: true}), nil
}

// noTransition is a name that no transition can bear: who may act at all is told
// before an id that is none.
func noTransition(id v1alpha1.WireID) v1alpha1.Name { return v1alpha1.Name(fmt.Sprintf("#%d", id)) }

// refused says whether an error is a refusal for this reason.
func refused(err error, reason engine.Reason) bool {
	var failure *backend.Failure
	return errors.As(err, &failure) && failure.Reason == reason
}

// elsewhere says in ids what the engine has refused by name. It refuses for this
// reason only who may act, who may know the state's transitions, too.
func (r *request) elsewhere(id v1alpha1.WireID, refusal error) error {
	t, graph, err := r.ticket()
	if err != nil {
		return err
	}
	state, ok := graph.State(t.Status.State)
	if !ok {
		return refusal
	}
	return transitionElsewhere(id, state)
}

func (a *API) accept(r *request) (answer, error) {
	if _, err := r.act(v1alpha1.TicketAction{Type: v1alpha1.ActionAccept}); err != nil {
		return answer{}, err
	}
	return r.byProfile(true, empty), nil
}

func (a *API) deliver(r *request) (answer, error) {
	asAdministrator, err := r.bodyFlag("from_admin")
	if err != nil {
		return answer{}, err
	}
	return r.handOver(v1alpha1.TicketAction{Type: v1alpha1.ActionDeliver, AsAdministrator: asAdministrator}, answer{data: true})
}

func (a *API) addNode(r *request) (answer, error) {
	return r.handOver(v1alpha1.TicketAction{Type: v1alpha1.ActionAddSigner}, r.byProfile(true, empty))
}

// handOver asks for an action that has a target.
func (r *request) handOver(action v1alpha1.TicketAction, success answer) (answer, error) {
	target, err := r.bodyText("target_username")
	if err != nil {
		return answer{}, err
	}
	action.Target = v1alpha1.UserName(target)
	if _, err := r.act(action); err != nil {
		return answer{}, err
	}
	return success, nil
}

func (a *API) addNodeEnd(r *request) (answer, error) {
	if _, err := r.act(v1alpha1.TicketAction{Type: v1alpha1.ActionEndAddSigner}); err != nil {
		return answer{}, err
	}
	return r.byProfile(true, empty), nil
}

func (a *API) setState(r *request) (answer, error) {
	id, err := r.mustID("state_id")
	if err != nil {
		return answer{}, err
	}
	_, graph, err := r.ticket()
	if err != nil {
		return answer{}, err
	}
	action := v1alpha1.TicketAction{Type: v1alpha1.ActionSetState, State: v1alpha1.Name(fmt.Sprintf("#%d", id))}
	if state, ok := graph.StateByID(id); ok {
		action.State = state.Name
	}
	_, err = r.act(action)
	if refused(err, engine.ReasonUnknownState) {
		return answer{}, stateElsewhere(id)
	}
	if err != nil {
		return answer{}, err
	}
	return r.byProfile("", empty), nil
}

func (a *API) setFields(r *request) (answer, error) {
	action := v1alpha1.TicketAction{Type: v1alpha1.ActionSetFields}
	action.Fields, action.Clear = r.fields(func(name string) bool { return name != "username" })
	if _, err := r.act(action); err != nil {
		return answer{}, err
	}
	return r.byProfile("", empty), nil
}

func (a *API) retryScript(r *request) (answer, error) {
	if _, err := r.act(v1alpha1.TicketAction{Type: v1alpha1.ActionRetryScript}); err != nil {
		return answer{}, err
	}
	result := r.byProfile("", empty)
	result.msg = msgRetryDocumented
	if r.profile() == v1alpha1.ProfileR1 {
		result.msg = msgRetryR1
	}
	return result, nil
}

func (a *API) comment(r *request) (answer, error) {
	if _, err := r.act(v1alpha1.TicketAction{Type: v1alpha1.ActionComment}); err != nil {
		return answer{}, err
	}
	return r.commented(r.byProfile("", empty)), nil
}

func (a *API) closeTicket(r *request) (answer, error) {
	if _, err := r.act(v1alpha1.TicketAction{Type: v1alpha1.ActionClose}); err != nil {
		return answer{}, err
	}
	return answer{data: ""}, nil
}

func (a *API) retreat(r *request) (answer, error) {
	if _, err := r.act(v1alpha1.TicketAction{Type: v1alpha1.ActionRetreat}); err != nil {
		return answer{}, err
	}
	return answer{data: empty}, nil
}

func (a *API) deleteTicket(r *request) (answer, error) {
	if a.backend.HasDeleted(r.caller) {
		return answer{data: empty}, nil
	}
	if _, err := r.act(v1alpha1.TicketAction{Type: v1alpha1.ActionDelete}); err != nil {
		return answer{}, err
	}
	return answer{data: empty}, nil
}

// hookCallBack takes the word of the system that a hook went to. It is
// answered as a comment is (rest-behaviour.md §4.17).
func (a *API) hookCallBack(r *request) (answer, error) {
	succeeded, err := r.bodyFlag("result")
	if err != nil {
		return answer{}, err
	}
	if _, said := r.body["result"]; !said {
		succeeded = true
	}
	action := v1alpha1.TicketAction{Type: v1alpha1.ActionHookCallback, Succeeded: &succeeded}
	if hooked := r.caller.Hook; hooked != nil {
		action.FromState = hooked.Status.State // whose hook's token was checked
	}
	switch fields := r.said("field_value").(type) {
	case nil:
	case map[string]any:
		action.Fields = fields
	default:
		return answer{}, badParameter("field_value", "is not an object")
	}
	if action.Comment, err = r.bodyText("msg"); err != nil {
		return answer{}, err
	}
	if _, err := r.act(action); err != nil {
		return answer{}, err
	}
	return r.commented(answer{data: empty}), nil
}

// commented adds what release r1.0.14 says of a comment.
func (r *request) commented(success answer) answer {
	if r.profile() == v1alpha1.ProfileR1 {
		success.msg = msgCommentR1
	}
	return success
}
