// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/engine/enginetest"
)

var start = time.Date(2026, 5, 15, 7, 16, 38, 0, time.UTC)

// vpn is the workflow that most tests walk through.
const vpn = `
creator: admin
fields:
- {name: days, type: Integer, validation: "self > 0 && self <= 30"}
- {name: region, type: Select, choices: [{key: "1", label: 中国}, {key: "2", label: 美国}]}
- {name: helper, type: User}
- {name: rate, type: Number}
states:
- name: new
  type: Start
  form: [{field: title, access: Required}, {field: days, access: Required}, {field: region, access: Optional}, {field: helper, access: Optional}, {field: rate, access: Optional}]
  transitions: [{name: submit, to: lead}, {name: save, to: new, fieldCheck: Skip}]
- name: lead
  participants: {variables: [CreatorLeader]}
  allowRetreat: true
  transitions:
  - {name: approve, to: ops, routes: [{when: "fields.days > 3", to: board}]}
  - {name: reject, outcome: Refuse, to: new, fieldCheck: Skip}
- name: board
  participants: {departments: [board]}
  distribution: All
  transitions: [{name: agree, to: ops}, {name: refuse, outcome: Refuse, to: end}]
- name: ops
  participants: {userRoles: [ops]}
  rememberLastHandler: true
  transitions: [{name: done, to: grant}, {name: escalate, to: board, after: 24h}]
- {name: grant, participants: {script: grant-vpn}, transitions: [{name: granted, to: confirm}]}
- {name: confirm, participants: {variables: [Creator]}, transitions: [{name: ok, to: end}, {name: again, to: ops}]}
- {name: end, type: End}
`

func directory() *enginetest.Directory {
	d := &enginetest.Directory{
		Users: map[string]engine.Person{
			"lilei": enginetest.Person("lilei", "it"), "zhangsan": enginetest.Person("zhangsan", "it"),
			"guiji": enginetest.Person("guiji", "it"), "wangwu": enginetest.Person("wangwu", "it"),
			"b1": enginetest.Person("b1", "board"), "b2": enginetest.Person("b2", "sub"), "b3": enginetest.Person("b3", "board"),
			"admin": enginetest.Person("admin", ""), "other": enginetest.Person("other", ""),
			"gone": {Name: "gone", Department: "board"},
		},
		Identities:  map[string]string{"oidc:lilei": "lilei"},
		Departments: map[string]engine.Department{"it": {Name: "it", Leader: "zhangsan"}, "board": {Name: "board"}, "sub": {Name: "sub", Parent: "board"}},
		Roles:       map[string][]string{"ops": {"guiji", "wangwu"}},
		Applications: map[string]engine.Application{"portal": {Name: "portal", AllWorkflows: true}, "narrow": {Name: "narrow"},
			"desk": {Name: "desk", AllWorkflows: true, Intervene: true}},
		Scripts: map[string]engine.Script{"it/grant-vpn": {Name: "grant-vpn", FileName: "grant.py", Active: true}},
	}
	return d
}

// spec reads a workflow; a mistake in the test's YAML fails it.
func spec(t testing.TB, text string) v1alpha1.WorkflowSpec {
	t.Helper()
	var out v1alpha1.WorkflowSpec
	if err := yaml.UnmarshalStrict([]byte(text), &out); err != nil {
		t.Fatalf("the test's workflow cannot be read: %v", err)
	}
	return out
}

// wireIDs numbers states, transitions and fields from 1, as they stand.
func wireIDs(s v1alpha1.WorkflowSpec) engine.IDs {
	ids := engine.IDs{Workflow: 1, States: map[string]v1alpha1.WireID{}, Transitions: map[string]v1alpha1.WireID{}, Fields: map[string]v1alpha1.WireID{}}
	for _, state := range s.States {
		ids.States[string(state.Name)] = v1alpha1.WireID(len(ids.States) + 1)
		for _, transition := range state.Transitions {
			ids.Transitions[string(state.Name)+"/"+string(transition.Name)] = v1alpha1.WireID(len(ids.Transitions) + 1)
		}
	}
	for _, field := range s.Fields {
		ids.Fields[string(field.Name)] = v1alpha1.WireID(len(ids.Fields) + 1)
	}
	return ids
}

func compile(t testing.TB, text string) *engine.Graph {
	t.Helper()
	s := spec(t, text)
	graph, problems := engine.Compile("it", "vpn", s, wireIDs(s))
	if len(problems) > 0 {
		t.Fatalf("the test's workflow has problems: %v", problems)
	}
	return graph
}

// walker takes one ticket through its life.
type walker struct {
	t     testing.TB
	graph *engine.Graph
	dir   *enginetest.Directory
	now   time.Time
	s     engine.Snapshot
	n     int
	// parent is the name of the parent ticket, if there is one.
	parent      v1alpha1.ObjectName
	parentState v1alpha1.Name // that it hangs on
}

func newWalker(t testing.TB, workflow string) *walker {
	t.Helper()
	return &walker{t: t, graph: compile(t, workflow), dir: directory(), now: start}
}

func portal() v1alpha1.RequestedBy { return v1alpha1.RequestedBy{Application: "portal"} }

func (w *walker) open(transition v1alpha1.Name, fields v1alpha1.JSONObject) *engine.Refusal {
	w.s = engine.Snapshot{Namespace: "it", Name: "vpn-1", UID: "0190", Spec: v1alpha1.TicketSpec{
		WorkflowRef: v1alpha1.WorkflowReference{Name: "vpn"}, Creator: "lilei", By: portal(),
		Title: "vpn申请", Transition: transition, Fields: fields,
	}}
	if w.parent != "" {
		w.s.Spec.Parent = &v1alpha1.ParentReference{Name: w.parent, State: w.parentState}
	}
	next, refusal := engine.Open(w.graph, w.s, engine.Identities{ID: 17, SerialNumber: "loonflow_202605150001", Revision: "vpn-1"}, w.dir, w.now)
	w.s = next
	return refusal
}

func (w *walker) mustOpen(transition v1alpha1.Name, fields v1alpha1.JSONObject) *walker {
	w.t.Helper()
	if r := w.open(transition, fields); r != nil {
		w.t.Fatalf("opening was refused: %v", r)
	}
	return w
}

// try does an action; who and what are filled in.
func (w *walker) try(actor v1alpha1.UserName, action v1alpha1.TicketAction) *engine.Refusal {
	w.n++
	if action.ID == "" {
		action.ID = "action-" + string(rune('a'+w.n%26)) + strings.Repeat("x", w.n/26)
	}
	action.Actor = actor
	if action.By == (v1alpha1.RequestedBy{}) {
		action.By = portal()
	}
	next, refusal := engine.Decide(w.graph, w.s, engine.Command{Kind: engine.CommandAction, Action: action}, w.dir, w.now)
	if refusal == nil {
		w.s = next
	}
	return refusal
}

func (w *walker) must(actor v1alpha1.UserName, action v1alpha1.TicketAction) *walker {
	w.t.Helper()
	if r := w.try(actor, action); r != nil {
		w.t.Fatalf("%s by %s in %s was refused: %v", action.Type, actor, w.s.Status.State, r)
	}
	return w
}

func take(name v1alpha1.Name) v1alpha1.TicketAction {
	return v1alpha1.TicketAction{Type: v1alpha1.ActionTransition, Transition: name}
}

func do(kind v1alpha1.ActionType) v1alpha1.TicketAction { return v1alpha1.TicketAction{Type: kind} }

// runs plays the script reconciler.
func (w *walker) runs(phase v1alpha1.RunPhase, message string, fields v1alpha1.JSONObject) *walker {
	w.t.Helper()
	wanted := w.s.Status.Wanted
	if wanted == nil {
		w.t.Fatal("the ticket wants no run")
	}
	w.s.Status.Run = &v1alpha1.Run{Visit: wanted.Visit, Attempt: wanted.Attempt, Phase: phase, Message: message, Fields: fields}
	return w.due()
}

// due does what falls due now.
func (w *walker) due() *walker {
	w.t.Helper()
	command, _ := engine.Due(w.graph, w.s, w.now)
	if command == nil {
		w.t.Fatal("nothing is due")
	}
	next, refusal := engine.Decide(w.graph, w.s, *command, w.dir, w.now)
	if refusal != nil {
		w.t.Fatalf("%s was refused: %v", command.Kind, refusal)
	}
	w.s = next
	return w
}

func (w *walker) users() string {
	names := make([]string, 0, len(w.s.Status.Participants.Users))
	for _, user := range w.s.Status.Participants.Users {
		names = append(names, string(user))
	}
	return strings.Join(names, ",")
}

// at expects a state and who acts there.
func (w *walker) at(state v1alpha1.Name, users string) *walker {
	w.t.Helper()
	if w.s.Status.State != state || w.users() != users {
		w.t.Fatalf("got state %s with %q, want %s with %q", w.s.Status.State, w.users(), state, users)
	}
	return w
}

// opening is a ticket of the workflow that was opened so long ago.
func opening(creator string, ago time.Duration) enginetest.Opening {
	return enginetest.Opening{Namespace: "it", Workflow: "vpn", Creator: creator, At: start.Add(-ago)}
}

func TestATicketsWholeLife(t *testing.T) {
	w := newWalker(t, vpn)
	w.mustOpen("submit", v1alpha1.JSONObject{"days": "5", "region": int64(1)}).at("lead", "zhangsan")
	w.must("zhangsan", take("approve")).at("board", "b1,b2,b3")
	w.must("b1", take("agree")).must("b3", take("agree")).at("board", "b2").must("b2", take("agree")).at("ops", "guiji,wangwu")
	w.must("guiji", do(v1alpha1.ActionAccept)).at("ops", "guiji").must("guiji", take("done")).at("grant", "")
	w.runs(v1alpha1.RunFailed, "exit status 3", nil).at("grant", "")
	if !w.s.Status.LastRunFailed {
		t.Error("a failed run left no mark")
	}
	w.must("lilei", do(v1alpha1.ActionRetryScript)).runs(v1alpha1.RunSucceeded, "granted\n", nil).at("confirm", "lilei")
	w.must("lilei", take("again")).at("ops", "guiji").must("guiji", take("done")).runs(v1alpha1.RunSucceeded, "", nil)
	w.must("lilei", take("ok")).at("end", "")
	if w.s.Status.Progress != v1alpha1.ProgressFinished {
		t.Errorf("got progress %s, want Finished", w.s.Status.Progress)
	}
	if err := engine.VerifyHistory("", w.s.Status.History); err != nil {
		t.Errorf("the history does not verify: %v", err)
	}
}
