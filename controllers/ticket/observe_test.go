// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ticket_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/metrics"
	"ticketflow.dev/ticketflow/internal/metrics/metricstest"
)

// counted is how many were counted of the workflow of a namespace's tickets.
func counted(ns, name string, labels ...string) float64 {
	return metricstest.Value(name, labelled(ns, labels...))
}

func labelled(ns string, labels ...string) metricstest.Labels {
	all := metricstest.Labels{"namespace": ns}
	for i := 0; i+1 < len(labels); i += 2 {
		all[labels[i]] = labels[i+1]
	}
	return all
}

// emptied leaves a role without members, and says how to repair that.
func emptied(ctx context.Context, role string) (repair func()) {
	GinkgoHelper()
	r := &v1alpha1.UserRole{}
	Expect(k8s.Get(ctx, client.ObjectKey{Name: role}, r)).To(Succeed())
	members := r.Spec.Members
	set := func(to []v1alpha1.UserName) {
		GinkgoHelper()
		Expect(k8s.Get(ctx, client.ObjectKey{Name: role}, r)).To(Succeed())
		r.Spec.Members = to
		Expect(k8s.Update(ctx, r)).To(Succeed())
		Eventually(func() []string { names, _ := tickets.Directory.RoleMembers(role); return names }).Should(HaveLen(len(to)))
	}
	set(nil)
	return func() { set(members) }
}

var _ = Describe("what is counted and told", func() {
	var ns string
	var w *v1alpha1.Workflow

	late := func() {
		w.Spec.States[1].Transitions = append(w.Spec.States[1].Transitions, v1alpha1.Transition{
			Name: "late", To: "ops", After: &metav1.Duration{Duration: time.Hour},
		})
	}
	opened := func(ctx context.Context) *v1alpha1.Ticket {
		GinkgoHelper()
		judge(ctx, w)
		t := fixtures.Ticket(ns, "vpn-1")
		create(ctx, t)
		reconcile(ctx, t)
		reconcile(ctx, t) // is stamped
		Expect(t.Status.State).To(BeEquivalentTo("lead"))
		return t
	}

	BeforeEach(func(ctx SpecContext) {
		ns = newNamespace(ctx)
		w = fixtures.Workflow(ns)
	})

	It("are openings, and why there was none", func(ctx SpecContext) {
		opened(ctx)
		bad := fixtures.Ticket(ns, "vpn-2")
		bad.Spec.Fields = nil
		create(ctx, bad)
		reconcile(ctx, bad)
		reconcile(ctx, bad)
		stray := fixtures.Ticket(ns, "vpn-3")
		stray.Spec.WorkflowRef.Name = "made-up"
		create(ctx, stray)
		clk.Step(10 * time.Second)
		reconcile(ctx, stray)
		const name = "ticketflow_tickets_opened_total"
		Expect(counted(ns, name, "workflow", "vpn", "outcome", "Accepted", "reason", "")).To(BeEquivalentTo(1))
		Expect(counted(ns, name, "workflow", "vpn", "outcome", "Refused", "reason", "MissingFields")).To(BeEquivalentTo(1))
		Expect(counted(ns, name, "workflow", "", "outcome", "Refused", "reason", "UnknownWorkflow")).To(BeEquivalentTo(1), "made-up names are no labels")
		Expect(counted(ns, name)).To(BeEquivalentTo(3))
		Expect(told.Events).To(BeEmpty())
	})

	It("are actions, moves and how long a ticket was where it was", func(ctx SpecContext) {
		t := opened(ctx)
		applied := metricstest.Value("ticketflow_actions_total", metricstest.Labels{"type": "Transition", "outcome": "Applied", "reason": ""})
		refused := metricstest.Value("ticketflow_actions_total", metricstest.Labels{"type": "Transition", "outcome": "Refused", "reason": "NotParticipant"})
		clk.Step(time.Minute)
		for i, actor := range []v1alpha1.UserName{"guiji", "zhangsan"} {
			ask(ctx, t, v1alpha1.TicketAction{ID: []string{"action-1", "action-2"}[i], Type: v1alpha1.ActionTransition, Actor: actor, Transition: "approve"})
			stale := t.DeepCopy()
			reconcile(ctx, t)
			_, err := tickets.Reconcile(ctx, stale) // what is not written does not count
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(metricstest.Value("ticketflow_actions_total", metricstest.Labels{"type": "Transition", "outcome": "Applied", "reason": ""})).To(Equal(applied + 1))
		Expect(metricstest.Value("ticketflow_actions_total", metricstest.Labels{"type": "Transition", "outcome": "Refused", "reason": "NotParticipant"})).To(Equal(refused + 1))
		Expect(counted(ns, "ticketflow_transitions_total", "from", "", "to", "lead", "transition", "submit", "action", "Open")).To(BeEquivalentTo(1))
		Expect(counted(ns, "ticketflow_transitions_total", "workflow", "vpn", "from", "lead", "to", "ops", "transition", "approve", "action", "Transition")).To(BeEquivalentTo(1))
		Expect(counted(ns, "ticketflow_transitions_total")).To(BeEquivalentTo(2))
		Expect(counted(ns, "ticketflow_state_duration_seconds", "workflow", "vpn")).To(BeEquivalentTo(1))
		Expect(metricstest.Sum("ticketflow_state_duration_seconds", labelled(ns, "state", "lead"))).To(BeNumerically("~", 60, 2))
		Expect(told.Events).To(BeEmpty(), "a person's mistake is the person's")
	})

	It("are states that a ticket passes through", func(ctx SpecContext) {
		w.Spec.States[1].Participants = &v1alpha1.Participants{UserRoles: []v1alpha1.ObjectName{"nobody"}}
		w.Spec.States[1].OnEmpty = v1alpha1.OnEmptySkip
		judge(ctx, w)
		t := fixtures.Ticket(ns, "vpn-1")
		create(ctx, t)
		reconcile(ctx, t)
		Expect(t.Status.State).To(BeEquivalentTo("ops"))
		Expect(counted(ns, "ticketflow_transitions_total", "from", "", "to", "lead", "action", "Open")).To(BeEquivalentTo(1))
		Expect(counted(ns, "ticketflow_transitions_total", "from", "lead", "to", "ops", "transition", "approve", "action", "Skipped")).To(BeEquivalentTo(1))
	})

	It("are runs that have ended; one that failed is told of once, and makes the ticket not ready", func(ctx SpecContext) {
		t := opened(ctx)
		toGrant(ctx, t)
		ended := func(attempt int32, phase v1alpha1.RunPhase) {
			GinkgoHelper()
			started, finished := metav1.NewTime(clk.Now().Add(-3*time.Second)), metav1.NewTime(clk.Now())
			t.Status.Run = &v1alpha1.Run{
				Visit: t.Status.Wanted.Visit, Attempt: attempt, Phase: phase, StartedAt: &started, FinishedAt: &finished, Message: "s3cret",
			}
			Expect(k8s.Status().Update(ctx, t)).To(Succeed())
			reconcile(ctx, t)
			reconcile(ctx, t)
		}
		ended(1, v1alpha1.RunFailed)
		Expect(condition(t, v1alpha1.ConditionReady)).To(And(
			HaveField("Status", metav1.ConditionFalse), HaveField("Reason", v1alpha1.ReasonRunFailed), HaveField("ObservedGeneration", t.Generation),
		))
		const note = "Warning RunFailed the script grant failed in state grant, see the history; retry it, or move the ticket on by hand"
		Expect(told.Events).To(Receive(Equal(note)))
		Expect(told.Events).To(BeEmpty())
		ask(ctx, t, v1alpha1.TicketAction{ID: "retry-it-1", Type: v1alpha1.ActionRetryScript, Actor: "guiji"})
		reconcile(ctx, t)
		Expect(condition(t, v1alpha1.ConditionReady).Status).To(Equal(metav1.ConditionTrue))
		ended(2, v1alpha1.RunFailed)
		Expect(told.Events).To(Receive(Equal(note)), "it has failed again")
		ask(ctx, t, v1alpha1.TicketAction{ID: "retry-it-2", Type: v1alpha1.ActionRetryScript, Actor: "guiji"})
		reconcile(ctx, t)
		ended(3, v1alpha1.RunSucceeded)
		Expect(t.Status.State).To(BeEquivalentTo("confirm"))
		const name = "ticketflow_run_duration_seconds"
		Expect(counted(ns, name, "kind", "Script", "workflow", "vpn", "state", "grant", "outcome", "Failed")).To(BeEquivalentTo(2))
		Expect(counted(ns, name, "outcome", "Succeeded")).To(BeEquivalentTo(1))
		Expect(metricstest.Sum(name, labelled(ns, "outcome", "Succeeded"))).To(BeNumerically("~", 3, 1))
		Expect(told.Events).To(BeEmpty())
	})

	It("is no run that failed and is repeated by itself", func(ctx SpecContext) {
		script := fixtures.Grant(ns, "print()")
		script.Spec.Retries = 1
		create(ctx, script)
		t := opened(ctx)
		Eventually(func() bool { _, known := tickets.Directory.Script(ns, "grant"); return known }).Should(BeTrue())
		toGrant(ctx, t)
		for attempt := range int32(2) {
			Expect(told.Events).To(BeEmpty())
			Expect(condition(t, v1alpha1.ConditionReady).Status).To(Equal(metav1.ConditionTrue))
			t.Status.Run = &v1alpha1.Run{Visit: t.Status.Wanted.Visit, Attempt: attempt + 1, Phase: v1alpha1.RunFailed}
			Expect(k8s.Status().Update(ctx, t)).To(Succeed())
			reconcile(ctx, t)
		}
		Expect(told.Events).To(Receive(HavePrefix("Warning RunFailed ")))
		Expect(condition(t, v1alpha1.ConditionReady).Status).To(Equal(metav1.ConditionFalse))
	})

	It("is a hook that failed, too", func(ctx SpecContext) {
		w.Spec.States[3].Participants = &v1alpha1.Participants{Hook: &v1alpha1.Hook{URL: "https://hooks.example/grant"}}
		t := opened(ctx)
		toGrant(ctx, t)
		now := metav1.NewTime(clk.Now())
		t.Status.Run = &v1alpha1.Run{Visit: t.Status.Wanted.Visit, Attempt: 1, Phase: v1alpha1.RunFailed, StartedAt: &now, FinishedAt: &now}
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		reconcile(ctx, t)
		Expect(condition(t, v1alpha1.ConditionReady).Reason).To(Equal(v1alpha1.ReasonRunFailed))
		Expect(told.Events).To(Receive(ContainSubstring("the hook failed in state grant")))
		Expect(counted(ns, "ticketflow_run_duration_seconds", "kind", "Hook", "outcome", "Failed")).To(BeEquivalentTo(1))
	})

	It("are timers, how late they were, and those after which a ticket could not go on", func(ctx SpecContext) {
		late()
		t := opened(ctx)
		clk.Step(time.Hour + 20*time.Second)
		repair := emptied(ctx, "ops")
		defer repair()
		reconcile(ctx, t)
		Expect(t.Status.State).To(BeEquivalentTo("lead"))
		Expect(t.Status.Timers).To(BeEmpty())
		Expect(told.Events).To(Receive(And(HavePrefix("Warning TimerRefused the timer late did not move the ticket on"), ContainSubstring("nobody would act in state"))))
		Expect(counted(ns, "ticketflow_timer_delay_seconds", "workflow", "vpn", "outcome", "Refused")).To(BeEquivalentTo(1))
		Expect(metricstest.Sum("ticketflow_timer_delay_seconds", labelled(ns))).To(BeNumerically("~", 20, 2))

		repair()
		other := fixtures.Ticket(ns, "vpn-2")
		create(ctx, other)
		reconcile(ctx, other)
		clk.Step(time.Hour)
		reconcile(ctx, other)
		Expect(counted(ns, "ticketflow_timer_delay_seconds", "outcome", "Moved")).To(BeEquivalentTo(1))
		Expect(counted(ns, "ticketflow_transitions_total", "transition", "late", "action", "Timer")).To(BeEquivalentTo(1))
		Expect(told.Events).To(BeEmpty())
	})

	It("is what the workflow or the directory lacks when somebody acts", func(ctx SpecContext) {
		t := opened(ctx)
		defer emptied(ctx, "ops")()
		ask(ctx, t, v1alpha1.TicketAction{ID: "action-1", Type: v1alpha1.ActionTransition, Actor: "zhangsan", Transition: "approve"})
		reconcile(ctx, t)
		reconcile(ctx, t)
		Expect(told.Events).To(Receive(HavePrefix(`Warning NoParticipants nobody would act in state "ops"`)))
		Expect(told.Events).To(BeEmpty())
	})

	It("is a revision that is missing, once", func(ctx SpecContext) {
		t := opened(ctx)
		t.Status.WorkflowRevision = "no-such-revision"
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		for range 3 {
			clk.Step(time.Minute)
			reconcile(ctx, t)
		}
		Expect(told.Events).To(Receive(HavePrefix("Warning RevisionMissing the revision no-such-revision")))
		Expect(told.Events).To(BeEmpty())
	})

	It("is everything that stands in the cache, by where it stands", func(ctx SpecContext) {
		late()
		t := opened(ctx)
		background, cancel := context.WithCancel(context.Background())
		defer cancel()
		census := metrics.NewCensus(store, clk)
		registry := prometheus.NewRegistry()
		Expect(registry.Register(census)).To(Succeed())
		go func() { _ = census.Start(background) }()
		value := func(name string, labels ...string) func() float64 {
			return func() float64 { return metricstest.ValueIn(registry, name, labelled(ns, labels...)) }
		}
		Eventually(value("ticketflow_tickets", "workflow", "vpn", "state", "lead", "progress", "InProgress")).Should(BeEquivalentTo(1))
		Eventually(value("ticketflow_timers", "workflow", "vpn")).Should(BeEquivalentTo(1))
		Expect(value("ticketflow_timers_overdue")()).To(BeZero())
		Expect(value("ticketflow_actions_pending")()).To(BeZero())

		clk.Step(2 * time.Hour)
		Expect(value("ticketflow_timers_overdue", "workflow", "vpn")()).To(BeEquivalentTo(1))
		ask(ctx, t, v1alpha1.TicketAction{ID: "action-1", Type: v1alpha1.ActionTransition, Actor: "zhangsan", Transition: "approve"})
		Eventually(value("ticketflow_actions_pending", "workflow", "vpn")).Should(BeEquivalentTo(1))
		since := value("ticketflow_action_pending_oldest_timestamp_seconds", "workflow", "vpn")
		Expect(since()).To(BeNumerically("~", clk.Now().Unix(), 1))
		clk.Step(time.Minute)
		Expect(since()).To(BeNumerically("~", clk.Now().Add(-time.Minute).Unix(), 1))
		reconcile(ctx, t)
		Eventually(value("ticketflow_actions_pending")).Should(BeZero())
		Expect(value("ticketflow_timers")()).To(BeZero())
		Expect(value("ticketflow_tickets", "state", "lead")()).To(BeZero())

		for i, action := range []v1alpha1.ActionType{v1alpha1.ActionAccept, v1alpha1.ActionTransition} {
			a := v1alpha1.TicketAction{ID: []string{"action-2", "action-3"}[i], Type: action, Actor: "guiji"}
			if action == v1alpha1.ActionTransition {
				a.Transition = "done"
			}
			ask(ctx, t, a)
			reconcile(ctx, t)
		}
		Eventually(value("ticketflow_runs", "kind", "Script", "workflow", "vpn")).Should(BeEquivalentTo(1))
		t.Status.Run = &v1alpha1.Run{Visit: t.Status.Wanted.Visit, Attempt: 1, Phase: v1alpha1.RunFailed}
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		reconcile(ctx, t)
		Eventually(value("ticketflow_tickets_not_ready", "workflow", "vpn", "reason", "RunFailed")).Should(BeEquivalentTo(1))
		Expect(value("ticketflow_runs")()).To(BeZero())

		fresh := fixtures.Ticket(ns, "vpn-2")
		create(ctx, fresh)
		Eventually(value("ticketflow_actions_pending", "workflow", "")).Should(BeEquivalentTo(1), "its opening is pending")
		fresh.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionOpened, Status: metav1.ConditionFalse, Reason: "UnknownUser", LastTransitionTime: metav1.Now(),
		}}
		Expect(k8s.Status().Update(ctx, fresh)).To(Succeed())
		Eventually(value("ticketflow_actions_pending")).Should(BeZero(), "it was refused")
		Expect(value("ticketflow_tickets")()).To(BeEquivalentTo(1))
		Expect(k8s.Delete(ctx, t)).To(Succeed())
		Eventually(value("ticketflow_tickets")).Should(BeZero())
	})
})
