// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
)

// The stronger signature: docs/signatures.md has a worked example.
const (
	// HeaderMethod names the way in which a request is signed; absent, it is
	// the documented MD5.
	HeaderMethod = "signature-method"
	// HeaderNonce is different for every request of an application.
	HeaderNonce = "nonce"
	// HeaderIdempotencyKey makes a writing request's repetition harmless. Where it
	// is sent it is signed: another key would make another request of a repeated one.
	HeaderIdempotencyKey = "Idempotency-Key"
	// MethodHMAC covers all of the request, and each request is taken once.
	MethodHMAC = "HMAC-SHA256"

	// MaxBody bounds what is read of a request, in bytes.
	MaxBody = 1 << 20

	minNonce, maxNonce = 16, 128
	// mostUnverified bounds how many bodies are read at a time of callers who are
	// not known yet: each holds a place among the requests in flight, and a body
	// that never comes must not keep the clients out whose signature needs none.
	mostUnverified = 64
	// mostNonces bounds the memory for replays; beyond it requests wait.
	mostNonces = 1_000_000
)

// StringToSign is what the stronger signature covers: each part on a line of
// its own. Path and query are as they stand in the request line; the idempotency
// key has a line only where one is sent.
func StringToSign(method, path, query string, body []byte, appName, username, timestamp, nonce, idempotencyKey string) string {
	sum := sha256.Sum256(body)
	lines := []string{method, path, query, hex.EncodeToString(sum[:]), appName, username, timestamp, nonce}
	if idempotencyKey != "" {
		lines = append(lines, idempotencyKey)
	}
	return strings.Join(lines, "\n")
}

// Sign is the stronger signature, as hex.
func Sign(token, stringToSign string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(stringToSign))
	return hex.EncodeToString(mac.Sum(nil))
}

func (s *Signature) checkStrong(r *http.Request, caller *backend.Caller, token string) *backend.Failure {
	if failure := present(r, HeaderNonce); failure != nil {
		return failure
	}
	nonce := r.Header.Get(HeaderNonce)
	if len(nonce) < minNonce || len(nonce) > maxNonce {
		return backend.Failf(engine.ReasonBadParameter, "%s: it must have %d to %d characters", HeaderNonce, minNonce, maxNonce)
	}
	select {
	case s.unverified <- struct{}{}:
	default:
		return backend.Failf(backend.ReasonBusy, "too many requests are being served: try again")
	}
	body, failure := peek(r)
	<-s.unverified
	if failure != nil {
		return failure
	}
	wanted := Sign(token, StringToSign(r.Method, r.URL.EscapedPath(), r.URL.RawQuery, body,
		caller.AppName, r.Header.Get("username"), r.Header.Get("timestamp"), nonce, r.Header.Get(HeaderIdempotencyKey)))
	if !hmac.Equal([]byte(wanted), []byte(r.Header.Get("signature"))) {
		return backend.Failf(backend.ReasonBadSignature, "signature: it is not the %s of this request and the token of %q", MethodHMAC, caller.AppName)
	}
	now := s.clock.Now() // one for both: a nonce is known as long as its timestamp is good
	if failure := timely(r.Header.Get("timestamp"), now); failure != nil {
		return failure
	}
	if failure := s.nonces.take(caller.AppName+"\x00"+nonce, now); failure != nil {
		return failure
	}
	// Another server behind the same address does not know the nonce: there it
	// makes the repetition of a writing request harmless.
	caller.Nonce = nonce
	return nil
}

// drained is how much more of a body that is too large is taken, in bytes.
const drained = 16 << 20

// ReadBody reads the body, of at most MaxBody bytes.
func ReadBody(r *http.Request) ([]byte, *backend.Failure) {
	data, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		// Who is still writing reads no answer, and a connection that is closed
		// with something unread on it is reset.
		_, _ = io.CopyN(io.Discard, r.Body, drained)
		return nil, backend.Failf(engine.ReasonTooLarge, "the body is larger than %d bytes", MaxBody)
	case err != nil:
		return nil, backend.Failf(backend.ReasonBadBody, "the body could not be read")
	}
	return data, nil
}

// peek reads the body and puts it back.
func peek(r *http.Request) ([]byte, *backend.Failure) {
	data, failure := ReadBody(r)
	r.Body = io.NopCloser(bytes.NewReader(data))
	return data, failure
}

// nonces remembers what was used for as long as its timestamp could be repeated.
// There are two generations: when the younger one is old enough, the older one
// cannot matter any more.
type nonces struct {
	mu             sync.Mutex
	younger, older map[string]struct{}
	since          time.Time
}

func newNonces() *nonces {
	return &nonces{younger: map[string]struct{}{}, older: map[string]struct{}{}}
}

func (n *nonces) take(key string, now time.Time) *backend.Failure {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now.Sub(n.since) > 2*window+time.Second { // whole seconds count, see timely
		n.older, n.younger, n.since = n.younger, map[string]struct{}{}, now
	}
	_, young := n.younger[key]
	_, old := n.older[key]
	switch {
	case young || old:
		return backend.Failf(backend.ReasonReplayed, "%s: a request with it was taken already", HeaderNonce)
	case len(n.younger) >= mostNonces:
		return backend.Failf(backend.ReasonBusy, "too many signed requests are remembered: try again in a few minutes")
	}
	n.younger[key] = struct{}{}
	return nil
}
