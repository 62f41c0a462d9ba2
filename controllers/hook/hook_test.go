// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package hook_test

import (
	"context"
	"crypto/md5" //nolint:gosec // the documented signature
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	. "github.com/onsi/gomega/gstruct"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	controllerreconcile "sigs.k8s.io/controller-runtime/pkg/reconcile"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/hook"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/graphs"
	"ticketflow.dev/ticketflow/internal/metrics/metricstest"
	"ticketflow.dev/ticketflow/internal/outbound"
	"ticketflow.dev/ticketflow/internal/testenv"
	"ticketflow.dev/ticketflow/internal/wire"
)

var k8s client.Client

func TestHook(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "hook")
}

var _ = BeforeSuite(func() {
	_, k8s = testenv.ForSpecs()
})

// nobody is a directory without anybody.
type nobody struct{}

func (nobody) UserObject(string) (*v1alpha1.User, bool)             { return nil, false }
func (nobody) ScriptObject(string, string) (*v1alpha1.Script, bool) { return nil, false }

// receiver is the other side: it answers what it is told to and keeps what it got.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	answer string
	broken func(http.ResponseWriter)
	got    []map[string]any
	signed []bool
}

func newReceiver() *receiver {
	r := &receiver{status: http.StatusOK, answer: `{"code": 0, "msg": "made"}`}
	r.Server = httptest.NewServer(r)
	DeferCleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var body map[string]any
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		body = map[string]any{"error": err.Error()}
	}
	sum := md5.Sum([]byte(request.Header.Get("timestamp") + "s3cret")) //nolint:gosec // as above
	r.got = append(r.got, body)
	r.signed = append(r.signed, request.Header.Get("signature") == hex.EncodeToString(sum[:]))
	if r.broken != nil {
		r.broken(w)
		return
	}
	w.WriteHeader(r.status)
	_, _ = io.WriteString(w, r.answer)
}

// breaks has it answer otherwise, until it is nil.
func (r *receiver) breaks(how func(http.ResponseWriter)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = how
}

func (r *receiver) answers(status int, answer string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.answer = status, answer
}

func (r *receiver) calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}

var _ = Describe("the hook reconciler", func() {
	var (
		ns         string
		other      *receiver
		clk        *clocktesting.FakePassiveClock
		reconciler *hook.Reconciler
		t          *v1alpha1.Ticket
	)

	newReconciler := func() *hook.Reconciler {
		return &hook.Reconciler{
			Client: k8s, Live: k8s, Graphs: graphs.New(k8s), Clock: clk,
			Outbound: outbound.New([]string{"127.0.0.1"}, clk), Writer: wire.Writer{People: nobody{}, Location: time.UTC},
		}
	}
	// waiting is a ticket that waits for a hook, as the ticket reconciler leaves it.
	waiting := func(ctx context.Context, wants v1alpha1.Hook) {
		GinkgoHelper()
		w := &v1alpha1.Workflow{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "calls"},
			Spec: v1alpha1.WorkflowSpec{
				Fields: []v1alpha1.Field{{Name: "days", Type: v1alpha1.FieldInteger}, {Name: "account", Type: v1alpha1.FieldString}},
				States: []v1alpha1.State{
					{Name: "new", Type: v1alpha1.StateStart, Transitions: []v1alpha1.Transition{{Name: "submit", To: "call"}}},
					{Name: "call", Participants: &v1alpha1.Participants{Hook: &wants}, Transitions: []v1alpha1.Transition{{Name: "called", To: "end"}}},
					{Name: "end", Type: v1alpha1.StateEnd},
				},
			},
		}
		Expect(k8s.Create(ctx, w)).To(Succeed())
		revision, err := graphs.NewRevision(w, engine.IDs{
			Workflow: 1, States: map[string]v1alpha1.WireID{"new": 1, "call": 2, "end": 3},
			Transitions: map[string]v1alpha1.WireID{"new/submit": 1, "call/called": 2}, Fields: map[string]v1alpha1.WireID{"days": 1, "account": 2},
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(k8s.Create(ctx, revision)).To(Succeed())
		t = &v1alpha1.Ticket{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "calls-1"},
			Spec: v1alpha1.TicketSpec{
				WorkflowRef: v1alpha1.WorkflowReference{Name: "calls"}, Creator: "lilei", By: v1alpha1.RequestedBy{Application: "ops"},
				Transition: "submit",
			},
		}
		Expect(k8s.Create(ctx, t)).To(Succeed())
		t.Status = v1alpha1.TicketStatus{
			ID: 17, WorkflowID: 1, WorkflowRevision: revision.Name, State: "call", StateID: 2, Visit: 3, Title: "vpn please",
			Fields:       v1alpha1.JSONObject{"days": int64(5)},
			Participants: v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsHook},
			Wanted:       &v1alpha1.WantedRun{Visit: 3, Attempt: 2, RequestedBy: "guiji_retry"},
			Run:          &v1alpha1.Run{Visit: 3, Attempt: 1, Phase: v1alpha1.RunFailed, Message: "before"},
		}
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
	}
	reconcile := func(ctx context.Context) controllerreconcile.Result {
		GinkgoHelper()
		result, err := reconciler.Reconcile(ctx, t.DeepCopy())
		Expect(err).NotTo(HaveOccurred())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
		return result
	}
	called := func(outcome string) float64 {
		return metricstest.Value("ticketflow_hook_call_duration_seconds",
			metricstest.Labels{"namespace": ns, "workflow": "calls", "state": "call", "outcome": outcome})
	}
	secret := func(ctx context.Context, labels map[string]string) *v1alpha1.SecretKeyRef {
		GinkgoHelper()
		Expect(k8s.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "hook", Labels: labels},
			StringData: map[string]string{"token": "s3cret"},
		})).To(Succeed())
		return &v1alpha1.SecretKeyRef{Name: "hook", Key: "token"}
	}

	BeforeEach(func(ctx SpecContext) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "it-"}}
		Expect(k8s.Create(ctx, namespace)).To(Succeed())
		ns = namespace.Name
		other = newReceiver()
		clk = clocktesting.NewFakePassiveClock(time.Now().Truncate(time.Second))
		reconciler = newReconciler()
	})

	It("sends the ticket with its fields, signed, and reports the answer (Q28) and nothing of an earlier run", func(ctx SpecContext) {
		ref := secret(ctx, map[string]string{v1alpha1.LabelUse: string(v1alpha1.UseHook)})
		waiting(ctx, v1alpha1.Hook{URL: other.URL, TokenSecretRef: ref, ExtraInfo: v1alpha1.JSONObject{"room": "12"}})
		other.answers(http.StatusOK, `{"code": 0, "msg": "made with s3cret"}`)
		Expect(reconcile(ctx)).To(BeZero())
		Expect(other.signed).To(Equal([]bool{true}))
		Expect(other.got).To(ConsistOf(MatchKeys(IgnoreExtras, Keys{
			"id": BeEquivalentTo(17), "title": Equal("vpn please"), "creator": Equal("lilei"), "state_id": BeEquivalentTo(2),
			"participant_type_id": BeEquivalentTo(10), "participant": Equal("***"), "script_run_last_result": BeTrue(),
			"days": BeEquivalentTo(5), "account": BeNil(), "extra_info": HaveKeyWithValue("room", "12"),
		})))
		Expect(t.Status.Run).To(PointTo(MatchFields(IgnoreExtras, Fields{
			"Phase": Equal(v1alpha1.RunSucceeded), "Attempt": BeEquivalentTo(2), "Message": Equal("made with ***"), "FinishedAt": Not(BeNil()),
		})))
		Expect(t.Status.Title).To(Equal("vpn please"), "the rest of the status is not touched")
	})

	It("does not call again what has answered, also if the cache does not show that", func(ctx SpecContext) {
		waiting(ctx, v1alpha1.Hook{URL: other.URL})
		stale := t.DeepCopy()
		reconcile(ctx)
		_, err := reconciler.Reconcile(ctx, stale)
		Expect(err).NotTo(HaveOccurred())
		Expect(other.calls()).To(Equal(1))
		Expect(other.got[0]).NotTo(HaveKey("extra_info"))
	})

	It("calls a system that is down again, ever more slowly, also after a restart, until it is up", func(ctx SpecContext) {
		waiting(ctx, v1alpha1.Hook{URL: other.URL})
		other.answers(http.StatusServiceUnavailable, "")
		pauses, began := []time.Duration{}, clk.Now()
		for elapsed := time.Duration(0); elapsed < 10*time.Minute; elapsed += pauses[len(pauses)-1] {
			clk.SetTime(began.Add(elapsed))
			pauses = append(pauses, reconcile(ctx).RequeueAfter)
			Expect(t.Status.Run.Phase).To(Equal(v1alpha1.RunRunning))
		}
		Expect(pauses[:8]).To(Equal([]time.Duration{
			time.Second, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute,
		}))
		Expect(t.Status.Run.Message).To(ContainSubstring("it answers 503"), "people see what it waits for")
		other.answers(http.StatusOK, `{"code": 0, "msg": "up"}`)
		Expect(reconcile(ctx).RequeueAfter).To(Equal(time.Minute), "its time has not come")
		reconciler = newReconciler() // as after a restart
		Expect(reconcile(ctx)).To(BeZero())
		Expect(t.Status.Run.Message).To(Equal("up"))
		Expect(called("Unreachable")).To(BeEquivalentTo(len(pauses)))
		Expect(called("Succeeded")).To(BeEquivalentTo(1))
	})

	It("is not called sooner for what else happens to the ticket", func(ctx SpecContext) {
		waiting(ctx, v1alpha1.Hook{URL: other.URL})
		other.answers(http.StatusServiceUnavailable, "")
		Expect(reconcile(ctx).RequeueAfter).To(Equal(time.Second))
		t.Status.Title = "changed"
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		Expect(reconcile(ctx).RequeueAfter).To(Equal(time.Second))
		Expect(other.calls()).To(Equal(1))
		t.Status.Wanted.Attempt++ // somebody retries
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		reconcile(ctx)
		Expect(other.calls()).To(Equal(2))
	})

	It("calls a system that closes the connection, or sends half an answer, again", func(ctx SpecContext) {
		waiting(ctx, v1alpha1.Hook{URL: other.URL})
		for _, broken := range []func(http.ResponseWriter){
			func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
			func(w http.ResponseWriter) {
				w.Header().Set("Content-Length", "100")
				_, _ = io.WriteString(w, `{"code"`)
			},
		} {
			other.breaks(broken)
			Expect(reconcile(ctx).RequeueAfter).To(BeNumerically(">=", time.Second))
			Expect(t.Status.Run.Phase).To(Equal(v1alpha1.RunRunning))
			clk.SetTime(clk.Now().Add(time.Minute))
		}
		other.breaks(nil)
		Expect(reconcile(ctx)).To(BeZero())
		Expect(t.Status.Run.Phase).To(Equal(v1alpha1.RunSucceeded))
	})

	It("gives up on a system that stays down, and says so", func(ctx SpecContext) {
		waiting(ctx, v1alpha1.Hook{URL: other.URL})
		other.answers(http.StatusServiceUnavailable, "")
		Expect(reconcile(ctx).RequeueAfter).To(Equal(time.Second))
		clk.SetTime(clk.Now().Add(time.Hour))
		Expect(reconcile(ctx)).To(BeZero())
		Expect(t.Status.Run.Phase).To(Equal(v1alpha1.RunFailed))
		Expect(t.Status.Run.Message).To(Equal("the hook could not be called: no success so far: it answers 503 Service Unavailable"))
	})

	DescribeTable("fails at once, and says why",
		func(ctx SpecContext, arrange func(ctx context.Context) v1alpha1.Hook, message string) {
			waiting(ctx, arrange(ctx))
			Expect(reconcile(ctx)).To(BeZero())
			Expect(t.Status.Run.Phase).To(Equal(v1alpha1.RunFailed))
			Expect(t.Status.Run.Message).To(Equal(message))
		},
		Entry("where the other side says no", func(context.Context) v1alpha1.Hook {
			other.answers(http.StatusOK, `{"code": -1, "msg": "no room"}`)
			return v1alpha1.Hook{URL: other.URL}
		}, "no room"),
		Entry("where the other side says no without a word", func(context.Context) v1alpha1.Hook {
			other.answers(http.StatusOK, `{"code": -1, "msg": ""}`)
			return v1alpha1.Hook{URL: other.URL}
		}, "the hook answers code -1"),
		Entry("where the answer is no answer (Q31)", func(context.Context) v1alpha1.Hook {
			other.answers(http.StatusOK, `<html>`)
			return v1alpha1.Hook{URL: other.URL}
		}, "the hook could not be called: its answer is not a JSON object with a number code"),
		Entry("where it redirects to a host that is not allowed", func(context.Context) v1alpha1.Hook {
			other.breaks(func(w http.ResponseWriter) {
				w.Header().Set("Location", "http://elsewhere.example/?key=s3cret")
				w.WriteHeader(http.StatusTemporaryRedirect)
			})
			return v1alpha1.Hook{URL: other.URL}
		}, `the hook could not be called: it redirects to where it may not: not allowed: its host is not on the manager's --allow-hosts`),
		Entry("where the host is not allowed", func(context.Context) v1alpha1.Hook {
			return v1alpha1.Hook{URL: "http://elsewhere.example/?key=s3cret"}
		}, `the hook could not be called: not allowed: its host is not on the manager's --allow-hosts`),
		Entry("where the token's Secret is not there", func(context.Context) v1alpha1.Hook {
			return v1alpha1.Hook{URL: other.URL, TokenSecretRef: &v1alpha1.SecretKeyRef{Name: "hook", Key: "token"}}
		}, "there is no Secret hook with the label ticketflow.dev/use=hook"),
		Entry("where the token's Secret is not meant for us", func(ctx context.Context) v1alpha1.Hook {
			return v1alpha1.Hook{URL: other.URL, TokenSecretRef: secret(ctx, nil)}
		}, "there is no Secret hook with the label ticketflow.dev/use=hook"),
		Entry("where the token's Secret is for another use", func(ctx context.Context) v1alpha1.Hook {
			return v1alpha1.Hook{URL: other.URL, TokenSecretRef: secret(ctx, map[string]string{v1alpha1.LabelUse: string(v1alpha1.UseScript)})}
		}, "Secret hook has the label ticketflow.dev/use=script; what is needed here is ticketflow.dev/use=hook"),
		Entry("where the Secret has another key", func(ctx context.Context) v1alpha1.Hook {
			ref := secret(ctx, map[string]string{v1alpha1.LabelUse: string(v1alpha1.UseHook)})
			ref.Key = "other"
			return v1alpha1.Hook{URL: other.URL, TokenSecretRef: ref}
		}, "Secret hook has no key other"),
	)

	It("leaves alone what is no hook's", func(ctx SpecContext) {
		waiting(ctx, v1alpha1.Hook{URL: other.URL})
		t.Status.Participants = v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsScript, Script: "grant"}
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		reconcile(ctx)
		Expect(other.calls()).To(BeZero())
		Expect(t.Status.Run.Message).To(Equal("before"))
	})
})
