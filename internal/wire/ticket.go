// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package wire writes tickets as clients of the older system know them: what
// REST answers and what hooks and notices send have it in common.
package wire

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
)

// People answers who a name belongs to. Objects are shared: they must not be changed.
type People interface {
	// UserObject finds a user by name on the wire.
	UserObject(name string) (*v1alpha1.User, bool)
	// ScriptObject finds a script of a namespace.
	ScriptObject(namespace, name string) (*v1alpha1.Script, bool)
}

// Writer writes tickets, with times in a location.
type Writer struct {
	People   People
	Location *time.Location
}

// Numbers of participant types: rest-behaviour.md §3.3.
const (
	TypeNone        = 0
	TypePersonal    = 1
	TypeMulti       = 2
	TypeDepartment  = 3
	TypeRole        = 4
	TypeVariable    = 5
	TypeRobot       = 6
	TypeField       = 7
	TypeParentField = 8
	TypeHook        = 10
)

// Mask stands for a hook's configuration and for tokens, which are never shown (Q38).
const Mask = "***"

// Progress are the numbers of act_state_id: rest-behaviour.md §3.9.
var Progress = map[v1alpha1.Progress]int{
	v1alpha1.ProgressDraft: 0, v1alpha1.ProgressInProgress: 1, v1alpha1.ProgressRefused: 2,
	v1alpha1.ProgressRetreated: 3, v1alpha1.ProgressFinished: 4, v1alpha1.ProgressClosed: 5,
}

// Outcome are the numbers of attribute_type_id: rest-behaviour.md §3.5.
var Outcome = map[v1alpha1.Outcome]int{v1alpha1.OutcomeAccept: 1, v1alpha1.OutcomeRefuse: 2, v1alpha1.OutcomeOther: 3}

// Time writes a time as the wire has it; empty where there is none.
func (w *Writer) Time(t *metav1.Time) string {
	if t == nil {
		return ""
	}
	return t.In(w.Location).Format(time.DateTime)
}

// Ticket is the whole record of a ticket: RAW of rest-behaviour.md §3.11.
type Ticket struct {
	ID                  v1alpha1.WireID `json:"id"`
	Creator             string          `json:"creator"`
	GmtCreated          string          `json:"gmt_created"`
	GmtModified         string          `json:"gmt_modified"`
	IsDeleted           bool            `json:"is_deleted"`
	Title               string          `json:"title"`
	WorkflowID          v1alpha1.WireID `json:"workflow_id"`
	SN                  string          `json:"sn"`
	StateID             v1alpha1.WireID `json:"state_id"`
	ParentTicketID      v1alpha1.WireID `json:"parent_ticket_id"`
	ParentTicketStateID v1alpha1.WireID `json:"parent_ticket_state_id"`
	ParticipantTypeID   int             `json:"participant_type_id"`
	Participant         string          `json:"participant"`
	Relation            string          `json:"relation"`
	InAddNode           bool            `json:"in_add_node"`
	AddNodeMan          string          `json:"add_node_man"`
	ScriptRunLastResult bool            `json:"script_run_last_result"`
	ActStateID          int             `json:"act_state_id"`
	MultiAllPerson      string          `json:"multi_all_person"`
}

// Ticket writes the whole record of a ticket.
func (w *Writer) Ticket(t *v1alpha1.Ticket, graph *engine.Graph) Ticket {
	status := &t.Status
	kind, participant := w.Participant(t.Namespace, &status.Participants)
	out := Ticket{
		ID: status.ID, Creator: string(t.Spec.Creator),
		GmtCreated: w.Time(status.OpenedAt), GmtModified: w.Time(status.UpdatedAt),
		Title: status.Title, WorkflowID: status.WorkflowID, SN: status.SerialNumber, StateID: status.StateID,
		ParentTicketID: status.ParentID, ParentTicketStateID: status.ParentStateID,
		ParticipantTypeID: kind, Participant: participant,
		InAddNode: len(status.Signers) > 0, ScriptRunLastResult: !engine.LastRunFailed(status),
		ActStateID: Progress[status.Progress], MultiAllPerson: votesText(status, graph),
	}
	related := make([]string, 0, len(status.Related))
	for _, user := range status.Related {
		related = append(related, string(user.User))
	}
	out.Relation = strings.Join(related, ",")
	if n := len(status.Signers); n > 0 {
		out.AddNodeMan = string(status.Signers[n-1])
	}
	return out
}

// votesText is the votes of an All state as JSON text: name to {} or the vote.
func votesText(status *v1alpha1.TicketStatus, graph *engine.Graph) string {
	if len(status.Votes) == 0 {
		return "{}" // as nearly every ticket has it
	}
	votes := map[string]any{}
	for _, vote := range status.Votes {
		given := map[string]any{}
		if name, id, ok := Voted(status, graph, vote); ok {
			given["transition_id"], given["transition_name"] = id, name
		}
		votes[string(vote.User)] = given
	}
	return JSONText(votes)
}

// JSONText is a value as JSON within a text, which is how clients know several
// columns of the older system. People read it there: <, > and & stay what they are.
func JSONText(value any) string {
	out := &strings.Builder{}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "null" // what is written so holds nothing but texts, numbers and what came out of JSON
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// Voted is the transition that a vote is for, once it is given.
func Voted(status *v1alpha1.TicketStatus, graph *engine.Graph, vote v1alpha1.Vote) (name string, id v1alpha1.WireID, ok bool) {
	state, found := graph.State(status.State)
	if !found || vote.Transition == "" {
		return "", 0, false
	}
	transition, ok := state.Transition(vote.Transition)
	if !ok {
		return "", 0, false
	}
	return transition.DisplayName, transition.ID, true
}

// Participant is who a ticket waits for, as decisions.md §1.6 has it.
func (w *Writer) Participant(namespace string, p *v1alpha1.CurrentParticipants) (kind int, text string) {
	switch p.Kind {
	case v1alpha1.ParticipantsUsers:
		if p.Several || len(p.Users) > 1 {
			return TypeMulti, Joined(p.Users)
		}
		return TypePersonal, Joined(p.Users)
	case v1alpha1.ParticipantsScript:
		if script, ok := w.People.ScriptObject(namespace, string(p.Script)); ok {
			return TypeRobot, directory.IDKey(script.Status.ID)
		}
		return TypeRobot, ""
	case v1alpha1.ParticipantsHook:
		return TypeHook, Mask
	case v1alpha1.ParticipantsChildren:
		return TypePersonal, v1alpha1.RobotUser
	}
	return TypeNone, ""
}

// Joined writes names with commas.
func Joined[T ~string](names []T) string {
	texts := make([]string, 0, len(names))
	for _, name := range names {
		texts = append(texts, string(name))
	}
	return strings.Join(texts, ",")
}

// IDText is an id as text.
func IDText(id v1alpha1.WireID) string { return strconv.FormatInt(int64(id), 10) }

// Fields are a ticket's values of the workflow's own fields, null where unset.
func Fields(t *v1alpha1.Ticket, graph *engine.Graph) map[string]any {
	values := map[string]any{}
	for _, field := range graph.Fields() {
		values[string(field.Name)] = t.Status.Fields[string(field.Name)]
	}
	return values
}

// Values are the whole record of a ticket together with the values of its
// fields: what hooks and notices are told.
func (w *Writer) Values(t *v1alpha1.Ticket, graph *engine.Graph) (map[string]any, error) {
	data, err := json.Marshal(w.Ticket(t, graph))
	if err != nil {
		return nil, fmt.Errorf("write the ticket: %w", err)
	}
	values := Fields(t, graph)
	if err := json.Unmarshal(data, &values); err != nil {
		return nil, fmt.Errorf("write the ticket: %w", err)
	}
	return values, nil
}
