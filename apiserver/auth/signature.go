// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/md5" //nolint:gosec // the documented signature; the stronger one is beside it
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
)

const (
	// window is how far a timestamp may be off, either way.
	window = 120 * time.Second
	// maxUsername bounds a header that is stored with every action, in characters.
	maxUsername = 100
)

// Signature authenticates by signed headers: the documented signature
// (rest-behaviour.md §1), which is the MD5, as hex, of timestamp and the
// application's token, or the stronger one (strong.go).
type Signature struct {
	directory *directory.Directory
	tokens    *tokens
	namespace string
	clock     clock.PassiveClock
	nonces    *nonces
	// unverified has a place for each body that is read before its signature is checked.
	unverified chan struct{}
}

// NewSignature reads applications' tokens from Secrets in the system namespace, uncached.
func NewSignature(d *directory.Directory, secrets client.Reader, systemNamespace string, clk clock.PassiveClock) *Signature {
	return &Signature{
		directory: d, namespace: systemNamespace, clock: clk, nonces: newNonces(), unverified: make(chan struct{}, mostUnverified),
		tokens: &tokens{secrets: secrets, clock: clk, kept: map[tokenSource]keptToken{}},
	}
}

// Authenticate checks in the order that clients know: application, signature, time.
func (s *Signature) Authenticate(r *http.Request) (backend.Caller, *backend.Failure) {
	if failure := present(r, "appname"); failure != nil {
		return backend.Caller{}, failure
	}
	appName := r.Header.Get("appname")
	app, ok := s.directory.ApplicationObject(appName)
	if !ok {
		return backend.Caller{}, backend.Failf(engine.ReasonUnknownApplication, "appname: there is no application %q; an administrator can add it", appName)
	}
	// Also of a refusal, since the application says which HTTP statuses it wants.
	known := backend.Caller{App: app, AppName: appName}
	if failure := present(r, "timestamp", "signature"); failure != nil {
		return known, failure
	}
	reference := app.Spec.TokenSecretRef
	token, ok := "", false
	if reference.Namespace == s.namespace {
		from := tokenSource{secret: types.NamespacedName{Namespace: reference.Namespace, Name: string(reference.Name)}, use: v1alpha1.UseApplication}
		token, ok = s.tokens.read(r.Context(), from, reference.Key)
	}
	if !ok {
		return known, backend.Failf(backend.ReasonBadSignature, "the application %q has no usable token; an administrator can mend it", appName)
	}
	if failure := s.check(r, &known, token); failure != nil {
		return known, failure
	}
	user := r.Header.Get("username")
	if utf8.RuneCountInString(user) > maxUsername {
		return known, backend.Failf(engine.ReasonUnknownUser, "username: it is too long")
	}
	known.User = user
	return known, nil
}

// check checks the signature that the request says it has.
func (s *Signature) check(r *http.Request, caller *backend.Caller, token string) *backend.Failure {
	switch method := r.Header.Get(HeaderMethod); {
	case method == MethodHMAC:
		return s.checkStrong(r, caller, token)
	case method != "":
		return backend.Failf(backend.ReasonBadSignature, "%s: %q is not known, only %s is", HeaderMethod, method, MethodHMAC)
	}
	if !sameMD5(r, token) {
		return backend.Failf(backend.ReasonBadSignature, "signature: it is not the one of timestamp and token of %q", caller.AppName)
	}
	if caller.App.Spec.Signature == v1alpha1.SignatureStrong {
		return backend.Failf(backend.ReasonBadSignature, "signature: the application %q takes only the stronger signature %s", caller.AppName, MethodHMAC)
	}
	return s.checkTime(r)
}

// AuthenticateHook checks the documented signature with a hook's own token.
func (s *Signature) AuthenticateHook(r *http.Request, namespace string, selector corev1.SecretKeySelector) *backend.Failure {
	if failure := present(r, "timestamp", "signature"); failure != nil {
		return failure
	}
	from := tokenSource{secret: types.NamespacedName{Namespace: namespace, Name: selector.Name}, use: v1alpha1.UseHook}
	token, ok := s.tokens.read(r.Context(), from, selector.Key)
	if !ok || !sameMD5(r, token) {
		return BadHookSignature()
	}
	return s.checkTime(r)
}

// BadHookSignature is the same whatever is wrong: who does not know the token
// learns nothing of the ticket.
func BadHookSignature() *backend.Failure {
	return backend.Failf(backend.ReasonBadSignature, "signature: without an appname, it must be the one of timestamp and the token of the hook that the ticket waits for")
}

func present(r *http.Request, headers ...string) *backend.Failure {
	for _, name := range headers {
		if r.Header.Get(name) == "" {
			return backend.Failf(backend.ReasonMissingCredentials, "the header %s is missing", name)
		}
	}
	return nil
}

func sameMD5(r *http.Request, token string) bool {
	sum := md5.Sum([]byte(r.Header.Get("timestamp") + token)) //nolint:gosec // as documented
	return subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(r.Header.Get("signature"))) == 1
}

func (s *Signature) checkTime(r *http.Request) *backend.Failure {
	return timely(r.Header.Get("timestamp"), s.clock.Now())
}

// timely refuses a timestamp that is too far off, counted in whole seconds, as who
// signs counts them (rest-behaviour.md §1.1).
func timely(timestamp string, now time.Time) *backend.Failure {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return backend.Failf(backend.ReasonExpired, "timestamp: %q is no Unix time in seconds", timestamp)
	}
	if off := now.Truncate(time.Second).Sub(time.Unix(seconds, 0)); off > window || off < -window {
		return backend.Failf(backend.ReasonExpired, "timestamp: it must be within %d seconds of the server's time", int(window.Seconds()))
	}
	return nil
}
