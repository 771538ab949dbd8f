package doctor

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

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/config"
)

// TestLife judges what a credential has left by its whole life, where that is known.
func TestLife(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	in := func(days int) time.Time { return now.AddDate(0, 0, days) }
	for _, tt := range []struct {
		name         string
		begins, ends time.Time
		status       Status
		code         string
	}{
		{"90 days, 20 left", in(-70), in(20), OK, ""},
		{"90 days, 8 left", in(-82), in(8), Warning, "expires-soon"},
		{"two years, 60 days left", in(-670), in(60), Warning, "expires-soon"},
		{"a week, 5 days left", in(-2), in(5), OK, ""},
		{"a secret, 29 days left", time.Time{}, in(29), Warning, "expires-soon"},
		{"a secret, 40 days left", time.Time{}, in(40), OK, ""},
		{"ended", in(-90), now, Failed, "expired"},
		{"not begun", in(1), in(90), Failed, "not-yet-valid"},
	} {
		r := &runner{o: Options{Now: func() time.Time { return now }}}
		r.cfg = &config.Config{Credential: config.Credential{Type: config.TypeCertificate}}
		var c Check
		r.judgeLife(&c, assemble.Life{What: "the certificate", Begins: tt.begins, Ends: tt.ends}, r.renewal())
		if c.Status != tt.status || c.Key != tt.code {
			t.Errorf("%s: %v %q, want %v %q", tt.name, c.Status, c.Key, tt.status, tt.code)
		}
		if tt.status != OK && !strings.Contains(c.Hint, "credential new-certificate") {
			t.Errorf("%s: hint %q", tt.name, c.Hint)
		}
	}
}

// TestListenerExpires: the certificate that other hosts see is looked at, too.
func TestListenerExpires(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "relay.pem")
	r := &runner{o: Options{Now: time.Now}, cfg: &config.Config{}}
	r.cfg.Agent.TLSCertFile = path
	for text, want := range map[string]string{"": "listener", "none": "listener"} {
		if text != "" {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var c Check
		if r.listener(&c); c.Status != Failed || c.Key != want {
			t.Errorf("%q: %+v", text, c)
		}
	}
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	for left, want := range map[time.Duration]Status{300 * 24 * time.Hour: OK, 72 * time.Hour: Warning, -time.Hour: Failed} {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().AddDate(-1, 0, 0),
			NotAfter: time.Now().Add(left)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		var c Check
		if r.listener(&c); c.Status != want || want != OK && !strings.Contains(c.Hint, "agent.tls_cert_file") {
			t.Errorf("%v left: %+v", left, c)
		}
	}
}
