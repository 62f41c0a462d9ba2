// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package local brings up a Ticketflow of its own on a temporary folder, for the
// programs beside it that try it out as a whole, and talks to it.
package local

import (
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// readyTime is how long a start may take.
const readyTime = 10 * time.Minute

// Ticketflow is one that runs.
type Ticketflow struct {
	// Address serves REST.
	Address string
	// Metrics is where the manager's metrics are.
	Metrics string
	// Ready is how long the start took.
	Ready time.Duration

	folder string
	up     *exec.Cmd
	ended  chan struct{}
}

// Data is the data folder of the Ticketflow in a folder.
func Data(folder string) string { return filepath.Join(folder, "data") }

// Up brings Ticketflow up in a folder, with manifests, and waits until it is
// ready. On a folder that was used before it goes on with what is there.
func Up(folder string, manifests []byte) (*Ticketflow, error) {
	begun := time.Now()
	load := filepath.Join(folder, "load.yaml")
	if err := os.WriteFile(load, manifests, 0o600); err != nil {
		return nil, err
	}
	t := &Ticketflow{folder: folder, ended: make(chan struct{})}
	for _, address := range []*string{&t.Address, &t.Metrics} {
		var err error
		if *address, err = FreeAddress(); err != nil {
			return nil, err
		}
	}
	t.up = exec.Command("bin/ticketflow", "up", "--data-dir", Data(folder), "--kubeconfig", t.kubeconfig(),
		"--rest-address", t.Address, "--metrics-address", t.Metrics, "--load", load)
	t.up.Stdout, t.up.Stderr = os.Stderr, os.Stderr
	if err := t.up.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = t.up.Wait() // it says itself what is wrong
		close(t.ended)
	}()
	deadline := time.After(readyTime)
	for !t.ready() {
		select {
		case <-t.ended:
			return nil, errors.New("ticketflow up has ended")
		case <-deadline:
			t.Stop()
			return nil, errors.New("ticketflow up is not ready")
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Ready = time.Since(begun)
	return t, nil
}

func (t *Ticketflow) ready() bool {
	response, err := http.Get("http://" + t.Address + "/readyz")
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// Stop ends it in order.
func (t *Ticketflow) Stop() {
	_ = t.up.Process.Signal(syscall.SIGINT) // it may have ended
	<-t.ended
}

func (t *Ticketflow) kubeconfig() string { return filepath.Join(t.folder, "kubeconfig") }

// Config is how an administrator reaches its kube-apiserver.
func (t *Ticketflow) Config() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", t.kubeconfig())
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return config, nil
}

// FreeAddress is a loopback address that nobody listens on.
func FreeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
