package assemble

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/xoauth"
)

// account loads the emulator's configuration with another credential.
func testAccount(t *testing.T, e *emulator.Emulator, dir, credential string) *deliver.Account {
	t.Helper()
	var text strings.Builder
	for line := range strings.Lines(e.ConfigTOML(dir)) {
		if !strings.HasPrefix(line, "client_secret") {
			text.WriteString(line)
		}
	}
	path := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(path, []byte(text.String()+"\n"+credential+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Loader{}.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Account(cfg, Options{HostName: "web1", Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// signsIn takes a token and opens a session with it.
func signsIn(t *testing.T, a *deliver.Account) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s, _, err := a.Dial(ctx, a.Mailbox)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func certificate(t *testing.T) (certPEM, keyPEM []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	e, dir := emulator.New(t), t.TempDir()
	e.AddCertificate(string(cert))
	write(t, filepath.Join(dir, "cert.pem"), cert)
	write(t, filepath.Join(dir, "key.pem"), key)
	signsIn(t, testAccount(t, e, dir, "[credential]\ntype = \"certificate\"\ncertificate_file = \""+dir+
		"/cert.pem\"\nkey_file = \""+dir+"/key.pem\""))
}

// TestCertificateInOneFile signs in by each documented way to name one PEM for both.
func TestCertificateInOneFile(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	e, dir := emulator.New(t), t.TempDir()
	e.AddCertificate(string(cert))
	both := filepath.Join(dir, "both.pem")
	write(t, both, append(key, cert...))
	for _, keys := range []string{"certificate_file = %q", "certificate_file = %q\nkey_file = %[1]q", "pfx_file = %q"} {
		signsIn(t, testAccount(t, e, dir, "[credential]\n"+fmt.Sprintf(keys, both)))
	}
}

// TestCertificateFaults are files that a certificate can't be read from.
func TestCertificateFaults(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	dir := t.TempDir()
	file := func(name string, mode os.FileMode, data []byte) string {
		path := filepath.Join(dir, name)
		write(t, path, data)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct{ name, credential, want string }{
		{"no key", "certificate_file = \"" + file("cert.pem", 0o644, cert) + "\"",
			"there is no private key in the file; name the certificate's key file in key_file"},
		{"a key for all to read", "certificate_file = \"" + file("both.pem", 0o644, append(key, cert...)) + "\"",
			"lets every user read the secret in it"},
		{"an empty passphrase", "certificate_file = \"" + file("own.pem", 0o600, append(key, cert...)) +
			"\"\npassphrase_file = \"" + file("empty", 0o600, nil) + "\"",
			"leave passphrase_file out if the key or PFX file has no passphrase"},
	} {
		path := filepath.Join(t.TempDir(), "config.toml")
		write(t, path, []byte("tenant = \"contoso.test\"\nclient_id = \""+emulator.DefaultClientID+
			"\"\nmailbox = \"a@contoso.test\"\n[credential]\n"+tt.credential+"\n"))
		cfg, err := config.Loader{}.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Account(cfg, Options{HostName: "web1"})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestFederated(t *testing.T) {
	t.Parallel()
	e, dir := emulator.New(t), t.TempDir()
	issuer, err := e.AddFederation("https://cluster.example.org", "system:serviceaccount:mail:sendmail")
	if err != nil {
		t.Fatal(err)
	}
	token, err := issuer.Token("system:serviceaccount:mail:sendmail", emulator.AzureAudience, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "token"), []byte(token))
	signsIn(t, testAccount(t, e, dir, "[credential]\ntype = \"federated\"\ntoken_file = \""+dir+"/token\""))
}

func TestManagedIdentity(t *testing.T) {
	t.Parallel()
	e, dir := emulator.New(t), t.TempDir()
	signsIn(t, testAccount(t, e, dir, "[credential]\ntype = \"managed-identity\"\nidentity_endpoint = \""+
		e.IdentityURL()+"\""))
}

func TestRefreshFile(t *testing.T) {
	t.Parallel()
	f := refreshFile(filepath.Join(t.TempDir(), "refresh-token"))
	if s, err := f.Load(t.Context()); err != nil || !s.Empty() {
		t.Errorf("without a file: %v", err)
	}
	if err := f.Save(t.Context(), xoauth.NewSecret("abc")); err != nil {
		t.Fatal(err)
	}
	if s, err := f.Load(t.Context()); err != nil || s.Reveal() != "abc" {
		t.Errorf("after saving: %v", err)
	}
	if fi, err := os.Stat(string(f)); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", fi, err)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
