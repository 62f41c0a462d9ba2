// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manager wires the controllers together and runs them.
package manager

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	runtimemanager "sigs.k8s.io/controller-runtime/pkg/manager"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/apiservice"
	directoryctrl "ticketflow.dev/ticketflow/controllers/directory"
	"ticketflow.dev/ticketflow/controllers/hook"
	"ticketflow.dev/ticketflow/controllers/notify"
	"ticketflow.dev/ticketflow/controllers/script"
	"ticketflow.dev/ticketflow/controllers/ticket"
	"ticketflow.dev/ticketflow/controllers/workflow"
	"ticketflow.dev/ticketflow/internal/directory"
	"ticketflow.dev/ticketflow/internal/graphs"
	"ticketflow.dev/ticketflow/internal/ids"
	"ticketflow.dev/ticketflow/internal/metrics"
	"ticketflow.dev/ticketflow/internal/outbound"
	"ticketflow.dev/ticketflow/internal/slim"
	"ticketflow.dev/ticketflow/internal/wire"
)

// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=ticketflow-system,resources=leases,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create
// +kubebuilder:rbac:groups="";events.k8s.io,resources=events,verbs=create;patch

const (
	leaderElectionID = "ticketflow-manager"
	// A leader that is killed is missed when its lease has not been renewed for
	// leaseDuration, as seen by others who look every one to two retryPeriods:
	// after 16 seconds at the latest, where the defaults take up to 24. One that
	// cannot renew for renewDeadline ends itself before that.
	leaseDuration, renewDeadline, retryPeriod = 10 * time.Second, 7 * time.Second, 1500 * time.Millisecond
	// shutdownTime is how long controllers have to finish what they are at.
	shutdownTime = 10 * time.Second
)

// Run runs the controllers until the context ends.
func Run(ctx context.Context, o *Options) error {
	if err := errors.Join(o.Validate()...); err != nil {
		return err
	}
	ctrl.SetLogger(klog.FromContext(ctx))
	kubeconfig, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	mgr, err := New(ctx, kubeconfig, o)
	if err != nil {
		return err
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("run the controllers: %w", err)
	}
	return nil
}

// New makes a manager with all controllers, ready to be started.
func New(ctx context.Context, kubeconfig *rest.Config, o *Options) (ctrl.Manager, error) {
	location, err := time.LoadLocation(o.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("find the time zone: %w", err)
	}
	kubeconfig = rest.CopyConfig(kubeconfig)
	kubeconfig.QPS = -1                  // the API server's priority and fairness is the one to say how fast
	kubeconfig.DisableCompression = true // both ends have more to do than the wire between them
	options, err := managerOptions(o)
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(kubeconfig, options)
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	if err := directory.AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return nil, err
	}
	if err := addProbes(mgr); err != nil {
		return nil, err
	}
	return mgr, register(mgr, o, location)
}

func managerOptions(o *Options) (ctrl.Options, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return ctrl.Options{}, fmt.Errorf("make the scheme: %w", err)
	}
	revisions, revisionsErr := labelled(v1alpha1.LabelWorkflow)
	jobs, jobsErr := labelled(v1alpha1.LabelRun)
	if err := errors.Join(revisionsErr, jobsErr); err != nil {
		return ctrl.Options{}, err
	}
	return ctrl.Options{
		Scheme:   scheme,
		NewCache: slim.NewCache,
		Cache: cache.Options{
			ByObject: map[client.Object]cache.ByObject{
				&appsv1.ControllerRevision{}: revisions,
				&batchv1.Job{}:               jobs,
			},
		},
		// Ids are written with what was read just before; secrets are not kept.
		Client: client.Options{Cache: &client.CacheOptions{
			DisableFor: []client.Object{&corev1.ConfigMap{}, &corev1.Secret{}, &v1alpha1.TicketRecord{}},
		}},
		// One that does not lead has seen everything by the time that it does.
		Controller:                    config.Controller{SkipNameValidation: ptr.To(true), EnableWarmup: ptr.To(true)},
		Metrics:                       metrics.ServerOptions(o.MetricsBindAddress, o.MetricsSecure),
		HealthProbeBindAddress:        o.HealthProbeBindAddress,
		LeaderElection:                o.LeaderElect,
		LeaderElectionID:              leaderElectionID,
		LeaderElectionNamespace:       o.SystemNamespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 ptr.To(leaseDuration),
		RenewDeadline:                 ptr.To(renewDeadline),
		RetryPeriod:                   ptr.To(retryPeriod),
		GracefulShutdownTimeout:       ptr.To(shutdownTime),
	}, nil
}

// labelled selects objects with one of our labels for the cache.
func labelled(label string) (cache.ByObject, error) {
	ours, err := labels.NewRequirement(label, selection.Exists, nil)
	if err != nil {
		return cache.ByObject{}, fmt.Errorf("select %s: %w", label, err)
	}
	return cache.ByObject{Label: labels.NewSelector().Add(*ours)}, nil
}

func register(mgr ctrl.Manager, o *Options, location *time.Location) error {
	clk := clock.RealClock{}
	used := inUse{reader: mgr.GetClient()}
	registry := ids.NewRegistry(mgr.GetClient(), o.SystemNamespace, used.seen)
	compiled := graphs.New(mgr.GetClient())
	people := directory.New(mgr.GetClient())
	workflows := &workflow.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Registry: registry,
		Graphs: compiled, Directory: people, Clock: clk,
	}
	tickets := &ticket.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Graphs: compiled, Directory: people,
		Counter: ids.NewCounter(mgr.GetClient(), o.SystemNamespace, used.highest),
		Events:  mgr.GetEventRecorder("ticketflow-ticket"),
		Clock:   clk, Location: location,
	}
	runner, err := scriptRunner(mgr, o, clk)
	if err != nil {
		return err
	}
	scripts := &script.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Clock: clk,
		Runner: runner,
	}
	outside, writer := outbound.New(o.AllowHosts, clk), wire.Writer{People: people, Location: location}
	hooks := &hook.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Graphs: compiled, Clock: clk,
		Outbound: outside, Writer: writer,
	}
	notices := &notify.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Graphs: compiled, Clock: clk,
		Events: mgr.GetEventRecorder("ticketflow-notify"), Outbound: outside, Writer: writer,
	}
	return errors.Join(
		metrics.AddCensus(mgr, clk),
		addGuard(mgr, o, clk),
		directoryctrl.Register(mgr, registry, clk),
		workflows.Register(mgr),
		tickets.Register(mgr),
		scripts.Register(mgr),
		hooks.Register(mgr),
		notices.Register(mgr),
	)
}

// addGuard looks after the aggregated API's registration; the leader does.
func addGuard(mgr ctrl.Manager, o *Options, clk clock.WithTicker) error {
	services, err := aggregator.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("make a client for the APIService: %w", err)
	}
	clients, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("make a client for the APIService: %w", err)
	}
	return mgr.Add(&apiservice.Guard{
		Services: services.ApiregistrationV1().APIServices(), Client: clients, SystemNamespace: o.SystemNamespace, Clock: clk,
	})
}

// addProbes serves /healthz, and /readyz once the caches are filled.
func addProbes(mgr ctrl.Manager) error {
	var filled atomic.Bool
	return errors.Join(
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("caches", func(*http.Request) error {
			if !filled.Load() {
				return errors.New("the caches are not filled yet")
			}
			return nil
		}),
		mgr.Add(anyone(func(ctx context.Context) error {
			filled.Store(mgr.GetCache().WaitForCacheSync(ctx))
			return nil
		})),
	)
}

// anyone is something to run whether or not this manager is the leader.
type anyone func(context.Context) error

var _ runtimemanager.LeaderElectionRunnable = anyone(nil)

// Start runs it.
func (f anyone) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection says that it need not be the leader.
func (f anyone) NeedLeaderElection() bool { return false }
