// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

const (
	// certificateLife is how long a certificate is good for; authorities last
	// ten times as long.
	certificateLife = 365 * 24 * time.Hour
	// renewBefore is how long before its end a certificate is made anew.
	renewBefore = 30 * 24 * time.Hour
)

// authority signs certificates.
type authority struct {
	path        string // without extension
	certificate *x509.Certificate
	key         crypto.Signer
}

// identity is what a certificate says.
type identity struct {
	file   string
	name   string
	groups []string
	server bool
}

// openAuthority reads an authority from a folder, or makes it. A new authority
// makes all certificates below it worthless, so they are made anew by issue.
func openAuthority(folder, name string, now time.Time) (*authority, error) {
	a := &authority{path: filepath.Join(folder, name)}
	certificates, err := cert.CertsFromFile(a.path + ".crt")
	if err == nil && now.Add(renewBefore).Before(certificates[0].NotAfter) {
		if key, err := keyutil.PrivateKeyFromFile(a.path + ".key"); err == nil {
			if signer, ok := key.(crypto.Signer); ok {
				a.certificate, a.key = certificates[0], signer
				return a, nil
			}
		}
	}
	key, err := newKey(a.path + ".key")
	if err != nil {
		return nil, err
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "ticketflow " + name},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(10 * certificateLife),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the authority %s: %w", name, err)
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("make the authority %s: %w", name, err)
	}
	a.key = key
	return a, writeCertificate(a.path+".crt", a.certificate)
}

// issue makes sure that a good certificate and key lie in the folder.
func (a *authority) issue(folder string, id identity, now time.Time) error {
	path := filepath.Join(folder, id.file)
	if a.good(path, now) {
		return nil
	}
	key, err := newKey(path + ".key")
	if err != nil {
		return err
	}
	serial, err := serialNumber()
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: id.name, Organization: id.groups},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(certificateLife),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if id.server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		template.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default.svc", "ticketflow-apiserver." + systemNamespace + ".svc"}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return fmt.Errorf("make the certificate %s: %w", id.file, err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("make the certificate %s: %w", id.file, err)
	}
	return writeCertificate(path+".crt", made)
}

func (a *authority) good(path string, now time.Time) bool {
	certificates, err := cert.CertsFromFile(path + ".crt")
	if err != nil || now.Add(renewBefore).After(certificates[0].NotAfter) {
		return false
	}
	if _, err := keyutil.PrivateKeyFromFile(path + ".key"); err != nil {
		return false
	}
	return certificates[0].CheckSignatureFrom(a.certificate) == nil
}

func newKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key %s: %w", filepath.Base(path), err)
	}
	pem, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return nil, fmt.Errorf("make the key %s: %w", filepath.Base(path), err)
	}
	return key, os.WriteFile(path, pem, 0o600)
}

// ensureKey makes a key unless there is one.
func ensureKey(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	_, err := newKey(path)
	return err
}

func serialNumber() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	return serial, nil
}

func writeCertificate(path string, c *x509.Certificate) error {
	pem, err := cert.EncodeCertificates(c)
	if err != nil {
		return fmt.Errorf("write the certificate %s: %w", filepath.Base(path), err)
	}
	return os.WriteFile(path, pem, 0o600)
}
