// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	restclient "k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/aggregated"
	"ticketflow.dev/ticketflow/apiserver/auth"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/apiserver/rest"
	"ticketflow.dev/ticketflow/config"
	"ticketflow.dev/ticketflow/controllers/manager"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/plugin"
	"ticketflow.dev/ticketflow/internal/testenv"
)

var (
	environment *envtest.Environment
	k8s         client.Client
	kubeconfig  string
	scriptDir   string
	running     *process
	serving     *process
)

func TestPlugin(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "kubectl ticket")
}

// The suite runs manager and aggregated API under their own names, with the
// shipped admission policy and roles, so that the plugin asks for nothing that
// people may not.
var _ = BeforeSuite(func(ctx SpecContext) {
	ctrl.SetLogger(klog.NewKlogr())
	SetDefaultEventuallyTimeout(testenv.Timeout)
	SetDefaultEventuallyPollingInterval(testenv.Interval)
	var err error
	folder := GinkgoT().TempDir()
	aggregation, err := testenv.NewAggregation(folder, fixtures.SystemNamespace)
	Expect(err).NotTo(HaveOccurred())
	environment, err = testenv.Start(aggregation.Configure)
	Expect(err).NotTo(HaveOccurred())
	k8s, err = client.New(environment.Config, client.Options{Scheme: testenv.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	kubeconfig, err = aggregation.Kubeconfig(environment)
	Expect(err).NotTo(HaveOccurred())
	scriptDir = filepath.Join(folder, "scripts")
	create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fixtures.SystemNamespace}})
	load(ctx, "policy/policy.yaml", "policy/kept.yaml", "rbac/roles.yaml")
	create(ctx, fixtures.People()...)
	create(ctx, &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "meimei"}, Spec: v1alpha1.UserSpec{Identities: []string{"oidc:meimei"}}})
	bind(ctx, "", "ticketflow-people", "oidc:meimei")
	running = startManager()
	serving = serve(aggregation)
	Expect(aggregation.Register(ctx, environment)).To(Succeed())
	lilei := desk{user: "lilei", namespace: newNamespace(ctx)}
	Eventually(func() int { return lilei.run(ctx, GinkgoWriter, GinkgoWriter, "list") }).Should(Equal(plugin.ExitOK))
})

var _ = AfterSuite(func() {
	running.stop()
	serving.stop()
	Expect(environment.Stop()).To(Succeed())
})

// load creates what is in shipped manifests.
func load(ctx context.Context, names ...string) {
	GinkgoHelper()
	for _, name := range names {
		data, err := fs.ReadFile(config.Manifests, name)
		Expect(err).NotTo(HaveOccurred())
		create(ctx, objects(data)...)
	}
}

// objects are what YAML holds.
func objects(data []byte) []client.Object {
	GinkgoHelper()
	var out []client.Object
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return out
		}
		Expect(err).NotTo(HaveOccurred())
		if len(object.Object) > 0 {
			out = append(out, object)
		}
	}
}

// bind gives people a role, in a namespace or everywhere.
func bind(ctx context.Context, namespace, role string, names ...string) {
	GinkgoHelper()
	reference := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	var subjects []rbacv1.Subject
	for _, name := range names {
		subjects = append(subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name})
	}
	if namespace == "" {
		create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{GenerateName: role}, RoleRef: reference, Subjects: subjects})
		return
	}
	create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{GenerateName: role, Namespace: namespace}, RoleRef: reference, Subjects: subjects})
}

// process is a program of ours that runs in this one.
type process struct {
	cancel context.CancelFunc
	ended  chan error
}

// configOf is of a program's own user, whom the policy knows.
func configOf(program string) *restclient.Config {
	out := restclient.CopyConfig(environment.Config)
	out.Impersonate = restclient.ImpersonationConfig{
		UserName: "system:serviceaccount:" + fixtures.SystemNamespace + ":" + program, Groups: []string{"system:masters"},
	}
	return out
}

func managerConfig() *restclient.Config { return configOf("ticketflow-manager") }

// actionTimeout is how long the server waits for an outcome: the plugin asks
// again after it.
const actionTimeout = time.Second

// serve serves the aggregated API.
func serve(aggregation *testenv.Aggregation) *process {
	GinkgoHelper()
	ctx, cancel := context.WithCancel(context.Background())
	config := configOf("ticketflow-apiserver")
	b, err := backend.New(backend.Options{Config: config, Scheme: testenv.Scheme(), Clock: clock.RealClock{}, ActionTimeout: actionTimeout})
	Expect(err).NotTo(HaveOccurred())
	signature := auth.NewSignature(b.Directory(), k8s, fixtures.SystemNamespace, clock.RealClock{})
	api := rest.New(b, signature, rest.Options{Location: time.UTC, Log: klog.Background(), MaxInFlight: 10})
	certificate, err := dynamiccertificates.NewStaticCertKeyContent("test", aggregation.Serving.Certificate, aggregation.Serving.Key)
	Expect(err).NotTo(HaveOccurred())
	p := &process{cancel: cancel, ended: make(chan error, 2)}
	go func() { p.ended <- b.Start(ctx) }()
	Eventually(b.Synced()).Should(BeClosed())
	go func() {
		p.ended <- aggregated.Run(ctx, aggregated.Options{
			BindAddress: "127.0.0.1", Port: aggregation.Port, Kubeconfig: kubeconfig, Config: config, Backend: b,
			Renderer: api.Renderer(), Certificate: certificate, Log: klog.Background(),
		})
	}()
	return p
}

func startManager() *process {
	GinkgoHelper()
	ctx, cancel := context.WithCancel(context.Background())
	options := manager.NewOptions()
	options.ScriptRunner, options.ScriptDir, options.AllowHosts = manager.RunnerProcess, scriptDir, []string{"127.0.0.1"}
	mgr, err := manager.New(ctx, managerConfig(), options)
	Expect(err).NotTo(HaveOccurred())
	p := &process{cancel: cancel, ended: make(chan error, 1)}
	go func() { p.ended <- mgr.Start(ctx) }()
	return p
}

// stopManager stops it for the rest of a spec, which may start it again.
func stopManager() {
	GinkgoHelper()
	running.stop()
	running = nil
	DeferCleanup(func() {
		if running == nil {
			running = startManager()
		}
	})
}

func (p *process) stop() {
	p.cancel()
	for range cap(p.ended) {
		Expect(<-p.ended).To(Succeed())
	}
}

func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(k8s.Create(ctx, o)).To(Succeed())
	}
}

func newNamespace(ctx context.Context) string {
	GinkgoHelper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "it-"}}
	create(ctx, ns)
	bind(ctx, ns.Name, "ticketflow-requester", "lilei", "zhangsan", "guiji", "wangwu", "oidc:meimei", "stranger")
	return ns.Name
}

// desk is where somebody sits: as whom, in which namespace, and what is typed.
type desk struct {
	user, namespace, input string
	terminal               bool
}

// typing is the desk with somebody at it who types lines.
func (d desk) typing(lines ...string) desk {
	d.terminal, d.input = true, strings.Join(append(lines, ""), "\n")
	return d
}

func (d desk) fed(input string) desk {
	d.input = input
	return d
}

// run runs the plugin.
func (d desk) run(ctx context.Context, out, told io.Writer, arguments ...string) int {
	all := append([]string{}, arguments...)
	all = append(all, "--kubeconfig", kubeconfig, "--no-color")
	if d.namespace != "" {
		all = append(all, "--namespace", d.namespace)
	}
	if d.user != "" {
		all = append(all, "--as", d.user)
	}
	return d.plain(ctx, out, told, all)
}

func (d desk) plain(ctx context.Context, out, told io.Writer, arguments []string) int {
	return plugin.Run(ctx, plugin.Options{
		IOStreams: genericiooptions.IOStreams{In: strings.NewReader(d.input), Out: out, ErrOut: told},
		Zone:      time.UTC, Terminal: &d.terminal,
	}, arguments)
}

// does expects that a command succeeds, and answers its output.
func (d desk) does(ctx context.Context, arguments ...string) string {
	GinkgoHelper()
	out, _ := d.asked(ctx, arguments...)
	return out
}

// asked is does, with what was asked and noted beside the output.
func (d desk) asked(ctx context.Context, arguments ...string) (answer, notes string) {
	GinkgoHelper()
	var out, told bytes.Buffer
	Expect(d.run(ctx, &out, &told, arguments...)).To(Equal(plugin.ExitOK), "%v: %s", arguments, &told)
	return out.String(), told.String()
}

// fails expects that a command fails with a code, and answers what it says.
func (d desk) fails(ctx context.Context, code int, arguments ...string) string {
	GinkgoHelper()
	var out, told bytes.Buffer
	Expect(d.run(ctx, &out, &told, arguments...)).To(Equal(code), "%v: %s%s", arguments, &out, &told)
	Expect(out.String()).To(BeEmpty())
	return told.String()
}

// screen is output that is looked at while it is written.
type screen struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

// Write adds to it.
func (s *screen) Write(p []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.text.Write(p)
}

func (s *screen) shown() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.text.String()
}

// office is a namespace with the workflow of fixtures, made a little richer, and
// the people at their desks.
type office struct {
	namespace                                   string
	lilei, zhangsan, guiji, wangwu, meimei, who desk
}

func newOffice(ctx context.Context, change ...func(*v1alpha1.Workflow)) office {
	GinkgoHelper()
	ns := newNamespace(ctx)
	w := fixtures.Workflow(ns)
	w.Spec.DisplayName = "VPN申请"
	w.Spec.Fields = append(w.Spec.Fields, v1alpha1.Field{Name: "region", DisplayName: "地区", Type: v1alpha1.FieldSelect, Choices: []v1alpha1.Choice{
		{Key: "1", Label: "中国"}, {Key: "2", Label: "美国"},
	}})
	w.Spec.States[0].Form = append(w.Spec.States[0].Form, v1alpha1.FormField{Field: "region", Access: v1alpha1.AccessOptional})
	w.Spec.States[1].AllowRetreat = true
	w.Spec.States[1].Transitions[1].Confirm = "Send it back?"
	w.Spec.States[2].Form = []v1alpha1.FormField{{Field: "account", Access: v1alpha1.AccessRequired}}
	for _, f := range change {
		f(w)
	}
	create(ctx, fixtures.Grant(ns, "print('granted', ticket_id)"), w)
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed())
		g.Expect(w.Status.Revision).NotTo(BeEmpty(), "%v", w.Status.Conditions)
	}).Should(Succeed())
	at := func(user string) desk { return desk{user: user, namespace: ns} }
	Eventually(func() int { return at("lilei").run(ctx, GinkgoWriter, GinkgoWriter, "graph", w.Name) }).Should(Equal(plugin.ExitOK))
	return office{ns, at("lilei"), at("zhangsan"), at("guiji"), at("wangwu"), at("oidc:meimei"), at("stranger")}
}

// open opens a ticket by the plugin and answers it.
func (o office) open(ctx context.Context, more ...string) *v1alpha1.Ticket {
	GinkgoHelper()
	name := o.lilei.does(ctx, append([]string{"new", "vpn", "-t", "vpn please", "-f", "days=5", "-o", "jsonpath={.metadata.name}"}, more...)...)
	return o.read(ctx, name)
}

func (o office) read(ctx context.Context, name string) *v1alpha1.Ticket {
	GinkgoHelper()
	t := &v1alpha1.Ticket{}
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: o.namespace, Name: name}, t)).To(Succeed())
	return t
}
