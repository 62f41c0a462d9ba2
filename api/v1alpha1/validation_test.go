// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/testenv"
)

var k8s client.Client

func TestValidation(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "api")
}

var _ = BeforeSuite(func() {
	_, k8s = testenv.ForSpecs()
})

// object reads what a person would write.
func object(kind, spec string) *unstructured.Unstructured {
	out := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal([]byte("spec: "+spec), &out.Object)).To(Succeed())
	out.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(kind))
	out.SetGenerateName("case-")
	switch kind {
	case "User", "Department", "UserRole", "Application":
	default:
		out.SetNamespace("default")
	}
	return out
}

const (
	accepted  = ""
	anyTicket = `creator: lilei, by: {application: ops}, workflowRef: {name: vpn}`
	states    = `states: [{name: new, type: Start, transitions: [{name: go, to: work}]}, {name: work, `
)

var _ = DescribeTable("What is written is judged by the CRDs",
	func(ctx SpecContext, kind, spec, refusal string) {
		err := k8s.Create(ctx, object(kind, spec))
		if refusal == accepted {
			Expect(err).NotTo(HaveOccurred())
			return
		}
		Expect(err).To(Satisfy(apierrors.IsInvalid))
		Expect(err).To(MatchError(ContainSubstring(refusal)))
	},
	Entry("a workflow with choices", "Workflow", `{states: [], fields: [{name: a, type: Select, choices: [{key: x}]}]}`, accepted),
	Entry("choices on a type without", "Workflow", `{states: [], fields: [{name: a, type: String, choices: [{key: x}]}]}`, "choices belong to the types"),
	Entry("empty choices anywhere", "Workflow", `{states: [], fields: [{name: a, type: String, choices: []}]}`, accepted),
	Entry("boolean labels", "Workflow", `{states: [], fields: [{name: a, type: Boolean, booleanLabels: {"true": yes!}}]}`, accepted),
	Entry("boolean labels on a String", "Workflow", `{states: [], fields: [{name: a, type: String, booleanLabels: {"true": yes!}}]}`, "booleanLabels belong to the type Boolean"),
	Entry("a field name that CEL could not name", "Workflow", `{states: [], fields: [{name: a-b, type: String}]}`, "spec.fields[0].name"),
	Entry("two fields of one name", "Workflow", `{states: [], fields: [{name: a, type: String}, {name: a, type: Text}]}`, "Duplicate value"),
	Entry("two states of one name", "Workflow", `{states: [{name: a}, {name: a}]}`, "Duplicate value"),
	Entry("an approval of an All state", "Workflow", `{`+states+`distribution: All, approval: {require: {count: 2}, onRefuse: Wait}}]}`, accepted),
	Entry("an approval elsewhere", "Workflow", `{`+states+`approval: {require: All}}]}`, "approval belongs to the distribution All"),
	Entry("participants of a start state", "Workflow", `{states: [{name: new, type: Start, participants: {users: [a]}}]}`, "only a Normal state names participants"),
	Entry("participants of an end state", "Workflow", `{states: [{name: end, type: End, participants: {users: [a]}}]}`, "only a Normal state names participants"),
	Entry("participants of two kinds", "Workflow", `{`+states+`participants: {users: [a], userRoles: [b]}}]}`, "exactly one of the fields"),
	Entry("participants of no kind", "Workflow", `{`+states+`participants: {}}]}`, "exactly one of the fields"),
	Entry("participants that are an empty list", "Workflow", `{`+states+`participants: {users: []}}]}`, accepted),
	Entry("labels of any shape", "Workflow", `{`+states+`label: {a: {b: [1, true, null]}}}]}`, accepted),
	Entry("an id below 1", "Workflow", `{states: [], id: 0}`, "spec.id"),

	Entry("a ticket", "Ticket", `{`+anyTicket+`, title: t, fields: {days: 5}, parent: {name: p, state: s}}`, accepted),
	Entry("a ticket on nobody's word", "Ticket", `{creator: lilei, by: {}, workflowRef: {name: vpn}}`, "exactly one of the fields"),
	Entry("a ticket on two words", "Ticket", `{creator: lilei, by: {application: a, user: b}, workflowRef: {name: vpn}}`, "exactly one of the fields"),
	Entry("a ticket with an action at once", "Ticket", `{`+anyTicket+`, action: {id: "12345678", type: Comment, actor: a, by: {application: b}}}`, "a new ticket has no action yet"),
	Entry("a user name with a comma", "Ticket", `{creator: "a,b", by: {application: ops}, workflowRef: {name: vpn}}`, "spec.creator"),

	Entry("a script with its source", "Script", `{source: "true", interpreter: sh, env: [{name: A, value: b}]}`, accepted),
	Entry("a script from a ConfigMap", "Script", `{sourceFrom: {configMapKeyRef: {name: a, key: b}}, command: [sh]}`, accepted),
	Entry("a script without a source", "Script", `{interpreter: sh}`, "exactly one of the fields"),
	Entry("a script with two sources", "Script", `{source: x, sourceFrom: {configMapKeyRef: {name: a, key: b}}}`, "exactly one of the fields"),
	Entry("a script with interpreter and command", "Script", `{source: x, interpreter: sh, command: [sh]}`, "at most one of the fields"),
	Entry("a variable with two values", "Script", `{source: x, env: [{name: A, value: b, valueFrom: {secretKeyRef: {name: a, key: b}}}]}`, "at most one of the fields"),
	Entry("a notifier", "Notifier", `{webhook: {url: "https://example.com"}}`, accepted),
	Entry("a notifier of no kind", "Notifier", `{displayName: x}`, "exactly one of the fields"),
	Entry("an application", "Application", `{tokenSecretRef: {namespace: a, name: b, key: c}, workflows: {names: [a/b]}}`, accepted),
	Entry("an application whose workflow has no namespace", "Application", `{tokenSecretRef: {namespace: a, name: b, key: c}, workflows: {names: [b]}}`, "spec.workflows.names[0]"),
)

var _ = DescribeTable("A ticket's spec is fixed at creation",
	func(ctx SpecContext, from, to, refusal string) {
		before := object("Ticket", `{`+anyTicket+from+`}`)
		Expect(k8s.Create(ctx, before)).To(Succeed())
		after := object("Ticket", `{`+anyTicket+to+`}`)
		after.SetName(before.GetName())
		after.SetResourceVersion(before.GetResourceVersion())
		Expect(k8s.Update(ctx, after)).To(MatchError(ContainSubstring(refusal)))
	},
	Entry("its title changes", `, title: a`, `, title: b`, "title is immutable"),
	Entry("its title appears", ``, `, title: b`, "title is immutable"),
	Entry("its title goes", `, title: a`, ``, "title is immutable"),
	Entry("its transition changes", `, transition: a`, `, transition: b`, "transition is immutable"),
	Entry("its transition appears", ``, `, transition: b`, "transition is immutable"),
	Entry("its comment changes", `, comment: a`, `, comment: b`, "comment is immutable"),
	Entry("its comment goes", `, comment: a`, ``, "comment is immutable"),
	Entry("its parent changes", `, parent: {name: a}`, `, parent: {name: b}`, "parent is immutable"),
	Entry("its parent appears", ``, `, parent: {name: b}`, "parent is immutable"),
	Entry("its fields appear", ``, `, fields: {a: 1}`, "fields are immutable"),
	Entry("its fields go", `, fields: {a: 1}`, ``, "fields are immutable"),
)

var _ = Describe("Who and what a ticket is", func() {
	It("is fixed too", func(ctx SpecContext) {
		t := &v1alpha1.Ticket{ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "case-"}, Spec: v1alpha1.TicketSpec{
			WorkflowRef: v1alpha1.WorkflowReference{Name: "vpn"}, Creator: "lilei", By: v1alpha1.RequestedBy{Application: "ops"},
		}}
		Expect(k8s.Create(ctx, t)).To(Succeed())
		for refusal, change := range map[string]func(*v1alpha1.TicketSpec){
			"creator is immutable":     func(s *v1alpha1.TicketSpec) { s.Creator = "admin" },
			"workflowRef is immutable": func(s *v1alpha1.TicketSpec) { s.WorkflowRef.Name = "other" },
			"by is immutable":          func(s *v1alpha1.TicketSpec) { s.By.Application = "other" },
		} {
			changed := t.DeepCopy()
			change(&changed.Spec)
			Expect(k8s.Update(ctx, changed)).To(MatchError(ContainSubstring(refusal)))
		}
	})
})

var _ = DescribeTable("An action has what belongs to its type",
	func(ctx SpecContext, members, refusal string) {
		t := object("Ticket", `{`+anyTicket+`}`)
		Expect(k8s.Create(ctx, t)).To(Succeed())
		asked := object("Ticket", `{`+anyTicket+`, action: {id: "12345678", actor: lilei, by: {application: ops}, `+members+`}}`)
		asked.SetName(t.GetName())
		asked.SetResourceVersion(t.GetResourceVersion())
		err := k8s.Update(ctx, asked)
		if refusal == accepted {
			Expect(err).NotTo(HaveOccurred())
			return
		}
		Expect(err).To(MatchError(ContainSubstring(refusal)))
	},
	Entry("a transition", `type: Transition, transition: a, fromState: b, fields: {x: 1}, clear: [z]`, accepted),
	Entry("a transition without one", `type: Transition`, "transition belongs to the type Transition"),
	Entry("a comment with a transition", `type: Comment, transition: a`, "transition belongs to the type Transition"),
	Entry("a comment that leaves a state", `type: Comment, fromState: a`, "fromState belongs to the types Transition"),
	Entry("a comment with fields", `type: Comment, fields: {x: 1}`, "fields belong to the types"),
	Entry("a comment that clears", `type: Comment, clear: [x]`, "clear belongs to the types"),
	Entry("fields that are set", `type: SetFields, fields: {x: 1}, clear: [z]`, accepted),
	Entry("a delivery", `type: Deliver, target: guiji, asAdministrator: true`, accepted),
	Entry("a delivery to nobody", `type: Deliver`, "target belongs to the types Deliver and AddSigner"),
	Entry("a claim with a target", `type: Accept, target: guiji`, "target belongs to the types Deliver and AddSigner"),
	Entry("a claim as an administrator", `type: Accept, asAdministrator: true`, "asAdministrator belongs to the type Deliver"),
	Entry("a forced state", `type: SetState, state: end`, accepted),
	Entry("a forced state without one", `type: SetState`, "state belongs to the type SetState"),
	Entry("a close with a state", `type: Close, state: end`, "state belongs to the type SetState"),
	Entry("a call-back", `type: HookCallback, succeeded: false, fromState: a, fields: {x: 1}`, accepted),
	Entry("a call-back that says nothing", `type: HookCallback`, "succeeded belongs to the type HookCallback"),
	Entry("a retreat that succeeded", `type: Retreat, succeeded: true`, "succeeded belongs to the type HookCallback"),
)

var _ = Describe("The slot for an action", func() {
	comment := func(id string) *v1alpha1.TicketAction {
		return &v1alpha1.TicketAction{ID: id, Type: v1alpha1.ActionComment, Actor: "lilei", By: v1alpha1.RequestedBy{Application: "ops"}}
	}

	It("takes another only once the present one has its outcome", func(ctx SpecContext) {
		t := &v1alpha1.Ticket{ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "case-"}, Spec: v1alpha1.TicketSpec{
			WorkflowRef: v1alpha1.WorkflowReference{Name: "vpn"}, Creator: "lilei", By: v1alpha1.RequestedBy{Application: "ops"},
		}}
		Expect(k8s.Create(ctx, t)).To(Succeed())
		t.Spec.Action = comment("the-first-one")
		Expect(k8s.Update(ctx, t)).To(Succeed())

		other := t.DeepCopy()
		other.Spec.Action = comment("the-second-one")
		Expect(k8s.Update(ctx, other.DeepCopy())).To(MatchError(ContainSubstring("no outcome yet")))
		gone := t.DeepCopy()
		gone.Spec.Action = nil
		Expect(k8s.Update(ctx, gone)).To(MatchError(ContainSubstring("no outcome yet")))
		rewritten := t.DeepCopy()
		rewritten.Spec.Action.Comment = "rewritten"
		Expect(k8s.Update(ctx, rewritten)).To(MatchError(ContainSubstring("another action needs another id")))

		t.Status.RecentActions = []v1alpha1.RecentAction{{ID: "the-first-one", Outcome: v1alpha1.ActionApplied}}
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		again := t.DeepCopy()
		again.Spec.Action.Comment = "the same id with other words"
		Expect(k8s.Update(ctx, again)).To(MatchError(ContainSubstring("another action needs another id")))
		t.Spec.Action = comment("the-second-one")
		Expect(k8s.Update(ctx, t)).To(Succeed())
	})

	It("lets people look for tickets by what they are", func(ctx SpecContext) {
		var found v1alpha1.TicketList
		for _, field := range []string{"status.id", "status.state", "status.progress", "spec.creator", "spec.workflowRef.name"} {
			Expect(k8s.List(ctx, &found, client.MatchingFields{field: "nothing"})).To(Succeed(), field)
		}
		Expect(k8s.List(ctx, &found, client.MatchingFields{"spec.title": "x"})).To(MatchError(ContainSubstring("field label not supported")))
	})
})

var _ = Describe("A record", func() {
	It("is immutable", func(ctx SpecContext) {
		record := &v1alpha1.TicketRecord{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "case-"},
			Spec: v1alpha1.TicketRecordSpec{TicketName: "t", TicketID: 1, FirstSeq: 1, LastHash: "x", Entries: []v1alpha1.HistoryEntry{{
				Seq: 1, Time: metav1.Now(), Action: v1alpha1.HistoryOpen, Actor: "lilei", Hash: "x",
				After: v1alpha1.HistoryPosition{Participants: v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsNone}},
			}}},
		}
		Expect(k8s.Create(ctx, record)).To(Succeed())
		for what, change := range map[string]func(*v1alpha1.TicketRecordSpec){
			"a hash":     func(s *v1alpha1.TicketRecordSpec) { s.LastHash = "y" },
			"what it is": func(s *v1alpha1.TicketRecordSpec) { s.Entries[0].Comment = "rewritten" },
			"how much":   func(s *v1alpha1.TicketRecordSpec) { s.Entries = append(s.Entries, s.Entries[0]) },
		} {
			changed := record.DeepCopy()
			change(&changed.Spec)
			Expect(k8s.Update(ctx, changed)).To(MatchError(ContainSubstring("a record is immutable")), what)
		}
	})
})
