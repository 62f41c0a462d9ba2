// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/cert"

	"ticketflow.dev/ticketflow/internal/pki"
)

// Keys of the Secret besides those of every TLS Secret.
const (
	keyAuthority    = "ca.key"
	keyCertificates = "ca.crt"
)

// kept is what the Secret holds.
type kept struct {
	// authority signs; nil where there is none.
	authority *pki.Authority
	// bundle is its certificate, and those of authorities before it.
	bundle []byte
	// serving is the certificate that is served.
	serving pki.Pair
}

func parse(data map[string][]byte) kept {
	out := kept{
		bundle:  data[keyCertificates],
		serving: pki.Pair{Certificate: data[corev1.TLSCertKey], Key: data[corev1.TLSPrivateKeyKey]},
	}
	if authority, err := pki.ParseAuthority(pki.Pair{Certificate: out.bundle, Key: data[keyAuthority]}); err == nil {
		out.authority = authority
	}
	return out
}

func (k *kept) data() (map[string][]byte, error) {
	authority, err := k.authority.Pair()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		keyAuthority: authority.Key, keyCertificates: k.bundle,
		corev1.TLSCertKey: k.serving.Certificate, corev1.TLSPrivateKeyKey: k.serving.Key,
	}, nil
}

// replaceAuthority makes another authority. The one before is trusted as long
// as it lasts: what it has signed is still served.
func (k *kept) replaceAuthority(name string, now time.Time) error {
	made, err := pki.NewAuthority(name+"-ca", now)
	if err != nil {
		return err
	}
	own, err := made.Pair()
	if err != nil {
		return err
	}
	var older []*x509.Certificate
	if former, err := cert.ParseCertsPEM(k.bundle); err == nil {
		for _, each := range former {
			if now.Before(each.NotAfter) {
				older = append(older, each)
			}
		}
	}
	rest, err := cert.EncodeCertificates(older...)
	if err != nil {
		return fmt.Errorf("write the authorities: %w", err)
	}
	k.authority, k.bundle = made, append(own.Certificate, rest...)
	return nil
}

// served says that the certificate can still be served.
func (k *kept) served(now time.Time) bool {
	pair, err := tls.X509KeyPair(k.serving.Certificate, k.serving.Key)
	return err == nil && now.Before(pair.Leaf.NotAfter)
}

// issue makes another certificate.
func (k *kept) issue(names []string, now time.Time) (err error) {
	k.serving, err = k.authority.Issue(pki.Identity{Name: names[0], DNSNames: names}, now)
	return err
}
