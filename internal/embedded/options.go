// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package embedded brings up everything on one machine: etcd, kube-apiserver,
// kube-controller-manager, the manager and the API server, all on loopback, with
// certificates of their own. What runs here is what runs in a cluster: the
// shipped CRDs, roles and admission policy.
package embedded

import (
	"io"

	"github.com/spf13/pflag"
)

// Options of `ticketflow up`.
type Options struct {
	// DataDir keeps the data, the keys and the logs between runs.
	DataDir string
	// RestAddress serves /api/v1.0 over plain HTTP.
	RestAddress string
	// Kubeconfig is where an administrator's kubeconfig is written; by default
	// into the data folder.
	Kubeconfig string
	// KubernetesDir has the programs etcd, kube-apiserver and
	// kube-controller-manager; by default KUBEBUILDER_ASSETS, else the folder
	// kubernetes beside this program.
	KubernetesDir string
	// Load are files or folders of manifests to apply at start.
	Load []string
	// AllowHosts are the hosts that hooks and notifications may go to, besides
	// this machine.
	AllowHosts []string
	// MetricsAddress serves the manager's metrics over plain HTTP; 0 serves none.
	// By default it is a free port of loopback.
	MetricsAddress string
	// TimeZone that times on the wire and the days of serial numbers are in.
	TimeZone string
	// Out is where people are told what happens.
	Out io.Writer
}

// NewOptions are the defaults.
func NewOptions() *Options {
	return &Options{DataDir: ".data", RestAddress: "127.0.0.1:8000", TimeZone: "UTC"}
}

// AddFlags adds the options to a command's flags.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.DataDir, "data-dir", o.DataDir, "folder that keeps everything between runs")
	flags.StringVar(&o.RestAddress, "rest-address", o.RestAddress, "address that serves /api/v1.0 over plain HTTP")
	flags.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig, "where to write an administrator's kubeconfig (default: in the data folder)")
	flags.StringVar(&o.KubernetesDir, "kubernetes-dir", o.KubernetesDir, "folder of etcd, kube-apiserver and kube-controller-manager (default: $KUBEBUILDER_ASSETS, else kubernetes beside this program)")
	flags.StringArrayVar(&o.Load, "load", o.Load, "file or folder of manifests to apply at start; can be repeated")
	flags.StringSliceVar(&o.AllowHosts, "allow-hosts", o.AllowHosts, "hosts that hooks and notifications may go to, besides loopback")
	flags.StringVar(&o.MetricsAddress, "metrics-address", o.MetricsAddress, "address that serves the manager's metrics over plain HTTP, 0 for none (default: a free port of loopback)")
	flags.StringVar(&o.TimeZone, "time-zone", o.TimeZone, "time zone of times on the wire and of serial numbers")
}

// Hosts are all hosts that hooks and notifications may go to: what runs beside
// the program, and what is named.
func (o *Options) Hosts() []string {
	return append([]string{"localhost", "127.0.0.1", "::1"}, o.AllowHosts...)
}
