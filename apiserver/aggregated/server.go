// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/apiserver/pkg/server/healthz"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/apiserver/auth"
	"ticketflow.dev/ticketflow/apiserver/backend"
	wire "ticketflow.dev/ticketflow/apiserver/rest"
)

// Options of the aggregated mount.
type Options struct {
	// BindAddress and Port to serve at.
	BindAddress string
	Port        int
	// Certificate to serve with.
	Certificate dynamiccertificates.CertKeyContentProvider
	// Kubeconfig of the control plane, to ask who a user is and what one may;
	// empty for the cluster that it runs in.
	Kubeconfig string
	// Config is the same, read.
	Config *restclient.Config
	// Backend to read tickets from.
	Backend *backend.Backend
	// Renderer writes them.
	Renderer *wire.Renderer
	// Log has one line for every request.
	Log logr.Logger
	// ShutdownDelay is how long requests are taken on after the end was asked for.
	ShutdownDelay time.Duration
}

// Run serves until the context ends.
func Run(ctx context.Context, o Options) error {
	server, err := newServer(o)
	if err != nil {
		return fmt.Errorf("make the aggregated API: %w", err)
	}
	if err := server.PrepareRun().RunWithContext(ctx); err != nil {
		return fmt.Errorf("serve the aggregated API: %w", err)
	}
	return nil
}

func newServer(o Options) (*genericapiserver.GenericAPIServer, error) {
	config := genericapiserver.NewConfig(codecs)
	config.EffectiveVersion = compatibility.DefaultBuildEffectiveVersion()
	config.ShutdownDelayDuration = o.ShutdownDelay
	config.AddReadyzChecks(healthz.NamedCheck("tickets", func(*http.Request) error { return o.Backend.Ready() }))
	config.MaxRequestBodyBytes = auth.MaxBody
	describe(config)
	record(config, o.Log)

	serving := genericoptions.NewSecureServingOptions().WithLoopback()
	serving.BindAddress, serving.BindPort = net.ParseIP(o.BindAddress), o.Port
	serving.ServerCert.GeneratedCert = o.Certificate
	if err := serving.ApplyTo(&config.SecureServing, &config.LoopbackClientConfig); err != nil {
		return nil, fmt.Errorf("serving: %w", err)
	}
	authentication := genericoptions.NewDelegatingAuthenticationOptions()
	authentication.RemoteKubeConfigFile = o.Kubeconfig
	if err := authentication.ApplyTo(&config.Authentication, config.SecureServing, nil); err != nil {
		return nil, fmt.Errorf("authentication: %w", err)
	}
	authorization := genericoptions.NewDelegatingAuthorizationOptions()
	authorization.RemoteKubeConfigFile = o.Kubeconfig
	if err := authorization.ApplyTo(&config.Authorization); err != nil {
		return nil, fmt.Errorf("authorization: %w", err)
	}
	clients, err := kubernetes.NewForConfig(o.Config)
	if err != nil {
		return nil, err
	}
	server, err := config.Complete(nil).New("ticketflow", genericapiserver.NewEmptyDelegate())
	if err != nil {
		return nil, err
	}
	group := genericapiserver.NewDefaultAPIGroupInfo(restv1.GroupVersion.Group, scheme, runtime.NewParameterCodec(scheme), codecs)
	group.VersionedResourcesStorageMap[restv1.GroupVersion.Version] = storages(&reader{
		backend: o.Backend, render: o.Renderer, reviews: clients.AuthorizationV1().SubjectAccessReviews(),
	})
	return server, server.InstallAPIGroup(&group)
}

// storages are what is served: tickets by name in their namespace, and by wire
// id, each with what /api/v1.0 reads and does; and what kubectl ticket works on.
func storages(r *reader) map[string]rest.Storage {
	out := map[string]rest.Storage{}
	for _, p := range []*place{byName, byID} {
		for _, v := range views {
			out[join(p.resource.Resource, v.name)] = &viewed{reader: r, place: p, view: v}
		}
		for _, d := range deeds {
			out[join(p.resource.Resource, d.name)] = &deedOn{reader: r, place: p, deed: d}
		}
	}
	out["tickets"] = &tickets{viewed{reader: r, place: byName, view: views[0]}}
	out["storedtickets"] = &storedTickets{r}
	out["workflows"] = &workflows{r}
	return out
}

func join(resource, verb string) string {
	if verb == "" {
		return resource
	}
	return resource + "/" + verb
}
