// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"ticketflow.dev/ticketflow/internal/pki"
)

// identity is what a certificate says, and the file it lies in.
type identity struct {
	file   string
	name   string
	groups []string
	server bool
}

// openAuthority reads an authority from a folder, or makes it. A new authority
// makes all certificates below it worthless, so they are made anew by issue.
func openAuthority(folder, name string, now time.Time) (*pki.Authority, error) {
	path := filepath.Join(folder, name)
	if pair, err := readPair(path); err == nil {
		if found, err := pki.ParseAuthority(pair); err == nil && !found.Due(now) {
			return found, nil
		}
	}
	made, err := pki.NewAuthority("ticketflow "+name, now)
	if err != nil {
		return nil, err
	}
	pair, err := made.Pair()
	if err != nil {
		return nil, err
	}
	return made, writePair(path, pair)
}

// issue makes sure that a good certificate and key lie in the folder.
func issue(a *pki.Authority, folder string, id identity, now time.Time) error {
	path := filepath.Join(folder, id.file)
	if pair, err := readPair(path); err == nil && a.Vouches(pair, now) {
		return nil
	}
	wanted := pki.Identity{Name: id.name, Groups: id.groups}
	if id.server {
		wanted.IPs = []net.IP{net.IPv4(127, 0, 0, 1)}
		wanted.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default.svc", "ticketflow-apiserver." + systemNamespace + ".svc"}
	}
	pair, err := a.Issue(wanted, now)
	if err != nil {
		return err
	}
	return writePair(path, pair)
}

func readPair(path string) (p pki.Pair, err error) {
	if p.Certificate, err = readFile(path + ".crt"); err != nil {
		return p, err
	}
	p.Key, err = readFile(path + ".key")
	return p, err
}

func writePair(path string, p pki.Pair) error {
	if err := errors.Join(os.WriteFile(path+".key", p.Key, 0o600), os.WriteFile(path+".crt", p.Certificate, 0o600)); err != nil {
		return fmt.Errorf("write the certificate %s: %w", filepath.Base(path), err)
	}
	return nil
}

// ensureKey makes a key unless there is one.
func ensureKey(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	key, err := pki.NewKey()
	if err != nil {
		return err
	}
	return os.WriteFile(path, key, 0o600)
}
