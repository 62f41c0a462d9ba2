// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package manager_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/metrics"
	"ticketflow.dev/ticketflow/internal/metrics/metricstest"
)

var _ = Describe("metrics", func() {
	It("count the tickets of the manager's cache", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		t := fixtures.Ticket(ns, "vpn-1")
		create(ctx, fixtures.Workflow(ns), t)
		inState(ctx, t, "lead")
		Eventually(func() float64 {
			return metricstest.Value("ticketflow_tickets", metricstest.Labels{"namespace": ns, "workflow": "vpn", "state": "lead", "progress": "InProgress"})
		}).Should(BeEquivalentTo(1))
	})

	It("are served over TLS, to those alone who may get them", func(ctx SpecContext) {
		address := freeAddress()
		server, err := metrics.NewServer(environment.Config, address, true)
		Expect(err).NotTo(HaveOccurred())
		serving, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- server.Start(serving) }()
		// The certificate is its own.
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // as above
		DeferCleanup(client.CloseIdleConnections)
		get := func(token string) func(Gomega) string {
			return func(g Gomega) string {
				request, err := http.NewRequest(http.MethodGet, "https://"+address+"/metrics", nil)
				g.Expect(err).NotTo(HaveOccurred())
				if token != "" {
					request.Header.Set("Authorization", "Bearer "+token)
				}
				response, err := client.Do(request)
				g.Expect(err).NotTo(HaveOccurred())
				defer response.Body.Close()
				body, err := io.ReadAll(response.Body)
				g.Expect(err).NotTo(HaveOccurred())
				return response.Status + "\n" + string(body)
			}
		}
		Eventually(get("")).Should(HavePrefix("401 "))
		Expect(get(token(ctx, "stranger"))(NewGomega(Fail))).To(HavePrefix("403 "))
		reads := &rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: "reads-metrics"},
			Rules:      []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}},
		}
		create(ctx, reads, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "reads-metrics"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: reads.Name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: fixtures.SystemNamespace, Name: "prometheus"}},
		})
		reader := token(ctx, "prometheus")
		Eventually(get(reader)).Should(And(HavePrefix("200 "), ContainSubstring("\nticketflow_tickets{"),
			ContainSubstring("\ncontroller_runtime_max_concurrent_reconciles{controller=\"ticket\"}"),
			ContainSubstring("\ncontroller_runtime_reconcile_errors_total{controller=\"ticket\"}"),
			MatchRegexp(`\nworkqueue_depth\{[^}]*name="ticket"`),
		))
		stop()
		Expect(<-ended).To(Succeed())
	})
})

func freeAddress() string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	return listener.Addr().String()
}

// token is one of a service account.
func token(ctx context.Context, name string) string {
	GinkgoHelper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.SystemNamespace, Name: name}}
	create(ctx, account)
	request := &authenticationv1.TokenRequest{}
	Expect(k8s.SubResource("token").Create(ctx, account, request)).To(Succeed())
	return request.Status.Token
}
