// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package auth says who makes a REST request: an application that signs for its
// user, a hook that signs with its own token, or a Kubernetes identity. It never
// logs or answers a token.
package auth

import (
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"ticketflow.dev/ticketflow/apiserver/backend"
)

// Authenticator says who makes a request.
type Authenticator interface {
	// Authenticate answers the caller, or why there is none; the application is
	// told in either case, if it is known.
	Authenticate(r *http.Request) (backend.Caller, *backend.Failure)
	// AuthenticateHook says whether a request is signed with a hook's token,
	// which is in a Secret of the workflow's namespace.
	AuthenticateHook(r *http.Request, namespace string, token corev1.SecretKeySelector) *backend.Failure
}

// Either authenticates by bearer token where there is one, else by signature.
type Either struct {
	*Signature
	// Bearer may be nil: then bearer tokens are not taken.
	Bearer *Bearer
}

var _ Authenticator = &Either{}

// Authenticate says who makes a request.
func (e *Either) Authenticate(r *http.Request) (backend.Caller, *backend.Failure) {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if e.Bearer != nil && strings.EqualFold(scheme, "Bearer") {
		return e.Bearer.Authenticate(r)
	}
	return e.Signature.Authenticate(r)
}
