// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
	"ticketflow.dev/ticketflow/internal/wire"
)

// Message is what a notifier is told of one entry of a ticket's history: the
// payload of rest-behaviour.md §8.4.
type Message struct {
	Title             string         `json:"title_result"`
	Content           string         `json:"content_result"`
	Participant       string         `json:"participant"`
	ParticipantTypeID int            `json:"participant_type_id"`
	MultiAllPerson    string         `json:"multi_all_person"`
	Values            map[string]any `json:"ticket_value_info"`
	LastFlowLog       wire.Log       `json:"last_flow_log"`
	People            []Person       `json:"participant_info_list"`
}

// Person is somebody whom the ticket waits for.
type Person struct {
	Name  string `json:"username"`
	Alias string `json:"alias"`
	Phone string `json:"phone"`
	Email string `json:"email"`
}

// message writes what there is to tell of an entry. All but the entry is how it
// is now.
func (r *Reconciler) message(t *v1alpha1.Ticket, graph *engine.Graph, entry *v1alpha1.HistoryEntry) (Message, error) {
	values, err := r.Writer.Values(t, graph)
	if err != nil {
		return Message{}, err
	}
	raw := r.Writer.Ticket(t, graph)
	title, body := wire.Templates(graph.Spec.Notifications)
	return Message{
		Title:       wire.Fill(title, values),
		Content:     wire.Fill(body, values),
		Participant: raw.Participant, ParticipantTypeID: raw.ParticipantTypeID, MultiAllPerson: raw.MultiAllPerson,
		Values:      values,
		LastFlowLog: wire.NewLog(t, r.Writer.Row(t, graph, entry, v1alpha1.ProfileR1)),
		People:      r.people(t.Status.Participants.Users),
	}, nil
}

// people are those who are known.
func (r *Reconciler) people(names []v1alpha1.UserName) []Person {
	people := []Person{}
	for _, name := range names {
		if user, ok := r.Writer.People.UserObject(string(name)); ok {
			people = append(people, Person{
				Name: string(name), Alias: directory.DisplayName(user), Phone: user.Spec.Phone, Email: user.Spec.Email,
			})
		}
	}
	return people
}
