// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"context"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"ticketflow.dev/ticketflow/controllers/script"
)

const (
	// tailLines and tailBytes bound what is read to find the last of an output.
	// Runtimes break lines at 16 KiB.
	tailLines = 60
	tailBytes = 1 << 20
)

// Logs opens a pod's log.
type Logs func(ctx context.Context, namespace, pod string, o *corev1.PodLogOptions) (io.ReadCloser, error)

// PodLogs opens logs through the API server.
func PodLogs(c kubernetes.Interface) Logs {
	return func(ctx context.Context, namespace, pod string, o *corev1.PodLogOptions) (io.ReadCloser, error) {
		return c.CoreV1().Pods(namespace).GetLogs(pod, o).Stream(ctx)
	}
}

// head reads the first of what a script printed.
func (r *Runner) head(ctx context.Context, pod *corev1.Pod) (script.Said, error) {
	data, err := r.read(ctx, pod, &corev1.PodLogOptions{LimitBytes: ptr.To[int64](script.MaxMessage + 1)})
	if len(data) <= script.MaxMessage {
		return script.Said{Data: data}, err
	}
	return script.Said{Data: data[:script.MaxMessage], CutAfter: true}, err
}

// tail reads the last of what a script printed.
func (r *Runner) tail(ctx context.Context, pod *corev1.Pod) (script.Said, error) {
	data, err := r.read(ctx, pod, &corev1.PodLogOptions{TailLines: ptr.To[int64](tailLines), LimitBytes: ptr.To[int64](tailBytes)})
	if len(data) <= script.MaxTail {
		return script.Said{Data: data}, err
	}
	return script.Said{Data: data[len(data)-script.MaxTail:], CutBefore: true}, err
}

func (r *Runner) read(ctx context.Context, pod *corev1.Pod, o *corev1.PodLogOptions) ([]byte, error) {
	o.Container = container
	stream, err := r.Logs(ctx, pod.Namespace, pod.Name, o)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	defer stream.Close() //nolint:errcheck // it was only read
	data, err := io.ReadAll(io.LimitReader(stream, *o.LimitBytes))
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	return data, nil
}
