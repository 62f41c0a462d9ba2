// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package script_test

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/script"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/testenv"
)

var k8s client.Client

func TestScript(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "script")
}

var _ = BeforeSuite(func() {
	_, k8s = testenv.ForSpecs()
})

// player is a Runner that plays what it is told and notes what it was asked.
type player struct {
	why      string
	err      error
	standing script.Standing
	tasks    []script.Task
	dropped  []string
}

func (p *player) Watch(ctrl.Manager, *builder.Builder) error { return nil }

func (p *player) Start(_ context.Context, task script.Task) (string, error) {
	p.tasks = append(p.tasks, task)
	return p.why, p.err
}

func (p *player) Observe(context.Context, *v1alpha1.Ticket, string) (script.Standing, error) {
	return p.standing, p.err
}

func (p *player) Drop(_ context.Context, _ *v1alpha1.Ticket, run string) error {
	p.dropped = append(p.dropped, run)
	return nil
}

func ended(result script.Result) script.Standing {
	return script.Standing{Known: true, Result: &result}
}

var _ = Describe("the script reconciler", func() {
	var (
		ns         string
		runner     *player
		clk        *clocktesting.FakeClock
		reconciler *script.Reconciler
		grant      *v1alpha1.Script
		t          *v1alpha1.Ticket
	)

	BeforeEach(func(ctx SpecContext) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "it-"}}
		Expect(k8s.Create(ctx, namespace)).To(Succeed())
		ns = namespace.Name
		runner = &player{standing: script.Standing{Known: true}}
		clk = clocktesting.NewFakeClock(time.Now())
		reconciler = &script.Reconciler{Client: k8s, Live: k8s, Runner: runner, Clock: clk}
		grant = fixtures.Grant(ns, "print(1)")
		t = fixtures.Ticket(ns, "vpn-1")
		Expect(k8s.Create(ctx, t)).To(Succeed())
		t.Status = v1alpha1.TicketStatus{
			ID: 17, State: "grant", Visit: 3, Title: "vpn please",
			Participants: v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsScript, Script: "grant"},
			Wanted:       &v1alpha1.WantedRun{Visit: 3, Attempt: 2, RequestedBy: "guiji_retry"},
			Run: &v1alpha1.Run{
				Visit: 3, Attempt: 1, Phase: v1alpha1.RunFailed, Message: "before", SourceHash: "before",
				Fields: v1alpha1.JSONObject{"old": "value"}, FinishedAt: ptr.To(metav1.Now()),
			},
		}
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
	})

	create := func(ctx context.Context, objects ...client.Object) {
		GinkgoHelper()
		for _, o := range objects {
			Expect(k8s.Create(ctx, o)).To(Succeed())
		}
	}
	look := func(ctx context.Context) (reconcile.Result, error) {
		GinkgoHelper()
		result, err := reconciler.Reconcile(ctx, t.DeepCopy())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
		return result, err
	}

	It("starts what the ticket wants, and reports what became of it and nothing of an earlier run", func(ctx SpecContext) {
		create(ctx, grant)
		Expect(look(ctx)).NotTo(BeZero(), "it looks again by itself")
		Expect(runner.tasks).To(HaveLen(1))
		Expect(runner.tasks[0].RequestedBy).To(Equal("guiji_retry"))
		Expect(runner.tasks[0].Timeout).To(Equal(time.Minute))
		run := t.Status.Run
		Expect(run.Phase).To(Equal(v1alpha1.RunRunning))
		Expect(run.Attempt).To(BeEquivalentTo(2))
		Expect(run.Message).To(BeEmpty())
		Expect(run.Fields).To(BeEmpty())
		Expect(run.SourceHash).To(HaveLen(64))
		Expect(run.Name).To(Equal(runner.tasks[0].Name))

		runner.standing.Again = time.Minute
		Expect(look(ctx)).To(Equal(reconcile.Result{RequeueAfter: time.Minute}))
		Expect(t.Status.Run.Phase).To(Equal(v1alpha1.RunRunning))

		runner.standing = ended(script.Result{Succeeded: true, Message: "granted", Fields: v1alpha1.JSONObject{"account": "a"}})
		Expect(look(ctx)).To(BeZero())
		Expect(runner.tasks).To(HaveLen(1))
		Expect(t.Status.Run.Phase).To(Equal(v1alpha1.RunSucceeded))
		Expect(t.Status.Run.Message).To(Equal("granted"))
		Expect(t.Status.Run.Fields).To(HaveKeyWithValue("account", "a"))
		Expect(t.Status.Run.SourceHash).To(Equal(run.SourceHash))
		Expect(runner.dropped).To(ConsistOf(run.Name))
		Expect(t.Status.Title).To(Equal("vpn please"), "the rest of the status is not touched")
	})

	It("does not start again what has ended, also if the cache does not show that", func(ctx SpecContext) {
		create(ctx, grant)
		stale := t.DeepCopy()
		_, _ = look(ctx)
		runner.standing = ended(script.Result{Succeeded: true})
		_, _ = look(ctx)
		Expect(t.Status.Run.Phase).To(Equal(v1alpha1.RunSucceeded))
		_, err := reconciler.Reconcile(ctx, stale)
		Expect(err).NotTo(HaveOccurred())
		Expect(runner.tasks).To(HaveLen(1))
	})

	It("starts a run that a crash has lost again, under the same name", func(ctx SpecContext) {
		create(ctx, grant)
		_, _ = look(ctx)
		runner.standing = script.Standing{}
		Expect(look(ctx)).NotTo(BeZero())
		Expect(runner.tasks).To(HaveLen(2))
		Expect(runner.tasks[1].Name).To(Equal(runner.tasks[0].Name))
		Expect(t.Status.Run.Phase).To(Equal(v1alpha1.RunRunning))
	})

	It("reports nothing of a run that could not be started for now", func(ctx SpecContext) {
		create(ctx, grant)
		runner.err = errors.New("no connection")
		_, err := look(ctx)
		Expect(err).To(MatchError(ContainSubstring("no connection")))
		Expect(t.Status.Run.Attempt).To(BeEquivalentTo(1))
	})

	It("has a failed run where it cannot be started at all", func(ctx SpecContext) {
		create(ctx, grant)
		runner.why = "there is no such image"
		Expect(look(ctx)).To(BeZero())
		Expect(t.Status.Run.Phase).To(Equal(v1alpha1.RunFailed))
		Expect(t.Status.Run.Message).To(Equal("there is no such image"))
	})

	It("waits with a repetition until its time has come", func(ctx SpecContext) {
		create(ctx, grant)
		t.Status.Wanted.Repetition, t.Status.Wanted.NotBefore = 1, &metav1.Time{Time: clk.Now().Add(8 * time.Second)}
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		result, err := look(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).To(BeNumerically("~", 8*time.Second, time.Second))
		Expect(runner.tasks).To(BeEmpty())
		clk.Step(8 * time.Second)
		_, _ = look(ctx)
		Expect(runner.tasks).To(HaveLen(1))
	})

	It("ends a run that the ticket has gone on without", func(ctx SpecContext) {
		create(ctx, grant)
		_, _ = look(ctx)
		name := t.Status.Run.Name
		t.Status.State, t.Status.Visit, t.Status.Wanted = "confirm", 4, nil
		t.Status.Participants = v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsUsers, Users: []v1alpha1.UserName{"lilei"}}
		Expect(k8s.Status().Update(ctx, t)).To(Succeed())
		Expect(look(ctx)).To(BeZero())
		Expect(runner.dropped).To(ConsistOf(name))
		Expect(t.Status.Run.Phase).To(Equal(v1alpha1.RunFailed))
		Expect(t.Status.Run.Message).To(ContainSubstring("the ticket had gone on without it"))
	})

	DescribeTable("has a failed run that says why the script cannot be run",
		func(ctx SpecContext, change func(ns string) []client.Object, message string) {
			create(ctx, change(ns)...)
			Expect(look(ctx)).Error().NotTo(HaveOccurred())
			Expect(runner.tasks).To(BeEmpty())
			Expect(t.Status.Run.Phase).To(Equal(v1alpha1.RunFailed))
			Expect(t.Status.Run.Message).To(Equal(message))
		},
		Entry("it does not exist", func(string) []client.Object { return nil }, "script grant does not exist"),
		Entry("it is inactive", func(ns string) []client.Object {
			s := fixtures.Grant(ns, "x")
			s.Spec.Active = ptr.To(false)
			return []client.Object{s}
		}, "script grant is inactive"),
		Entry("its source is missing", func(ns string) []client.Object {
			return []client.Object{sourceFrom(ns)}
		}, "script grant: ConfigMap sources does not exist"),
		Entry("its secret does not carry our label", func(ns string) []client.Object {
			return []client.Object{withToken(ns), token(ns, nil)}
		}, "script grant: there is no Secret vpn with the label ticketflow.dev/use=script"),
		Entry("its secret is for another use", func(ns string) []client.Object {
			return []client.Object{withToken(ns), token(ns, map[string]string{v1alpha1.LabelUse: string(v1alpha1.UseHook)})}
		}, "script grant: Secret vpn has the label ticketflow.dev/use=hook; what is needed here is ticketflow.dev/use=script"),
	)

	It("takes its source from a ConfigMap and its variables from a labelled Secret", func(ctx SpecContext) {
		s := sourceFrom(ns)
		s.Spec.Env = withToken(ns).Spec.Env
		s.Spec.Timeout = &metav1.Duration{Duration: 2 * time.Second}
		create(ctx, s, token(ns, map[string]string{v1alpha1.LabelUse: string(v1alpha1.UseScript)}),
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "sources"}, Data: map[string]string{"grant.py": "print(2)"}})
		Expect(look(ctx)).Error().NotTo(HaveOccurred())
		Expect(runner.tasks).To(HaveLen(1))
		Expect(runner.tasks[0].Source).To(Equal("print(2)"))
		Expect(runner.tasks[0].Timeout).To(Equal(2 * time.Second))
		Expect(runner.tasks[0].Env).To(Equal([]script.Variable{{Name: "WHERE", Value: "here"}, {Name: "TOKEN", Value: "s3cret", Secret: true}}))
	})
})

func sourceFrom(ns string) *v1alpha1.Script {
	s := fixtures.Grant(ns, "")
	s.Spec.SourceFrom = &v1alpha1.ScriptSource{ConfigMapKeyRef: v1alpha1.ConfigMapKeyRef{Name: "sources", Key: "grant.py"}}
	return s
}

func withToken(ns string) *v1alpha1.Script {
	s := fixtures.Grant(ns, "x")
	s.Spec.Env = []v1alpha1.EnvVar{
		{Name: "WHERE", Value: "here"},
		{Name: "TOKEN", ValueFrom: &v1alpha1.EnvVarSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: "vpn", Key: "token"}}},
	}
	return s
}

func token(ns string, labels map[string]string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "vpn", Labels: labels},
		StringData: map[string]string{"token": "s3cret"},
	}
}
