// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package server puts the API server together: the backend, the /api/v1.0
// surface on a listener of its own, and the aggregated mount beside it.
package server

import (
	"errors"
	"fmt"
	"time"
	_ "time/tzdata" // the machine may have no time zones of its own

	"github.com/spf13/pflag"
)

// Options of the API server.
type Options struct {
	// Kubeconfig of the control plane; empty for the cluster that it runs in.
	Kubeconfig string
	// SystemNamespace has applications' tokens.
	SystemNamespace string
	// RestAddress serves /api/v1.0, /readyz and /healthz over plain HTTP; empty serves none.
	RestAddress string
	// SecureBindAddress and SecurePort serve the aggregated API; port 0 serves none.
	SecureBindAddress string
	SecurePort        int
	// TLSCertFile and TLSKeyFile are the certificate; without them the server
	// makes one, keeps it in CertificateSecret and publishes its authority.
	TLSCertFile, TLSKeyFile string
	// CertificateSecret is the Secret of the system namespace that a certificate
	// of the server's own is kept in.
	CertificateSecret string
	// RestSecureAddress serves what RestAddress does over TLS; empty serves none.
	RestSecureAddress string
	// RestCertFile and RestKeyFile are a certificate for it alone; by default it
	// has that of the aggregated API.
	RestCertFile, RestKeyFile string
	// ShutdownDelay is how long requests are taken on after the end was asked
	// for, so that whoever sends them here learns of it first.
	ShutdownDelay time.Duration
	// MetricsBindAddress serves metrics; 0 serves none.
	MetricsBindAddress string
	// MetricsSecure serves them over TLS, and only to whom Kubernetes allows it.
	MetricsSecure bool
	// RequireAPIService makes /readyz wait until the APIService is available.
	RequireAPIService bool
	// TimeZone that times on the wire are in.
	TimeZone string
	// ActionTimeout is how long an action is waited for.
	ActionTimeout time.Duration
	// MaxInFlight bounds how many REST requests are served at a time.
	MaxInFlight int
}

// NewOptions are the defaults.
func NewOptions() *Options {
	return &Options{
		SystemNamespace:    "ticketflow-system",
		RestAddress:        "127.0.0.1:8000",
		SecureBindAddress:  "127.0.0.1",
		CertificateSecret:  "ticketflow-apiserver-tls",
		MetricsBindAddress: "0",
		MetricsSecure:      true,
		TimeZone:           "UTC",
		ActionTimeout:      25 * time.Second,
		MaxInFlight:        1000,
	}
}

// AddFlags adds the options to a command's flags.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig, "kubeconfig of the control plane; empty for the cluster that it runs in")
	flags.StringVar(&o.SystemNamespace, "system-namespace", o.SystemNamespace, "namespace of applications' tokens")
	flags.StringVar(&o.RestAddress, "rest-address", o.RestAddress, "address that serves /api/v1.0 over plain HTTP; empty serves none")
	flags.StringVar(&o.SecureBindAddress, "bind-address", o.SecureBindAddress, "address that serves the aggregated API")
	flags.IntVar(&o.SecurePort, "secure-port", o.SecurePort, "port that serves the aggregated API; 0 serves none")
	flags.StringVar(&o.TLSCertFile, "tls-cert-file", o.TLSCertFile, "certificate to serve with; without one the server makes its own and publishes its authority to the APIService")
	flags.StringVar(&o.TLSKeyFile, "tls-private-key-file", o.TLSKeyFile, "key of the certificate")
	flags.StringVar(&o.CertificateSecret, "certificate-secret", o.CertificateSecret, "Secret of the system namespace that the server keeps its own certificate in")
	flags.StringVar(&o.RestSecureAddress, "rest-secure-address", o.RestSecureAddress, "address that serves /api/v1.0 over TLS; empty serves none")
	flags.StringVar(&o.RestCertFile, "rest-tls-cert-file", o.RestCertFile, "certificate of /api/v1.0, if it is to have another one")
	flags.StringVar(&o.RestKeyFile, "rest-tls-private-key-file", o.RestKeyFile, "key of the certificate of /api/v1.0")
	flags.DurationVar(&o.ShutdownDelay, "shutdown-delay", o.ShutdownDelay, "how long requests are still taken on after the end was asked for, while /readyz says no")
	flags.StringVar(&o.MetricsBindAddress, "metrics-bind-address", o.MetricsBindAddress, "address to serve metrics on, 0 for none")
	flags.BoolVar(&o.MetricsSecure, "metrics-secure", o.MetricsSecure, "serve metrics over TLS, and only to those who may get /metrics")
	flags.BoolVar(&o.RequireAPIService, "require-apiservice", o.RequireAPIService, "be ready only once the aggregated API is available through the control plane")
	flags.StringVar(&o.TimeZone, "time-zone", o.TimeZone, "time zone of times on the wire, as they are read and as they are sent without one")
	flags.DurationVar(&o.ActionTimeout, "action-timeout", o.ActionTimeout, "how long an action is waited for")
	flags.IntVar(&o.MaxInFlight, "max-in-flight", o.MaxInFlight, "how many REST requests are served at a time")
}

// Validate answers all that is wrong.
func (o *Options) Validate() []error {
	var errs []error
	if _, err := time.LoadLocation(o.TimeZone); err != nil {
		errs = append(errs, fmt.Errorf("--time-zone: %w", err))
	}
	if o.ActionTimeout <= 0 {
		errs = append(errs, errors.New("--action-timeout: must be longer than 0"))
	}
	if o.MaxInFlight < 1 {
		errs = append(errs, errors.New("--max-in-flight: must be 1 or more"))
	}
	if (o.TLSCertFile == "") != (o.TLSKeyFile == "") {
		errs = append(errs, errors.New("--tls-cert-file and --tls-private-key-file belong together"))
	}
	if (o.RestCertFile == "") != (o.RestKeyFile == "") {
		errs = append(errs, errors.New("--rest-tls-cert-file and --rest-tls-private-key-file belong together"))
	}
	if o.CertificateSecret == "" {
		errs = append(errs, errors.New("--certificate-secret: must not be empty"))
	}
	if o.ShutdownDelay < 0 {
		errs = append(errs, errors.New("--shutdown-delay: must not be negative"))
	}
	if o.SecurePort == 0 && o.RequireAPIService {
		errs = append(errs, errors.New("--require-apiservice: needs --secure-port"))
	}
	return errs
}
