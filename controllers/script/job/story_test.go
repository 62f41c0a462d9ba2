// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package job_test

import (
	"context"
	"io"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/script"
	"ticketflow.dev/ticketflow/controllers/script/job"
	"ticketflow.dev/ticketflow/internal/fixtures"
)

// What each spec tells its story with.
var (
	ns     string
	log    string
	logErr error
	runner *job.Runner
	clk    *clocktesting.FakeClock
	rec    *script.Reconciler
	grant  *v1alpha1.Script
	ticket *v1alpha1.Ticket
)

// restart makes a manager that knows nothing of what was before.
func restart(c client.Client) {
	runner = &job.Runner{Client: c, Live: manager, Image: "registry.example/python", Clock: clk}
	runner.Logs = func(_ context.Context, _, _ string, o *corev1.PodLogOptions) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(log)), logErr
	}
	rec = &script.Reconciler{Client: c, Live: manager, Runner: runner, Clock: clk}
}

var _ = BeforeEach(func(ctx SpecContext) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "it-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	create(ctx, namespace)
	ns, log, logErr = namespace.Name, "", nil
	clk = clocktesting.NewFakeClock(time.Now())
	restart(manager)
	grant = fixtures.Grant(ns, "print(1)")
	grant.Spec.Env = []v1alpha1.EnvVar{
		{Name: "WHERE", Value: "here $(TOKEN)"},
		{Name: "TOKEN", ValueFrom: &v1alpha1.EnvVarSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: "vpn", Key: "token"}}},
	}
	ticket = fixtures.Ticket(ns, "vpn-1")
	create(ctx, ticket, token(ns))
	ticket.Status = v1alpha1.TicketStatus{
		ID: 17, State: "grant", Visit: 3,
		Participants: v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsScript, Script: "grant"},
		Wanted:       &v1alpha1.WantedRun{Visit: 3, Attempt: 1, RequestedBy: "guiji_retry"},
	}
	Expect(k8s.Status().Update(ctx, ticket)).To(Succeed())
})

func look(ctx context.Context) (time.Duration, error) {
	GinkgoHelper()
	result, err := rec.Reconcile(ctx, ticket.DeepCopy())
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(ticket), ticket)).To(Succeed())
	return result.RequeueAfter, err
}

func jobs(ctx context.Context) []batchv1.Job {
	GinkgoHelper()
	var all batchv1.JobList
	Expect(k8s.List(ctx, &all, client.InNamespace(ns))).To(Succeed())
	return all.Items
}

func started(ctx context.Context) *batchv1.Job {
	GinkgoHelper()
	if grant.UID == "" {
		create(ctx, grant)
	}
	Expect(look(ctx)).NotTo(BeZero())
	Expect(ticket.Status.Run).To(HaveField("Phase", v1alpha1.RunRunning))
	all := jobs(ctx)
	Expect(all).NotTo(BeEmpty())
	return &all[len(all)-1]
}

func failed(ctx context.Context, message string) {
	GinkgoHelper()
	Expect(look(ctx)).To(BeZero())
	Expect(ticket.Status.Run.Phase).To(Equal(v1alpha1.RunFailed))
	Expect(ticket.Status.Run.Message).To(Equal(message))
}

func goesOn(ctx context.Context) {
	GinkgoHelper()
	Expect(look(ctx)).NotTo(BeZero(), "it looks again by itself")
	Expect(ticket.Status.Run.Phase).To(Equal(v1alpha1.RunRunning))
}
