// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package script

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/credentials"
)

// defaultTimeout of a script that says none.
const defaultTimeout = 60 * time.Second

// gather reads what a run needs. If the script cannot be run, it says why.
// Scripts are late-bound: what counts is how they are now.
func (r *Reconciler) gather(ctx context.Context, t *v1alpha1.Ticket) (task Task, why string, err error) {
	script := &v1alpha1.Script{}
	name := string(t.Status.Participants.Script)
	err = r.Live.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: name}, script)
	if apierrors.IsNotFound(err) {
		return Task{}, fmt.Sprintf("script %s does not exist", name), nil
	}
	if err != nil {
		return Task{}, "", fmt.Errorf("read the script: %w", err)
	}
	if !ptr.Deref(script.Spec.Active, true) {
		return Task{}, fmt.Sprintf("script %s is inactive", name), nil
	}
	task = Task{Ticket: t, Script: script, Timeout: defaultTimeout}
	if script.Spec.Timeout != nil && script.Spec.Timeout.Duration > 0 {
		task.Timeout = script.Spec.Timeout.Duration
	}
	if task.Source, why, err = r.source(ctx, script); why != "" || err != nil {
		return Task{}, why, err
	}
	task.SourceHash = SourceHash(task.Source)
	task.Env, why, err = r.env(ctx, script)
	return task, why, err
}

// SourceHash is SHA-256 over a script's text, as hex.
func SourceHash(source string) string {
	sum := sha256.Sum256([]byte(source))
	return hex.EncodeToString(sum[:])
}

func (r *Reconciler) source(ctx context.Context, script *v1alpha1.Script) (source, why string, err error) {
	if script.Spec.SourceFrom == nil {
		return script.Spec.Source, "", nil
	}
	ref := script.Spec.SourceFrom.ConfigMapKeyRef
	var from corev1.ConfigMap
	err = r.Live.Get(ctx, client.ObjectKey{Namespace: script.Namespace, Name: string(ref.Name)}, &from)
	if apierrors.IsNotFound(err) {
		return "", fmt.Sprintf("script %s: ConfigMap %s does not exist", script.Name, ref.Name), nil
	}
	if err != nil {
		return "", "", fmt.Errorf("read the script's source: %w", err)
	}
	if text, ok := from.Data[ref.Key]; ok {
		return text, "", nil
	}
	if data, ok := from.BinaryData[ref.Key]; ok {
		return string(data), "", nil
	}
	return "", fmt.Sprintf("script %s: ConfigMap %s has no key %s", script.Name, ref.Name, ref.Key), nil
}

// env resolves the script's variables.
func (r *Reconciler) env(ctx context.Context, script *v1alpha1.Script) (env []Variable, why string, err error) {
	for _, variable := range script.Spec.Env {
		if variable.ValueFrom == nil {
			env = append(env, Variable{Name: variable.Name, Value: variable.Value})
			continue
		}
		value, why, err := credentials.Read(ctx, r.Live, v1alpha1.UseScript, script.Namespace, variable.ValueFrom.SecretKeyRef)
		if err != nil {
			return nil, "", fmt.Errorf("variable %s: %w", variable.Name, err)
		}
		if why != "" {
			return nil, fmt.Sprintf("script %s: %s", script.Name, why), nil
		}
		env = append(env, Variable{Name: variable.Name, Value: string(value), Secret: true})
	}
	return env, "", nil
}
