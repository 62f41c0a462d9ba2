// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package manager_test

import (
	"fmt"
	"os"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/fixtures"
)

var _ = Describe("a ticket's life", func() {
	It("goes from its opening through approval, claim and script to its end", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		ticket := fixtures.Ticket(ns, "vpn-1")
		create(ctx, ticket, fixtures.Workflow(ns), fixtures.Grant(ns, "print('granted', ticket_id, action_from)")) // in the least handy order
		inState(ctx, ticket, "lead")
		Expect(ticket.Status.ID).To(BeNumerically(">", 0))
		Expect(ticket.Status.SerialNumber).To(MatchRegexp(`^vpn_\d{8}\d{4,}$`))
		Expect(meta.IsStatusConditionTrue(ticket.Status.Conditions, v1alpha1.ConditionOpened)).To(BeTrue())
		Expect(ticket.Status.Participants.Users).To(ConsistOf(v1alpha1.UserName("zhangsan")))

		refused := act(ctx, ticket, v1alpha1.TicketAction{Type: v1alpha1.ActionTransition, Actor: "guiji", Transition: "approve"})
		Expect(refused.Outcome).To(Equal(v1alpha1.ActionRefused))
		Expect(refused.Reason).To(Equal(string(engine.ReasonNotParticipant)))

		Expect(act(ctx, ticket, v1alpha1.TicketAction{Type: v1alpha1.ActionTransition, Actor: "zhangsan", Transition: "approve"})).To(applied())
		Expect(act(ctx, ticket, v1alpha1.TicketAction{Type: v1alpha1.ActionAccept, Actor: "guiji"})).To(applied())
		Expect(act(ctx, ticket, v1alpha1.TicketAction{Type: v1alpha1.ActionTransition, Actor: "guiji", Transition: "done"})).To(applied())
		inState(ctx, ticket, "confirm")
		Expect(ticket.Status.LastRunFailed).To(BeFalse())
		Expect(ticket.Status.Run.Phase).To(Equal(v1alpha1.RunSucceeded))
		Expect(comments(ticket)).To(ContainElement(fmt.Sprintf("granted %d loonrobot\n", ticket.Status.ID)))

		Expect(act(ctx, ticket, v1alpha1.TicketAction{Type: v1alpha1.ActionTransition, Actor: "lilei", Transition: "ok"})).To(applied())
		Expect(ticket.Status.State).To(BeEquivalentTo("end"))
		Expect(ticket.Status.Progress).To(Equal(v1alpha1.ProgressFinished))
		Expect(engine.VerifyHistory("", ticket.Status.History)).To(Succeed())
		Eventually(get(ctx, ticket)).Should(HaveField("Annotations", HaveKey(v1alpha1.AnnotationOpened)))
	})

	It("stays where it is when its script fails, and goes on when that is retried", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		script := fixtures.Grant(ns, "import sys; print('no luck'); sys.exit(2)")
		ticket := fixtures.Ticket(ns, "vpn-1")
		create(ctx, fixtures.Workflow(ns), script, ticket)
		toGrant(ctx, ticket)
		Eventually(get(ctx, ticket)).Should(HaveField("Status.LastRunFailed", BeTrue()))
		Expect(ticket.Status.State).To(BeEquivalentTo("grant"))
		ready := meta.FindStatusCondition(ticket.Status.Conditions, v1alpha1.ConditionReady)
		Expect(ready).To(HaveField("Reason", v1alpha1.ReasonRunFailed))
		Expect(comments(ticket)).To(ContainElement(ContainSubstring("exit status 2: no luck")))
		Eventually(func() ([]eventsv1.Event, error) {
			var told eventsv1.EventList
			return told.Items, k8s.List(ctx, &told, client.InNamespace(ns))
		}).Should(HaveLen(1), "somebody has to look after it")

		script.Spec.Source = `import json, os; json.dump({"fields": {"account": action_from}}, open(os.environ["TICKETFLOW_RESULT_FILE"], "w"))`
		Eventually(func() error {
			fresh := script.DeepCopy()
			if err := k8s.Get(ctx, client.ObjectKeyFromObject(fresh), fresh); err != nil {
				return err
			}
			fresh.Spec = script.Spec
			return k8s.Update(ctx, fresh)
		}).Should(Succeed())
		Expect(act(ctx, ticket, v1alpha1.TicketAction{Type: v1alpha1.ActionRetryScript, Actor: "guiji"})).To(applied())
		inState(ctx, ticket, "confirm")
		Expect(ticket.Status.LastRunFailed).To(BeFalse())
		Expect(ticket.Status.Fields).To(HaveKeyWithValue("account", "guiji_retry"))
	})

	It("has each attempt of a script that is repeated in its history", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		script := fixtures.Grant(ns, "import os, sys; sys.exit('no luck with ' + os.environ['TICKETFLOW_RUN'])")
		script.Spec.Retries = 1
		ticket := fixtures.Ticket(ns, "vpn-1")
		create(ctx, fixtures.Workflow(ns), script, ticket)
		toGrant(ctx, ticket)
		Eventually(get(ctx, ticket)).Should(HaveField("Status.LastRunFailed", BeTrue()))
		Expect(ticket.Status.Wanted.Attempt).To(BeEquivalentTo(2))
		var failures []v1alpha1.HistoryEntry
		for _, entry := range ticket.Status.History {
			if entry.Action == v1alpha1.HistoryScriptFailed {
				failures = append(failures, entry)
			}
		}
		Expect(failures).To(HaveLen(2))
		Expect(failures[0].Comment).NotTo(Equal(failures[1].Comment), "each has a name of its own")
		Expect(failures[1].Time.Sub(failures[0].Time.Time)).To(BeNumerically(">=", time.Second))
	})

	It("ends its script when it is deleted", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		mark := GinkgoT().TempDir() + "/ran"
		ticket := fixtures.Ticket(ns, "vpn-1")
		create(ctx, fixtures.Workflow(ns), fixtures.Grant(ns, fmt.Sprintf("import os, time; open(%q, 'w').write(str(os.getpid())); time.sleep(300)", mark)), ticket)
		toGrant(ctx, ticket)
		var pid []byte
		Eventually(func() ([]byte, error) {
			var err error
			pid, err = os.ReadFile(mark)
			return pid, err
		}).ShouldNot(BeEmpty())
		Expect(k8s.Delete(ctx, ticket)).To(Succeed())
		Eventually("/proc/" + string(pid)).ShouldNot(BeADirectory())
	})

	It("has a failed run that says so where its script is inactive or missing", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		ticket, other := fixtures.Ticket(ns, "vpn-1"), fixtures.Ticket(ns, "vpn-2")
		script := inactive(fixtures.Grant(ns, "print()"))
		create(ctx, fixtures.Workflow(ns), script, ticket)
		toGrant(ctx, ticket)
		Eventually(get(ctx, ticket)).Should(HaveField("Status.LastRunFailed", BeTrue()))
		Expect(ticket.Status.Run.Message).To(Equal("script grant is inactive"))
		Expect(k8s.Delete(ctx, script)).To(Succeed())
		create(ctx, other)
		toGrant(ctx, other)
		Eventually(get(ctx, other)).Should(HaveField("Status.LastRunFailed", BeTrue()))
		Expect(other.Status.Run.Message).To(Equal("script grant does not exist"))
	})

	It("runs a script again that a shutdown cut off", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		mark := GinkgoT().TempDir() + "/ran"
		source := strings.NewReplacer("MARK", mark).Replace(`import os, time
if not os.path.exists("MARK"):
    open("MARK", "w").close()
    time.sleep(300)
print("second time")
`)
		ticket := fixtures.Ticket(ns, "vpn-1")
		create(ctx, fixtures.Workflow(ns), fixtures.Grant(ns, source), ticket)
		toGrant(ctx, ticket)
		Eventually(mark).Should(BeAnExistingFile())
		Eventually(get(ctx, ticket)).Should(HaveField("Status.Run", HaveField("Phase", v1alpha1.RunRunning)), "it is told of after it has begun")
		running.stop()
		Expect(get(ctx, ticket)()).To(HaveField("Status.Run.Phase", v1alpha1.RunRunning))
		running = startManager()
		inState(ctx, ticket, "confirm")
		Expect(comments(ticket)).To(ContainElement("second time\n"))
		Expect(ticket.Status.Run.Attempt).To(BeEquivalentTo(1))
	})

	It("moves older history into records before the status drops it", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		ticket := fixtures.Ticket(ns, "vpn-1")
		create(ctx, fixtures.Workflow(ns), ticket)
		inState(ctx, ticket, "lead")
		const count = 30
		for i := range count {
			Expect(act(ctx, ticket, v1alpha1.TicketAction{Type: v1alpha1.ActionComment, Actor: "lilei", Comment: fmt.Sprintf("comment %d", i)})).To(applied())
		}
		Expect(ticket.Status.HistoryCount).To(BeEquivalentTo(count + 1))
		var records v1alpha1.TicketRecordList
		Expect(k8s.List(ctx, &records, client.InNamespace(ns))).To(Succeed())
		Expect(records.Items).NotTo(BeEmpty())
		all := map[int64]v1alpha1.HistoryEntry{}
		for _, record := range records.Items {
			Expect(engine.VerifyHistory(record.Spec.PreviousHash, record.Spec.Entries)).To(Succeed())
			for _, entry := range record.Spec.Entries {
				Expect(all).NotTo(HaveKey(entry.Seq))
				all[entry.Seq] = entry
			}
		}
		for _, entry := range ticket.Status.History {
			Expect(all).NotTo(HaveKey(entry.Seq))
			all[entry.Seq] = entry
		}
		Expect(all).To(HaveLen(count + 1))
		var whole []v1alpha1.HistoryEntry
		for seq := range int64(count + 1) {
			whole = append(whole, all[seq+1])
		}
		Expect(engine.VerifyHistory("", whole)).To(Succeed())
	})

	It("ends with its deletion when that is asked for", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		ticket := fixtures.Ticket(ns, "vpn-1")
		w := fixtures.Workflow(ns)
		w.Spec.Admins = []v1alpha1.UserName{"guiji"}
		create(ctx, w, ticket)
		inState(ctx, ticket, "lead")
		ticket.Spec.Action = &v1alpha1.TicketAction{ID: "delete-it", Type: v1alpha1.ActionDelete, Actor: "guiji", By: fixtures.ByOps}
		Eventually(func() error {
			fresh := ticket.DeepCopy()
			if err := k8s.Get(ctx, client.ObjectKeyFromObject(fresh), fresh); err != nil {
				return err
			}
			fresh.Spec.Action = ticket.Spec.Action
			return k8s.Update(ctx, fresh)
		}).Should(Succeed())
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(ticket), ticket) }).
			Should(MatchError(ContainSubstring("not found")))
	})
})

func applied() OmegaMatcher { return HaveField("Outcome", v1alpha1.ActionApplied) }

func toGrant(ctx SpecContext, ticket *v1alpha1.Ticket) {
	GinkgoHelper()
	inState(ctx, ticket, "lead")
	Expect(act(ctx, ticket, v1alpha1.TicketAction{Type: v1alpha1.ActionTransition, Actor: "zhangsan", Transition: "approve"})).To(applied())
	Expect(act(ctx, ticket, v1alpha1.TicketAction{Type: v1alpha1.ActionAccept, Actor: "guiji"})).To(applied())
	Expect(act(ctx, ticket, v1alpha1.TicketAction{Type: v1alpha1.ActionTransition, Actor: "guiji", Transition: "done"})).To(applied())
}

func comments(t *v1alpha1.Ticket) []string {
	var all []string
	for _, entry := range t.Status.History {
		all = append(all, entry.Comment)
	}
	return all
}
