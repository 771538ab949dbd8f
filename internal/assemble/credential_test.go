package assemble

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
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
func account(t *testing.T, e *emulator.Emulator, dir, credential string) *deliver.Account {
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
	cfg, err := config.Load(path)
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
	s, err := a.Dial(ctx, a.Mailbox)
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
	signsIn(t, account(t, e, dir, "[credential]\ntype = \"certificate\"\ncertificate_file = \""+dir+"/cert.pem\"\nkey_file = \""+dir+"/key.pem\""))
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
	signsIn(t, account(t, e, dir, "[credential]\ntype = \"federated\"\ntoken_file = \""+dir+"/token\""))
}

func TestManagedIdentity(t *testing.T) {
	t.Parallel()
	e, dir := emulator.New(t), t.TempDir()
	signsIn(t, account(t, e, dir, "[credential]\ntype = \"managed-identity\"\nidentity_endpoint = \""+e.IdentityURL()+"\""))
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
