// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated_test

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/discovery"
	restclient "k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/aggregated"
	"ticketflow.dev/ticketflow/apiserver/auth"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/apiserver/rest"
	"ticketflow.dev/ticketflow/controllers/manager"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/testenv"
)

var (
	environment *envtest.Environment
	k8s         client.Client
	port        int
	stop        context.CancelFunc
	ended       chan error
	// private is a ticket of a workflow that only those who have to do with it
	// see, public one that everyone sees.
	private, public *v1alpha1.Ticket
)

func TestAggregated(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "aggregated")
}

// lines are what the log has.
type lines struct {
	mu  sync.Mutex
	all []string
}

var audited lines

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
}

func (l *lines) seen() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// The suite runs a manager and the aggregated API, which asks a real
// kube-apiserver who a caller is and what one may.
var _ = BeforeSuite(func() {
	ctrl.SetLogger(klog.NewKlogr())
	SetDefaultEventuallyTimeout(testenv.Timeout)
	SetDefaultEventuallyPollingInterval(testenv.Interval)
	var err error
	aggregation, err := testenv.NewAggregation(GinkgoT().TempDir(), fixtures.SystemNamespace)
	Expect(err).NotTo(HaveOccurred())
	port = aggregation.Port
	environment, err = testenv.Start(aggregation.Configure)
	Expect(err).NotTo(HaveOccurred())
	k8s, err = client.New(environment.Config, client.Options{Scheme: testenv.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	var ctx context.Context
	ctx, stop = context.WithCancel(context.Background())
	create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fixtures.SystemNamespace}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "it"}}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: desk}})
	create(ctx, fixtures.People()...)
	create(ctx, &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "boss"}, Spec: v1alpha1.UserSpec{Administrator: true}})
	create(ctx, &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Name: "narrow"}, Spec: v1alpha1.ApplicationSpec{
		TokenSecretRef: v1alpha1.NamespacedSecretKeyRef{Namespace: fixtures.SystemNamespace, Name: "narrow", Key: "token"},
		Workflows:      &v1alpha1.WorkflowScope{Names: []string{"it/vpn"}},
	}})
	create(ctx, &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "meimei"}, Spec: v1alpha1.UserSpec{Identities: []string{"oidc:meimei"}}})

	options := manager.NewOptions()
	options.ScriptRunner = manager.RunnerProcess
	options.ScriptDir = GinkgoT().TempDir() + "/scripts"
	mgr, err := manager.New(ctx, environment.Config, options)
	Expect(err).NotTo(HaveOccurred())
	b, err := backend.New(backend.Options{
		Config: environment.Config, Scheme: testenv.Scheme(), Clock: clock.RealClock{}, ActionTimeout: testenv.Timeout,
	})
	Expect(err).NotTo(HaveOccurred())
	ended = make(chan error, 3)
	go func() { ended <- mgr.Start(ctx) }()
	go func() { ended <- b.Start(ctx) }()
	Eventually(b.Synced()).Should(BeClosed())
	create(ctx, workflow(desk, "open-vpn", v1alpha1.VisibilityEveryone))
	private, public = openTicket(ctx, "vpn", v1alpha1.VisibilityRelated), openTicket(ctx, "open-vpn", v1alpha1.VisibilityEveryone)
	for _, t := range []*v1alpha1.Ticket{private, public} {
		Eventually(func() bool { _, ok := b.TicketByID(t.Status.ID); return ok }).Should(BeTrue())
	}
	served := serving(b, aggregation) // here, since envtest's users are not made by two at a time
	go func() { ended <- aggregated.Run(ctx, served) }()
	Expect(aggregation.Register(ctx, environment)).To(Succeed())
	// Both what our server answers and what kube-apiserver has gathered of it,
	// which comes a moment later.
	lilei := discovery.NewDiscoveryClientForConfigOrDie(configOf("lilei"))
	Eventually(func(g Gomega) {
		_, err := lilei.ServerResourcesForGroupVersion(restv1.GroupVersion.String())
		g.Expect(err).NotTo(HaveOccurred())
		_, gathered, err := lilei.ServerGroupsAndResources()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(gathered).To(ContainElement(HaveField("GroupVersion", restv1.GroupVersion.String())))
	}).Should(Succeed())
})

var _ = AfterSuite(func() {
	stop()
	for range cap(ended) {
		Expect(<-ended).To(Succeed())
	}
	Expect(environment.Stop()).To(Succeed())
})

func serving(b *backend.Backend, aggregation *testenv.Aggregation) aggregated.Options {
	kubeconfig, err := aggregation.Kubeconfig(environment)
	Expect(err).NotTo(HaveOccurred())
	api := rest.New(b, auth.NewSignature(b.Directory(), k8s, fixtures.SystemNamespace, clock.RealClock{}),
		rest.Options{Location: time.UTC, Log: klog.Background(), MaxInFlight: 10})
	served, err := dynamiccertificates.NewStaticCertKeyContent("test", aggregation.Serving.Certificate, aggregation.Serving.Key)
	Expect(err).NotTo(HaveOccurred())
	return aggregated.Options{
		BindAddress: "127.0.0.1", Port: port, Kubeconfig: kubeconfig, Config: environment.Config, Backend: b, Renderer: api.Renderer(),
		Certificate: served, Log: funcr.New(func(_, line string) { audited.add(line) }, funcr.Options{}),
	}
}

func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(k8s.Create(ctx, o)).To(Succeed())
	}
}

func workflow(namespace, name string, visibility v1alpha1.Visibility) *v1alpha1.Workflow {
	w := fixtures.Workflow(namespace)
	w.Name, w.Spec.Visibility = name, visibility
	return w
}

func openTicket(ctx context.Context, name string, visibility v1alpha1.Visibility) *v1alpha1.Ticket {
	create(ctx, workflow("it", name, visibility))
	t := fixtures.Ticket("it", "ticket-on-"+name)
	t.Spec.WorkflowRef.Name = v1alpha1.ObjectName(name)
	create(ctx, t)
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
		g.Expect(t.Status.ID).NotTo(BeZero(), "%v", t.Status.Conditions)
	}).Should(Succeed())
	return t
}

// configOf is how a user reaches the aggregated API: through kube-apiserver.
func configOf(user string, groups ...string) *restclient.Config {
	GinkgoHelper()
	added, err := environment.AddUser(envtest.User{Name: user, Groups: groups}, nil)
	Expect(err).NotTo(HaveOccurred())
	return added.Config()
}

// direct is how a user reaches it without kube-apiserver's knowing.
func direct(user string) *restclient.Config {
	config := configOf(user)
	config.Host = "https://" + net.JoinHostPort("127.0.0.1", itoa(int64(port)))
	config.CAData, config.Insecure = nil, true
	return config
}

// may gives a user rights, in a namespace or everywhere.
func may(ctx context.Context, user, namespace string, rules ...rbacv1.PolicyRule) {
	GinkgoHelper()
	role := rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: "role-"}, Rules: rules}
	create(ctx, &role)
	reference := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	meta := metav1.ObjectMeta{GenerateName: "binding-", Namespace: namespace}
	if namespace == "" {
		create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: reference, Subjects: subjects})
		return
	}
	create(ctx, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: reference, Subjects: subjects})
}
