// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"fmt"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// ServerOptions serve metrics on an address; "0" serves none. Secure is over TLS,
// and only to those whom Kubernetes allows to get /metrics.
func ServerOptions(address string, secure bool) metricsserver.Options {
	o := metricsserver.Options{BindAddress: address}
	if secure {
		o.SecureServing, o.FilterProvider = true, filters.WithAuthenticationAndAuthorization
	}
	return o
}

// Server serves metrics for a program that has no manager.
type Server struct{ server metricsserver.Server }

// NewServer makes a server of these options.
func NewServer(config *rest.Config, address string, secure bool) (*Server, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make the client: %w", err)
	}
	server, err := metricsserver.NewServer(ServerOptions(address, secure), config, client)
	if err != nil {
		return nil, fmt.Errorf("serve metrics: %w", err)
	}
	return &Server{server: server}, nil
}

// Start serves until the context ends.
func (s *Server) Start(ctx context.Context) error {
	if s.server == nil {
		return nil
	}
	if err := s.server.Start(ctx); err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}
