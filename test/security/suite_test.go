// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package security_test tries to get in where one should not: people with roles
// that ship attack a whole installation, with its manager and its REST API
// under their own roles and the admission policy in force. What each part does
// against its own attacks is tested beside it: the policy in config/policy, the
// roles in config/rbac, signatures in apiserver/rest, hosts in internal/outbound.
package security_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/auth"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/apiserver/rest"
	"ticketflow.dev/ticketflow/controllers/manager"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/testenv"
)

const token = "the-token-of-ops-and-nobody-else"

var (
	environment *envtest.Environment
	admin       client.Client // of the cluster
	mallory     client.Client // may do what a namespace's administrator may, in it and elsewhere
	server      *httptest.Server
	stop        context.CancelFunc
	ended       chan error
)

func TestSecurity(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "security")
}

var _ = BeforeSuite(func() {
	ctrl.SetLogger(klog.NewKlogr())
	environment, admin = testenv.ForSpecs()
	var ctx context.Context
	ctx, stop = context.WithCancel(context.Background())
	Expect(testenv.Install(ctx, admin)).To(Succeed())
	for _, name := range []string{"it", "elsewhere"} {
		create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	create(ctx, fixtures.People()...)
	create(ctx, &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "mallory"}, Spec: v1alpha1.UserSpec{Department: "it"}})
	create(ctx, secret(fixtures.SystemNamespace, "ops", map[string]string{v1alpha1.LabelUse: string(v1alpha1.UseApplication)}))
	create(ctx, fixtures.Workflow("it"), fixtures.Workflow("elsewhere"), fixtures.Grant("it", "print()"))
	mallory = as("mallory")
	bind(ctx, "mallory", "ticketflow-admin", "it", "elsewhere")
	bind(ctx, "mallory", "meddler", "it") // and what Kubernetes' own edit and admin give besides
	create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "meddler"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"apps"}, Resources: []string{"controllerrevisions"}, Verbs: []string{"*"}},
		{APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, Verbs: []string{"*", "impersonate"}},
	}})
	ended = make(chan error, 2)
	start(ctx)
	Eventually(func(g Gomega) {
		for _, namespace := range []string{"it", "elsewhere"} {
			w := fixtures.Workflow(namespace)
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed())
			g.Expect(w.Status.Revision).NotTo(BeEmpty())
		}
		forged := ticket("forged")
		forged.Annotations = map[string]string{"ticketflow.dev/x": "y"}
		g.Expect(admin.Create(ctx, forged, client.DryRunAll)).To(Satisfy(apierrors.IsForbidden), "the policy is in force")
	}).Should(Succeed())
})

var _ = AfterSuite(func() {
	server.Close()
	stop()
	for range cap(ended) {
		Expect(<-ended).To(Succeed())
	}
})

// start runs the manager and serves REST, each under its own account.
func start(ctx context.Context) {
	account := func(name string) *envtest.AuthenticatedUser {
		user, err := environment.AddUser(envtest.User{
			Name: "system:serviceaccount:" + fixtures.SystemNamespace + ":" + name, Groups: []string{"system:serviceaccounts"},
		}, nil)
		Expect(err).NotTo(HaveOccurred())
		return user
	}
	options := manager.NewOptions()
	options.ScriptDir = GinkgoT().TempDir() + "/scripts"
	options.AllowHosts = []string{"allowed.example"}
	mgr, err := manager.New(ctx, account("ticketflow-manager").Config(), options)
	Expect(err).NotTo(HaveOccurred())
	go func() { ended <- mgr.Start(ctx) }()
	apiserver := account("ticketflow-apiserver").Config()
	b, err := backend.New(backend.Options{Config: apiserver, Scheme: testenv.Scheme(), Clock: clock.RealClock{}, ActionTimeout: testenv.Timeout})
	Expect(err).NotTo(HaveOccurred())
	go func() { ended <- b.Start(ctx) }()
	secrets, err := client.New(apiserver, client.Options{Scheme: testenv.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	clients, err := kubernetes.NewForConfig(apiserver)
	Expect(err).NotTo(HaveOccurred())
	bearer, err := auth.NewBearer(b.Directory(), clients)
	Expect(err).NotTo(HaveOccurred())
	rights, err := auth.NewAuthorizer(clients)
	Expect(err).NotTo(HaveOccurred())
	who := &auth.Either{Signature: auth.NewSignature(b.Directory(), secrets, fixtures.SystemNamespace, clock.RealClock{}), Bearer: bearer}
	server = httptest.NewServer(rest.New(b, who, rest.Options{Location: time.UTC, Log: logr.Discard(), MaxInFlight: 100, Rights: rights}))
	Eventually(b.Synced()).Should(BeClosed())
}

func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(admin.Create(ctx, o)).To(Succeed())
	}
}

func secret(namespace, name string, labels map[string]string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}, StringData: map[string]string{"token": token}}
}

// as is a Kubernetes user's own client.
func as(name string, groups ...string) client.Client {
	return testenv.As(environment, name, groups...)
}

// bind gives a user a role in namespaces.
func bind(ctx context.Context, user, role string, namespaces ...string) {
	GinkgoHelper()
	for _, namespace := range namespaces {
		create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "binding-", Namespace: namespace},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		})
	}
}

// ticket is one that mallory asks for in her own name.
func ticket(name string) *v1alpha1.Ticket {
	t := fixtures.Ticket("it", name)
	t.Spec.Creator, t.Spec.By = "mallory", v1alpha1.RequestedBy{User: "mallory"}
	return t
}

// refused waits until a ticket is not opened, and answers why.
func refused(ctx context.Context, t *v1alpha1.Ticket) string {
	GinkgoHelper()
	var opened *metav1.Condition
	Eventually(func(g Gomega) {
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
		opened = meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionOpened)
		g.Expect(opened).NotTo(BeNil())
	}).Should(Succeed())
	Expect(opened.Status).To(Equal(metav1.ConditionFalse))
	return opened.Reason
}

// opened waits until a ticket is in its second state.
func opened(ctx context.Context, t *v1alpha1.Ticket) *v1alpha1.Ticket {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
		g.Expect(t.Status.ID).NotTo(BeZero(), "%v", t.Status.Conditions)
	}).Should(Succeed())
	return t
}

// answer is REST's.
type answer struct {
	status int
	Code   int
	Reason string
	Data   any
}

// call makes a request that is signed with a token.
func call(app, token, user, method, path, body string, headers map[string]string) answer {
	GinkgoHelper()
	request, err := http.NewRequest(method, server.URL+"/api/v1.0/"+path, bytes.NewBufferString(body))
	Expect(err).NotTo(HaveOccurred())
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	sum := md5.Sum([]byte(timestamp + token))
	for name, value := range map[string]string{"appname": app, "timestamp": timestamp, "signature": hex.EncodeToString(sum[:]), "username": user} {
		request.Header.Set(name, value)
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	out := answer{status: response.StatusCode}
	Expect(json.NewDecoder(response.Body).Decode(&out)).To(Succeed())
	return out
}
