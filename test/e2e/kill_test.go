//go:build e2e

// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
)

// kill sends a signal to the processes of a pod's containers. The node shares
// this machine's kernel, so they are found by their cgroup.
func kill(pod corev1.Pod, signal syscall.Signal) {
	GinkgoHelper()
	killed := 0
	for _, status := range pod.Status.ContainerStatuses {
		_, container, found := strings.Cut(status.ContainerID, "://")
		Expect(found).To(BeTrue(), "container %s of pod %s does not run", status.Name, pod.Name)
		files, err := filepath.Glob("/proc/[0-9]*/cgroup")
		Expect(err).NotTo(HaveOccurred())
		for _, file := range files {
			if content, err := os.ReadFile(file); err == nil && strings.Contains(string(content), container) {
				id, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
				Expect(err).NotTo(HaveOccurred())
				if syscall.Kill(id, signal) == nil {
					killed++
				}
			}
		}
	}
	Expect(killed).To(BeNumerically(">", 0), "processes of pod %s", pod.Name)
}
