// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1

// OpenAPIModelName is the name of the ticket's schema.
func (Ticket) OpenAPIModelName() string { return "dev.ticketflow.rest.v1.Ticket" }

// OpenAPIModelName is the name of the schema of tickets by id.
func (TicketID) OpenAPIModelName() string { return "dev.ticketflow.rest.v1.TicketID" }

// OpenAPIModelName is the name of the schema of a list of tickets.
func (TicketList) OpenAPIModelName() string { return "dev.ticketflow.rest.v1.TicketList" }

// OpenAPIModelName is the name of the schema of what is asked.
func (Action) OpenAPIModelName() string { return "dev.ticketflow.rest.v1.Action" }

// OpenAPIModelName is the name of the schema of a ticket as it is stored.
func (StoredTicket) OpenAPIModelName() string { return "dev.ticketflow.rest.v1.StoredTicket" }

// OpenAPIModelName is the name of the schema of a list of those.
func (StoredTicketList) OpenAPIModelName() string { return "dev.ticketflow.rest.v1.StoredTicketList" }

// OpenAPIModelName is the name of the schema of a workflow.
func (Workflow) OpenAPIModelName() string { return "dev.ticketflow.rest.v1.Workflow" }

// OpenAPIModelName is the name of the schema of a list of workflows.
func (WorkflowList) OpenAPIModelName() string { return "dev.ticketflow.rest.v1.WorkflowList" }
