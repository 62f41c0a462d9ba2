// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package credentials reads what scripts, hooks and notifiers authenticate
// themselves with. Secrets are read past any cache, and only those that carry
// our label: whoever may create a Script or a Workflow must not be able to read
// the others by it.
package credentials

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Read reads a key of a Secret. If it is not to be had, it says why, in words
// for whoever wrote the reference; an error says that it could not be asked for.
func Read(ctx context.Context, live client.Reader, namespace string, ref v1alpha1.SecretKeyRef) (value []byte, why string, err error) {
	var secret corev1.Secret
	err = live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: string(ref.Name)}, &secret)
	if client.IgnoreNotFound(err) != nil {
		return nil, "", fmt.Errorf("read the Secret %s: %w", ref.Name, err)
	}
	if _, labelled := secret.Labels[v1alpha1.LabelUse]; err != nil || !labelled {
		return nil, fmt.Sprintf("there is no Secret %s with the label %s", ref.Name, v1alpha1.LabelUse), nil
	}
	value, ok := secret.Data[ref.Key]
	if !ok {
		return nil, fmt.Sprintf("Secret %s has no key %s", ref.Name, ref.Key), nil
	}
	return value, "", nil
}
