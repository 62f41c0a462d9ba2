// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package manager_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/manager"
	"ticketflow.dev/ticketflow/internal/fixtures"
)

var _ = Describe("a script of a manager in a cluster", func() {
	It("runs as a Job, whose end the ticket goes on with", func(ctx SpecContext) {
		running.stop()
		running = startManager(func(o *manager.Options) { o.ScriptRunner = manager.RunnerJob })
		DeferCleanup(func() {
			running.stop()
			running = startManager()
		})
		ns := newNamespace(ctx)
		ticket := fixtures.Ticket(ns, "vpn-1")
		create(ctx, fixtures.Workflow(ns), fixtures.Grant(ns, "print()"), ticket)
		toGrant(ctx, ticket)
		Eventually(get(ctx, ticket)).Should(HaveField("Status.Run", HaveField("Phase", v1alpha1.RunRunning)))
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: ticket.Status.Run.Name}}
		Eventually(get(ctx, job)).Should(HaveField("Spec.Suspend", HaveValue(BeFalse())))

		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: ns, Name: "pod", Labels: job.Spec.Template.Labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))},
		}, Spec: job.Spec.Template.Spec}
		create(ctx, pod)
		pod.Status.Phase = corev1.PodSucceeded
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "script", State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{Message: `{"fields": {"account": "by Job"}}`},
		}}}
		Expect(k8s.Status().Update(ctx, pod)).To(Succeed())
		Eventually(func() error {
			if err := k8s.Get(ctx, client.ObjectKeyFromObject(job), job); err != nil {
				return err
			}
			job.Status = batchv1.JobStatus{
				// Long ago: nobody waits for a log that there is no kubelet to read from.
				StartTime: ptr.To(metav1.Unix(1, 0)), CompletionTime: ptr.To(metav1.Unix(2, 0)), Succeeded: 1, Ready: ptr.To[int32](0), Terminating: ptr.To[int32](0),
				UncountedTerminatedPods: &batchv1.UncountedTerminatedPods{},
				Conditions: []batchv1.JobCondition{
					{Type: batchv1.JobSuccessCriteriaMet, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Unix(0, 0)},
					{Type: batchv1.JobComplete, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Unix(0, 0)},
				},
			}
			return k8s.Status().Update(ctx, job)
		}).Should(Succeed())
		inState(ctx, ticket, "confirm")
		Expect(ticket.Status.Fields).To(HaveKeyWithValue("account", "by Job"))
	})
})
