// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// ports are loopback ports, kept between runs so that a kubeconfig stays good.
type ports struct {
	Etcd              int `json:"etcd"`
	EtcdPeer          int `json:"etcdPeer"`
	KubeAPIServer     int `json:"kubeAPIServer"`
	ControllerManager int `json:"controllerManager"`
	APIServer         int `json:"apiserver"`
	ManagerMetrics    int `json:"managerMetrics"`
	APIServerMetrics  int `json:"apiserverMetrics"`
}

// openPorts reads the ports of the last run, or finds free ones.
func openPorts(folder string) (*ports, error) {
	path := filepath.Join(folder, "ports.json")
	p := &ports{}
	if data, err := os.ReadFile(path); err == nil {
		if err := json.Unmarshal(data, p); err != nil {
			p = &ports{} // they are only a convenience
		}
	}
	for _, port := range []*int{&p.Etcd, &p.EtcdPeer, &p.KubeAPIServer, &p.ControllerManager, &p.APIServer, &p.ManagerMetrics, &p.APIServerMetrics} {
		if *port != 0 && isFree(*port) {
			continue
		}
		free, err := freePort()
		if err != nil {
			return nil, err
		}
		*port = free
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("write the ports: %w", err)
	}
	return p, os.WriteFile(path, data, 0o600)
}

// isFree waits a little: the programs of a run that was killed may still be ending.
func isFree(port int) bool {
	for range 50 {
		listener, err := net.Listen("tcp", loopback(port))
		if err == nil {
			return listener.Close() == nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", loopback(0))
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("find a free port: %s is no TCP address", listener.Addr())
	}
	return address.Port, nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// lock keeps two runs off one data folder. It is gone with this process.
func lock(folder string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	for range 100 {
		if err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return file, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	_ = file.Close()
	return nil, fmt.Errorf("another run uses the data folder %s", folder)
}
