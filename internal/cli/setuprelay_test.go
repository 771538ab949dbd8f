package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// selfSigned writes a certificate that signs itself and its key, and returns the files.
func selfSigned(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"web1.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "host.pem"), filepath.Join(dir, "host.key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der},
		key: {Type: "PRIVATE KEY", Bytes: text}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestSetupRelay: a host of a relay is set up without tenant and token, and what concerns tokens says that there is none.
func TestSetupRelay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	cert, key := selfSigned(t, s.dir)
	fresh := filepath.Join(s.dir, "relay.toml")
	args := []string{"setup", "--config", fresh, "--kind", "relay", "--mailbox", "noreply@contoso.test", "--no-doctor",
		"--set", "spool.dir=", "--set", "tls.ca_file=" + cert, "--yes"}
	for _, tt := range []struct {
		more []string
		code int
		want string
	}{
		{nil, 64, "--certificate-file"},
		{[]string{"--new-certificate"}, 64, "--certificate-file"},
		{[]string{"--certificate-file", cert, "--key-file", key}, 78, "smtp.host: is missing"},
		{[]string{"--certificate-file", cert, "--key-file", cert, "--set", "smtp.host=localhost"}, 78, "host.pem"},
		{[]string{"--certificate-file", cert, "--key-file", key, "--set", "smtp.host=localhost"}, 0,
			"Nothing is to be done in the tenant"},
	} {
		r := s.verb("", append(args, tt.more...)...)
		if r.code != tt.code || !strings.Contains(r.stdout+r.stderr, tt.want) || strings.Contains(r.stdout, "PowerShell") {
			t.Errorf("%q: exit %d, want %d with %q: %s%s", tt.more, r.code, tt.code, tt.want, r.stdout, r.stderr)
		}
	}
	for verb, want := range map[string]int{"token": 78, "credential": 69} {
		if r := s.verb("", verb, "-C", fresh); r.code != want || !strings.Contains(r.stderr, `kind = "relay"`) {
			t.Errorf("%s: exit %d %s", verb, r.code, r.stderr)
		}
	}
	// A port that nobody has.
	if r := s.verb("", "setup", "--config", fresh, "--set", "smtp.port=1", "--no-doctor", "--yes"); r.code != 0 {
		t.Errorf("a change: exit %d %s", r.code, r.stderr)
	}
	s.config = fresh
	if r := s.run("Subject: x\n\nx\n", "-C", fresh, "a@example.org"); r.code != 75 ||
		!strings.Contains(r.stderr, "can't be reached") {
		t.Errorf("exit %d %s", r.code, r.stderr)
	}
	if s.TokenRequests() > 0 {
		t.Error("a token was asked for")
	}
}
