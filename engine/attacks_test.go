// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

func TestAnActionThatIsAskedForAgainLongAfterHasAnOutcome(t *testing.T) {
	w := hookWalker(t, "true")
	comment := v1alpha1.TicketAction{ID: "said-before", Type: v1alpha1.ActionComment, Comment: "once"}
	w.must("lilei", comment)
	for i := range 20 { // as many as are remembered, and more
		w.s = engine.NoteRefusal(w.s, fmt.Sprintf("refused-%d", i), &engine.Refusal{Reason: engine.ReasonNotAllowed})
	}
	before := w.s.Status.HistoryCount
	w.must("lilei", comment)
	if outcome, ok := engine.Outcome(&w.s.Status, comment.ID); !ok || outcome.Outcome != v1alpha1.ActionApplied {
		t.Errorf("without an outcome nothing else can be asked of the ticket any more: %+v", w.s.Status.RecentActions)
	}
	if w.s.Status.HistoryCount != before {
		t.Error("it was applied a second time")
	}
}

func TestMoreThanCouldBeStoredIsNotEvenAsked(t *testing.T) {
	const workflow = `
fields: [{name: note, type: String}]
states:
- {name: new, type: Start, transitions: [{name: go, to: check}]}
- {name: check, participants: {users: [zhangsan]}, transitions: [{name: ok, to: end}]}
- {name: end, type: End}
`
	much := v1alpha1.JSONObject{"nobody-asked-for-it": strings.Repeat("x", 150<<10)}
	notInTheForm := v1alpha1.JSONObject{"note": strings.Repeat("x", 150<<10)}
	for name, fields := range map[string]v1alpha1.JSONObject{"an unknown field": much, "a field that the form has not": notInTheForm} {
		if r := newWalker(t, workflow).open("go", fields); r == nil || r.Reason != engine.ReasonTooLarge {
			t.Errorf("%s: a ticket is opened with it: %v", name, r)
		}
		action := take("ok")
		action.Fields = fields
		if r := newWalker(t, workflow).mustOpen("go", nil).try("zhangsan", action); r == nil || r.Reason != engine.ReasonTooLarge {
			t.Errorf("%s: a transition is taken with it: %v", name, r)
		}
	}
}
