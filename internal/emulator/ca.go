package emulator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"slices"
	"sync"
	"time"
)

// authority is a certificate authority in memory. Its certificates follow the host's
// clock, not Options.Now: the client's TLS does too.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  []byte
	// names are those of good server certificates.
	names []string

	mu    sync.Mutex
	leafs map[string]*tls.Certificate
}

// newAuthority makes an authority for servers on loopback, and on name if it is not "".
func newAuthority(name string) (*authority, error) {
	names := []string{"localhost", "smtp.office365.test", "login.microsoftonline.test", "127.0.0.1", "::1"}
	if name != "" && !slices.Contains(names, name) {
		names = append(names, name)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	serial := randomSerial()
	template := &x509.Certificate{
		// Two authorities of one name confuse verifiers, so each has its own.
		SerialNumber: serial, Subject: pkix.Name{CommonName: fmt.Sprintf("M365 Emulator CA %x", serial),
			Organization: []string{"M365 Emulator"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 1, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{
		key: key, cert: cert, names: names, leafs: map[string]*tls.Certificate{},
		pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}, nil
}

// server returns the server certificate of a kind: "" (good), "untrusted" (of another
// authority), "expired" or "wrong-name".
func (a *authority) server(kind string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.leafs[kind]; c != nil {
		return c, nil
	}
	issuer := a
	names, end := a.names, time.Now().AddDate(0, 0, 20)
	switch kind {
	case "":
	case "expired":
		end = time.Now().Add(-30 * time.Minute)
	case "wrong-name":
		names = []string{"mail.example.test"}
	case "untrusted":
		other, err := newAuthority("")
		if err != nil {
			return nil, err
		}
		issuer = other
	default:
		return nil, fmt.Errorf("emulator: unknown kind of certificate %q", kind)
	}
	c, err := issuer.issue(names, end)
	if err == nil {
		a.leafs[kind] = c
	}
	return c, err
}

func (a *authority) issue(names []string, end time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: randomSerial(), Subject: pkix.Name{CommonName: names[0]},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func randomSerial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b)
}
