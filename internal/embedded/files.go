// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"context"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
)

func readFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	return data, nil
}

func encode(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

// inode tells one data folder from another, wherever it is looked at from.
func inode(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino
	}
	return 0
}

// probe asks the control plane for a path.
func probe(ctx context.Context, config *restclient.Config, path string) error {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	return clients.RESTClient().Get().AbsPath(path).Do(ctx).Error()
}
