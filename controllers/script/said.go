// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package script

import (
	"encoding/json"
	"fmt"
	"strings"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/conditions"
)

const (
	// MaxMessage bounds what is kept of a script's output, in bytes.
	MaxMessage = 16 << 10
	// MaxTail bounds what a failure tells of it.
	MaxTail = 4 << 10
)

// Said is a piece of what a script said, as it came.
type Said struct {
	Data []byte
	// CutBefore and CutAfter say that more was said before or after it.
	CutBefore, CutAfter bool
}

// unspecific is how programs end that have nothing more to say by it.
const unspecific = "exit status 1"

// Failed is the result of a run that failed: why, and what the script had to
// say last, which is all there is to tell where why is not specific. The first
// piece that says anything counts.
func Failed(why string, secrets Secrets, last ...Said) Result {
	for _, said := range last {
		if text := strings.TrimSpace(secrets.Strike(said)); text != "" {
			if why == unspecific {
				why = text
			} else {
				why += ": " + text
			}
			break
		}
	}
	return Result{Message: conditions.Truncate(why, MaxMessage)}
}

// Succeeded is the result of a run that succeeded: what the script said first
// is the comment, unless its result has another. A result that cannot be read
// is a failure.
func Succeeded(result []byte, secrets Secrets, first Said, last ...Said) Result {
	var said struct {
		Fields  v1alpha1.JSONObject `json:"fields"`
		Comment string              `json:"comment"`
	}
	if len(result) > 0 {
		if err := json.Unmarshal(result, &said); err != nil {
			return Failed(fmt.Sprintf("the result is not the JSON that is expected: %s", err), secrets, last...)
		}
	}
	message := secrets.Strike(first)
	if first.CutAfter {
		message += "…"
	}
	if said.Comment != "" {
		message = secrets.Strike(Said{Data: []byte(said.Comment)})
	}
	return Result{Succeeded: true, Message: conditions.Truncate(message, MaxMessage), Fields: said.Fields}
}
