// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package credentials reads what scripts, hooks and notifiers authenticate
// themselves with, and says which Secrets may be used for what. Secrets are read
// past any cache, and only those whose label names that use: whoever may create a
// Script or a Workflow must not be able to read the others by it.
package credentials

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Read reads a key of a Secret for a use. If it is not to be had, it says why, in
// words for whoever wrote the reference; an error says that it could not be asked for.
func Read(ctx context.Context, live client.Reader, use v1alpha1.SecretUse, namespace string, ref v1alpha1.SecretKeyRef) (value []byte, why string, err error) {
	secret := corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: string(ref.Name)}}
	err = live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: secret.Name}, &secret)
	if client.IgnoreNotFound(err) != nil {
		return nil, "", fmt.Errorf("read the Secret %s: %w", ref.Name, err)
	}
	if why := Refusal(&secret, use); why != "" {
		return nil, why, nil
	}
	value, ok := secret.Data[ref.Key]
	if !ok {
		return nil, fmt.Sprintf("Secret %s has no key %s", ref.Name, ref.Key), nil
	}
	return value, "", nil
}

// Refusal says why a Secret may not be used like this; nothing if it may. One
// without our label is as if it were not there, so that nobody can ask which are.
func Refusal(secret *corev1.Secret, use v1alpha1.SecretUse) string {
	has, labelled := secret.Labels[v1alpha1.LabelUse]
	switch {
	case !labelled:
		return fmt.Sprintf("there is no Secret %s with the label %s=%s", secret.Name, v1alpha1.LabelUse, use)
	case has != string(use):
		return fmt.Sprintf("Secret %s has the label %s=%s; what is needed here is %s=%s", secret.Name, v1alpha1.LabelUse, has, v1alpha1.LabelUse, use)
	}
	return ""
}
