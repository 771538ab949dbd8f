//go:build package

package pkgtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

// microsoft is Microsoft 365 under its real names and ports, on a loopback address of its
// own. The system under test finds it through /etc/hosts and trusts its authorities, so
// that its configuration needs the administrator's five answers and nothing else.
type microsoft struct {
	*emulator.Emulator
	address string
	loginCA []byte
}

const (
	smtpName  = "smtp.office365.com"
	loginName = "login.microsoftonline.com"
)

// newMicrosoft starts one with the account's Tenant, ClientID, ClientSecret and Mailbox; those
// that are empty have the emulator's own values.
func newMicrosoft(t *testing.T, account emulator.Options) *microsoft {
	t.Helper()
	// Another run on the same machine may have an address already.
	m := &microsoft{}
	for try := 1; ; try++ {
		m.address = fmt.Sprintf("127.36.%d.%d", mathrand.IntN(250), 1+mathrand.IntN(250))
		account.SMTP, account.Token, account.ServerName = m.address+":587", m.address+":8443", smtpName
		var err error
		if m.Emulator, err = emulator.Start(account); err == nil {
			break
		}
		if try == 5 {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = m.Close() })
	m.serveLogin(t)
	return m
}

// serveLogin puts the emulator's token endpoint behind Entra's name.
func (m *microsoft) serveLogin(t *testing.T) {
	t.Helper()
	cert, ca := selfSigned(t, loginName)
	m.loginCA = ca
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: m.address + ":8443"})
		},
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: m.CAPool(), ServerName: smtpName}},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	l, err := net.Listen("tcp", m.address+":443")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: proxy, ErrorLog: proxy.ErrorLog,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
	go func() { _ = s.ServeTLS(l, "", "") }()
	t.Cleanup(func() { _ = s.Close() })
}

// knownIn makes a system find and trust this Microsoft.
func (m *microsoft) knownIn(c *chroot) {
	hosts := c.read("/etc/hosts")
	c.write("/etc/hosts", fmt.Sprintf("%s\n%s %s %s\n", strings.TrimSpace(hosts), m.address, smtpName, loginName),
		0o644)
	c.write("/usr/local/share/ca-certificates/test-smtp.crt", string(m.CAPEM()), 0o644)
	c.write("/usr/local/share/ca-certificates/test-login.crt", string(m.loginCA), 0o644)
	// What update-ca-certificates would do in a second, and does when a package calls it.
	bundle := "/etc/ssl/certs/ca-certificates.crt"
	c.write(bundle, c.read(bundle)+string(m.CAPEM())+string(m.loginCA), 0o644)
}

func selfSigned(t *testing.T, name string) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// wait waits until n messages have arrived.
func (m *microsoft) wait(t *testing.T, n int) []emulator.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	got, err := m.WaitMessages(ctx, n)
	if err != nil {
		t.Fatalf("waited for %d messages, %d came: %v\n%s", n, len(m.Messages()), err, tail(m.Transcript()))
	}
	return got
}

func itoa(n uintptr) string { return strconv.Itoa(int(n)) }
