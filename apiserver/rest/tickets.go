// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"slices"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/index"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
	"ticketflow.dev/ticketflow/internal/wire"
)

func (a *API) showTicket(r *request) (answer, error) {
	t, graph, err := r.visibleTicket()
	if err != nil {
		return answer{}, err
	}
	return answer{data: valueOf[any]{r.api.render.Detail(r.Context(), t, graph, r.caller.User, r.profile())}}, nil
}

// listTransitions answers anyone: nothing, where the user may do nothing.
func (a *API) listTransitions(r *request) (answer, error) {
	t, graph, err := r.ticket()
	if err != nil {
		return answer{}, err
	}
	return answer{data: r.api.render.Transitions(t, graph, r.caller.User)}, nil
}

func (a *API) listFlowLogs(r *request) (answer, error) {
	t, graph, err := r.visibleTicket()
	if err != nil {
		return answer{}, err
	}
	page, perPage, err := r.paging()
	if err != nil {
		return answer{}, err
	}
	withData, err := r.flag("ticket_data")
	if err != nil {
		return answer{}, err
	}
	logs, err := r.api.render.FlowLogs(r.Context(), t, graph, r.profile(), withData != nil && *withData)
	if err != nil {
		return answer{}, err
	}
	return answer{data: pageOf(logs, page, perPage)}, nil
}

func (a *API) listFlowSteps(r *request) (answer, error) {
	t, graph, err := r.visibleTicket()
	if err != nil {
		return answer{}, err
	}
	steps, err := r.api.render.FlowSteps(r.Context(), t, graph, r.profile())
	return answer{data: steps}, err
}

// participantList is data of rest-behaviour.md §4.18.
type participantList struct {
	Names  []string `json:"participant_username_list"`
	People []person `json:"participant_info_list"`
}

func (a *API) participantInfo(r *request) (answer, error) {
	t, _, err := r.visibleTicket()
	if err != nil {
		return answer{}, err
	}
	out := participantList{Names: []string{}, People: []person{}}
	waitsFor := t.Status.Participants.Users
	if t.Status.Participants.Kind == v1alpha1.ParticipantsChildren {
		waitsFor = []v1alpha1.UserName{v1alpha1.RobotUser} // whose the state is on the wire (decisions.md §1.6)
	}
	for _, name := range waitsFor {
		out.Names = append(out.Names, string(name))
		if user, ok := r.people().UserObject(string(name)); ok {
			out.People = append(out.People, person{Username: string(name), Alias: directory.DisplayName(user), Phone: user.Spec.Phone, Email: user.Spec.Email})
		}
	}
	return answer{data: out}, nil
}

// batchStates leaves out what the caller may not see, instead of refusing (Q37).
func (a *API) batchStates(r *request) (answer, error) {
	ids, err := r.ids("ticket_ids")
	if err != nil {
		return answer{}, err
	}
	if ids == nil {
		return answer{}, badParameter("ticket_ids", "is missing")
	}
	out := map[string]wire.LogState{}
	for _, id := range ids {
		r.id = id
		t, graph, err := r.visibleTicket()
		if err != nil {
			continue
		}
		if state, ok := graph.State(t.Status.State); ok {
			out[wire.IDText(id)] = wire.LogState{ID: state.ID, Name: state.DisplayName}
		}
	}
	return answer{data: out}, nil
}

// listItem is an item of the list: rest-behaviour.md §4.1, all keys of both sources.
type listItem struct {
	wire.Ticket
	State           itemState       `json:"state"`
	ParticipantInfo participantInfo `json:"participant_info"`
	Workflow        itemWorkflow    `json:"workflow"`
	WorkflowInfo    itemWorkflow    `json:"workflow_info"`
	CreatorInfo     creatorInfo     `json:"creator_info"`
}

type itemState struct {
	wire.LogState
	Label v1alpha1.JSONObject `json:"state_label"`
}

type itemWorkflow struct {
	ID   v1alpha1.WireID `json:"workflow_id"`
	Name string          `json:"workflow_name"`
}

func (a *API) listTickets(r *request) (answer, error) {
	query, err := a.listQuery(r)
	if err != nil {
		return answer{}, err
	}
	found := a.backend.Heads(query.Query)
	items := make([]listItem, 0, len(found.Heads))
	followed := a.followed(r.Context())
	for _, t := range found.Heads {
		items = append(items, r.api.render.listItem(r.Context(), t, followed(t)))
	}
	return answer{data: pagedOf[listItem]{Value: items, Total: found.Total, Page: query.asked, PerPage: query.PerPage}}, nil
}

// followed answers which graph a ticket of a list follows, each looked up once:
// most tickets of a page follow the same few.
func (a *API) followed(ctx context.Context) func(*v1alpha1.Ticket) *engine.Graph {
	type name struct{ namespace, revision string }
	known := map[name]*engine.Graph{}
	return func(t *v1alpha1.Ticket) *engine.Graph {
		key := name{t.Namespace, t.Status.WorkflowRevision}
		if graph, ok := known[key]; ok {
			return graph
		}
		graph, err := a.backend.RevisionOf(ctx, t)
		if err != nil {
			// One ticket whose revision is gone must not break the list (Q36).
			a.log.Error(err, "Failed to read a ticket's workflow", "ticket", t.Name)
			return &engine.Graph{Namespace: t.Namespace, Name: string(t.Spec.WorkflowRef.Name)}
		}
		known[key] = graph
		return graph
	}
}

// listItem needs no more than the ticket's head.
func (r *Renderer) listItem(ctx context.Context, t *v1alpha1.Ticket, graph *engine.Graph) listItem {
	item := listItem{
		Ticket:          r.wire.Ticket(t, graph),
		State:           itemState{LogState: wire.LogState{ID: t.Status.StateID, Name: string(t.Status.State)}},
		ParticipantInfo: r.participantInfo(ctx, t, graph),
		WorkflowInfo:    itemWorkflow{ID: t.Status.WorkflowID, Name: workflowName(graph)},
		CreatorInfo:     r.creatorInfo(ctx, string(t.Spec.Creator)),
	}
	item.Workflow = item.WorkflowInfo
	if state, ok := graph.State(t.Status.State); ok {
		item.State.Name, item.State.Label = state.DisplayName, state.Label
	}
	return item
}

// ticketQuery is a list query, and the page as it was asked for.
type ticketQuery struct {
	index.Query
	asked int
}

func (a *API) listQuery(r *request) (q ticketQuery, err error) {
	q.Category = index.Category(r.asked("category"))
	if !slices.Contains(index.Categories, q.Category) {
		return q, badParameter("category", "must be one of all, owner, duty, relation and worked")
	}
	if q.Category != index.CategoryAll && r.caller.User == "" {
		return q, noUser(r.caller)
	}
	q.User, q.SerialPrefix, q.Title = r.caller.User, r.asked("sn"), r.asked("title")
	if q.Page, q.PerPage, err = r.paging(); err != nil {
		return q, err
	}
	q.asked = q.Page
	for name, target := range map[string]*[]v1alpha1.WireID{"state_ids": &q.States, "ticket_ids": &q.Tickets} {
		if *target, err = r.ids(name); err != nil {
			return q, err
		}
	}
	for name, target := range map[string]**bool{"is_end": &q.Ended, "is_rejected": &q.Rejected} {
		if *target, err = r.flag(name); err != nil {
			return q, err
		}
	}
	reverse, err := r.flag("reverse")
	if err != nil {
		return q, err
	}
	q.Reverse = reverse == nil || *reverse
	if q.From, err = r.when("create_start"); err != nil {
		return q, err
	}
	if q.To, err = r.when("create_end"); err != nil {
		return q, err
	}
	return a.restrict(r, q)
}

// restrict keeps to the application's workflows, to what the user may look at,
// and to the filters that need more than a look at the query.
func (a *API) restrict(r *request, q ticketQuery) (ticketQuery, error) {
	if text := r.asked("act_state_id"); text != "" {
		number, err := r.number("act_state_id", 0)
		if err != nil {
			return q, err
		}
		q.Progress = "-" // nobody's, unless the number is one of them
		for progress, n := range wire.Progress {
			if n == number {
				q.Progress = progress
			}
		}
	}
	if parent := r.asked("parent_ticket_id"); parent != "" {
		if !digits(parent) {
			return q, badParameter("parent_ticket_id", "is not an id")
		}
		q.ParentID = wireID(parent)
	}
	wanted, err := r.ids("workflow_ids")
	if err != nil {
		return q, err
	}
	managed := r.wants("from_admin")
	if managed {
		q.Creator = r.asked("creator")
	}
	q.Workflows, q.Partly = r.listable(q.Category, wanted, managed)
	q.Onlooker = r.caller.User
	return q, nil
}

// listable are the workflows whose tickets are listed: whole, and partly those of
// which the user sees only what they have to do with. Wanted ids are nil for all.
func (r *request) listable(category index.Category, wanted []v1alpha1.WireID, managed bool) (whole, partly []string) {
	all, who := r.api.backend.Workflows(), r.onlooker()
	// One slice for both, filled from the front and from the back: this is done for
	// every list, and there may be many workflows.
	keys := make([]string, len(all))
	front, back := 0, len(all)
	for w := range r.among(all) {
		switch {
		case wanted != nil && !slices.Contains(wanted, w.Status.ID):
		case w.Graph == nil: // it never compiled: it has no tickets
		case managed && !who.Manages(&w.Graph.Spec):
		case category != index.CategoryAll || who.SeesAll(&w.Graph.Spec):
			keys[front], front = w.Key, front+1
		default:
			back--
			keys[back] = w.Key
		}
	}
	return keys[:front], keys[back:]
}
