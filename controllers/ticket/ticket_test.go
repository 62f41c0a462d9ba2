// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ticket_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/fixtures"
)

func condition(t *v1alpha1.Ticket, kind string) *metav1.Condition {
	return meta.FindStatusCondition(t.Status.Conditions, kind)
}

func outcome(t *v1alpha1.Ticket, id string) v1alpha1.RecentAction {
	found, _ := engine.Outcome(&t.Status, id)
	return found
}

var _ = Describe("opening", func() {
	It("is refused for good, and the ticket collected an hour later", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		judge(ctx, fixtures.Workflow(ns))
		t := fixtures.Ticket(ns, "vpn-1")
		t.Spec.Fields = nil
		create(ctx, t)
		Expect(reconcile(ctx, t)).To(Equal(time.Hour))
		opened := condition(t, v1alpha1.ConditionOpened)
		Expect(opened.Status).To(Equal(metav1.ConditionFalse))
		Expect(opened.Reason).To(Equal(string(engine.ReasonMissingFields)))
		Expect(opened.Message).To(ContainSubstring("days"))
		before := t.ResourceVersion
		clk.Step(59 * time.Minute)
		Expect(reconcile(ctx, t)).To(BeNumerically("~", time.Minute, 2*time.Second))
		Expect(t.ResourceVersion).To(Equal(before))
		clk.Step(2 * time.Minute)
		reconcile(ctx, t)
		Expect(t.UID).To(BeEmpty(), "it is collected")
	})

	It("waits for a workflow that was applied just now, and not for ever", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		t := fixtures.Ticket(ns, "vpn-1")
		create(ctx, t)
		clk.SetTime(t.CreationTimestamp.Time)
		Expect(reconcile(ctx, t)).To(BeNumerically("<", time.Second))
		Expect(t.Status.Conditions).To(BeEmpty())
		clk.Step(10 * time.Second)
		reconcile(ctx, t)
		Expect(condition(t, v1alpha1.ConditionOpened).Reason).To(Equal(string(engine.ReasonUnknownWorkflow)))
	})

	It("answers an action on a ticket that was never opened", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		judge(ctx, fixtures.Workflow(ns))
		t := fixtures.Ticket(ns, "vpn-1")
		t.Spec.Creator = "nobody-knows"
		create(ctx, t)
		reconcile(ctx, t)
		Expect(condition(t, v1alpha1.ConditionOpened).Reason).To(Equal(string(engine.ReasonUnknownUser)))
		ask(ctx, t, v1alpha1.TicketAction{ID: "action-1", Type: v1alpha1.ActionComment, Actor: "lilei", Comment: "?"})
		reconcile(ctx, t)
		Expect(outcome(t, "action-1").Outcome).To(Equal(v1alpha1.ActionRefused))
	})

	It("never happens twice: a ticket whose status is lost says so", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		judge(ctx, fixtures.Workflow(ns))
		t := fixtures.Ticket(ns, "vpn-1")
		create(ctx, t)
		reconcile(ctx, t)
		id := t.Status.ID
		Expect(id).NotTo(BeZero())
		reconcile(ctx, t)
		Expect(t.Annotations).To(HaveKey(v1alpha1.AnnotationOpened))
		Expect(t.ManagedFields).To(BeEmpty(), "nobody tracks who set which field")
		t.Status = v1alpha1.TicketStatus{}
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		clk.SetTime(t.CreationTimestamp.Time)
		Expect(reconcile(ctx, t)).To(BeNumerically(">", 0), "a restore writes it a moment later")
		Expect(t.Status.Conditions).To(BeEmpty())
		clk.Step(time.Minute)
		reconcile(ctx, t)
		Expect(t.Status.ID).To(BeZero())
		ready := condition(t, v1alpha1.ConditionReady)
		Expect(ready.Reason).To(Equal(v1alpha1.ReasonStatusLost))
		Expect(ready.Message).To(ContainSubstring("ticketflow import"))
		Expect(told.Events).To(Receive(And(HavePrefix("Warning StatusLost "), ContainSubstring("ticketflow import"))))
		ask(ctx, t, v1alpha1.TicketAction{ID: "of-a-lost-one", Type: v1alpha1.ActionComment, Actor: "lilei", Comment: "?"})
		reconcile(ctx, t)
		Expect(outcome(t, "of-a-lost-one").Outcome).To(Equal(v1alpha1.ActionRefused))
		Expect(t.Status.ID).To(BeZero())
		Expect(told.Events).NotTo(Receive(), "it is said once")
	})

	It("keeps to the workflow's limit, however many ask at once", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		w := fixtures.Workflow(ns)
		w.Spec.Creation = &v1alpha1.CreationRule{Limit: &v1alpha1.CreationLimit{Count: ptr.To[int32](2), Period: metav1.Duration{Duration: 24 * time.Hour}}}
		judge(ctx, w)
		var all []*v1alpha1.Ticket
		for i := range 6 {
			t := fixtures.Ticket(ns, fmt.Sprintf("vpn-%d", i))
			create(ctx, t)
			all = append(all, t)
		}
		var group sync.WaitGroup
		for _, t := range all {
			group.Go(func() {
				defer GinkgoRecover()
				reconcile(ctx, t)
			})
		}
		group.Wait()
		opened := 0
		for _, t := range all {
			if t.Status.ID != 0 {
				opened++
				continue
			}
			Expect(condition(t, v1alpha1.ConditionOpened).Reason).To(Equal(string(engine.ReasonLimitReached)))
		}
		Expect(opened).To(Equal(2))
	})
})

var _ = Describe("an action", func() {
	var t *v1alpha1.Ticket
	var ns string

	BeforeEach(func(ctx SpecContext) {
		ns = newNamespace(ctx)
		judge(ctx, fixtures.Workflow(ns))
		t = fixtures.Ticket(ns, "vpn-1")
		create(ctx, t)
		reconcile(ctx, t)
		reconcile(ctx, t)
		Expect(t.Status.State).To(BeEquivalentTo("lead"))
	})

	It("is applied once, over repeated reconciliations and stale caches", func(ctx SpecContext) {
		ask(ctx, t, v1alpha1.TicketAction{ID: "action-1", Type: v1alpha1.ActionComment, Actor: "lilei", Comment: "once"})
		stale := t.DeepCopy()
		reconcile(ctx, t)
		reconcile(ctx, t)
		for range 3 {
			result, err := tickets.Reconcile(ctx, stale.DeepCopy())
			Expect(err).NotTo(HaveOccurred(), "a conflict is no error")
			Expect(result.RequeueAfter).NotTo(BeZero())
		}
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
		Expect(t.Status.HistoryCount).To(BeEquivalentTo(2))
		Expect(outcome(t, "action-1").Outcome).To(Equal(v1alpha1.ActionApplied))
		before := t.ResourceVersion
		reconcile(ctx, t)
		Expect(t.ResourceVersion).To(Equal(before), "nothing is written where nothing happens")
	})

	It("is refused with its reason, and the next one has the slot", func(ctx SpecContext) {
		ask(ctx, t, v1alpha1.TicketAction{ID: "action-1", Type: v1alpha1.ActionTransition, Actor: "guiji", Transition: "approve"})
		reconcile(ctx, t)
		Expect(outcome(t, "action-1")).To(And(HaveField("Outcome", v1alpha1.ActionRefused), HaveField("Reason", string(engine.ReasonNotParticipant))))
		ask(ctx, t, v1alpha1.TicketAction{ID: "action-2", Type: v1alpha1.ActionTransition, Actor: "zhangsan", Transition: "approve"})
		reconcile(ctx, t)
		Expect(t.Status.State).To(BeEquivalentTo("ops"))
	})

	It("that would make the ticket too large is refused, and nothing changes", func(ctx SpecContext) {
		w := fixtures.Workflow(ns)
		w.Name = "large"
		for i := range 40 {
			w.Spec.Fields = append(w.Spec.Fields, v1alpha1.Field{Name: v1alpha1.FieldName(fmt.Sprintf("f%d", i)), Type: v1alpha1.FieldText})
		}
		judge(ctx, w)
		large := fixtures.Ticket(ns, "large-1")
		large.Spec.WorkflowRef.Name = "large"
		create(ctx, large)
		reconcile(ctx, large)
		fields := v1alpha1.JSONObject{}
		for i := range 40 {
			fields[fmt.Sprintf("f%d", i)] = strings.Repeat("x", 6000)
		}
		ask(ctx, large, v1alpha1.TicketAction{ID: "action-1", Type: v1alpha1.ActionSetFields, Actor: "lilei", Fields: fields})
		reconcile(ctx, large)
		Expect(outcome(large, "action-1").Outcome).To(Equal(v1alpha1.ActionRefused))
		Expect(large.Status.Fields).NotTo(HaveKey("f0"))
		ask(ctx, large, v1alpha1.TicketAction{ID: "action-2", Type: v1alpha1.ActionComment, Actor: "lilei", Comment: "still alive"})
		reconcile(ctx, large)
		Expect(outcome(large, "action-2").Outcome).To(Equal(v1alpha1.ActionApplied))
	})

	It("with values that nobody asked for, as large as they are, is refused, and so is an opening", func(ctx SpecContext) {
		junk := v1alpha1.JSONObject{"no-field": strings.Repeat("x", 400<<10)}
		ask(ctx, t, v1alpha1.TicketAction{ID: "action-1", Type: v1alpha1.ActionTransition, Actor: "zhangsan", Transition: "approve", Fields: junk})
		reconcile(ctx, t)
		Expect(outcome(t, "action-1")).To(And(HaveField("Outcome", v1alpha1.ActionRefused), HaveField("Reason", string(engine.ReasonTooLarge))))
		ask(ctx, t, v1alpha1.TicketAction{ID: "action-2", Type: v1alpha1.ActionTransition, Actor: "zhangsan", Transition: "approve"})
		reconcile(ctx, t)
		Expect(t.Status.State).To(BeEquivalentTo("ops"))

		bloated := fixtures.Ticket(ns, "bloated")
		maps.Copy(bloated.Spec.Fields, junk)
		create(ctx, bloated)
		reconcile(ctx, bloated)
		opened := meta.FindStatusCondition(bloated.Status.Conditions, v1alpha1.ConditionOpened)
		Expect(opened).To(HaveValue(And(HaveField("Status", metav1.ConditionFalse), HaveField("Reason", string(engine.ReasonTooLarge)))))
	})

	It("gets an answer also when the ticket's revision is gone", func(ctx SpecContext) {
		revision := t.Status.WorkflowRevision
		other := fixtures.Ticket(ns, "vpn-2")
		create(ctx, other)
		other.Status = *t.Status.DeepCopy()
		other.Status.WorkflowRevision = "no-such-revision"
		Expect(k8s.Status().Update(ctx, other)).To(Succeed())
		ask(ctx, other, v1alpha1.TicketAction{ID: "action-1", Type: v1alpha1.ActionComment, Actor: "lilei", Comment: "?"})
		clk.Step(time.Minute)
		reconcile(ctx, other)
		Expect(outcome(other, "action-1").Reason).To(Equal(string(engine.ReasonInternal)))
		Expect(condition(other, v1alpha1.ConditionReady).Reason).To(Equal(v1alpha1.ReasonRevisionMissing))
		other.Status.WorkflowRevision = revision
		Expect(k8s.Status().Update(ctx, other)).To(Succeed())
		reconcile(ctx, other)
		Expect(condition(other, v1alpha1.ConditionReady).Status).To(Equal(metav1.ConditionTrue))
	})

	It("leaves run alone, and goes on when the run has ended", func(ctx SpecContext) {
		toGrant(ctx, t)
		Expect(t.Status.Wanted).NotTo(BeNil())
		t.Status.Run = &v1alpha1.Run{Visit: t.Status.Wanted.Visit, Attempt: 1, Phase: v1alpha1.RunRunning}
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		before := t.ResourceVersion
		reconcile(ctx, t)
		Expect(t.ResourceVersion).To(Equal(before))
		t.Status.Run.Phase, t.Status.Run.Message = v1alpha1.RunSucceeded, "granted"
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		reconcile(ctx, t)
		Expect(t.Status.State).To(BeEquivalentTo("confirm"))
		last := t.Status.History[len(t.Status.History)-1]
		Expect(last.Comment).To(Equal("granted"))
		Expect(last.Action).To(Equal(v1alpha1.HistoryScriptSucceeded))
	})

	It("replaces a record that a write which never came to pass left behind", func(ctx SpecContext) {
		for i := range 7 {
			ask(ctx, t, v1alpha1.TicketAction{ID: fmt.Sprintf("action-%d", i), Type: v1alpha1.ActionComment, Actor: "lilei", Comment: "more"})
			reconcile(ctx, t)
		}
		Expect(t.Status.History).To(HaveLen(8))
		stray := t.Status.History[:2]
		create(ctx, &v1alpha1.TicketRecord{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "vpn-1-1"},
			Spec:       v1alpha1.TicketRecordSpec{TicketName: "vpn-1", TicketID: t.Status.ID, FirstSeq: 1, LastHash: stray[1].Hash, Entries: stray},
		})
		ask(ctx, t, v1alpha1.TicketAction{ID: "action-8", Type: v1alpha1.ActionComment, Actor: "lilei", Comment: "more"})
		reconcile(ctx, t)
		Expect(outcome(t, "action-8").Outcome).To(Equal(v1alpha1.ActionApplied))
		var record v1alpha1.TicketRecord
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: ns, Name: "vpn-1-1"}, &record)).To(Succeed())
		Expect(record.Spec.Entries).To(HaveLen(int(t.Status.History[0].Seq - 1)))
		Expect(engine.VerifyHistory(record.Spec.LastHash, t.Status.History)).To(Succeed())
	})

	It("is recorded before the ticket is deleted, when deletion is what it asks", func(ctx SpecContext) {
		w := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{GenerateName: "admin-"}, Spec: v1alpha1.UserSpec{Administrator: true}}
		create(ctx, w)
		Eventually(func() bool { _, known := tickets.Directory.User(w.Name); return known }).Should(BeTrue())
		ask(ctx, t, v1alpha1.TicketAction{ID: "action-1", Type: v1alpha1.ActionDelete, Actor: v1alpha1.UserName(w.Name)})
		reconcile(ctx, t)
		Expect(t.UID).To(BeEmpty(), "it is gone")
	})
})

// toGrant brings a ticket to where its script runs.
func toGrant(ctx context.Context, t *v1alpha1.Ticket) {
	GinkgoHelper()
	for i, action := range []v1alpha1.TicketAction{
		{Type: v1alpha1.ActionTransition, Actor: "zhangsan", Transition: "approve"},
		{Type: v1alpha1.ActionAccept, Actor: "guiji"},
		{Type: v1alpha1.ActionTransition, Actor: "guiji", Transition: "done"},
	} {
		action.ID = fmt.Sprintf("to-grant-%d", i)
		ask(ctx, t, action)
		reconcile(ctx, t)
		Expect(outcome(t, action.ID).Outcome).To(Equal(v1alpha1.ActionApplied), "%+v", outcome(t, action.ID))
	}
	Expect(t.Status.State).To(BeEquivalentTo("grant"))
}
