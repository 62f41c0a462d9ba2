// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	restclient "k8s.io/client-go/rest"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/config"
)

type runtimeObject = runtime.Object

const (
	judgingTime = 10 * time.Minute
	readyTime   = 10 * time.Minute // kube-apiserver and both caches read every ticket first
	// scriptsUser is whom scripts run as where this program runs as root: nobody.
	scriptsUser = 65534
)

// runner is one run of everything.
type runner struct {
	options *Options
	plane   *plane
	client  client.Client
	self    string
}

// Up brings everything up, tells so, and waits until the context ends; then it
// stops all of it in order. A program that ends meanwhile is started again.
func Up(ctx context.Context, o *Options) error {
	start := time.Now() //nolint:forbidigo // wiring: how long the start took, for people
	r, unlock, err := prepare(o, start)
	if err != nil {
		return err
	}
	defer unlock()
	defer r.plane.children.stop()
	if err := r.start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // interrupted while starting
		}
		return err
	}
	r.welcome(time.Since(start))
	return r.watch(ctx)
}

// watch starts again what ends, as a kubelet would, until the context ends.
func (r *runner) watch(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			r.say("Stopping.")
			return nil
		case failure := <-r.plane.children.failed:
			pause := failure.again(time.Now())
			r.say("%v\nIt is started again in %s.", failure, pause)
			select {
			case <-ctx.Done():
				continue
			case <-time.After(pause):
			}
			if err := r.plane.children.run(failure.child); err != nil {
				return err
			}
		}
	}
}

func (r *runner) say(format string, arguments ...any) {
	_, _ = fmt.Fprintf(r.options.Out, format+"\n", arguments...) // nobody listens if this fails
}

// prepare makes the data folder, its keys and its ports.
func prepare(o *Options, now time.Time) (*runner, func(), error) {
	data, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, nil, fmt.Errorf("find the data folder: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("find this program: %w", err)
	}
	programs, err := findPrograms(o, self)
	if err != nil {
		return nil, nil, err
	}
	for _, folder := range []string{data, filepath.Join(data, "pki"), filepath.Join(data, "logs"), filepath.Join(data, "etcd")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, nil, fmt.Errorf("make the data folder: %w", err)
		}
		if err := os.Chmod(folder, 0o700); err != nil {
			return nil, nil, fmt.Errorf("make the data folder: %w", err)
		}
	}
	held, err := lock(data)
	if err != nil {
		return nil, nil, err
	}
	p := &plane{folder: filepath.Join(data, "pki"), data: data, programs: programs, children: newChildren(filepath.Join(data, "logs"))}
	if p.ports, err = openPorts(data); err == nil {
		err = p.makeKeys(now)
	}
	if err != nil {
		_ = held.Close()
		return nil, nil, err
	}
	if o.MetricsAddress == "" {
		o.MetricsAddress = loopback(p.ports.ManagerMetrics)
	}
	if o.Kubeconfig == "" {
		o.Kubeconfig = filepath.Join(data, "kubeconfig")
	}
	return &runner{options: o, plane: p, self: self}, func() { _ = held.Close() }, nil
}

// findPrograms finds the programs of the control plane. An envtest archive has
// no kube-controller-manager, so each is looked for by itself.
func findPrograms(o *Options, self string) (map[string]string, error) {
	folders := []string{os.Getenv("KUBEBUILDER_ASSETS"), filepath.Join(filepath.Dir(self), "kubernetes")}
	if o.KubernetesDir != "" {
		folders = []string{o.KubernetesDir}
	}
	found := map[string]string{}
	for _, program := range []string{"etcd", "kube-apiserver", "kube-controller-manager"} {
		for _, folder := range folders {
			path := filepath.Join(folder, program)
			if _, err := os.Stat(path); folder != "" && err == nil && found[program] == "" {
				found[program] = path
			}
		}
		if found[program] == "" {
			return nil, fmt.Errorf("there is no %s in %s: `make kubernetes` builds it, --kubernetes-dir names another folder",
				program, strings.Join(slices.DeleteFunc(folders, func(f string) bool { return f == "" }), " or "))
		}
	}
	return found, nil
}

// start brings everything up in order.
func (r *runner) start(ctx context.Context) error {
	r.say("Starting etcd, kube-apiserver and kube-controller-manager.")
	restConfig, err := r.plane.start(ctx)
	if err != nil {
		return err
	}
	if r.client, err = newClient(restConfig); err != nil {
		return err
	}
	if err := r.plane.writeKubeconfig(r.options.Kubeconfig, "admin"); err != nil {
		return err
	}
	if err := r.install(ctx); err != nil {
		return err
	}
	r.say("Starting the manager.")
	if err := r.startManager(); err != nil {
		return err
	}
	if err := r.load(ctx); err != nil {
		return err
	}
	r.say("Starting the API server.")
	return r.startAPIServer(ctx)
}

func newClient(restConfig *restclient.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme, apiregistrationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("make the scheme: %w", err)
		}
	}
	c, err := client.New(restConfig, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("make the client: %w", err)
	}
	return c, nil
}

// install applies what Ticketflow ships: CRDs, roles, the admission policy.
func (r *runner) install(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: systemNamespace}}
	if err := r.client.Create(ctx, namespace); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make the namespace %s: %w", systemNamespace, err)
	}
	files, err := fs.Sub(config.Manifests, ".")
	if err != nil {
		return fmt.Errorf("read the manifests: %w", err)
	}
	manifests, err := readManifests(files, ".")
	if err != nil {
		return fmt.Errorf("read the manifests: %w", err)
	}
	for _, m := range manifests {
		// A CRD takes a moment to be served, and its kinds a moment more.
		if err := r.plane.children.waitFor(ctx, m.String(), controlPlaneReady, func(ctx context.Context) error {
			return apply(ctx, r.client, m)
		}); err != nil {
			return err
		}
	}
	return r.plane.children.waitFor(ctx, "the CRDs", controlPlaneReady, func(ctx context.Context) error {
		return r.client.List(ctx, &v1alpha1.TicketList{}, client.Limit(1))
	})
}

func (r *runner) startManager() error {
	arguments := []string{
		"manager", "--kubeconfig=" + r.plane.file("manager.kubeconfig"), "--system-namespace=" + systemNamespace,
		"--time-zone=" + r.options.TimeZone, "--metrics-bind-address=" + r.options.MetricsAddress,
		"--metrics-secure=false", "--script-runner=process",
	}
	for _, host := range r.options.Hosts() {
		arguments = append(arguments, "--allow-hosts="+host)
	}
	scripts, err := r.scriptDir()
	if err != nil {
		return err
	}
	arguments = append(arguments, "--script-dir="+scripts)
	if os.Geteuid() == 0 {
		arguments = append(arguments, fmt.Sprintf("--script-uid=%d", scriptsUser), fmt.Sprintf("--script-gid=%d", scriptsUser))
	} else {
		r.say("Scripts run as this user, since it is not root: whoever may create a Script has a shell here.")
	}
	return r.plane.children.startOwn("manager", r.self, arguments...)
}

// scriptDir is where scripts run. It lies outside the data folder, into which
// the user that they run as cannot look.
func (r *runner) scriptDir() (string, error) {
	info, err := os.Stat(r.plane.data)
	if err != nil {
		return "", fmt.Errorf("find the data folder: %w", err)
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("ticketflow-scripts-%d-%d", os.Getuid(), inode(info))), nil
}

// load applies what people want to be there, and waits until it was judged.
func (r *runner) load(ctx context.Context) error {
	manifests := readLoad(r.options.Load, r.say)
	var waiting []*unstructured.Unstructured
	for _, m := range manifests {
		if err := apply(ctx, r.client, m); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.say("Refused and skipped: %s: %v", m, err)
			continue
		}
		if m.object.GroupVersionKind().Group == v1alpha1.SchemeGroupVersion.Group && m.object.GetName() != "" {
			waiting = append(waiting, m.object)
		}
	}
	if len(manifests) > 0 {
		r.say("Loaded %d manifests.", len(manifests))
	}
	for _, object := range waiting {
		what := fmt.Sprintf("%s %s", object.GetKind(), object.GetName())
		err := r.plane.children.waitFor(ctx, what, judgingTime, func(ctx context.Context) error { return r.judged(ctx, object) })
		if err != nil {
			return err
		}
	}
	return nil
}

var errNotJudged = errors.New("it has not been judged yet")

// judged says whether the manager has looked at an object as it is now.
func (r *runner) judged(ctx context.Context, object *unstructured.Unstructured) error {
	present := &unstructured.Unstructured{}
	present.SetGroupVersionKind(object.GroupVersionKind())
	key := client.ObjectKeyFromObject(object)
	if key.Namespace == "" {
		if namespaced, err := r.client.IsObjectNamespaced(object); err == nil && namespaced {
			key.Namespace = "default"
		}
	}
	if err := r.client.Get(ctx, key, present); err != nil {
		return client.IgnoreNotFound(err) // a refused ticket may be gone already
	}
	if object.GetKind() == "TicketRecord" {
		return nil
	}
	observed, _, err := unstructured.NestedInt64(present.Object, "status", "observedGeneration")
	if err != nil || observed < present.GetGeneration() {
		return errNotJudged
	}
	conditions, _, err := unstructured.NestedSlice(present.Object, "status", "conditions")
	if err != nil || len(conditions) == 0 {
		return errNotJudged
	}
	return nil
}

// startAPIServer starts it, registers the aggregated API, and waits until both serve.
func (r *runner) startAPIServer(ctx context.Context) error {
	err := r.plane.children.startOwn("apiserver", r.self, "apiserver",
		"--kubeconfig="+r.plane.file("apiserver.kubeconfig"), "--system-namespace="+systemNamespace,
		"--rest-address="+r.options.RestAddress, "--time-zone="+r.options.TimeZone,
		"--metrics-bind-address="+loopback(r.plane.ports.APIServerMetrics), "--metrics-secure=false",
		"--bind-address=127.0.0.1", "--secure-port="+strconv.Itoa(r.plane.ports.APIServer),
		"--tls-cert-file="+r.plane.file("apiserver-serving.crt"), "--tls-private-key-file="+r.plane.file("apiserver-serving.key"),
		"--require-apiservice")
	if err != nil {
		return err
	}
	if err := r.register(ctx); err != nil {
		return err
	}
	return r.plane.children.waitFor(ctx, "the API server", readyTime, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.options.RestAddress+"/readyz", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("/readyz answers %s", response.Status)
		}
		return nil
	})
}

// register tells kube-apiserver where the aggregated API is: an ExternalName
// Service, so that it need not run in a pod.
func (r *runner) register(ctx context.Context) error {
	authority, err := readFile(r.plane.file("serving-ca.crt"))
	if err != nil {
		return err
	}
	const name = "ticketflow-apiserver"
	port := int64(r.plane.ports.APIServer)
	for _, object := range []map[string]any{
		{
			"apiVersion": "v1", "kind": "Service",
			"metadata": map[string]any{"name": name, "namespace": systemNamespace},
			"spec":     map[string]any{"type": "ExternalName", "externalName": "localhost", "ports": []any{map[string]any{"port": port}}},
		},
		{
			"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
			"metadata": map[string]any{"name": "v1.rest.ticketflow.dev"},
			"spec": map[string]any{
				"group": "rest.ticketflow.dev", "version": "v1", "caBundle": encode(authority),
				// Below the CRDs' group, so that kubectl get tickets means those.
				"groupPriorityMinimum": int64(100), "versionPriority": int64(100),
				"service": map[string]any{"name": name, "namespace": systemNamespace, "port": port},
			},
		},
	} {
		if err := apply(ctx, r.client, manifest{object: &unstructured.Unstructured{Object: object}}); err != nil {
			return fmt.Errorf("register the aggregated API: %w", err)
		}
	}
	return nil
}

func (r *runner) welcome(took time.Duration) {
	r.say(`
Ticketflow is ready, after %.1f s.

  REST API     http://%s/api/v1.0
  kubectl      KUBECONFIG=%s
  metrics      http://%s/metrics (manager), http://%s/metrics (API server)
  logs         %s

Stop it with Ctrl-C. The data stays in %s.`,
		took.Seconds(), r.options.RestAddress, r.options.Kubeconfig,
		r.options.MetricsAddress, loopback(r.plane.ports.APIServerMetrics), filepath.Join(r.plane.data, "logs"), r.plane.data)
}
