// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ticket_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/ticket"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/graphs"
)

var _ = Describe("a timer", func() {
	var ns string
	var t *v1alpha1.Ticket

	// lead is left after an hour; back leads to lead again, whose timer and
	// that of ops then count anew.
	BeforeEach(func(ctx SpecContext) {
		ns = newNamespace(ctx)
		w := fixtures.Workflow(ns)
		after := func(name, to v1alpha1.Name) v1alpha1.Transition {
			return v1alpha1.Transition{Name: name, To: to, After: &metav1.Duration{Duration: time.Hour}}
		}
		w.Spec.States[1].Transitions = append(w.Spec.States[1].Transitions, after("late", "ops"))
		w.Spec.States[2].Transitions = append(w.Spec.States[2].Transitions, after("later", "lead"))
		judge(ctx, w)
		t = fixtures.Ticket(ns, "vpn-1")
		create(ctx, t)
		reconcile(ctx, t)
		reconcile(ctx, t) // is stamped
		Expect(t.Status.Timers).To(HaveExactElements(HaveField("At.Time", BeTemporally("~", clk.Now().Add(time.Hour), 2*time.Second))))
	})

	fired := func() v1alpha1.HistoryEntry {
		GinkgoHelper()
		last := t.Status.History[len(t.Status.History)-1]
		Expect(last.Action).To(Equal(v1alpha1.HistoryTimer))
		Expect(last.Actor).To(BeEquivalentTo(v1alpha1.RobotUser))
		return last
	}

	It("is waited for, looked at now and then in case the clock is set, and fires when it is due", func(ctx SpecContext) {
		Expect(reconcile(ctx, t)).To(Equal(10 * time.Minute))
		clk.Step(55 * time.Minute)
		Expect(reconcile(ctx, t)).To(BeNumerically("~", 5*time.Minute, 2*time.Second))
		Expect(t.Status.State).To(BeEquivalentTo("lead"))
		clk.Step(5 * time.Minute)
		reconcile(ctx, t)
		Expect(t.Status.State).To(BeEquivalentTo("ops"))
		Expect(fired().Transition).To(BeEquivalentTo("late"))
	})

	It("fires once, however often and on whatever copies the ticket is looked at", func(ctx SpecContext) {
		clk.Step(time.Hour + time.Second)
		stale := t.DeepCopy()
		reconcile(ctx, t)
		for range 3 {
			result, err := tickets.Reconcile(ctx, stale.DeepCopy())
			Expect(err).NotTo(HaveOccurred())
			Expect(result.RequeueAfter).NotTo(BeZero())
			reconcile(ctx, t)
		}
		Expect(t.Status.HistoryCount).To(BeEquivalentTo(2))
		Expect(fired().Seq).To(BeEquivalentTo(2))
	})

	It("that fell due while nobody was there fires at the next start, once", func(ctx SpecContext) {
		clk.Step(24 * time.Hour)
		for range 2 { // the second start finds it done
			compiled := graphs.New(cached)
			started := &ticket.Reconciler{
				Client: cached, Live: k8s, Graphs: compiled, Directory: tickets.Directory, Counter: tickets.Counter, Clock: clk, Location: time.UTC,
			}
			_, err := started.Reconcile(ctx, t.DeepCopy())
			Expect(err).NotTo(HaveOccurred())
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
			Expect(t.Status.State).To(BeEquivalentTo("ops"))
			Expect(t.Status.HistoryCount).To(BeEquivalentTo(2))
		}
	})

	It("is void once the state is left, and counts anew on coming back", func(ctx SpecContext) {
		ask(ctx, t, v1alpha1.TicketAction{ID: "action-1", Type: v1alpha1.ActionTransition, Actor: "zhangsan", Transition: "approve"})
		clk.Step(50 * time.Minute)
		reconcile(ctx, t)
		Expect(t.Status.Timers).To(HaveExactElements(HaveField("Transition", BeEquivalentTo("later"))))
		clk.Step(59 * time.Minute) // late would have fired long ago
		reconcile(ctx, t)
		Expect(t.Status.State).To(BeEquivalentTo("ops"))
		Expect(t.Status.HistoryCount).To(BeEquivalentTo(2))
		clk.Step(time.Minute)
		reconcile(ctx, t)
		Expect(t.Status.State).To(BeEquivalentTo("lead"))
		clk.Step(59 * time.Minute)
		reconcile(ctx, t)
		Expect(t.Status.State).To(BeEquivalentTo("lead"))
		Expect(t.Status.Timers).To(HaveExactElements(HaveField("Transition", BeEquivalentTo("late"))))
	})

	It("fires with a clock that jumps far ahead, and takes no others with it", func(ctx SpecContext) {
		clk.Step(30 * 24 * time.Hour)
		reconcile(ctx, t)
		Expect(t.Status.State).To(BeEquivalentTo("ops"))
		Expect(reconcile(ctx, t)).To(Equal(10 * time.Minute))
		Expect(t.Status.HistoryCount).To(BeEquivalentTo(2), "the next one counts from now")
		Expect(t.Status.Timers).To(HaveExactElements(HaveField("At.Time", BeTemporally("~", clk.Now().Add(time.Hour), 2*time.Second))))
	})

	It("waits with a clock that is set back, fires when its time comes again, and not a second time", func(ctx SpecContext) {
		clk.Step(30 * time.Minute)
		clk.SetTime(clk.Now().Add(-5 * time.Hour))
		DeferCleanup(func() { clk.Step(6 * time.Hour) })
		before := t.ResourceVersion
		Expect(reconcile(ctx, t)).To(Equal(10 * time.Minute))
		Expect(t.ResourceVersion).To(Equal(before), "nothing is written")
		clk.Step(5*time.Hour + 31*time.Minute)
		reconcile(ctx, t)
		Expect(t.Status.State).To(BeEquivalentTo("ops"))
		clk.SetTime(clk.Now().Add(-5 * time.Hour)) // set back again, after it fired
		clk.Step(4*time.Hour + 59*time.Minute)
		reconcile(ctx, t)
		Expect(t.Status.State).To(BeEquivalentTo("ops"))
		Expect(t.Status.HistoryCount).To(BeEquivalentTo(2))
	})

	It("is not voided by a comment, a changed field or another person", func(ctx SpecContext) {
		clk.Step(30 * time.Minute)
		for i, action := range []v1alpha1.TicketAction{
			{Type: v1alpha1.ActionComment, Actor: "lilei", Comment: "soon?"},
			{Type: v1alpha1.ActionSetFields, Actor: "lilei", Fields: v1alpha1.JSONObject{"days": int64(3)}},
			{Type: v1alpha1.ActionDeliver, Actor: "zhangsan", Target: "guiji"},
		} {
			action.ID = []string{"action-1", "action-2", "action-3"}[i]
			ask(ctx, t, action)
			reconcile(ctx, t)
			Expect(outcome(t, action.ID).Outcome).To(Equal(v1alpha1.ActionApplied))
		}
		clk.Step(30 * time.Minute)
		reconcile(ctx, t)
		Expect(t.Status.State).To(BeEquivalentTo("ops"))
		fired()
	})
})
