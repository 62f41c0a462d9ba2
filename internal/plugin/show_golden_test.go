// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/yaml"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/engine/enginetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file that was read and found good.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("unexpected %s (-want +got):\n%s", name, diff)
	}
}

// sampleGraph is the workflow of testdata, which has something of everything.
func sampleGraph(t *testing.T) *engine.Graph {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "purchase.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var w v1alpha1.Workflow
	if err := yaml.UnmarshalStrict(data, &w); err != nil {
		t.Fatal(err)
	}
	graph, problems := engine.Compile(w.Namespace, w.Name, w.Spec, engine.IDs{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return graph
}

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// story is a ticket that time goes by for.
type story struct {
	t         *testing.T
	graph     *engine.Graph
	directory *enginetest.Directory
	clock     *testingclock.FakePassiveClock
	snapshot  engine.Snapshot
}

func newStory(t *testing.T) *story {
	t.Helper()
	s := &story{t: t, graph: sampleGraph(t), clock: testingclock.NewFakePassiveClock(start)}
	s.directory = &enginetest.Directory{
		Users: map[string]engine.Person{
			"lilei": enginetest.Person("lilei", "it"), "zhangsan": enginetest.Person("zhangsan", "it"),
			"guiji": enginetest.Person("guiji", ""), "王五": enginetest.Person("王五", ""),
		},
		Departments: map[string]engine.Department{"it": {Name: "it", Leader: "zhangsan"}},
		Roles:       map[string][]string{"buyers": {"guiji", "王五"}},
		Scripts:     map[string]engine.Script{"it/order": {Name: "order", Active: true}},
	}
	s.snapshot = engine.Snapshot{Namespace: "it", Name: "purchase-x7k2p", UID: "1", Spec: v1alpha1.TicketSpec{
		WorkflowRef: v1alpha1.WorkflowReference{Name: "purchase"}, Creator: "lilei", By: v1alpha1.RequestedBy{User: "lilei"},
		Title: "显示器 for the new office", Transition: "submit", Comment: "soon, please",
		Fields: v1alpha1.JSONObject{"price": int64(900), "kind": "screen", "urgent": true},
	}}
	opened, refusal := engine.Open(s.graph, s.snapshot, engine.Identities{ID: 17, SerialNumber: "loonflow_202603010001"}, s.directory, start)
	if refusal != nil {
		t.Fatal(refusal)
	}
	s.snapshot = opened
	return s
}

// then lets somebody do something some time later.
func (s *story) then(later time.Duration, actor v1alpha1.UserName, action v1alpha1.TicketAction) {
	s.t.Helper()
	s.clock.SetTime(s.clock.Now().Add(later))
	action.ID, action.Actor, action.By = s.clock.Now().String(), actor, v1alpha1.RequestedBy{User: string(actor)}
	after, refusal := engine.Decide(s.graph, s.snapshot, engine.Command{Kind: engine.CommandAction, Action: action}, s.directory, s.clock.Now())
	if refusal != nil {
		s.t.Fatal(refusal)
	}
	s.snapshot = after
}

func (s *story) take(later time.Duration, actor v1alpha1.UserName, transition v1alpha1.Name, comment string) {
	s.t.Helper()
	s.then(later, actor, v1alpha1.TicketAction{Type: v1alpha1.ActionTransition, Transition: transition, Comment: comment})
}

// told is what show tells somebody a minute later, in China.
func (s *story) told(user v1alpha1.UserName, change ...func(*portrait)) string {
	ticket := &v1alpha1.Ticket{Spec: s.snapshot.Spec, Status: s.snapshot.Status}
	ticket.Namespace, ticket.Name, ticket.UID = s.snapshot.Namespace, s.snapshot.Name, "1"
	p := &portrait{
		ticket: ticket, history: ticket.Status.History, graph: s.graph,
		viewer: &restv1.Viewer{Kubernetes: string(user), User: user},
		now:    testingclock.NewFakePassiveClock(s.clock.Now().Add(time.Minute)), zone: time.FixedZone("", 8*60*60),
	}
	p.viewer.May = engine.Allowed(s.graph, s.snapshot, string(user), v1alpha1.RequestedBy{User: string(user)}, s.directory, p.now.Now())
	for _, f := range change {
		f(p)
	}
	return p.text(false)
}

func TestWhatShowTells(t *testing.T) {
	cases := map[string]func(*story) string{
		"opened":  func(s *story) string { return s.told("zhangsan") },
		"creator": func(s *story) string { return s.told("lilei") },
		"claim": func(s *story) string {
			s.take(time.Hour, "zhangsan", "approve", "fine\nwith me")
			return s.told("guiji")
		},
		"asked": func(s *story) string {
			s.take(time.Hour, "zhangsan", "approve", "")
			s.then(time.Minute, "guiji", v1alpha1.TicketAction{Type: v1alpha1.ActionAccept})
			s.then(time.Minute, "guiji", v1alpha1.TicketAction{Type: v1alpha1.ActionAddSigner, Target: "王五", Comment: "which one?"})
			return s.told("王五")
		},
		"refused": func(s *story) string {
			s.take(26*time.Hour, "zhangsan", "reject", "too dear; \x1b[31mred")
			return s.told("lilei")
		},
		"closed": func(s *story) string {
			s.then(time.Hour, "lilei", v1alpha1.TicketAction{Type: v1alpha1.ActionComment, Comment: "not needed any more"})
			s.then(time.Hour, "lilei", v1alpha1.TicketAction{Type: v1alpha1.ActionRetreat})
			s.then(time.Hour, "lilei", v1alpha1.TicketAction{Type: v1alpha1.ActionClose})
			return s.told("lilei")
		},
		"stranger": func(s *story) string {
			return s.told("", func(p *portrait) { p.viewer.Kubernetes = "oidc:nobody" })
		},
		"troubled": func(s *story) string {
			s.snapshot.Status.LastRunFailed, s.snapshot.Status.ParentID = true, 3
			s.snapshot.Status.Votes = []v1alpha1.Vote{{User: "guiji", Transition: "approve"}, {User: "王五"}}
			s.snapshot.Status.Children = []v1alpha1.ChildrenCount{{State: "lead", Total: 3, Ended: 1}}
			s.snapshot.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "False", Reason: "Internal", Message: "one\ntwo"}}
			return s.told("zhangsan")
		},
	}
	for name, tell := range cases {
		t.Run(name, func(t *testing.T) { golden(t, "show-"+name+".golden", tell(newStory(t))) })
	}
}

func TestDrawings(t *testing.T) {
	graph := sampleGraph(t)
	golden(t, "purchase.mmd", mermaid(graph, "buy"))
	golden(t, "purchase.svg", svg(graph, "buy"))
}
