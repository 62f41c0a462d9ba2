// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"k8s.io/apiserver/pkg/authentication/user"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// Reasons that the API server refuses for besides the engine's: the rest of the
// closed list of decisions.md §3.1.
const (
	ReasonMissingCredentials engine.Reason = "MissingCredentials"
	ReasonBadSignature       engine.Reason = "BadSignature"
	ReasonExpired            engine.Reason = "Expired"
	ReasonReplayed           engine.Reason = "Replayed"
	ReasonBadBody            engine.Reason = "BadBody"
	ReasonBusy               engine.Reason = "Busy"
	ReasonPending            engine.Reason = "Pending"
	ReasonUnavailable        engine.Reason = "Unavailable"
)

// Failure is why a request was not done.
type Failure = engine.Refusal

// Failf makes a Failure.
func Failf(reason engine.Reason, format string, args ...any) *Failure {
	return engine.Refuse(reason, format, args...)
}

// Caller is who makes a request, and which.
type Caller struct {
	// App is the calling application; nil for a Kubernetes user.
	App *v1alpha1.Application
	// AppName is the application's name on the wire.
	AppName string
	// User is the acting user's name; empty for nobody.
	User string
	// Kubernetes is set where Kubernetes says who calls.
	Kubernetes user.Info
	// Nonce of a request that is taken once.
	Nonce string
	// Hook is set where a hook's own token says who calls: the only thing that
	// it may do is call back, on this ticket.
	Hook *v1alpha1.Ticket
	// IdempotencyKey makes a writing request's repetition harmless.
	IdempotencyKey string
	// Method and Path of the request: what a key is scoped to.
	Method, Path string
}

// By says on whose word the caller acts.
func (c Caller) By() v1alpha1.RequestedBy {
	switch {
	case c.App != nil:
		return v1alpha1.RequestedBy{Application: c.AppName}
	case c.Hook != nil:
		return v1alpha1.RequestedBy{User: v1alpha1.HookUser}
	}
	return v1alpha1.RequestedBy{User: c.kubernetesName()}
}

func (c Caller) kubernetesName() string {
	if c.Kubernetes == nil {
		return ""
	}
	return c.Kubernetes.GetName()
}

// NoUser says that the Kubernetes user who calls is no user of Ticketflow's.
func (c Caller) NoUser() *Failure {
	return Failf(engine.ReasonUnknownUser, "the Kubernetes user %q is no user: no users.ticketflow.dev has that name or lists it under spec.identities", c.kubernetesName())
}

// actionID is new for every request, but the same for the repetition of one
// that has an Idempotency-Key (decisions.md §3.4).
func (c Caller) actionID() (string, error) {
	if c.IdempotencyKey != "" {
		return c.keyHash(), nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make an action id: %w", err)
	}
	return id.String(), nil
}

func (c Caller) keyHash() string {
	parts := []string{c.AppName, c.kubernetesName(), c.User, c.Method, c.Path, c.IdempotencyKey}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])[:40]
}
