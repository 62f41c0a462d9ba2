// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package workflow

import (
	"context"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/ids"
)

func (r *Reconciler) workflowID(ctx context.Context, w *v1alpha1.Workflow) (v1alpha1.WireID, error) {
	claim := ids.Claim{Name: ids.Name(w), Want: w.Spec.ID, Seen: w.Status.ID}
	given, err := r.Registry.Assign(ctx, ids.Workflows, []ids.Claim{claim})
	return given[claim.Name], err
}

// partIDs gives states, transitions and fields their ids: unique across all
// workflows, since clients name them without their workflow.
func (r *Reconciler) partIDs(ctx context.Context, w *v1alpha1.Workflow, id v1alpha1.WireID) (engine.IDs, error) {
	var states, transitions, fields []ids.Claim
	for i := range w.Spec.States {
		state := &w.Spec.States[i]
		name := string(state.Name)
		states = append(states, ids.Claim{Name: name, Want: state.ID, Seen: w.Status.StateIDs[name]})
		for j := range state.Transitions {
			path := name + "/" + string(state.Transitions[j].Name)
			transitions = append(transitions, ids.Claim{Name: path, Want: state.Transitions[j].ID, Seen: w.Status.TransitionIDs[path]})
		}
	}
	for i := range w.Spec.Fields {
		name := string(w.Spec.Fields[i].Name)
		fields = append(fields, ids.Claim{Name: name, Want: w.Spec.Fields[i].ID, Seen: w.Status.FieldIDs[name]})
	}
	given := engine.IDs{Workflow: id}
	for _, part := range []struct {
		kind   ids.Kind
		claims []ids.Claim
		into   *map[string]v1alpha1.WireID
	}{
		{ids.States, states, &given.States},
		{ids.Transitions, transitions, &given.Transitions},
		{ids.Fields, fields, &given.Fields},
	} {
		answer, err := r.assign(ctx, w, part.kind, part.claims)
		if err != nil {
			return engine.IDs{}, err
		}
		*part.into = answer
	}
	return given, nil
}

// assign registers parts under their workflow's name and answers by their own.
func (r *Reconciler) assign(ctx context.Context, w *v1alpha1.Workflow, kind ids.Kind, claims []ids.Claim) (map[string]v1alpha1.WireID, error) {
	prefix := ids.Name(w) + "/"
	full := make([]ids.Claim, 0, len(claims))
	for _, c := range claims {
		full = append(full, ids.Claim{Name: prefix + c.Name, Want: c.Want, Seen: c.Seen})
	}
	given, err := r.Registry.Assign(ctx, kind, full)
	if err != nil {
		return nil, err
	}
	answer := make(map[string]v1alpha1.WireID, len(given))
	for name, id := range given {
		answer[name[len(prefix):]] = id
	}
	return answer, nil
}
