// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package certs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/cert"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/apiserver/certs"
	"ticketflow.dev/ticketflow/internal/pki"
	"ticketflow.dev/ticketflow/internal/testenv"
)

const host = "ticketflow-apiserver.certs.svc"

var (
	environment *envtest.Environment
	clients     kubernetes.Interface
	registered  aggregator.Interface
)

func TestCerts(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "certs")
}

var _ = BeforeSuite(func() {
	environment, _ = testenv.ForSpecs()
	var err error
	clients, err = kubernetes.NewForConfig(environment.Config)
	Expect(err).NotTo(HaveOccurred())
	registered, err = aggregator.NewForConfig(environment.Config)
	Expect(err).NotTo(HaveOccurred())
})

// replicas are keepers of one certificate, in a namespace and with an
// APIService of their own.
func replicas(ctx context.Context, clock *clocktesting.FakeClock, count int) (all []*certs.Keeper, o certs.Options) {
	GinkgoHelper()
	namespace, err := clients.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "certs-"}}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	services := registered.ApiregistrationV1().APIServices()
	group := namespace.Name + ".example.com"
	service, err := services.Create(ctx, &apiregistrationv1.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: "v1." + group},
		Spec: apiregistrationv1.APIServiceSpec{
			Group: group, Version: "v1", GroupPriorityMinimum: 100, VersionPriority: 100,
			Service: &apiregistrationv1.ServiceReference{Namespace: namespace.Name, Name: "server", Port: ptr.To[int32](443)},
		},
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) { // a group that nobody serves is a nuisance
		Expect(services.Delete(ctx, service.Name, metav1.DeleteOptions{})).To(Succeed())
	})
	o = certs.Options{
		Secrets: clients.CoreV1().Secrets(namespace.Name), SecretName: "tls", DNSNames: []string{host, "other"},
		Services: services, ServiceName: service.Name, Clock: clock,
	}
	for range count {
		all = append(all, certs.NewKeeper(o))
	}
	return all, o
}

func bundle(ctx context.Context, o certs.Options) []byte {
	GinkgoHelper()
	service, err := o.Services.Get(ctx, o.ServiceName, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	return service.Spec.CABundle
}

// trusted says whether kube-apiserver would trust what a replica serves.
func trusted(ctx context.Context, k *certs.Keeper, o certs.Options, at time.Time) error {
	certificate, key := k.CurrentCertKeyContent()
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle(ctx, o)) {
		return fmt.Errorf("nothing is published")
	}
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: at})
	return err
}

func served(k *certs.Keeper) string {
	certificate, _ := k.CurrentCertKeyContent()
	return string(certificate)
}

var _ = Describe("the serving certificate", func() {
	var clock *clocktesting.FakeClock
	BeforeEach(func() { clock = clocktesting.NewFakeClock(time.Now()) })

	It("is one for all replicas that start at once, and is published", func(ctx SpecContext) {
		all, o := replicas(ctx, clock, 8)
		var started sync.WaitGroup
		errs := make([]error, len(all))
		for i, k := range all {
			started.Go(func() { errs[i] = k.Sync(ctx) })
		}
		started.Wait()
		for i, k := range all {
			Expect(errs[i]).NotTo(HaveOccurred())
			Expect(served(k)).To(Equal(served(all[0])))
		}
		Expect(trusted(ctx, all[0], o, clock.Now())).To(Succeed())
	})

	It("outlives a restart", func(ctx SpecContext) {
		all, o := replicas(ctx, clock, 2)
		Expect(all[0].Sync(ctx)).To(Succeed())
		before := bundle(ctx, o)
		Expect(all[1].Sync(ctx)).To(Succeed())
		Expect(served(all[1])).To(Equal(served(all[0])))
		Expect(bundle(ctx, o)).To(Equal(before))
	})

	It("is renewed in time, and the other replicas follow", func(ctx SpecContext) {
		all, o := replicas(ctx, clock, 2)
		for _, k := range all {
			Expect(k.Sync(ctx)).To(Succeed())
		}
		first, authority := served(all[0]), bundle(ctx, o)
		clock.Step(pki.Life - pki.RenewBefore - time.Hour)
		Expect(all[0].Sync(ctx)).To(Succeed())
		Expect(served(all[0])).To(Equal(first), "it is not due yet")
		clock.Step(2 * time.Hour)
		Expect(all[0].Sync(ctx)).To(Succeed())
		Expect(served(all[0])).NotTo(Equal(first))
		Expect(bundle(ctx, o)).To(Equal(authority), "the authority is the same")
		Expect(trusted(ctx, all[0], o, clock.Now())).To(Succeed())
		Expect(trusted(ctx, all[1], o, clock.Now())).To(Succeed())
		Expect(all[1].Sync(ctx)).To(Succeed())
		Expect(served(all[1])).To(Equal(served(all[0])))
	})

	It("is trusted all the time while its authority is replaced", func(ctx SpecContext) {
		all, o := replicas(ctx, clock, 2)
		Expect(all[0].Sync(ctx)).To(Succeed())
		clock.Step(pki.AuthorityLife - pki.RenewBefore - pki.Life/2)
		for _, k := range all {
			Expect(k.Sync(ctx)).To(Succeed())
		}
		older := bundle(ctx, o)
		clock.Step(pki.Life/2 + time.Hour)
		Expect(all[0].Sync(ctx)).To(Succeed())
		Expect(string(bundle(ctx, o))).To(HaveSuffix(string(older)))
		Expect(string(bundle(ctx, o))).NotTo(Equal(string(older)))
		for _, k := range all {
			Expect(trusted(ctx, k, o, clock.Now())).To(Succeed())
		}
		Expect(all[1].Sync(ctx)).To(Succeed())
		Expect(served(all[1])).To(Equal(served(all[0])))
		clock.Step(2 * pki.RenewBefore)
		authorities, err := cert.ParseCertsPEM(bundle(ctx, o))
		Expect(err).NotTo(HaveOccurred())
		Expect(authorities).To(HaveLen(2))
		Expect(trusted(ctx, all[1], o, clock.Now())).To(Succeed(), "the older authority is no longer needed")
	})

	It("is made anew where the Secret was spoilt or deleted", func(ctx SpecContext) {
		all, o := replicas(ctx, clock, 1)
		Expect(all[0].Sync(ctx)).To(Succeed())
		first := served(all[0])
		secret, err := o.Secrets.Get(ctx, o.SecretName, metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		secret.Data["ca.key"] = []byte("nonsense")
		_, err = o.Secrets.Update(ctx, secret, metav1.UpdateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(all[0].Sync(ctx)).To(Succeed())
		second := served(all[0])
		Expect(second).NotTo(Equal(first))
		Expect(o.Secrets.Delete(ctx, o.SecretName, metav1.DeleteOptions{})).To(Succeed())
		Expect(all[0].Sync(ctx)).To(Succeed())
		Expect(served(all[0])).NotTo(Or(Equal(first), Equal(second)))
		Expect(trusted(ctx, all[0], o, clock.Now())).To(Succeed())
	})

	It("is taken over by a listener that serves, without a restart", func(ctx SpecContext) {
		all, _ := replicas(ctx, clock, 1)
		Expect(all[0].Sync(ctx)).To(Succeed())
		settings := &tls.Config{MinVersion: tls.VersionTLS12}
		current := dynamiccertificates.NewDynamicServingCertificateController(settings, nil, all[0], nil, nil)
		all[0].AddListener(current)
		Expect(current.RunOnce()).To(Succeed())
		go current.Run(1, ctx.Done())
		listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetConfigForClient: current.GetConfigForClient})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(listener.Close)
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go func() { defer conn.Close(); _ = conn.(*tls.Conn).Handshake() }()
			}
		}()
		seen := func() (string, error) {
			conn, err := (&tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", listener.Addr().String())
			if err != nil {
				return "", err
			}
			defer conn.Close()
			certificate, err := cert.EncodeCertificates(conn.(*tls.Conn).ConnectionState().PeerCertificates...)
			return string(certificate), err
		}
		Expect(seen()).To(Equal(served(all[0])))
		clock.Step(pki.Life)
		Expect(all[0].Sync(ctx)).To(Succeed())
		Eventually(seen).Should(Equal(served(all[0])))
	})

	It("is looked after as long as the keeper runs", func(ctx SpecContext) {
		all, _ := replicas(ctx, clock, 1)
		Expect(all[0].Sync(ctx)).To(Succeed())
		first := served(all[0])
		until, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- all[0].Run(until) }()
		Eventually(clock.HasWaiters).Should(BeTrue())
		clock.Step(pki.Life)
		Eventually(func() string { return served(all[0]) }).ShouldNot(Equal(first))
		stop()
		Expect(<-ended).To(Succeed())
	})
})
