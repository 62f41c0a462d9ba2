// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package script

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// RunVariable is the variable that has the name of the run.
const RunVariable = "TICKETFLOW_RUN"

// defaultInterpreter is what scripts are written in that say nothing else.
const defaultInterpreter = "python3"

// bootstrap gives Python scripts written for the older system the two globals
// that they expect.
//
//go:embed bootstrap.py
var bootstrap string

// Bootstrap is the Python program that runs Python scripts.
func Bootstrap() string { return bootstrap }

// Paths are where a run has its files.
type Paths struct {
	// Script and Bootstrap are the programs.
	Script, Bootstrap string
	// Work is the folder that the script works in.
	Work string
	// Ticket is the file with the ticket, Result the one that the script may
	// leave a result in.
	Ticket, Result string
}

// CommandLine is what runs a script. Nothing that comes from the ticket is in it.
func (t Task) CommandLine(p Paths) []string {
	if len(t.Script.Spec.Command) > 0 {
		return append(append([]string{}, t.Script.Spec.Command...), p.Script)
	}
	interpreter := t.Script.Spec.Interpreter
	if interpreter == "" {
		interpreter = defaultInterpreter
	}
	if strings.Contains(path.Base(interpreter), "python") {
		return []string{interpreter, p.Bootstrap, p.Script}
	}
	return []string{interpreter, p.Script}
}

// Variables are those that a script finds wherever it runs: its own, and what
// tells it of the ticket. Where two have one name, the last counts, so that its
// own cannot pose as ours.
func (t Task) Variables(p Paths) []Variable {
	variables := []Variable{
		{Name: "HOME", Value: p.Work}, {Name: "TMPDIR", Value: p.Work}, {Name: "LANG", Value: "C.UTF-8"},
		{Name: "PYTHONDONTWRITEBYTECODE", Value: "1"}, {Name: "PYTHONUNBUFFERED", Value: "1"},
	}
	variables = append(variables, t.Env...)
	return append(variables,
		Variable{Name: RunVariable, Value: t.Name},
		Variable{Name: "TICKETFLOW_TICKET_FILE", Value: p.Ticket},
		Variable{Name: "TICKETFLOW_RESULT_FILE", Value: p.Result},
		Variable{Name: "TICKETFLOW_TICKET_ID", Value: strconv.FormatInt(int64(t.Ticket.Status.ID), 10)},
		Variable{Name: "TICKETFLOW_TICKET_NAME", Value: t.Ticket.Name},
		Variable{Name: "TICKETFLOW_NAMESPACE", Value: t.Ticket.Namespace},
		Variable{Name: "TICKETFLOW_STATE", Value: string(t.Ticket.Status.State)},
		Variable{Name: "TICKETFLOW_ACTION_FROM", Value: t.RequestedBy},
	)
}

// TicketFile is the ticket as a script gets to see it.
func (t Task) TicketFile() ([]byte, error) {
	ticket := t.Ticket.DeepCopy()
	ticket.ManagedFields = nil
	ticket.APIVersion, ticket.Kind = v1alpha1.SchemeGroupVersion.String(), "Ticket"
	data, err := json.MarshalIndent(ticket, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the ticket: %w", err)
	}
	return data, nil
}
