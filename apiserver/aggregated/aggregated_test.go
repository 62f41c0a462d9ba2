// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated_test

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/config"
)

var (
	served = rbacv1.PolicyRule{APIGroups: []string{"rest.ticketflow.dev"}, Resources: []string{"tickets", "tickets/flowlogs"}, Verbs: []string{"get"}}
	byID   = rbacv1.PolicyRule{APIGroups: []string{"rest.ticketflow.dev"}, Resources: []string{"ticketids", "ticketids/flowlogs"}, Verbs: []string{"get"}}
	raw    = rbacv1.PolicyRule{APIGroups: []string{"ticketflow.dev"}, Resources: []string{"tickets"}, Verbs: []string{"get"}}
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// get asks for a ticket by name, or by id where the resource is ticketids.
func get(ctx context.Context, user, resource, name string, subresources ...string) (*unstructured.Unstructured, error) {
	GinkgoHelper()
	of := dynamic.NewForConfigOrDie(configOf(user)).Resource(restv1.GroupVersion.WithResource(resource))
	var in dynamic.ResourceInterface = of
	if resource == "tickets" {
		in = of.Namespace("it")
	}
	return in.Get(ctx, name, metav1.GetOptions{}, subresources...)
}

func idOf(t *v1alpha1.Ticket) string { return itoa(int64(t.Status.ID)) }

var _ = Describe("a ticket by name", func() {
	It("is shown to who has to do with it and has the right", func(ctx SpecContext) {
		_, err := get(ctx, "lilei", "tickets", private.Name)
		Expect(err).To(Satisfy(apierrors.IsForbidden))
		may(ctx, "lilei", "it", served)
		Eventually(func(g Gomega) {
			found, err := get(ctx, "lilei", "tickets", private.Name)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(found.GetKind()).To(Equal("Ticket"))
			g.Expect(found.GetNamespace()).To(Equal("it"))
		}).Should(Succeed())
	})

	It("is not shown to others who have the right, known to the directory or not", func(ctx SpecContext) {
		for _, user := range []string{"wangwu", "oidc:meimei", "unheard-of"} {
			may(ctx, user, "it", served)
			Eventually(func(g Gomega) {
				_, err := get(ctx, user, "tickets", public.Name)
				g.Expect(err).NotTo(HaveOccurred(), "everyone sees this workflow's")
			}).Should(Succeed())
			for _, view := range [][]string{nil, {"flowlogs"}} {
				_, err := get(ctx, user, "tickets", private.Name, view...)
				Expect(err).To(MatchError(ContainSubstring("may not look at this ticket")))
				Expect(err).To(Satisfy(apierrors.IsForbidden))
			}
		}
	})

	It("is shown to who may see the namespace's raw tickets", func(ctx SpecContext) {
		may(ctx, "platform", "it", served, raw)
		Eventually(func(g Gomega) {
			_, err := get(ctx, "platform", "tickets", private.Name)
			g.Expect(err).NotTo(HaveOccurred())
		}).Should(Succeed())
	})
})

var _ = Describe("the roles that ship", func() {
	It("allow all that is served", func(ctx SpecContext) {
		for _, role := range []struct{ name, resource string }{
			{"ticketflow-admin", "tickets"}, {"ticketflow-by-id", "ticketids"},
		} {
			for verb, resources := range servedUnder(role.resource) {
				Expect(allowed(rulesOf(role.name), verb)).To(ContainElements(resources), "%s: %s", role.name, verb)
			}
		}
		served := map[string][]string{}
		for _, resource := range []string{"tickets", "storedtickets", "workflows"} {
			for verb, resources := range servedUnder(resource) {
				served[verb] = append(served[verb], resources...)
			}
		}
		for _, role := range []string{"ticketflow-requester", "ticketflow-handler"} {
			for verb, resources := range served {
				Expect(resources).To(ContainElements(allowed(rulesOf(role), verb)), "what a %s may is there", role)
			}
			for _, verb := range []string{"get", "list"} {
				Expect(allowed(rulesOf(role), verb)).To(ConsistOf(served[verb]), "%s reads all that is served", role)
			}
		}
	})

	It("let a requester see what tickets' own rules show, and a stranger nothing", func(ctx SpecContext) {
		for _, user := range []string{"requester", "stranger"} {
			for _, view := range []string{"", "transitions", "flowlogs", "flowsteps"} {
				_, err := get(ctx, user, "tickets", public.Name, strings.Fields(view)...)
				Expect(err).To(Satisfy(apierrors.IsForbidden), "%s without the role", user)
			}
		}
		may(ctx, "requester", "it", rulesOf("ticketflow-requester")...)
		Eventually(func(g Gomega) {
			for _, view := range []string{"", "transitions", "flowlogs", "flowsteps"} {
				_, err := get(ctx, "requester", "tickets", public.Name, strings.Fields(view)...)
				g.Expect(err).NotTo(HaveOccurred())
			}
		}).Should(Succeed())
		_, err := get(ctx, "requester", "tickets", private.Name)
		Expect(err).To(Satisfy(apierrors.IsForbidden))
		_, err = get(ctx, "stranger", "tickets", public.Name)
		Expect(err).To(Satisfy(apierrors.IsForbidden))
	})
})

// rulesOf are a shipped role's rules.
func rulesOf(name string) []rbacv1.PolicyRule {
	GinkgoHelper()
	data, err := config.Manifests.ReadFile("rbac/roles.yaml")
	Expect(err).NotTo(HaveOccurred())
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		var role rbacv1.ClusterRole
		Expect(decoder.Decode(&role)).To(Succeed(), "there is no role %s", name)
		if role.Name == name {
			return role.Rules
		}
	}
}

// servedUnder are a resource and its parts, by verb.
func servedUnder(resource string) map[string][]string {
	GinkgoHelper()
	client := discovery.NewDiscoveryClientForConfigOrDie(configOf("lilei"))
	list, err := client.ServerResourcesForGroupVersion(restv1.GroupVersion.String())
	Expect(err).NotTo(HaveOccurred())
	out := map[string][]string{}
	for _, each := range list.APIResources {
		if whole, _, _ := strings.Cut(each.Name, "/"); whole == resource {
			for _, verb := range each.Verbs {
				Expect(verb).To(BeElementOf("get", "list", "create"), "%s: watch and delete would have namespaces wait for it", each.Name)
				out[verb] = append(out[verb], each.Name)
			}
		}
	}
	Expect(out).To(HaveKey("get"))
	return out
}

// allowed are the resources that rules allow a verb on.
func allowed(rules []rbacv1.PolicyRule, verb string) (out []string) {
	for _, rule := range rules {
		if slices.Contains(rule.APIGroups, restv1.GroupVersion.Group) && slices.Contains(rule.Verbs, verb) {
			out = append(out, rule.Resources...)
		}
	}
	return out
}

var _ = Describe("a ticket by id", func() {
	It("is of a kind by which clients find the way back to it", func() {
		client := discovery.NewDiscoveryClientForConfigOrDie(configOf("lilei"))
		groups, err := restmapper.GetAPIGroupResources(client)
		Expect(err).NotTo(HaveOccurred())
		mapper := restmapper.NewDiscoveryRESTMapper(groups)
		for _, resource := range []string{"tickets", "ticketids"} {
			kind, err := mapper.KindFor(restv1.GroupVersion.WithResource(resource))
			Expect(err).NotTo(HaveOccurred())
			mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
			Expect(err).NotTo(HaveOccurred())
			Expect(mapping.Resource.Resource).To(Equal(resource))
		}
	})

	It("is asked for in its namespace's name too, view by view", func(ctx SpecContext) {
		may(ctx, "zhangsan", "", byID)
		Eventually(func(g Gomega) {
			_, err := get(ctx, "zhangsan", "ticketids", "999999")
			g.Expect(err).To(Satisfy(apierrors.IsNotFound))
		}).Should(Succeed())
		_, err := get(ctx, "zhangsan", "ticketids", idOf(private))
		Expect(err).To(Satisfy(apierrors.IsForbidden), "zhangsan has to do with it, but no right in its namespace")

		may(ctx, "zhangsan", "it", rbacv1.PolicyRule{APIGroups: served.APIGroups, Resources: []string{"tickets"}, Verbs: []string{"get"}})
		Eventually(func(g Gomega) {
			found, err := get(ctx, "zhangsan", "ticketids", idOf(private))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(found.GetName()).To(Equal(idOf(private)))
			g.Expect(found.GetKind()).To(Equal("TicketID"))
			g.Expect(found.Object).To(HaveKeyWithValue("ticket", map[string]any{"namespace": "it", "name": private.Name}))
		}).Should(Succeed())
		_, err = get(ctx, "zhangsan", "ticketids", idOf(private), "flowlogs")
		Expect(err).To(Satisfy(apierrors.IsForbidden), "the right to its logs is another")
	})

	It("tells nothing but the id to who may not look at it", func(ctx SpecContext) {
		may(ctx, "guiji", "", byID)
		may(ctx, "nosy", "", byID)
		may(ctx, "nosy", "it", served)
		Eventually(func(g Gomega) {
			_, err := get(ctx, "nosy", "ticketids", idOf(public))
			g.Expect(err).NotTo(HaveOccurred())
			_, err = get(ctx, "guiji", "ticketids", "999999")
			g.Expect(err).To(Satisfy(apierrors.IsNotFound))
		}).Should(Succeed())
		for _, user := range []string{"guiji", "nosy"} {
			for _, view := range [][]string{nil, {"flowlogs"}} {
				_, err := get(ctx, user, "ticketids", idOf(private), view...)
				Expect(err).To(Satisfy(apierrors.IsForbidden), "%s", user)
				status := err.(apierrors.APIStatus).Status()
				Expect(status.Details.Name).To(Equal(idOf(private)))
				Expect(status.String()).NotTo(Or(ContainSubstring(private.Name), ContainSubstring("namespace"), ContainSubstring(`"it"`)))
			}
		}
	})
})
