// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backup_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/history"
	"ticketflow.dev/ticketflow/internal/testenv"
)

// sayings are what people were told.
type sayings struct {
	mu  sync.Mutex
	all []string
}

func (s *sayings) report(format string, arguments ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, fmt.Sprintf(format, arguments...))
}

// paths are what is read before and after, by whom.
func paths(tickets ...int) map[string]string {
	all := map[string]string{
		"workflows": "lilei", "workflows/1/init_state": "lilei", "workflows/1/states": "lilei",
		"tickets?category=all": "admin", "tickets?category=owner": "lilei", "tickets?category=duty": "guiji", "tickets?category=relation": "zhangsan",
		"accounts/users": "admin", "accounts/roles": "admin", "accounts/depts": "admin",
	}
	for _, id := range tickets {
		for _, path := range []string{"", "/flowlogs", "/flowsteps", "/participant_info", "/transitions"} {
			all[fmt.Sprintf("tickets/%d%s", id, path)] = "lilei"
		}
	}
	return all
}

func readAll(s *site, paths map[string]string) map[string]any {
	GinkgoHelper()
	answers := map[string]any{}
	for path, user := range paths {
		answers[path] = s.done(user, http.MethodGet, path, "")
	}
	return answers
}

// ticketOf finds a ticket by its id.
func (k *cluster) ticketOf(ctx context.Context, id int) *v1alpha1.Ticket {
	GinkgoHelper()
	var all v1alpha1.TicketList
	Expect(k.List(ctx, &all)).To(Succeed())
	for i := range all.Items {
		if int(all.Items[i].Status.ID) == id {
			return &all.Items[i]
		}
	}
	Fail(fmt.Sprintf("there is no ticket %d", id))
	return nil
}

// wholeHistory is a ticket's history with what its records have.
func (k *cluster) wholeHistory(ctx context.Context, t *v1alpha1.Ticket) []v1alpha1.HistoryEntry {
	GinkgoHelper()
	entries, err := history.Recorded(ctx, k, t, history.ByLabel(t))
	Expect(err).NotTo(HaveOccurred())
	return append(entries, t.Status.History...)
}

// story is a cluster in which things have happened, as far as it goes: tickets
// under way, ended, with sub-tickets and with long histories, on revisions that
// are not the workflow's present one, which does not even compile.
type story struct {
	*cluster
	tickets []int
	read    map[string]any
}

func tell(ctx context.Context) *story {
	GinkgoHelper()
	s := &story{cluster: newCluster(ctx)}
	s.loadFiles(ctx, testenv.Path("config", "samples", "people.yaml"), testenv.Path("config", "samples", "application.yaml"),
		testenv.Path("config", "samples", "vpn-access.yaml"))
	stop := s.startManager()
	site := s.serve()
	Eventually(func() any { return site.ask("lilei", http.MethodGet, "workflows/1/init_state", "")["code"] }).Should(BeEquivalentTo(0))
	const request = `{"workflow_id": 1, "transition_id": 1, "title": "vpn申请", "days": 5}`
	Eventually(func() any { return site.ask("lilei", http.MethodPost, "tickets", request)["code"] }).Should(BeEquivalentTo(0))
	s.tickets = append(s.tickets, 1)
	for n := range 30 {
		site.done("lilei", http.MethodPost, "tickets/1/comments", fmt.Sprintf(`{"suggestion": "comment %d"}`, n))
	}
	second := site.open("lilei", request)
	site.done("zhangsan", http.MethodPatch, fmt.Sprintf("tickets/%d", second), `{"transition_id": 3, "suggestion": "fine"}`)
	child := site.open("lilei", fmt.Sprintf(`{"workflow_id": 1, "transition_id": 1, "title": "part", "days": 1, "parent_ticket_id": %d, "parent_ticket_state_id": %d}`,
		second, s.ticketOf(ctx, second).Status.StateID))
	s.tickets = append(s.tickets, second, child)

	s.editWorkflow(ctx, func(spec *v1alpha1.WorkflowSpec) { spec.Description = "as it is now" })
	s.tickets = append(s.tickets, site.open("lilei", request))
	site.done("admin", http.MethodPost, fmt.Sprintf("tickets/%d/close", s.tickets[3]), `{"suggestion": "no"}`)
	s.editWorkflow(ctx, func(spec *v1alpha1.WorkflowSpec) { spec.States[1].Transitions[0].To = "nowhere" })
	stop()
	s.read = readAll(site, paths(s.tickets...))
	return s
}

func (k *cluster) workflow(ctx context.Context) *v1alpha1.Workflow {
	GinkgoHelper()
	w := &v1alpha1.Workflow{}
	Expect(k.Get(ctx, client.ObjectKey{Namespace: "it", Name: "vpn-access"}, w)).To(Succeed())
	return w
}

// editWorkflow changes the workflow and waits until that was judged.
func (k *cluster) editWorkflow(ctx context.Context, change func(*v1alpha1.WorkflowSpec)) {
	GinkgoHelper()
	w := k.workflow(ctx)
	before := w.DeepCopy()
	change(&w.Spec)
	Expect(k.Patch(ctx, w, client.MergeFrom(before))).To(Succeed())
	Eventually(func(g Gomega) {
		w := k.workflow(ctx)
		g.Expect(w.Status.ObservedGeneration).To(Equal(w.Generation))
	}).Should(Succeed())
}

// outcomeOf is what became of an action.
func outcomeOf(t *v1alpha1.Ticket, id string) v1alpha1.ActionOutcome {
	found, _ := engine.Outcome(&t.Status, id)
	return found.Outcome
}

var _ = Describe("Everything", Ordered, func() {
	var (
		source *story
		export []byte
		target *cluster
		served *site
		stop   func()
	)

	BeforeAll(func(ctx SpecContext) {
		source = tell(ctx)
		pending := source.ticketOf(ctx, source.tickets[1])
		before := pending.DeepCopy()
		pending.Spec.Action = &v1alpha1.TicketAction{
			ID: "asked-but-not-decided", Type: v1alpha1.ActionClose, Actor: "zhangsan", By: v1alpha1.RequestedBy{Application: "ops"},
		}
		Expect(source.Patch(ctx, pending, client.MergeFrom(before))).To(Succeed())
		export, _ = source.export(ctx, true)
		target = newCluster(ctx)
		stop, served = target.startManager(), target.serve() // also while it comes
	})

	It("comes to another cluster, and REST answers the same", func(ctx SpecContext) {
		Expect(target.bring(ctx, export)).To(And(HaveField("Differing", 0), HaveField("Created", BeNumerically(">", 10))))
		for path, user := range paths(source.tickets...) {
			Eventually(func() any { return served.ask(user, http.MethodGet, path, "")["data"] }).Should(Equal(source.read[path]), path)
		}
	})

	It("keeps histories whole, and everything belongs to who owned it", func(ctx SpecContext) {
		for _, id := range source.tickets {
			there, here := source.ticketOf(ctx, id), target.ticketOf(ctx, id)
			entries := target.wholeHistory(ctx, here)
			Expect(entries).To(Equal(source.wholeHistory(ctx, there)))
			Expect(entries).To(HaveLen(int(here.Status.HistoryCount)))
			Expect(engine.VerifyHistory("", entries)).To(Succeed())
			Expect(here.Annotations).To(HaveKey(v1alpha1.AnnotationOpened))
			Expect(here.UID).NotTo(Equal(there.UID))
		}
		long := target.ticketOf(ctx, source.tickets[0])
		var records v1alpha1.TicketRecordList
		Expect(target.List(ctx, &records, client.InNamespace(long.Namespace))).To(Succeed())
		Expect(records.Items).NotTo(BeEmpty())
		for i := range records.Items {
			Expect(metav1.IsControlledBy(&records.Items[i], long)).To(BeTrue())
		}
		child, parent := target.ticketOf(ctx, source.tickets[2]), target.ticketOf(ctx, source.tickets[1])
		Expect(child.OwnerReferences).To(ConsistOf(HaveField("UID", parent.UID)))
		w := target.workflow(ctx)
		var revisions appsv1.ControllerRevisionList
		Expect(target.List(ctx, &revisions, client.InNamespace("it"))).To(Succeed())
		Expect(revisions.Items).To(HaveLen(2))
		for i := range revisions.Items {
			Expect(metav1.IsControlledBy(&revisions.Items[i], w)).To(BeTrue())
		}
	})

	It("goes on there: what was asked is decided, the last good revision serves, and numbers go on", func(ctx SpecContext) {
		Eventually(func() v1alpha1.ActionOutcome {
			return outcomeOf(target.ticketOf(ctx, source.tickets[1]), "asked-but-not-decided")
		}).Should(Equal(v1alpha1.ActionRefused))
		w := target.workflow(ctx)
		Expect(w.Status.Revision).To(Equal(source.workflow(ctx).Status.Revision))
		Expect(meta.FindStatusCondition(w.Status.Conditions, v1alpha1.ConditionReady).Reason).To(Equal(v1alpha1.ReasonInvalid))
		served.done("lilei", http.MethodPost, fmt.Sprintf("tickets/%d/comments", source.tickets[0]), `{"suggestion": "here"}`)
		id := served.open("lilei", `{"workflow_id": 1, "transition_id": 1, "title": "new", "days": 2}`)
		serials := map[string]bool{target.ticketOf(ctx, id).Status.SerialNumber: true}
		for _, before := range source.tickets {
			Expect(id).To(BeNumerically(">", before))
			serials[target.ticketOf(ctx, before).Status.SerialNumber] = true
		}
		Expect(serials).To(HaveLen(len(source.tickets) + 1))
	})

	It("comes once, however often it is brought", func(ctx SpecContext) {
		outcome := target.bring(ctx, export)
		Expect(outcome.Created).To(BeZero())
		Expect(outcome.Differing).To(BeZero(), "%v", outcome.Differences)
		Expect(outcome.Ahead).To(Equal(1), "the ticket that was commented on here")
	})

	It("leaves alone what differs and names it, unless it is to be overwritten", func(ctx SpecContext) {
		user := &v1alpha1.User{}
		Expect(target.Get(ctx, client.ObjectKey{Name: "lilei"}, user)).To(Succeed())
		before := user.DeepCopy()
		user.Spec.DisplayName = "another"
		Expect(target.Patch(ctx, user, client.MergeFrom(before))).To(Succeed())
		outcome := target.bring(ctx, export)
		Expect(outcome.Differences).To(ConsistOf("User lilei is there and differs"))
		importer := target.importer(nil)
		importer.Overwrite = true
		outcome, err := importer.Run(ctx, from(export))
		Expect(err).NotTo(HaveOccurred())
		Expect(outcome.Differing).To(BeZero())
		Expect(target.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
		Expect(user.Spec).To(Equal(before.Spec))
	})

	It("brings back the status of a ticket that lost it", func(ctx SpecContext) {
		t := target.ticketOf(ctx, source.tickets[3])
		was := t.Status.DeepCopy()
		importer := target.importer(nil)
		t.Status = v1alpha1.TicketStatus{}
		Expect(importer.Restorer.Status().Update(ctx, t)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(target.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
			ready := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionReady)
			g.Expect(ready).To(HaveField("Reason", v1alpha1.ReasonStatusLost))
		}).Should(Succeed())
		Expect(target.bring(ctx, export)).To(And(HaveField("Created", 1), HaveField("Differing", 0)))
		Eventually(func(g Gomega) {
			g.Expect(target.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
			g.Expect(meta.IsStatusConditionTrue(t.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
		}).Should(Succeed())
		Expect(t.Status.History).To(Equal(was.History))
		Expect(t.Status.ID).To(Equal(was.ID))
	})

	It("says what of a ticket is another here", func(ctx SpecContext) {
		stop()
		importer := target.importer(nil)
		t := target.ticketOf(ctx, source.tickets[3])
		Expect(target.Delete(ctx, t)).To(Succeed())
		other := fixtures.Ticket("it", "somebody-elses")
		Expect(importer.Restorer.Create(ctx, other)).To(Succeed())
		other.Status.ID = t.Status.ID
		Expect(importer.Restorer.Status().Update(ctx, other)).To(Succeed())
		Expect(target.bring(ctx, export).Differences).To(ConsistOf(
			fmt.Sprintf("Ticket it/%s has the id %d, which belongs to Ticket it/somebody-elses here", t.Name, t.Status.ID)))
	})

	It("comes whole through being cut off again and again", func(ctx SpecContext) {
		bit := newCluster(ctx)
		var left atomic.Int64
		errCut := errors.New("cut off")
		cut := func(err error) error {
			if err == nil && left.Add(-1) < 0 {
				return errCut // it was written, and nobody knows
			}
			return err
		}
		wrap := func(c client.WithWatch) client.Client {
			return interceptor.NewClient(c, interceptor.Funcs{
				Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
					return cut(c.Create(ctx, o, opts...))
				},
				Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
					return cut(c.Patch(ctx, o, p, opts...))
				},
				SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
					return cut(c.SubResource(sub).Update(ctx, o, opts...))
				},
			})
		}
		attempts := 0
		for {
			left.Store(1)
			attempts++
			outcome, err := bit.importer(wrap).Run(ctx, from(export))
			if err == nil {
				Expect(outcome.Differing).To(BeZero(), "%v", outcome.Differences)
				break
			}
			Expect(err).To(MatchError(errCut))
			Expect(attempts).To(BeNumerically("<", 200))
		}
		Expect(attempts).To(BeNumerically(">", 5))
		bit.startManager()
		served := bit.serve()
		for path, user := range paths(source.tickets...) {
			Eventually(func() any { return served.ask(user, http.MethodGet, path, "")["data"] }).Should(Equal(source.read[path]), path)
		}
	})

	It("comes to a cluster that has Ticketflow in another namespace, with applications' tokens there", func(ctx SpecContext) {
		moved := newClusterIn(ctx, "desk")
		Expect(moved.bring(ctx, export)).To(And(HaveField("Differing", 0), HaveField("Created", BeNumerically(">", 10))))
		Expect(moved.bring(ctx, export)).To(And(HaveField("Differing", 0), HaveField("Created", 0)), "again")
		Expect(moved.Get(ctx, client.ObjectKey{Name: fixtures.SystemNamespace}, &corev1.Namespace{})).To(Satisfy(apierrors.IsNotFound))
		moved.startManager()
		served := moved.serve()
		for path, user := range paths(source.tickets...) {
			Eventually(func() any { return served.ask(user, http.MethodGet, path, "")["data"] }).Should(Equal(source.read[path]), path)
		}
		id := served.open("lilei", `{"workflow_id": 1, "transition_id": 1, "title": "new", "days": 2}`)
		Expect(id).To(BeNumerically(">", source.tickets[3]))
		back, _ := moved.export(ctx, true)
		Expect(strings.Join(lines(back), "\n")).NotTo(ContainSubstring(`"namespace":"` + fixtures.SystemNamespace + `"`))
	})

	It("is refused where tickets were counted from elsewhere, before anything is written", func(ctx SpecContext) {
		foreign := newCluster(ctx)
		Expect(foreign.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.SystemNamespace, Name: "ticketflow-counters"}, Data: map[string]string{"tickets": "100"},
		})).To(Succeed())
		_, err := foreign.importer(nil).Run(ctx, from(export))
		Expect(err).To(MatchError(ContainSubstring("given ids to tickets of its own")))
		var users v1alpha1.UserList
		Expect(foreign.List(ctx, &users)).To(Succeed())
		Expect(users.Items).To(BeEmpty())

		for what, broken := range map[string][]byte{
			"cut short":          export[:len(export)/2],
			"without its end":    compress(strings.Join(lines(export)[:3], "\n") + "\n"),
			"with a line less":   compress(strings.Join(append(lines(export)[:3], lines(export)[4:]...), "\n") + "\n"),
			"of another format":  compress(`{"format":"x","version":1}` + "\n" + `{"objects":0}` + "\n"),
			"of a later version": compress(`{"format":"ticketflow.dev/export","version":2}` + "\n" + `{"objects":0}` + "\n"),
			"no export at all":   []byte("hello"),
		} {
			_, err := foreign.importer(nil).Run(ctx, from(broken))
			Expect(err).To(HaveOccurred(), what)
			Expect(err).NotTo(MatchError(ContainSubstring("given ids")), what)
		}
		_, err = target.importer(nil).Run(ctx, from(compress(strings.Join([]string{
			lines(export)[0], `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"mine"}}`, `{"objects":1}`,
		}, "\n")+"\n")))
		Expect(err).To(MatchError(ContainSubstring("ClusterRole mine does not belong into an export")))
	})

	It("holds no secrets unless asked", func(ctx SpecContext) {
		Expect(strings.Join(lines(export), "\n")).To(ContainSubstring(`"kind":"Secret"`))
		without, said := source.export(ctx, false)
		Expect(strings.Join(lines(without), "\n")).NotTo(Or(ContainSubstring(`"kind":"Secret"`), ContainSubstring("sample-token")))
		Expect(said).To(ContainElement(ContainSubstring("1 Secrets that definitions refer to are left out")))
	})
})

func lines(export []byte) []string {
	GinkgoHelper()
	in, err := gzip.NewReader(bytes.NewReader(export))
	Expect(err).NotTo(HaveOccurred())
	data, err := io.ReadAll(in)
	Expect(err).NotTo(HaveOccurred())
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

func compress(text string) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return out.Bytes()
}

var _ = Describe("Who may not act as the import", func() {
	It("can import nothing that the policy guards", func(ctx SpecContext) {
		k := newCluster(ctx)
		t := fixtures.Ticket("default", "forged")
		t.Annotations = map[string]string{v1alpha1.AnnotationOpened: "x"}
		Expect(k.importer(nil).To.Create(ctx, t.DeepCopy())).NotTo(Succeed())
		Expect(k.importer(nil).Restorer.Create(ctx, t.DeepCopy())).To(Succeed())
		Expect(k.importer(nil).Restorer.Delete(ctx, t)).NotTo(Succeed(), "nor may the import do anything else")
		Expect(k.importer(nil).Restorer.Create(ctx, &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "mallory"}})).NotTo(Succeed())
	})
})
