// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"fmt"

	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"ticketflow.dev/ticketflow/controllers/script"
	"ticketflow.dev/ticketflow/controllers/script/job"
	"ticketflow.dev/ticketflow/controllers/script/process"
)

// scriptRunner is what runs scripts.
func scriptRunner(mgr ctrl.Manager, o *Options, clk clock.Clock) (script.Runner, error) {
	if o.ScriptRunner == RunnerProcess {
		return &process.Runner{Dir: o.ScriptDir, UID: o.ScriptUID, GID: o.ScriptGID, Clock: clk}, nil
	}
	clients, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("make a client for logs: %w", err)
	}
	return &job.Runner{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Logs: job.PodLogs(clients), Image: o.ScriptImage, Clock: clk}, nil
}
