// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package apiservice_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/controllers/apiservice"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/testenv"
)

const waitingFor = "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: rest.ticketflow.dev/v1: stale GroupVersion discovery: rest.ticketflow.dev/v1"

var (
	environment *envtest.Environment
	admin       *kubernetes.Clientset
	services    *aggregator.Clientset
	// With the rights that the manager has.
	guarded   *kubernetes.Clientset
	guardedBy *aggregator.Clientset
)

func TestAPIService(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "apiservice")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	SetDefaultEventuallyTimeout(testenv.Timeout)
	SetDefaultEventuallyPollingInterval(testenv.Interval)
	var err error
	environment, err = testenv.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() error { return environment.Stop() })
	k8s, err := client.New(environment.Config, client.Options{Scheme: testenv.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	Expect(testenv.Install(ctx, k8s)).To(Succeed())
	admin, services = kubernetes.NewForConfigOrDie(environment.Config), aggregator.NewForConfigOrDie(environment.Config)
	user, err := environment.AddUser(envtest.User{
		Name:   "system:serviceaccount:" + fixtures.SystemNamespace + ":ticketflow-manager",
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + fixtures.SystemNamespace},
	}, nil)
	Expect(err).NotTo(HaveOccurred())
	guarded, guardedBy = kubernetes.NewForConfigOrDie(user.Config()), aggregator.NewForConfigOrDie(user.Config())
	_, err = admin.CoreV1().Services(fixtures.SystemNamespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "ticketflow-apiserver"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "https", Port: 443}}},
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
})

// slice has one pod behind the API server's Service, as the controller that is
// missing here would write it.
func slice(ctx context.Context, ready bool) {
	GinkgoHelper()
	slices := admin.DiscoveryV1().EndpointSlices(fixtures.SystemNamespace)
	Expect(slices.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})).To(Succeed())
	_, err := slices.Create(ctx, &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{GenerateName: "apiserver-", Labels: map[string]string{discoveryv1.LabelServiceName: "ticketflow-apiserver"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.9"}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
}

// leaving is a namespace that is being deleted and waits, as the namespace
// controller would say.
func leaving(ctx context.Context, message string) {
	GinkgoHelper()
	namespaces := admin.CoreV1().Namespaces()
	made, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "leaving-"}}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	Expect(namespaces.Delete(ctx, made.Name, metav1.DeleteOptions{})).To(Succeed())
	made, err = namespaces.Get(ctx, made.Name, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	made.Status.Conditions = []corev1.NamespaceCondition{{
		Type: corev1.NamespaceDeletionDiscoveryFailure, Status: corev1.ConditionTrue, Reason: "DiscoveryFailed", Message: message,
	}}
	made, err = namespaces.UpdateStatus(ctx, made, metav1.UpdateOptions{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx context.Context) error { // what the controller does at the end
		made.Spec.Finalizers = nil
		_, err := namespaces.Finalize(ctx, made, metav1.UpdateOptions{})
		return err
	})
}

var _ = Describe("While no API server is there", func() {
	var (
		guard *apiservice.Guard
		clk   *clocktesting.FakeClock
	)

	BeforeEach(func(ctx SpecContext) {
		_, err := services.ApiregistrationV1().APIServices().Create(ctx, &apiregistrationv1.APIService{
			ObjectMeta: metav1.ObjectMeta{Name: apiservice.Name, Labels: map[string]string{"kept": "yes"}, Annotations: map[string]string{"too": "yes"}},
			Spec: apiregistrationv1.APIServiceSpec{
				Group: "rest.ticketflow.dev", Version: "v1", GroupPriorityMinimum: 100, VersionPriority: 100,
				Service: &apiregistrationv1.ServiceReference{Namespace: fixtures.SystemNamespace, Name: "ticketflow-apiserver", Port: ptr.To[int32](443)},
			},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx context.Context) error {
			return client.IgnoreNotFound(services.ApiregistrationV1().APIServices().Delete(ctx, apiservice.Name, metav1.DeleteOptions{}))
		})
		slice(ctx, false)
		Eventually(func(g Gomega) {
			service, err := services.ApiregistrationV1().APIServices().Get(ctx, apiservice.Name, metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(service.Status.Conditions).To(ContainElement(HaveField("Status", apiregistrationv1.ConditionFalse)))
		}).Should(Succeed())
		clk = clocktesting.NewFakeClock(time.Now().Add(apiservice.Patience + time.Second))
		guard = &apiservice.Guard{
			Services: guardedBy.ApiregistrationV1().APIServices(), Client: guarded, SystemNamespace: fixtures.SystemNamespace, Clock: clk,
		}
	})

	registered := func(ctx context.Context) bool {
		GinkgoHelper()
		_, err := services.ApiregistrationV1().APIServices().Get(ctx, apiservice.Name, metav1.GetOptions{})
		Expect(client.IgnoreNotFound(err)).NotTo(HaveOccurred())
		return !apierrors.IsNotFound(err)
	}

	It("is in no namespace's way, and is registered again, as it was, when one is there", func(ctx SpecContext) {
		before, err := services.ApiregistrationV1().APIServices().Get(ctx, apiservice.Name, metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		leaving(ctx, waitingFor)
		Expect(guard.Sync(ctx)).To(Succeed())
		Expect(registered(ctx)).To(BeFalse())
		Expect(guard.Sync(ctx)).To(Succeed())
		Expect(registered(ctx)).To(BeFalse(), "still nobody serves it")
		slice(ctx, true)
		Expect(guard.Sync(ctx)).To(Succeed())
		after, err := services.ApiregistrationV1().APIServices().Get(ctx, apiservice.Name, metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(after.Labels).To(Equal(before.Labels))
		Expect(after.Annotations).To(Equal(before.Annotations))
		Expect(after.Spec).To(Equal(before.Spec))
	})

	It("does not bring back what somebody else has removed", func(ctx SpecContext) {
		leaving(ctx, waitingFor)
		Expect(guard.Sync(ctx)).To(Succeed())
		slice(ctx, true)
		Expect(guard.Sync(ctx)).To(Succeed())
		Eventually(func(g Gomega) { // the new one is looked at, and what was noted is forgotten
			g.Expect(guard.Sync(ctx)).To(Succeed())
			note, err := admin.CoreV1().ConfigMaps(fixtures.SystemNamespace).Get(ctx, apiservice.NoteName, metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(note.Data).NotTo(ContainElement(Not(BeEmpty())))
		}).Should(Succeed())
		Expect(services.ApiregistrationV1().APIServices().Delete(ctx, apiservice.Name, metav1.DeleteOptions{})).To(Succeed())
		Expect(guard.Sync(ctx)).To(Succeed())
		Expect(registered(ctx)).To(BeFalse())
	})

	DescribeTable("stays registered", func(ctx SpecContext, prepare func(ctx context.Context)) {
		prepare(ctx)
		Expect(guard.Sync(ctx)).To(Succeed())
		Expect(registered(ctx)).To(BeTrue())
	},
		Entry("as long as no namespace is deleted", func(context.Context) {}),
		Entry("where a namespace waits for another group", func(ctx context.Context) {
			leaving(ctx, "unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: stale GroupVersion discovery")
		}),
		Entry("for the time that a pod takes to be replaced", func(ctx context.Context) {
			leaving(ctx, waitingFor)
			clk.SetTime(time.Now())
		}),
		Entry("where a pod is ready, and something else is wrong", func(ctx context.Context) {
			leaving(ctx, waitingFor)
			slice(ctx, true)
		}),
		Entry("where its Service is none with pods", func(ctx context.Context) {
			leaving(ctx, waitingFor)
			Expect(admin.DiscoveryV1().EndpointSlices(fixtures.SystemNamespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})).To(Succeed())
		}),
	)

	It("has no right to register anything else", func(ctx SpecContext) {
		_, err := guardedBy.ApiregistrationV1().APIServices().Patch(ctx, "v1.apps.example.com", "application/apply-patch+yaml", []byte(`
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.apps.example.com}
spec: {group: apps.example.com, version: v1, groupPriorityMinimum: 100, versionPriority: 100}
`), metav1.PatchOptions{FieldManager: "x"})
		Expect(err).To(Satisfy(apierrors.IsForbidden))
	})
})
