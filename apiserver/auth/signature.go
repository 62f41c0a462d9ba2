// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package auth says who makes a REST request. It never logs or answers a token.
package auth

import (
	"context"
	"crypto/md5" //nolint:gosec // the documented signature; decisions.md has a stronger one beside it
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
)

// Authenticator says who makes a request.
type Authenticator interface {
	// Authenticate answers the caller, or why there is none; the application is
	// told in either case, if it is known.
	Authenticate(r *http.Request) (backend.Caller, *backend.Failure)
}

const (
	// window is how far a timestamp may be off, either way.
	window = 120 * time.Second
	// keepToken is how long a token is used before its Secret is read again.
	keepToken = 2 * time.Second
	// maxUsername bounds a header that is stored with every action.
	maxUsername = 100
)

// Signature authenticates by the documented headers (rest-behaviour.md §1):
// signature is the MD5, as hex, of timestamp and the application's token.
type Signature struct {
	directory *directory.Directory
	secrets   client.Reader
	namespace string
	clock     clock.PassiveClock

	mu     sync.Mutex
	tokens map[types.NamespacedName]keptToken
}

type keptToken struct {
	data  map[string][]byte
	until time.Time
}

var _ Authenticator = &Signature{}

// NewSignature reads tokens from Secrets in the system namespace, uncached.
func NewSignature(d *directory.Directory, secrets client.Reader, systemNamespace string, clk clock.PassiveClock) *Signature {
	return &Signature{directory: d, secrets: secrets, namespace: systemNamespace, clock: clk, tokens: map[types.NamespacedName]keptToken{}}
}

// Authenticate checks in the order that clients know: application, signature, time.
func (s *Signature) Authenticate(r *http.Request) (backend.Caller, *backend.Failure) {
	appName, timestamp, signature := r.Header.Get("appname"), r.Header.Get("timestamp"), r.Header.Get("signature")
	for _, header := range []struct{ name, value string }{{"appname", appName}, {"timestamp", timestamp}, {"signature", signature}} {
		if header.value == "" {
			return backend.Caller{}, backend.Failf(backend.ReasonMissingCredentials, "the header %s is missing", header.name)
		}
	}
	app, ok := s.directory.ApplicationObject(appName)
	if !ok {
		return backend.Caller{}, backend.Failf(engine.ReasonUnknownApplication, "appname: there is no application %q; an administrator can add it", appName)
	}
	// Also of a refusal, since the application says which HTTP statuses it wants.
	known := backend.Caller{App: app, AppName: appName}
	token, ok := s.token(r.Context(), app)
	if !ok {
		return known, backend.Failf(backend.ReasonBadSignature, "the application %q has no usable token; an administrator can mend it", appName)
	}
	sum := md5.Sum([]byte(timestamp + token)) //nolint:gosec // as documented
	if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(signature)) != 1 {
		return known, backend.Failf(backend.ReasonBadSignature, "signature: it is not the one of timestamp and token of %q", appName)
	}
	if app.Spec.Signature == v1alpha1.SignatureStrong {
		return known, backend.Failf(backend.ReasonBadSignature, "signature: the application %q takes only the stronger signature", appName)
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return known, backend.Failf(backend.ReasonExpired, "timestamp: %q is no Unix time in seconds", timestamp)
	}
	if off := s.clock.Now().Sub(time.Unix(seconds, 0)); off > window || off < -window {
		return known, backend.Failf(backend.ReasonExpired, "timestamp: it must be within %d seconds of the server's time", int(window.Seconds()))
	}
	user := r.Header.Get("username")
	if len(user) > maxUsername {
		return known, backend.Failf(engine.ReasonUnknownUser, "username: it is too long")
	}
	known.User = user
	return known, nil
}

// token reads an application's token. Its Secret must be in the system
// namespace and carry the label: an Application cannot be made to guess at
// other Secrets.
func (s *Signature) token(ctx context.Context, app *v1alpha1.Application) (string, bool) {
	reference := app.Spec.TokenSecretRef
	if reference.Namespace != s.namespace {
		return "", false
	}
	name := types.NamespacedName{Namespace: reference.Namespace, Name: string(reference.Name)}
	now := s.clock.Now()
	s.mu.Lock()
	kept, ok := s.tokens[name]
	s.mu.Unlock()
	if !ok || now.After(kept.until) {
		var secret corev1.Secret
		if err := s.secrets.Get(ctx, name, &secret); err != nil {
			return "", false
		}
		kept = keptToken{until: now.Add(keepToken)}
		if _, labelled := secret.Labels[v1alpha1.LabelUse]; labelled {
			kept.data = secret.Data
		}
		s.mu.Lock()
		s.tokens[name] = kept
		s.mu.Unlock()
	}
	token := string(kept.data[reference.Key])
	return token, token != ""
}
