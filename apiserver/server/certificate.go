// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"fmt"

	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	"k8s.io/utils/clock"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/apiserver/certs"
)

// services are the Services that the server is behind in a cluster.
var services = []string{"ticketflow-apiserver", "ticketflow-rest"}

// makeCertificate makes the server's own certificate; it answers nil where all
// that is served has been given one.
func makeCertificate(ctx context.Context, o *Options, config *restclient.Config, clients kubernetes.Interface) (*certs.Keeper, error) {
	forRest := o.RestSecureAddress != "" && o.RestCertFile == ""
	if o.TLSCertFile != "" || (o.SecurePort == 0 && !forRest) {
		return nil, nil
	}
	options := certs.Options{
		Secrets: clients.CoreV1().Secrets(o.SystemNamespace), SecretName: o.CertificateSecret,
		DNSNames: dnsNames(o.SystemNamespace), Clock: clock.RealClock{},
	}
	if o.SecurePort != 0 {
		registered, err := aggregator.NewForConfig(config)
		if err != nil {
			return nil, fmt.Errorf("make the client: %w", err)
		}
		options.Services, options.ServiceName = registered.ApiregistrationV1().APIServices(), restv1.APIServiceName
	}
	keeper := certs.NewKeeper(options)
	return keeper, keeper.Sync(ctx)
}

func dnsNames(namespace string) []string {
	var names []string
	for _, service := range services {
		for _, suffix := range []string{".svc", "", ".svc.cluster.local"} {
			names = append(names, service+"."+namespace+suffix)
		}
	}
	return append(names, "localhost")
}

// certificate is the one from files, read again when they change, or else the
// server's own.
func certificate(certFile, keyFile string, made *certs.Keeper) (dynamiccertificates.CertKeyContentProvider, error) {
	if certFile == "" {
		return made, nil
	}
	files, err := dynamiccertificates.NewDynamicServingContentFromFiles("serving", certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	return files, nil
}

// tlsConfig is how /api/v1.0 is served over TLS. The library's controllers take
// another certificate over as soon as there is one.
func tlsConfig(ctx context.Context, o *Options, made *certs.Keeper) (*tls.Config, error) {
	certFile, keyFile := o.RestCertFile, o.RestKeyFile
	if certFile == "" {
		certFile, keyFile = o.TLSCertFile, o.TLSKeyFile
	}
	provider, err := certificate(certFile, keyFile, made)
	if err != nil {
		return nil, err
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	current := dynamiccertificates.NewDynamicServingCertificateController(settings, nil, provider, nil, nil)
	provider.AddListener(current)
	if files, ok := provider.(dynamiccertificates.ControllerRunner); ok {
		go files.Run(ctx, 1)
	}
	if err := current.RunOnce(); err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	go current.Run(1, ctx.Done())
	served := settings.Clone()
	served.GetConfigForClient = current.GetConfigForClient
	return served, nil
}
