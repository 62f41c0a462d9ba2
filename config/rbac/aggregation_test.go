// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rbac_test

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// aggregated are the roles that kube-controller-manager, which does not run
// here, would put together into one of Kubernetes' own.
func aggregated(ctx context.Context, name string) []rbacv1.ClusterRole {
	GinkgoHelper()
	var role rbacv1.ClusterRole
	Expect(k8s.Get(ctx, client.ObjectKey{Name: name}, &role)).To(Succeed())
	var out []rbacv1.ClusterRole
	for i := range role.AggregationRule.ClusterRoleSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&role.AggregationRule.ClusterRoleSelectors[i])
		Expect(err).NotTo(HaveOccurred())
		var roles rbacv1.ClusterRoleList
		Expect(k8s.List(ctx, &roles, client.MatchingLabelsSelector{Selector: selector})).To(Succeed())
		for _, part := range roles.Items {
			out = append(out, part)
			if part.AggregationRule != nil {
				out = append(out, aggregated(ctx, part.Name)...)
			}
		}
	}
	return out
}

var _ = DescribeTable("Kubernetes' own roles take in ours", func(ctx SpecContext, name string, want ...string) {
	var ours []string
	for _, role := range aggregated(ctx, name) {
		for _, rule := range role.Rules {
			if slices.Contains(rule.APIGroups, "ticketflow.dev") || slices.Contains(rule.APIGroups, "rest.ticketflow.dev") {
				ours = append(ours, role.Name)
				Expect(rule.Resources).NotTo(ContainElement(BeElementOf("users", "departments", "userroles", "applications", "actors", "*")))
			}
		}
	}
	Expect(slices.Compact(slices.Sorted(slices.Values(ours)))).To(ConsistOf(want))
},
	Entry("view", "view", "ticketflow-viewer"),
	Entry("edit", "edit", "ticketflow-viewer", "ticketflow-requester"),
	Entry("admin", "admin", "ticketflow-viewer", "ticketflow-requester", "ticketflow-admin"),
)
