// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// manifest is one object, and the file it came from.
type manifest struct {
	file   string
	object *unstructured.Unstructured
}

func (m manifest) String() string {
	name := m.object.GetName()
	if m.object.GetNamespace() != "" {
		name = m.object.GetNamespace() + "/" + name
	}
	return fmt.Sprintf("%s: %s %s", m.file, m.object.GetKind(), name)
}

// order is in which kinds are applied, so that each finds what it needs; kinds
// that are not named come before workflows.
var order = map[string]int{
	"CustomResourceDefinition": -9, "Namespace": -8, "ServiceAccount": -7, "ClusterRole": -6, "Role": -6,
	"ClusterRoleBinding": -5, "RoleBinding": -5, "ConfigMap": -4, "Secret": -4,
	"Department": 1, "User": 2, "UserRole": 3, "Script": 4, "Notifier": 4, "Application": 5, "Workflow": 6, "Ticket": 7,
}

// readManifests reads all documents of YAML and JSON files.
func readManifests(files fs.FS, under string) ([]manifest, error) {
	var all []manifest
	err := fs.WalkDir(files, under, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		switch filepath.Ext(path) {
		case ".yaml", ".yml", ".json":
		default:
			return nil
		}
		data, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		found, err := parse(path, data)
		all = append(all, found...)
		return err
	})
	slices.SortStableFunc(all, func(a, b manifest) int {
		return cmp.Compare(order[a.object.GetKind()], order[b.object.GetKind()])
	})
	return all, err
}

func parse(file string, data []byte) ([]manifest, error) {
	var out []manifest
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(&object.Object); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return out, fmt.Errorf("%s: %w", file, err)
		}
		if len(object.Object) == 0 || object.GetKind() == "Kustomization" {
			continue
		}
		if object.IsList() {
			err := object.EachListItem(func(item runtimeObject) error {
				each, ok := item.(*unstructured.Unstructured)
				if !ok {
					return fmt.Errorf("%s: the list has something that is no object", file)
				}
				out = append(out, manifest{file: file, object: each})
				return nil
			})
			if err != nil {
				return out, err
			}
			continue
		}
		out = append(out, manifest{file: file, object: object})
	}
}

// readLoad reads the files and folders to load. One that cannot be read is
// reported and skipped, like a manifest that is refused.
func readLoad(paths []string, report func(string, ...any)) []manifest {
	var all []manifest
	for _, path := range paths {
		var found []manifest
		info, err := os.Stat(path)
		switch {
		case err != nil:
		case info.IsDir():
			found, err = readManifests(os.DirFS(path), ".")
			for i := range found {
				found[i].file = filepath.Join(path, found[i].file)
			}
		default:
			var data []byte
			if data, err = os.ReadFile(path); err == nil {
				found, err = parse(path, data)
			}
		}
		if err != nil {
			report("Could not read %s: %v", path, err)
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, func(a, b manifest) int {
		return cmp.Compare(order[a.object.GetKind()], order[b.object.GetKind()])
	})
	return all
}

const fieldOwner = client.FieldOwner("ticketflow-up")

// apply puts an object on the control plane by server-side apply, and makes its
// namespace if there is none.
func apply(ctx context.Context, c client.Client, m manifest) error {
	object := m.object.DeepCopy()
	if object.GetName() == "" && object.GetGenerateName() != "" {
		return c.Create(ctx, object, fieldOwner)
	}
	namespaced, err := c.IsObjectNamespaced(object)
	if err != nil {
		return err
	}
	if namespaced && object.GetNamespace() == "" {
		object.SetNamespace("default")
	}
	apply := func() error {
		return c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), fieldOwner, client.ForceOwnership)
	}
	err = apply()
	if namespaced && isNamespaceMissing(err) {
		namespace := &corev1.Namespace{}
		namespace.Name = object.GetNamespace()
		if err := c.Create(ctx, namespace); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
		err = apply()
	}
	return err
}

func isNamespaceMissing(err error) bool {
	return apierrors.IsNotFound(err) && strings.Contains(err.Error(), "namespaces")
}
