// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package certs has the API server make its own serving certificate where
// nobody else gives it one. Certificate and authority are kept in one Secret,
// which all its replicas share, are renewed in time, and the authority is
// published to the APIService, by which kube-apiserver trusts it.
package certs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/klog/v2"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/typed/apiregistration/v1"
	"k8s.io/utils/clock"

	"ticketflow.dev/ticketflow/internal/pki"
)

// interval is how often the Secret is looked at: how soon a replica follows
// another one's renewal. The certificate before it is good for long after.
const interval = 10 * time.Second

// Options of a Keeper.
type Options struct {
	// Secrets of the namespace that the Secret is in.
	Secrets corev1client.SecretInterface
	// SecretName of the Secret.
	SecretName string
	// DNSNames that are served at; the first is the certificate's name too.
	DNSNames []string
	// Services are where the authority is published; nil publishes nothing.
	Services aggregator.APIServiceInterface
	// ServiceName of the APIService.
	ServiceName string
	// Clock to tell the time by.
	Clock clock.WithTicker
}

// Keeper keeps the serving certificate.
type Keeper struct {
	Options

	mu        sync.Mutex
	serving   pki.Pair
	listeners []dynamiccertificates.Listener
}

var _ dynamiccertificates.CertKeyContentProvider = &Keeper{}

// NewKeeper makes a Keeper. It has no certificate before its first Sync.
func NewKeeper(o Options) *Keeper { return &Keeper{Options: o} }

// Name is what logs call the certificate.
func (k *Keeper) Name() string { return "secret/" + k.SecretName }

// CurrentCertKeyContent is the certificate and its key.
func (k *Keeper) CurrentCertKeyContent() (certificate, key []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.serving.Certificate, k.serving.Key
}

// AddListener adds whom to tell of another certificate.
func (k *Keeper) AddListener(l dynamiccertificates.Listener) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.listeners = append(k.listeners, l)
}

// Run keeps the certificate until the context ends. While the Secret cannot be
// reached, the one that is there goes on being served.
func (k *Keeper) Run(ctx context.Context) error {
	ticker := k.Clock.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
			if err := k.Sync(ctx); err != nil && ctx.Err() == nil {
				klog.FromContext(ctx).Error(err, "Failed to keep the serving certificate")
			}
		}
	}
}

// Sync makes, renews, publishes and takes over what is due. Several replicas
// may do so at once: of two that write, one is refused and follows the other.
func (k *Keeper) Sync(ctx context.Context) error {
	lost := func(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }
	return retry.OnError(retry.DefaultBackoff, lost, func() error { return k.sync(ctx) })
}

func (k *Keeper) sync(ctx context.Context) error {
	now := k.Clock.Now()
	secret, found, err := k.read(ctx)
	if err != nil {
		return err
	}
	if found.authority == nil || found.authority.Due(now) {
		if err := found.replaceAuthority(k.DNSNames[0], now); err != nil {
			return err
		}
		if !found.served(now) { // nobody trusts in it: there is nothing to wait for
			if err := found.issue(k.DNSNames, now); err != nil {
				return err
			}
		}
		if secret, err = k.write(ctx, secret, found); err != nil {
			return err
		}
	}
	// The authority is published before the first certificate of its own.
	if err := k.publish(ctx, found.bundle); err != nil {
		return err
	}
	if !found.authority.Vouches(found.serving, now) {
		if err := found.issue(k.DNSNames, now); err != nil {
			return err
		}
		if _, err := k.write(ctx, secret, found); err != nil {
			return err
		}
	}
	k.use(found.serving)
	return nil
}

// read reads the Secret; what is missing or cannot be read in it is made anew.
func (k *Keeper) read(ctx context.Context) (*corev1.Secret, kept, error) {
	secret, err := k.Secrets.Get(ctx, k.SecretName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, kept{}, nil
	case err != nil:
		return nil, kept{}, fmt.Errorf("read the Secret %s: %w", k.SecretName, err)
	}
	return secret, parse(secret.Data), nil
}

// write writes the Secret unless somebody else has written it since it was read.
func (k *Keeper) write(ctx context.Context, secret *corev1.Secret, what kept) (*corev1.Secret, error) {
	data, err := what.data()
	if err != nil {
		return nil, err
	}
	if secret == nil {
		secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: k.SecretName}, Type: corev1.SecretTypeTLS, Data: data}
		return k.Secrets.Create(ctx, secret, metav1.CreateOptions{})
	}
	secret.Data = data
	return k.Secrets.Update(ctx, secret, metav1.UpdateOptions{})
}

// publish tells kube-apiserver which authority to trust.
func (k *Keeper) publish(ctx context.Context, bundle []byte) error {
	if k.Services == nil {
		return nil
	}
	service, err := k.Services.Get(ctx, k.ServiceName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil // not registered yet: kube-apiserver does not call
	case err != nil:
		return fmt.Errorf("read the APIService: %w", err)
	case bytes.Equal(service.Spec.CABundle, bundle):
		return nil
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"caBundle": bundle}})
	if err != nil {
		return fmt.Errorf("write the authority: %w", err)
	}
	_, err = k.Services.Patch(ctx, k.ServiceName, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "ticketflow-apiserver"})
	if err != nil {
		return fmt.Errorf("publish the authority: %w", err)
	}
	return nil
}

// use takes a certificate over, without a restart.
func (k *Keeper) use(p pki.Pair) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if bytes.Equal(k.serving.Certificate, p.Certificate) {
		return
	}
	k.serving = p
	for _, l := range k.listeners {
		l.Enqueue()
	}
}
