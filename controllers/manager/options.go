// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
	_ "time/tzdata" // the machine may have no time zones of its own

	"github.com/spf13/pflag"
)

// How scripts are run.
const (
	// RunnerJob runs them as Jobs.
	RunnerJob = "job"
	// RunnerProcess runs them as child processes of the manager.
	RunnerProcess = "process"
)

// Options of the manager.
type Options struct {
	// Kubeconfig of the control plane; empty for the cluster that it runs in.
	Kubeconfig string
	// SystemNamespace has Ticketflow's own objects.
	SystemNamespace string
	// LeaderElect lets one of several managers work at a time.
	LeaderElect bool
	// MetricsBindAddress serves metrics; 0 serves none.
	MetricsBindAddress string
	// MetricsSecure serves them over TLS, and only to whom Kubernetes allows it.
	MetricsSecure bool
	// HealthProbeBindAddress serves /healthz and /readyz; 0 serves none.
	HealthProbeBindAddress string
	// TimeZone that the days of serial numbers are in.
	TimeZone string
	// ScriptRunner says how scripts are run.
	ScriptRunner string
	// ScriptImage runs scripts that name no image, as Jobs.
	ScriptImage string
	// ScriptDir has a folder for each script that runs.
	ScriptDir string
	// ScriptUID and ScriptGID to run scripts under; 0 is the manager's own.
	ScriptUID, ScriptGID uint32
	// AllowHosts are the hosts that hooks and notifications may go to.
	AllowHosts []string
}

// NewOptions are the defaults.
func NewOptions() *Options {
	return &Options{
		SystemNamespace:        "ticketflow-system",
		MetricsBindAddress:     "0",
		MetricsSecure:          true,
		HealthProbeBindAddress: "0",
		TimeZone:               "UTC",
		ScriptRunner:           RunnerJob,
		ScriptImage:            "docker.io/library/python:3.14-slim",
		ScriptDir:              filepath.Join(os.TempDir(), fmt.Sprintf("ticketflow-scripts-%d", os.Getuid())),
	}
}

// AddFlags adds the options to a command's flags.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig, "kubeconfig of the control plane; empty for the cluster that it runs in")
	flags.StringVar(&o.SystemNamespace, "system-namespace", o.SystemNamespace, "namespace of Ticketflow's own objects")
	flags.BoolVar(&o.LeaderElect, "leader-elect", o.LeaderElect, "let one of several managers work at a time")
	flags.StringVar(&o.MetricsBindAddress, "metrics-bind-address", o.MetricsBindAddress, "address to serve metrics on, 0 for none")
	flags.BoolVar(&o.MetricsSecure, "metrics-secure", o.MetricsSecure, "serve metrics over TLS, and only to those who may get /metrics")
	flags.StringVar(&o.HealthProbeBindAddress, "health-probe-bind-address", o.HealthProbeBindAddress, "address to serve /healthz and /readyz on, 0 for none")
	flags.StringVar(&o.TimeZone, "time-zone", o.TimeZone, "time zone of the days of serial numbers, and of times that are sent without one")
	flags.StringVar(&o.ScriptRunner, "script-runner", o.ScriptRunner, "how scripts are run: "+RunnerJob+", or "+RunnerProcess+" for child processes of the manager")
	flags.StringVar(&o.ScriptImage, "script-image", o.ScriptImage, "image for scripts that name none, as Jobs")
	flags.StringVar(&o.ScriptDir, "script-dir", o.ScriptDir, "folder for the scripts that run; if they run under another uid, that uid must be able to reach it")
	flags.Uint32Var(&o.ScriptUID, "script-uid", o.ScriptUID, "uid to run scripts under, 0 for the manager's own")
	flags.Uint32Var(&o.ScriptGID, "script-gid", o.ScriptGID, "gid to run scripts under, 0 for the manager's own")
	flags.StringArrayVar(&o.AllowHosts, "allow-hosts", o.AllowHosts, "host that hooks and notifications may go to; repeatable")
}

// Validate names all that is wrong with the options.
func (o *Options) Validate() []error {
	var problems []error
	if o.SystemNamespace == "" {
		problems = append(problems, errors.New("--system-namespace must not be empty"))
	}
	if _, err := time.LoadLocation(o.TimeZone); err != nil {
		problems = append(problems, fmt.Errorf("--time-zone: %w", err))
	}
	if o.ScriptRunner != RunnerJob && o.ScriptRunner != RunnerProcess {
		problems = append(problems, fmt.Errorf("--script-runner must be %s or %s, not %q", RunnerJob, RunnerProcess, o.ScriptRunner))
	}
	if o.ScriptImage == "" {
		problems = append(problems, errors.New("--script-image must not be empty"))
	}
	if o.ScriptDir == "" {
		problems = append(problems, errors.New("--script-dir must not be empty"))
	}
	if (o.ScriptUID != 0 || o.ScriptGID != 0) && os.Geteuid() != 0 {
		problems = append(problems, errors.New("--script-uid and --script-gid need the manager to run as root"))
	}
	if (o.ScriptUID == 0) != (o.ScriptGID == 0) {
		problems = append(problems, errors.New("--script-uid and --script-gid belong together"))
	}
	return problems
}
