// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bench measures REST beside the raw kube-apiserver, on the same control
// plane in the same run, with one client and with 32, and prints one table. It
// brings up a Ticketflow of its own on a temporary folder and stops it again.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

//go:embed manifests.yaml
var manifests []byte

func main() {
	seconds := flag.Int("seconds", 5, "how long each row is measured")
	flag.Parse()
	if err := run(time.Duration(*seconds) * time.Second); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(each time.Duration) error {
	folder, err := os.MkdirTemp("", "ticketflow-bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	up, address, err := startUp(folder)
	if err != nil {
		return err
	}
	defer func() {
		_ = up.Process.Signal(syscall.SIGINT)
		_ = up.Wait()
	}()
	raw, err := newRaw(filepath.Join(folder, "kubeconfig"))
	if err != nil {
		return err
	}
	rest := &restClient{base: "http://" + address + "/api/v1.0/", http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	ctx := context.Background()
	var rows []row
	for _, m := range []struct {
		name string
		work func(client int) func(ctx context.Context) error
	}{
		{"raw create", raw.create},
		{"raw status update", raw.updateStatus},
		{"raw get", raw.get},
		{"REST create", rest.create},
		{"REST handle", rest.handle},
		{"REST detail", rest.read("")},
		{"REST transitions", rest.read("/transitions")},
		{"REST flowlogs", rest.read("/flowlogs")},
	} {
		r := row{name: m.name}
		for i, clients := range []int{1, 32} {
			fmt.Fprintf(os.Stderr, "%s, %d clients\n", m.name, clients)
			if r.results[i], err = measure(ctx, clients, each, m.work); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
		}
		rows = append(rows, r)
	}
	print(rows)
	return nil
}

// startUp brings everything up and waits until it is ready.
func startUp(folder string) (*exec.Cmd, string, error) {
	load := filepath.Join(folder, "load.yaml")
	if err := os.WriteFile(load, manifests, 0o600); err != nil {
		return nil, "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, "", err
	}
	up := exec.Command("bin/ticketflow", "up", "--data-dir", filepath.Join(folder, "data"),
		"--kubeconfig", filepath.Join(folder, "kubeconfig"), "--rest-address", address, "--load", load)
	up.Stdout, up.Stderr = os.Stderr, os.Stderr
	if err := up.Start(); err != nil {
		return nil, "", err
	}
	for range 1200 {
		response, err := http.Get("http://" + address + "/readyz")
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return up, address, nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	_ = up.Process.Signal(syscall.SIGINT)
	return nil, "", fmt.Errorf("ticketflow up is not ready")
}
