// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package job_test

import (
	"context"
	"errors"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/script"
)

var errKilled = errors.New("killed")

var _ = Describe("a Job that is there already", func() {
	It("does not run what somebody has put in the script's place", func(ctx SpecContext) {
		name := started(ctx).Name
		Expect(k8s.DeleteAllOf(ctx, &batchv1.Job{}, client.InNamespace(ns), client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
		planted := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
		Expect(k8s.Delete(ctx, planted)).To(Succeed())
		planted.Data = map[string]string{"script": "steal()"}
		planted.ResourceVersion, planted.UID = "", ""
		create(ctx, planted)
		ticket.Status.Run = nil
		Expect(k8s.Status().Update(ctx, ticket)).To(Succeed())
		Expect(look(ctx)).To(BeZero())
		Expect(ticket.Status.Run.Message).To(ContainSubstring("somebody else has an object of that name"))
		Expect(jobs(ctx)).To(BeEmpty())
	})

	DescribeTable("is started once, wherever the manager is killed",
		func(ctx SpecContext, dies interceptor.Funcs) {
			create(ctx, grant)
			log = "granted"
			admin, err := client.NewWithWatch(environment.Config, client.Options{Scheme: k8s.Scheme()})
			Expect(err).NotTo(HaveOccurred())
			restart(interceptor.NewClient(admin, dies))
			_, err = look(ctx)
			Expect(err).To(MatchError(ContainSubstring("killed")))
			Expect(jobs(ctx)).To(HaveLen(1))
			before := jobs(ctx)[0].UID

			grant.Spec.Source = "print('edited meanwhile')"
			Expect(k8s.Update(ctx, grant)).To(Succeed())
			restart(manager)
			j := started(ctx)
			Expect(j.UID).To(Equal(before))
			Expect(*j.Spec.Suspend).To(BeFalse())
			c := schedule(ctx, j)
			restart(manager)
			goesOn(ctx)
			c.complete(ctx, "")
			restart(manager)
			Expect(look(ctx)).To(BeZero())
			Expect(ticket.Status.Run.Phase).To(Equal(v1alpha1.RunSucceeded))
			Expect(ticket.Status.Run.Message).To(Equal("granted"))
			ran := &corev1.ConfigMap{}
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(j), ran)).To(Succeed())
			Expect(ticket.Status.Run.SourceHash).To(Equal(script.SourceHash(ran.Data["script"])), "the history tells what ran")
			Expect(jobs(ctx)).To(HaveLen(1))
		},
		Entry("before the script is there", interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
			if _, ok := o.(*corev1.ConfigMap); ok {
				return errKilled
			}
			return c.Create(ctx, o, options...)
		}}),
		Entry("before the ticket is there", interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
			if _, ok := o.(*corev1.Secret); ok {
				return errKilled
			}
			return c.Create(ctx, o, options...)
		}}),
		Entry("before the Job is released", interceptor.Funcs{Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
			return errKilled
		}}),
		Entry("before it is reported", interceptor.Funcs{SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
			return errKilled
		}}),
	)
})
