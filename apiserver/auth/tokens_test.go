// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// slowSecrets has one Secret, and takes a second to show it.
type slowSecrets struct {
	client.Reader
	reads atomic.Int32
	fails atomic.Bool
	gone  atomic.Bool
}

func (s *slowSecrets) Get(ctx context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	s.reads.Add(1)
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.gone.Load() {
		return apierrors.NewNotFound(corev1.Resource("secrets"), "ops")
	}
	secret, ok := into.(*corev1.Secret)
	if !ok || s.fails.Load() {
		return errors.New("it is not to be had")
	}
	secret.Labels = map[string]string{v1alpha1.LabelUse: string(v1alpha1.UseApplication)}
	secret.Data = map[string][]byte{"token": []byte("s3cret")}
	return nil
}

// ops is where an application's token is.
var ops = tokenSource{secret: types.NamespacedName{Name: "ops"}, use: v1alpha1.UseApplication}

// askAtOnce has so many requests ask for a token, and says how many got it.
func askAtOnce(t *testing.T, tokens *tokens, requests int) int {
	t.Helper()
	var got atomic.Int32
	var group sync.WaitGroup
	for range requests {
		group.Go(func() {
			if token, ok := tokens.read(t.Context(), ops, "token"); ok && token == "s3cret" {
				got.Add(1)
			}
		})
	}
	group.Wait()
	return int(got.Load())
}

func TestRequestsThatComeAtOnceShareOneReadOfTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secrets := &slowSecrets{}
		tokens := &tokens{secrets: secrets, clock: clock.RealClock{}, kept: map[tokenSource]keptToken{}}
		for round := int32(1); round <= 2; round++ {
			if got := askAtOnce(t, tokens, 100); got != 100 {
				t.Errorf("%d of 100 requests got the token", got)
			}
			if got := secrets.reads.Load(); got != round {
				t.Errorf("the Secret was read %d times, want %d", got, round)
			}
			time.Sleep(keepToken + time.Second) // of the bubble's clock: no time passes
		}
	})
}

func TestATokenIsHadAlthoughTheRequestThatWasFirstGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := &tokens{secrets: &slowSecrets{}, clock: clock.RealClock{}, kept: map[tokenSource]keptToken{}}
		first, giveUp := context.WithCancel(t.Context())
		go tokens.read(first, ops, "token")
		synctest.Wait()
		giveUp()
		if got := askAtOnce(t, tokens, 10); got != 10 {
			t.Errorf("%d of 10 requests got the token", got)
		}
	})
}

func TestATokenThatCouldNotBeReadIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secrets := &slowSecrets{}
		tokens := &tokens{secrets: secrets, clock: clock.RealClock{}, kept: map[tokenSource]keptToken{}}
		secrets.fails.Store(true)
		if got := askAtOnce(t, tokens, 10); got != 0 {
			t.Errorf("%d requests got a token that is not to be had", got)
		}
		secrets.fails.Store(false)
		if got := askAtOnce(t, tokens, 10); got != 10 {
			t.Errorf("%d of 10 requests got the token", got)
		}
	})
}

func TestATokenThatThereIsNotIsLookedForNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secrets := &slowSecrets{}
		tokens := &tokens{secrets: secrets, clock: clock.RealClock{}, kept: map[tokenSource]keptToken{}}
		secrets.gone.Store(true)
		for range 3 {
			if got := askAtOnce(t, tokens, 10); got != 0 {
				t.Errorf("%d requests got a token that there is not", got)
			}
		}
		if got := secrets.reads.Load(); got != 1 {
			t.Errorf("the Secret was looked for %d times, want once", got)
		}
		secrets.gone.Store(false)
		time.Sleep(keepToken)
		if got := askAtOnce(t, tokens, 10); got != 10 {
			t.Errorf("%d of 10 requests got the token that came later", got)
		}
	})
}

func TestATokenOfOneUseIsNoneForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := &tokens{secrets: &slowSecrets{}, clock: clock.RealClock{}, kept: map[tokenSource]keptToken{}}
		for range 2 { // the second time from what is kept
			if got := askAtOnce(t, tokens, 1); got != 1 {
				t.Error("the application has no token")
			}
			hook := tokenSource{secret: ops.secret, use: v1alpha1.UseHook}
			if token, ok := tokens.read(t.Context(), hook, "token"); ok {
				t.Errorf("a hook's token is the application's %q", token)
			}
		}
	})
}
