// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/aggregated"
	"ticketflow.dev/ticketflow/apiserver/auth"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/apiserver/rest"
	"ticketflow.dev/ticketflow/internal/metrics"
)

// Run serves until the context ends.
func Run(ctx context.Context, o *Options) error {
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	// Each request may ask about a token or a right: a limit of ours, of five a
	// second unless said otherwise, would have requests wait for seconds.
	config.QPS, config.Burst = -1, -1
	location, err := time.LoadLocation(o.TimeZone)
	if err != nil {
		return fmt.Errorf("read the time zone: %w", err)
	}
	b, uncached, err := connect(config, o, location)
	if err != nil {
		return err
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make the client: %w", err)
	}
	bearer, err := auth.NewBearer(b.Directory(), clients)
	if err != nil {
		return err
	}
	rights, err := auth.NewAuthorizer(clients)
	if err != nil {
		return err
	}
	who := &auth.Either{Signature: auth.NewSignature(b.Directory(), uncached, o.SystemNamespace, clock.RealClock{}), Bearer: bearer}
	api := rest.New(b, who, rest.Options{Location: location, Log: ctrl.Log.WithName("rest"), MaxInFlight: o.MaxInFlight, Rights: rights})

	document, err := rest.Document()
	if err != nil {
		return err
	}
	made, err := makeCertificate(ctx, o, config, clients)
	if err != nil {
		return err
	}
	measured, err := metrics.NewServer(config, o.MetricsBindAddress, o.MetricsSecure)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	// What requests under way still need outlives the listeners.
	needed, release := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error { return b.Start(needed) })
	if made != nil {
		group.Go(func() error { return made.Run(needed) })
	}
	serving, served := errgroup.WithContext(ctx)
	handler := mux(api, document, &readiness{backend: b, config: config, options: o, ending: served.Done()})
	if o.RestAddress != "" {
		serving.Go(func() error { return servePlain(served, o, handler) })
	}
	if o.RestSecureAddress != "" {
		serving.Go(func() error { return serveSecure(served, o, made, handler) })
	}
	if o.SecurePort != 0 {
		serving.Go(func() error {
			provider, err := certificate(o.TLSCertFile, o.TLSKeyFile, made)
			if err != nil {
				return err
			}
			return aggregated.Run(served, aggregated.Options{
				BindAddress: o.SecureBindAddress, Port: o.SecurePort, Certificate: provider,
				Kubeconfig: o.Kubeconfig, Config: config, Backend: b, Renderer: api.Renderer(), ShutdownDelay: o.ShutdownDelay, Log: ctrl.Log.WithName("aggregated"),
			})
		})
	}
	group.Go(func() error { return measured.Start(ctx) })
	group.Go(func() error {
		defer release()
		return serving.Wait()
	})
	return group.Wait()
}

func connect(config *restclient.Config, o *Options, location *time.Location) (*backend.Backend, client.Reader, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, nil, fmt.Errorf("make the scheme: %w", err)
		}
	}
	b, err := backend.New(backend.Options{Config: config, Scheme: scheme, Clock: clock.RealClock{}, Location: location, ActionTimeout: o.ActionTimeout})
	if err != nil {
		return nil, nil, err
	}
	uncached, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, nil, fmt.Errorf("make the client: %w", err)
	}
	return b, uncached, nil
}

// mux serves the surface, and beside it what probes and readers of it need: a
// path of its own for the OpenAPI document, which no envelope is around.
func mux(api http.Handler, document []byte, ready *readiness) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document)
	})
	m.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	m.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := ready.check(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	// ServeMux redirects paths it finds unclean; here each is the API's to refuse.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz", "/readyz", "/openapi.json":
			m.ServeHTTP(w, r)
		default:
			api.ServeHTTP(w, r)
		}
	})
}
