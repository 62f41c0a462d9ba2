// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package coexistence_test runs Ticketflow beside others that call their kinds
// by the same names, and asks of its kinds what GitOps tools ask.
package coexistence_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/klog/v2"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/manager"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/testenv"
)

var (
	environment *envtest.Environment
	k8s         client.Client
	kubeconfig  string
	stop        context.CancelFunc
	ended       = make(chan error, 1)
)

func TestCoexistence(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "coexistence")
}

// others are kinds that share their names with ours.
var others = []struct{ group, plural, kind, short string }{
	{"argoproj.io", "workflows", "Workflow", "wf"},
	{"argoproj.io", "applications", "Application", "app"},
	{"user.openshift.io", "users", "User", ""},
	{"helpdesk.example.com", "tickets", "Ticket", "tkt"},
	{"scripting.example.com", "scripts", "Script", ""},
}

var _ = BeforeSuite(func(ctx SpecContext) {
	ctrl.SetLogger(klog.NewKlogr())
	environment, k8s = testenv.ForSpecs()
	for _, o := range others {
		Expect(k8s.Create(ctx, definition(o.group, o.plural, o.kind, o.short))).To(Succeed())
	}
	Expect(testenv.Install(ctx, k8s)).To(Succeed())
	user, err := environment.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	Expect(err).NotTo(HaveOccurred())
	data, err := user.KubeConfig()
	Expect(err).NotTo(HaveOccurred())
	kubeconfig = filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(os.WriteFile(kubeconfig, data, 0o600)).To(Succeed())
	startManager()
	for _, o := range fixtures.People() {
		Expect(k8s.Create(ctx, o)).To(Succeed())
	}
})

var _ = AfterSuite(func() {
	stop()
	Expect(<-ended).To(Succeed())
})

func startManager() {
	account, err := environment.AddUser(envtest.User{
		Name: "system:serviceaccount:ticketflow-system:ticketflow-manager", Groups: []string{"system:serviceaccounts"},
	}, nil)
	Expect(err).NotTo(HaveOccurred())
	var ctx context.Context
	ctx, stop = context.WithCancel(context.Background())
	options := manager.NewOptions()
	options.ScriptDir = GinkgoT().TempDir() + "/scripts"
	mgr, err := manager.New(ctx, account.Config(), options)
	Expect(err).NotTo(HaveOccurred())
	go func() { ended <- mgr.Start(ctx) }()
}

func definition(group, plural, kind, short string) *apiextensionsv1.CustomResourceDefinition {
	crd := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: plural + "." + group},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: group, Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: plural, Singular: strings.ToLower(kind), Kind: kind, ListKind: kind + "List"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1alpha1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object"}},
			}},
		},
	}
	if short != "" {
		crd.Spec.Names.ShortNames = []string{short}
	}
	return crd
}

// kubectl is what people type.
func kubectl(ctx context.Context, arguments ...string) string {
	GinkgoHelper()
	folder := os.Getenv("KUBEBUILDER_ASSETS")
	if folder == "" {
		folder = testenv.Path("bin", "kubernetes")
	}
	command := exec.CommandContext(ctx, filepath.Join(folder, "kubectl"), arguments...)
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	out, err := command.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s", out)
	return string(out)
}

// stands is what kstatus, and with it Flux, kpt and others, take an object for.
func stands(ctx context.Context, o client.Object) func() (status.Status, error) {
	return func() (status.Status, error) {
		gvk, err := k8s.GroupVersionKindFor(o)
		if err != nil {
			return "", err
		}
		present := &unstructured.Unstructured{}
		present.SetGroupVersionKind(gvk)
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(o), present); err != nil {
			return "", err
		}
		if present.Object["status"] == nil {
			return status.UnknownStatus, nil // kstatus takes it for current
		}
		result, err := status.Compute(present)
		if err != nil {
			return "", err
		}
		return result.Status, nil
	}
}

var _ = Describe("Beside others' kinds of the same names", func() {
	It("tickets go their way, and kubectl finds ours by their full names", func(ctx SpecContext) {
		w, t := fixtures.Workflow("default"), fixtures.Ticket("default", "vpn-1")
		Expect(k8s.Create(ctx, w)).To(Succeed())
		Expect(k8s.Create(ctx, t)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(t), t)).To(Succeed())
			g.Expect(t.Status.State).To(BeEquivalentTo("lead"))
		}).Should(Succeed())
		for _, each := range []string{"workflows", "tickets", "users", "applications", "departments", "userroles", "scripts", "notifiers", "ticketrecords"} {
			kubectl(ctx, "get", each+".ticketflow.dev")
		}
		Expect(kubectl(ctx, "get", "tickets.ticketflow.dev")).To(ContainSubstring("vpn-1"))
		Expect(kubectl(ctx, "get", "twf")).To(ContainSubstring("vpn"), "a short name that nobody else has")
		Expect(kubectl(ctx, "get", "ticketflow")).To(And(ContainSubstring("workflow.ticketflow.dev/vpn"), ContainSubstring("ticket.ticketflow.dev/vpn-1")), "all of ours in a namespace")
		for _, o := range others {
			kubectl(ctx, "get", o.plural+"."+o.group)
		}
	})
})

var _ = Describe("What GitOps tools wait for", func() {
	It("is current once it can be used, in progress until then, and failed where somebody has to mend it", func(ctx SpecContext) {
		w := fixtures.Workflow("default")
		w.Name = "watched"
		Expect(k8s.Create(ctx, w)).To(Succeed())
		Eventually(stands(ctx, w)).Should(Equal(status.CurrentStatus))
		for _, o := range fixtures.People() {
			Eventually(stands(ctx, o)).Should(Equal(status.CurrentStatus), o.GetName())
		}

		before := w.DeepCopy()
		w.Spec.States[1].Transitions[0].To = "nowhere"
		Expect(k8s.Patch(ctx, w, client.MergeFrom(before))).To(Succeed())
		Eventually(stands(ctx, w)).Should(Equal(status.FailedStatus))
		before = w.DeepCopy()
		w.Spec.States[1].Transitions[0].To = "ops"
		Expect(k8s.Patch(ctx, w, client.MergeFrom(before))).To(Succeed())
		Eventually(stands(ctx, w)).Should(Equal(status.CurrentStatus))
		before = w.DeepCopy()
		w.Spec.Suspend = true
		Expect(k8s.Patch(ctx, w, client.MergeFrom(before))).To(Succeed())
		Eventually(stands(ctx, w)).Should(Equal(status.InProgressStatus), "it waits for somebody to want it")

		second := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "second"}, Spec: v1alpha1.UserSpec{Username: "lilei"}}
		Expect(k8s.Create(ctx, second)).To(Succeed())
		Eventually(stands(ctx, second)).Should(Equal(status.FailedStatus), "the name belongs to another")
	})

	It("is a ticket that needs nobody's repair", func(ctx SpecContext) {
		w, t := fixtures.Workflow("default"), fixtures.Ticket("default", "watched-1")
		w.Name, t.Spec.WorkflowRef.Name = "tickets-watched", "tickets-watched"
		Expect(k8s.Create(ctx, w)).To(Succeed())
		Expect(k8s.Create(ctx, t)).To(Succeed())
		Eventually(stands(ctx, t)).Should(Equal(status.CurrentStatus))
	})
})
