// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"ticketflow.dev/ticketflow/apiserver/certs"
)

// drain is how long requests under way are waited for at the end.
const drain = 30 * time.Second

// servePlain serves over plain HTTP.
func servePlain(ctx context.Context, o *Options, handler http.Handler) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.RestAddress)
	if err != nil {
		return fmt.Errorf("listen for REST: %w", err)
	}
	return serve(ctx, listener, o.ShutdownDelay, handler)
}

// serveSecure serves over TLS.
func serveSecure(ctx context.Context, o *Options, made *certs.Keeper, handler http.Handler) error {
	settings, err := tlsConfig(ctx, o, made)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.RestSecureAddress)
	if err != nil {
		return fmt.Errorf("listen for REST over TLS: %w", err)
	}
	return serve(ctx, tls.NewListener(listener, settings), o.ShutdownDelay, handler)
}

// serve serves until the context ends, and then a while longer: for the delay
// it takes requests on, but asks each client to come back on a new connection,
// which will go elsewhere; after it, it waits for those under way.
func serve(ctx context.Context, listener net.Listener, delay time.Duration, handler http.Handler) error {
	server := &http.Server{
		Handler: leaving(ctx, handler), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		late := time.NewTimer(delay)
		defer late.Stop()
		<-late.C
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		stopped <- server.Shutdown(last)
	}()
	if err := server.Serve(enveloped{listener}); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve REST: %w", err)
	}
	return <-stopped
}

// leaving closes each connection with its next answer once the context has ended.
func leaving(ctx context.Context, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(w, r)
	})
}
