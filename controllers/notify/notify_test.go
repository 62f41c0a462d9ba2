// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package notify_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	. "github.com/onsi/gomega/gstruct"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	controllerreconcile "sigs.k8s.io/controller-runtime/pkg/reconcile"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/notify"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/graphs"
	"ticketflow.dev/ticketflow/internal/metrics/metricstest"
	"ticketflow.dev/ticketflow/internal/outbound"
	"ticketflow.dev/ticketflow/internal/wire"
)

var _ = Describe("the notify reconciler", func() {
	var (
		ns         string
		clk        *clocktesting.FakePassiveClock
		told       *events.FakeRecorder
		reconciler *notify.Reconciler
		t          *v1alpha1.Ticket
	)

	start := func() {
		told = events.NewFakeRecorder(10)
		reconciler = &notify.Reconciler{
			Client: k8s, Live: k8s, Graphs: graphs.New(k8s), Clock: clk, Events: told,
			Outbound: outbound.New([]string{"127.0.0.1"}, clk), Writer: wire.Writer{People: colleagues{}, Location: time.UTC},
		}
	}
	notifier := func(ctx context.Context, name string, spec v1alpha1.NotifierSpec) {
		GinkgoHelper()
		Expect(k8s.Create(ctx, &v1alpha1.Notifier{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, Spec: spec})).To(Succeed())
	}
	webhook := func(ctx context.Context, name string) *receiver {
		GinkgoHelper()
		r := newReceiver()
		notifier(ctx, name, v1alpha1.NotifierSpec{Webhook: &v1alpha1.Webhook{URL: r.URL}})
		return r
	}
	entry := func(seq int64, action v1alpha1.HistoryAction) v1alpha1.HistoryEntry {
		return v1alpha1.HistoryEntry{
			Seq: seq, Time: metav1.NewTime(clk.Now()), Action: action, Actor: "lilei", State: "new",
			Comment: fmt.Sprintf("comment %d", seq), Hash: "00",
		}
	}
	save := func(ctx context.Context) {
		GinkgoHelper()
		t.Status.HistoryCount = t.Status.History[len(t.Status.History)-1].Seq
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
	}
	// opened is a ticket of a workflow with these notices, as the ticket
	// reconciler leaves it.
	opened := func(ctx context.Context, notices v1alpha1.Notifications) {
		GinkgoHelper()
		w := &v1alpha1.Workflow{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "tells"},
			Spec: v1alpha1.WorkflowSpec{
				Notifications: &notices,
				Fields:        []v1alpha1.Field{{Name: "days", Type: v1alpha1.FieldInteger}},
				States: []v1alpha1.State{
					{Name: "new", Type: v1alpha1.StateStart, Transitions: []v1alpha1.Transition{{Name: "submit", To: "ops"}}},
					{Name: "ops", Participants: &v1alpha1.Participants{Users: []v1alpha1.UserName{"guiji"}}, Transitions: []v1alpha1.Transition{{Name: "done", To: "end"}}},
					{Name: "end", Type: v1alpha1.StateEnd},
				},
			},
		}
		Expect(k8s.Create(ctx, w)).To(Succeed())
		revision, err := graphs.NewRevision(w, engine.IDs{
			Workflow: 1, States: map[string]v1alpha1.WireID{"new": 1, "ops": 2, "end": 3},
			Transitions: map[string]v1alpha1.WireID{"new/submit": 1, "ops/done": 2}, Fields: map[string]v1alpha1.WireID{"days": 1},
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(k8s.Create(ctx, revision)).To(Succeed())
		t = &v1alpha1.Ticket{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "tells-1"},
			Spec: v1alpha1.TicketSpec{
				WorkflowRef: v1alpha1.WorkflowReference{Name: "tells"}, Creator: "lilei", By: v1alpha1.RequestedBy{Application: "ops"},
				Transition: "submit",
			},
		}
		Expect(k8s.Create(ctx, t)).To(Succeed())
		t.Status = v1alpha1.TicketStatus{
			ID: 17, WorkflowID: 1, WorkflowRevision: revision.Name, State: "ops", StateID: 2, Visit: 2, Title: "vpn please",
			Fields: v1alpha1.JSONObject{"days": int64(5)},
			Participants: v1alpha1.CurrentParticipants{
				Kind: v1alpha1.ParticipantsUsers, Users: []v1alpha1.UserName{"guiji", "stranger"},
			},
		}
		open := entry(1, v1alpha1.HistoryOpen)
		open.Transition = "submit"
		t.Status.History = []v1alpha1.HistoryEntry{open}
		save(ctx)
	}
	counted := func(name, notifier string, labels ...string) float64 {
		all := metricstest.Labels{"namespace": ns, "notifier": notifier}
		if len(labels) > 0 {
			all["outcome"] = labels[0]
		}
		return metricstest.Value("ticketflow_"+name, all)
	}
	reconcile := func(ctx context.Context) time.Duration {
		GinkgoHelper()
		result, err := reconciler.Reconcile(ctx, controllerreconcile.Request{NamespacedName: client.ObjectKeyFromObject(t)})
		Expect(err).NotTo(HaveOccurred())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
		return result.RequeueAfter
	}
	later := func(d time.Duration) { clk.SetTime(clk.Now().Add(d)) }

	BeforeEach(func(ctx SpecContext) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "it-"}}
		Expect(k8s.Create(ctx, namespace)).To(Succeed())
		ns = namespace.Name
		clk = clocktesting.NewFakePassiveClock(time.Now().Truncate(time.Second))
		start()
	})

	It("tells of the ticket with the documented payload, signed, and notes that it did", func(ctx SpecContext) {
		r := newReceiver()
		Expect(k8s.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "wecom", Labels: map[string]string{v1alpha1.LabelUse: string(v1alpha1.UseNotifier)}},
			StringData: map[string]string{"token": "s3cret"},
		})).To(Succeed())
		notifier(ctx, "wecom", v1alpha1.NotifierSpec{Webhook: &v1alpha1.Webhook{URL: r.URL, TokenSecretRef: &v1alpha1.SecretKeyRef{Name: "wecom", Key: "token"}}})
		opened(ctx, v1alpha1.Notifications{Notifiers: []v1alpha1.ObjectName{"wecom"}, Title: "To do: {title} ({days})"})
		Expect(reconcile(ctx)).To(BeZero())
		Expect(r.signed).To(HaveExactElements(HaveLen(32)))
		Expect(r.got).To(HaveExactElements(MatchAllKeys(Keys{
			"title_result": Equal("To do: vpn please (5)"), "content_result": HavePrefix("标题:vpn please, 创建时间:"),
			"participant": Equal("guiji,stranger"), "participant_type_id": BeEquivalentTo(2), "multi_all_person": Equal("{}"),
			"ticket_value_info": MatchKeys(IgnoreExtras, Keys{"id": BeEquivalentTo(17), "days": BeEquivalentTo(5), "creator": Equal("lilei")}),
			"last_flow_log": MatchKeys(IgnoreExtras, Keys{
				"ticket_id": BeEquivalentTo(17), "suggestion": Equal("comment 1"), "participant": Equal("lilei"),
				"transition": HaveKeyWithValue("transition_name", "submit"), "state": HaveKeyWithValue("state_name", "new"),
			}),
			"participant_info_list": HaveExactElements(Equal(map[string]any{"username": "guiji", "alias": "GUIJI", "phone": "", "email": "guiji@example.com"})),
		})))
		Expect(t.Status.Notified).To(Equal([]v1alpha1.NotifiedMark{{Notifier: "wecom", Seq: 1}}))
		Expect(t.Status.Title).To(Equal("vpn please"), "the rest of the status is not touched")
		Expect(reconcile(ctx)).To(BeZero())
		Expect(r.got).To(HaveLen(1))
		Expect(counted("notice_send_duration_seconds", "wecom", "Succeeded")).To(BeEquivalentTo(1))
		Expect(counted("notice_delay_seconds", "wecom")).To(BeEquivalentTo(1))
		Expect(counted("notices_outstanding", "wecom")).To(BeZero())
	})

	It("tells of opening and handling, of the rest as the workflow says, in order, and of what has moved into records", func(ctx SpecContext) {
		some, all := webhook(ctx, "some"), newReceiver()
		opened(ctx, v1alpha1.Notifications{
			Notifiers: []v1alpha1.ObjectName{"some"}, Title: "{title}", Events: []v1alpha1.NoticeEvent{v1alpha1.NoticeDeliver, v1alpha1.NoticeFailure},
		})
		Expect(all.got).To(BeEmpty())
		transition := entry(2, "Transition")
		transition.Transition = "done"
		record := &v1alpha1.TicketRecord{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "tells-1-1", Labels: map[string]string{v1alpha1.LabelTicket: "tells-1"}},
			Spec: v1alpha1.TicketRecordSpec{
				TicketName: "tells-1", TicketID: 17, FirstSeq: 1, LastHash: "00",
				Entries: []v1alpha1.HistoryEntry{t.Status.History[0], transition},
			},
		}
		Expect(k8s.Create(ctx, record)).To(Succeed())
		t.Status.History = []v1alpha1.HistoryEntry{
			entry(3, "Comment"), entry(4, "Accept"), entry(5, "Deliver"), entry(6, "ScriptFailed"), entry(7, "HookSucceeded"), entry(8, "Timer"), entry(9, "Comment"),
		}
		save(ctx)
		reconcile(ctx)
		var seen []any
		for _, body := range some.got {
			seen = append(seen, body["last_flow_log"].(map[string]any)["suggestion"])
		}
		Expect(seen).To(Equal([]any{"comment 1", "comment 2", "comment 5", "comment 6", "comment 8"}))
		Expect(t.Status.Notified).To(Equal([]v1alpha1.NotifiedMark{{Notifier: "some", Seq: 9}}))
	})

	It("waits ever longer for a notifier that is down, whatever becomes of the others, and loses nothing (Q32)", func(ctx SpecContext) {
		down, up := webhook(ctx, "down"), webhook(ctx, "up")
		opened(ctx, v1alpha1.Notifications{Notifiers: []v1alpha1.ObjectName{"down", "missing", "up"}, Title: "{nonsense}"})
		down.answers(http.StatusBadGateway, "")
		Expect(reconcile(ctx)).To(Equal(time.Second))
		Expect(up.titles()).To(Equal([]string{"{nonsense}"}))
		Expect(t.Status.Notified).To(ConsistOf(v1alpha1.NotifiedMark{Notifier: "up", Seq: 1}, v1alpha1.NotifiedMark{Notifier: "missing", Seq: 1}))
		Expect(counted("notice_send_duration_seconds", "down", "Unreachable")).To(BeEquivalentTo(1))
		Expect(counted("notices_outstanding", "down")).To(BeEquivalentTo(1))
		Expect(counted("notices_outstanding", "up")).To(BeZero())
		since := counted("notice_outstanding_oldest_timestamp_seconds", "down")
		Expect(since).To(BeEquivalentTo(clk.Now().Unix()))
		t.Status.History = append(t.Status.History, entry(2, "Timer"))
		save(ctx)
		reconcile(ctx)
		Expect(up.titles()).To(HaveLen(2))
		Expect(counted("notice_outstanding_oldest_timestamp_seconds", "down")).To(Equal(since))
		down.answers(http.StatusOK, `{"code": 0}`)
		reconcile(ctx)
		Expect(down.titles()).To(BeEmpty(), "its time has not come")
		later(time.Second) // so that what was told is written down
		down.answers(http.StatusBadGateway, "")
		reconcile(ctx)
		down.answers(http.StatusOK, `{"code": 0}`)
		start() // a restart forgets that it was down, and nothing else
		later(10 * time.Minute)
		reconcile(ctx)
		Expect(down.titles()).To(HaveLen(2))
		Expect(up.titles()).To(HaveLen(2))
		Expect(told.Events).To(BeEmpty())
		Expect(counted("notices_outstanding", "down")).To(BeZero())
	})

	It("says when a notifier has been down for five minutes, and forgets what nobody is told of any more", func(ctx SpecContext) {
		r := webhook(ctx, "wecom")
		opened(ctx, v1alpha1.Notifications{Notifiers: []v1alpha1.ObjectName{"wecom"}})
		r.answers(http.StatusBadGateway, "")
		reconcile(ctx)
		later(4 * time.Minute)
		reconcile(ctx)
		Expect(told.Events).To(BeEmpty())
		later(time.Minute)
		reconcile(ctx)
		Expect(told.Events).To(Receive(HavePrefix("Warning NoticeStuck Notifier wecom cannot be reached, and is tried again: no success so far: it answers 502")))
		Expect(counted("notices_outstanding", "wecom")).To(BeEquivalentTo(1))
		Expect(k8s.Delete(ctx, t)).To(Succeed())
		_, err := reconciler.Reconcile(ctx, controllerreconcile.Request{NamespacedName: client.ObjectKeyFromObject(t)})
		Expect(err).NotTo(HaveOccurred())
		Expect(counted("notices_outstanding", "wecom")).To(BeZero())
	})

	It("writes how far it came at most once a second, and does not tell again meanwhile", func(ctx SpecContext) {
		r := webhook(ctx, "wecom")
		opened(ctx, v1alpha1.Notifications{Notifiers: []v1alpha1.ObjectName{"wecom"}})
		reconcile(ctx)
		for seq := range int64(3) {
			t.Status.History = append(t.Status.History, entry(seq+2, "Timer"))
			save(ctx)
			Expect(reconcile(ctx)).To(Equal(time.Second))
			Expect(t.Status.Notified).To(Equal([]v1alpha1.NotifiedMark{{Notifier: "wecom", Seq: 1}}))
		}
		later(time.Second)
		Expect(reconcile(ctx)).To(BeZero())
		Expect(t.Status.Notified).To(Equal([]v1alpha1.NotifiedMark{{Notifier: "wecom", Seq: 4}}))
		Expect(r.titles()).To(HaveLen(4))
	})

	It("uses no Secret that is for another use, and says which one it needs", func(ctx SpecContext) {
		r := newReceiver()
		Expect(k8s.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "vpn", Labels: map[string]string{v1alpha1.LabelUse: string(v1alpha1.UseScript)}},
			StringData: map[string]string{"token": "s3cret"},
		})).To(Succeed())
		notifier(ctx, "wecom", v1alpha1.NotifierSpec{Webhook: &v1alpha1.Webhook{URL: r.URL, TokenSecretRef: &v1alpha1.SecretKeyRef{Name: "vpn", Key: "token"}}})
		opened(ctx, v1alpha1.Notifications{Notifiers: []v1alpha1.ObjectName{"wecom"}})
		Expect(reconcile(ctx)).To(Equal(time.Second))
		Expect(r.titles()).To(BeEmpty())
		Expect(told.Events).To(Receive(Equal("Warning NoticeRefused Notifier wecom does not take what it is told, and is offered it again: Secret vpn has the label ticketflow.dev/use=script; what is needed here is ticketflow.dev/use=notifier")))
	})

	It("offers what is refused again for a day, says so, and goes on with the rest then", func(ctx SpecContext) {
		r := webhook(ctx, "wecom")
		opened(ctx, v1alpha1.Notifications{Notifiers: []v1alpha1.ObjectName{"wecom"}})
		r.answers(http.StatusNotFound, "")
		Expect(reconcile(ctx)).To(Equal(time.Second))
		later(time.Minute)
		Expect(reconcile(ctx)).To(Equal(time.Minute))
		Expect(t.Status.Notified).To(BeEmpty())
		Expect(told.Events).To(Receive(Equal("Warning NoticeRefused Notifier wecom does not take what it is told, and is offered it again: it answers 404 Not Found")))
		Expect(told.Events).To(Receive())
		later(24 * time.Hour)
		Expect(reconcile(ctx)).To(BeZero())
		Expect(told.Events).To(Receive(ContainSubstring("was not told, since it did not take it for a day")))
		Expect(counted("notice_send_duration_seconds", "wecom", "Refused")).To(BeEquivalentTo(3))
		Expect(counted("notices_dropped_total", "wecom")).To(BeEquivalentTo(1))
		Expect(t.Status.Notified).To(Equal([]v1alpha1.NotifiedMark{{Notifier: "wecom", Seq: 1}}))
	})

	It("sends mail to those whom the ticket waits for, and to its creator at its end", func(ctx SpecContext) {
		server := newMailServer()
		notifier(ctx, "mail", v1alpha1.NotifierSpec{Email: &v1alpha1.Email{
			Server: server.Addr().String(), From: "Ticketflow <tickets@example.com>", To: []string{"archive@example.com"}, TLS: v1alpha1.TLSModeNone,
		}})
		opened(ctx, v1alpha1.Notifications{Notifiers: []v1alpha1.ObjectName{"mail"}, Title: "To do: {title}", Body: "Please look at {title}."})
		Expect(reconcile(ctx)).To(BeZero())
		Expect(server.all()).To(HaveExactElements(And(
			ContainSubstring("<guiji@example.com>"), ContainSubstring("<archive@example.com>"), ContainSubstring("Subject: To do: vpn please"),
			ContainSubstring("Please look at vpn please."), ContainSubstring(fmt.Sprintf("Message-ID: <%s.1@ticketflow>", t.UID)),
			Not(ContainSubstring("lilei")),
		)))
		t.Status.State, t.Status.Progress, t.Status.Participants = "end", v1alpha1.ProgressFinished, v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsUsers}
		t.Status.History = append(t.Status.History, entry(2, "Transition"))
		save(ctx)
		reconcile(ctx)
		Expect(server.all()).To(HaveExactElements(Not(BeEmpty()), ContainSubstring("<lilei@example.com>")))
	})

	It("tells a mail server that is down from one that takes no mail for somebody", func(ctx SpecContext) {
		server := newMailServer()
		notifier(ctx, "mail", v1alpha1.NotifierSpec{Email: &v1alpha1.Email{Server: server.Addr().String(), From: "tickets@example.com", TLS: v1alpha1.TLSModeNone}})
		opened(ctx, v1alpha1.Notifications{Notifiers: []v1alpha1.ObjectName{"mail"}})
		server.mu.Lock()
		server.deny = true
		server.mu.Unlock()
		reconcile(ctx)
		Expect(told.Events).To(Receive(ContainSubstring("no such mailbox")))
		Expect(server.Close()).To(Succeed())
		later(time.Minute)
		Expect(reconcile(ctx)).To(Equal(time.Second))
		Expect(told.Events).To(BeEmpty())
		Expect(t.Status.Notified).To(BeEmpty())
	})

	It("does not take a mail server's word in plain text where TLS is wanted, nor ask one that is not allowed", func(ctx SpecContext) {
		server := newMailServer()
		notifier(ctx, "mail", v1alpha1.NotifierSpec{Email: &v1alpha1.Email{Server: server.Addr().String(), From: "tickets@example.com"}})
		notifier(ctx, "elsewhere", v1alpha1.NotifierSpec{Email: &v1alpha1.Email{Server: "mail.elsewhere.example:25", From: "tickets@example.com"}})
		opened(ctx, v1alpha1.Notifications{Notifiers: []v1alpha1.ObjectName{"mail", "elsewhere"}})
		reconcile(ctx)
		Expect(server.all()).To(BeEmpty())
		Expect(told.Events).To(Receive(ContainSubstring(`the host "mail.elsewhere.example" is not on the manager's --allow-hosts`)))
		Expect(told.Events).To(BeEmpty())
	})
})
