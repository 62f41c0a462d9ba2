// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated

import (
	"context"

	"github.com/go-logr/logr"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/audit/policy"
	genericapiserver "k8s.io/apiserver/pkg/server"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/apiserver/backend"
)

// Annotations of an audit event: who did it, through which application. The
// event's own user is the Kubernetes user who asked.
const (
	auditActor       = "rest.ticketflow.dev/actor"
	auditApplication = "rest.ticketflow.dev/application"
)

// note tells the audit who acts.
func note(ctx context.Context, c backend.Caller) {
	audit.AddAuditAnnotation(ctx, auditActor, c.User)
	if c.AppName != "" {
		audit.AddAuditAnnotation(ctx, auditApplication, c.AppName)
	}
}

// record has each request for tickets logged, in one line, as those of /api/v1.0 are.
func record(config *genericapiserver.Config, log logr.Logger) {
	config.AuditBackend = auditLog{log}
	config.AuditPolicyRuleEvaluator = policy.NewPolicyRuleEvaluator(&auditinternal.Policy{
		OmitStages: []auditinternal.Stage{auditinternal.StageRequestReceived, auditinternal.StageResponseStarted},
		Rules: []auditinternal.PolicyRule{
			{Level: auditinternal.LevelMetadata, Resources: []auditinternal.GroupResources{{Group: restv1.GroupVersion.Group}}},
			{Level: auditinternal.LevelNone},
		},
	})
}

// auditLog writes audit events to the log.
type auditLog struct{ log logr.Logger }

var _ audit.Backend = auditLog{}

// Run has nothing to start.
func (auditLog) Run(<-chan struct{}) error { return nil }

// Shutdown has nothing to wait for.
func (auditLog) Shutdown() {}

// String is the backend's name.
func (auditLog) String() string { return "log" }

// ProcessEvents writes each event.
func (a auditLog) ProcessEvents(events ...*auditinternal.Event) bool {
	for _, e := range events {
		if e.ObjectRef == nil || e.ResponseStatus == nil {
			continue
		}
		a.log.Info("Served a request", "request", e.AuditID, "kubernetesUser", e.User.Username,
			"user", e.Annotations[auditActor], "application", e.Annotations[auditApplication], "verb", e.Verb,
			"resource", e.ObjectRef.Resource, "subresource", e.ObjectRef.Subresource, "namespace", e.ObjectRef.Namespace, "name", e.ObjectRef.Name,
			"status", e.ResponseStatus.Code, "milliseconds", e.StageTimestamp.Sub(e.RequestReceivedTimestamp.Time).Milliseconds())
	}
	return true
}
