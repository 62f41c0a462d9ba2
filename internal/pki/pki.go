// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pki makes certificates: authorities that sign, and what they sign.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

const (
	// Life is how long a certificate is good for.
	Life = 365 * 24 * time.Hour
	// AuthorityLife is how long an authority is.
	AuthorityLife = 10 * Life
	// RenewBefore is how long before its end a certificate is made anew.
	RenewBefore = 30 * 24 * time.Hour
	// skew is how far other machines' clocks may be behind.
	skew = 5 * time.Minute
)

// Pair is a certificate and its key, in PEM.
type Pair struct{ Certificate, Key []byte }

// Identity is what a certificate says.
type Identity struct {
	// Name and Groups of whose it is.
	Name   string
	Groups []string
	// DNSNames and IPs that it serves at; with none it is a client's alone.
	DNSNames []string
	IPs      []net.IP
}

// Authority signs certificates.
type Authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// NewAuthority makes an authority that has signed itself.
func NewAuthority(name string, now time.Time) (*Authority, error) {
	key, serial, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-skew), NotAfter: now.Add(AuthorityLife),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the authority %s: %w", name, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make the authority %s: %w", name, err)
	}
	return &Authority{certificate: certificate, key: key}, nil
}

// ParseAuthority reads an authority. Of several certificates the first is its own.
func ParseAuthority(p Pair) (*Authority, error) {
	certificates, err := cert.ParseCertsPEM(p.Certificate)
	if err != nil {
		return nil, fmt.Errorf("read the authority's certificate: %w", err)
	}
	key, err := keyutil.ParsePrivateKeyPEM(p.Key)
	if err != nil {
		return nil, fmt.Errorf("read the authority's key: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the authority's key cannot sign")
	}
	return &Authority{certificate: certificates[0], key: signer}, nil
}

// Pair is the authority in PEM.
func (a *Authority) Pair() (Pair, error) { return encode(a.certificate, a.key) }

// Due says that the authority is to be replaced.
func (a *Authority) Due(now time.Time) bool { return due(a.certificate, now) }

// Issue makes a certificate and its key.
func (a *Authority) Issue(id Identity, now time.Time) (Pair, error) {
	key, serial, err := newKey()
	if err != nil {
		return Pair{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: id.Name, Organization: id.Groups},
		NotBefore: now.Add(-skew), NotAfter: now.Add(Life),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		DNSNames:    id.DNSNames, IPAddresses: id.IPs,
	}
	if len(id.DNSNames)+len(id.IPs) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return Pair{}, fmt.Errorf("make the certificate of %s: %w", id.Name, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return Pair{}, fmt.Errorf("make the certificate of %s: %w", id.Name, err)
	}
	return encode(certificate, key)
}

// Vouches says that a certificate fits its key, is this authority's and need
// not be made anew.
func (a *Authority) Vouches(p Pair, now time.Time) bool {
	parsed, err := tls.X509KeyPair(p.Certificate, p.Key)
	return err == nil && !due(parsed.Leaf, now) && parsed.Leaf.CheckSignatureFrom(a.certificate) == nil
}

func due(c *x509.Certificate, now time.Time) bool { return now.Add(RenewBefore).After(c.NotAfter) }

func newKey() (*ecdsa.PrivateKey, *big.Int, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, fmt.Errorf("make a serial number: %w", err)
	}
	return key, serial, nil
}

// NewKey makes a key in PEM that belongs to no certificate.
func NewKey() ([]byte, error) {
	key, _, err := newKey()
	if err != nil {
		return nil, err
	}
	return keyutil.MarshalPrivateKeyToPEM(key)
}

func encode(c *x509.Certificate, key crypto.Signer) (p Pair, err error) {
	if p.Certificate, err = cert.EncodeCertificates(c); err != nil {
		return p, fmt.Errorf("write the certificate: %w", err)
	}
	if p.Key, err = keyutil.MarshalPrivateKeyToPEM(key); err != nil {
		return p, fmt.Errorf("write the key: %w", err)
	}
	return p, nil
}
