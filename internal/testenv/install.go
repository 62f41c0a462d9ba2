// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/config"
)

// systemNamespace is the one that the manifests name.
const systemNamespace = "ticketflow-system"

// Install puts the system namespace, the roles and the admission policy that
// ship on a control plane. The policy takes a moment to be in force.
func Install(ctx context.Context, c client.Client) error {
	return InstallIn(ctx, c, systemNamespace)
}

// InstallIn does so in a system namespace of another name, as the chart can.
func InstallIn(ctx context.Context, c client.Client, namespace string) error {
	if err := c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return fmt.Errorf("make the system namespace: %w", err)
	}
	for _, pattern := range []string{"rbac/*.yaml", "policy/*.yaml"} {
		files, err := fs.Glob(config.Manifests, pattern)
		if err != nil {
			return err
		}
		for _, file := range files {
			data, err := fs.ReadFile(config.Manifests, file)
			if err == nil {
				err = Load(ctx, c, bytes.ReplaceAll(data, []byte(systemNamespace), []byte(namespace)))
			}
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return nil
}

// Load creates all objects of a YAML file.
func Load(ctx context.Context, c client.Client, data []byte) error {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(&object.Object); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if len(object.Object) == 0 || object.GetKind() == "Kustomization" {
			continue
		}
		if err := c.Create(ctx, object); err != nil {
			return fmt.Errorf("create %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
}
