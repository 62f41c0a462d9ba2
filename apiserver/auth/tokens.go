// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/credentials"
)

const (
	// keepToken is how long a token is used before its Secret is read again.
	keepToken = 2 * time.Second
	// mostTokens bounds how many Secrets are held at a time.
	mostTokens = 1000
	// readTime bounds how long reading a Secret may take.
	readTime = 10 * time.Second
)

// tokens reads tokens from Secrets that are labelled for the use, past any cache,
// so that nobody can make us guess at other Secrets.
type tokens struct {
	secrets client.Reader
	clock   clock.PassiveClock

	reads singleflight.Group
	mu    sync.Mutex
	kept  map[tokenSource]keptToken
}

// tokenSource is a Secret, and what is wanted of it.
type tokenSource struct {
	secret types.NamespacedName
	use    v1alpha1.SecretUse
}

type keptToken struct {
	data  map[string][]byte
	until time.Time
}

// read answers the token under a key, or false where there is none to be had.
func (t *tokens) read(ctx context.Context, from tokenSource, key string) (string, bool) {
	t.mu.Lock()
	kept, ok := t.kept[from]
	t.mu.Unlock()
	if !ok || t.clock.Now().After(kept.until) {
		// All requests that come meanwhile share one look, which does not end
		// with the request that happened to be the first.
		found, err, _ := t.reads.Do(fmt.Sprint(from), func() (any, error) { return t.look(context.WithoutCancel(ctx), from) })
		if err != nil {
			return "", false
		}
		kept, _ = found.(keptToken)
	}
	token := string(kept.data[key])
	return token, token != ""
}

// look reads a Secret and keeps what it has for a moment. Why a Secret is not used
// is for who runs this server: the caller is not known yet, and is told nothing.
func (t *tokens) look(ctx context.Context, from tokenSource) (keptToken, error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	now := t.clock.Now()
	var secret corev1.Secret
	log := klog.FromContext(ctx).WithValues("secret", from.secret)
	err := t.secrets.Get(ctx, from.secret, &secret)
	if err != nil && !apierrors.IsNotFound(err) {
		log.Error(err, "Failed to read a token's Secret")
		return keptToken{}, fmt.Errorf("read a token: %w", err)
	}
	kept := keptToken{until: now.Add(keepToken)}
	if err != nil {
		log.Info("A token's Secret does not exist")
	} else if why := credentials.Refusal(&secret, from.use); why != "" {
		log.Info("A token's Secret may not be used", "reason", why)
	} else {
		kept.data = secret.Data
	}
	t.keep(from, kept)
	return kept, nil
}

func (t *tokens) keep(from tokenSource, kept keptToken) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.kept) >= mostTokens {
		clear(t.kept) // they are read again when they are needed
	}
	t.kept[from] = kept
}
