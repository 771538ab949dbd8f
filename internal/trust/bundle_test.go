package trust

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority is a certificate with its key.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// issue makes a certificate; without an issuer it signs itself.
func issue(t *testing.T, name string, ca bool, issuer *authority) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: ca, BasicConstraintsValid: true, DNSNames: []string{"relay.test"},
	}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

func verifies(roots *x509.CertPool, chain []*x509.Certificate) bool {
	opts := x509.VerifyOptions{DNSName: "relay.test", Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(opts)
	return err == nil
}

// A bundle's verdict on a chain is that of a pool with all of its certificates, whatever
// of the chain the server leaves out, and however the file is written.
func TestBundleJudgesAsThePoolDoes(t *testing.T) {
	t.Parallel()
	root, other := issue(t, "Root", true, nil), issue(t, "Other", true, nil)
	namesake := issue(t, "Root", true, nil)
	middle := issue(t, "Middle", true, root)
	cross := issue(t, "Root", true, other)
	cross.key = root.key
	leaf, direct := issue(t, "leaf", false, middle), issue(t, "direct", false, root)
	own := issue(t, "own", false, nil)
	header := strings.Replace(root.pem(), "-----\n", "-----\nProc-Type: x\n\n", 1)

	chains := map[string][]*x509.Certificate{
		"whole":           {leaf.cert, middle.cert, root.cert},
		"without root":    {leaf.cert, middle.cert},
		"leaf alone":      {leaf.cert},
		"direct":          {direct.cert},
		"self-signed":     {own.cert},
		"cross-certified": {leaf.cert, middle.cert, cross.cert},
	}
	bundles := map[string]string{
		"root":              root.pem(),
		"many":              other.pem() + namesake.pem() + root.pem() + middle.pem(),
		"middle":            middle.pem(),
		"another":           other.pem(),
		"namesake":          namesake.pem(),
		"the leaf":          leaf.pem() + own.pem(),
		"comments":          "# Root\n" + root.pem() + "trailing words\n",
		"CRLF":              strings.ReplaceAll(root.pem(), "\n", "\r\n"),
		"header and others": header + other.pem(),
		"a key beside":      "-----BEGIN EC PARAMETERS-----\nBggq\n-----END EC PARAMETERS-----\n" + root.pem(),
		"damaged beside":    "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n" + root.pem(),
		"cut short":         root.pem() + "-----BEGIN CERTIFICATE-----\nMIIB",
		"no certificate":    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + root.pem(),
	}
	good := 0
	for name, text := range bundles {
		file := filepath.Join(t.TempDir(), "bundle")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		pool, err := Roots(file)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b, err := Load(file)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for what, chain := range chains {
			want := verifies(pool, chain)
			if got := verifies(b.Roots(chain), chain); got != want {
				t.Errorf("%s, %s: %v, but with the whole pool %v", name, what, got, want)
			}
			if want {
				good++
			}
		}
	}
	if good < 20 || good == len(bundles)*len(chains) {
		t.Errorf("%d of %d verified: the cases show little", good, len(bundles)*len(chains))
	}
}

func TestLoadRefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte("-----BEGIN CERTIFICATE-----\nno certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), "no certificate in PEM form") {
		t.Error(err)
	}
}

// FuzzSplit: whatever package pem reads as certificates is what comes out.
func FuzzSplit(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("x\n-----BEGIN CERTIFICATE-----\nA: b\n\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN X-----\n-----END X-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		found := split(text)
		for _, want := range splitSlowly(text) {
			has := false
			for _, got := range found {
				has = has || bytes.Equal(got, want)
			}
			if !has && len(want) > 0 {
				t.Errorf("%q: %x is missing", text, want)
			}
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	if _, err := Load(""); err != nil {
		b.Skip("no system bundle: ", err)
	}
	b.Run("bundle", func(b *testing.B) {
		for b.Loop() {
			_, _ = Load("")
		}
	})
	b.Run("pool", func(b *testing.B) {
		for b.Loop() {
			_, _ = Roots("")
		}
	})
}
