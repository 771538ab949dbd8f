package assemble

import (
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
func issue(t *testing.T, name string, ca bool, issuer *authority, change ...func(*x509.Certificate)) *authority {
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
	for _, c := range change {
		c(template)
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
	expired := issue(t, "Expired", true, nil, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	elsewhere := issue(t, "Elsewhere", true, nil, func(c *x509.Certificate) {
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"other.test"}, true
	})
	barred := issue(t, "Barred", true, nil, func(c *x509.Certificate) {
		c.ExcludedDNSDomains, c.PermittedDNSDomainsCritical = []string{"relay.test"}, true
	})
	noCA := issue(t, "No CA", false, nil)
	mailOnly := issue(t, "Mail", true, nil,
		func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} })
	shallow := issue(t, "Shallow", true, nil, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	// The same name and key, but another key's identifier in what it has issued.
	otherID := *root.cert
	otherID.SubjectKeyId = []byte("another")
	byOtherID := issue(t, "by another id", false, &authority{&otherID, root.key})
	// An old and a new certificate of one authority, as after a renewal.
	oldRoot := issue(t, "Renewed", true, nil, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	renewed := issue(t, "Renewed", true, &authority{oldRoot.cert, oldRoot.key})
	byRenewed := issue(t, "by renewed", false, renewed)
	plain := func(a *authority) []*x509.Certificate {
		return []*x509.Certificate{issue(t, "of "+a.cert.Subject.CommonName, false, a).cert}
	}
	deep := issue(t, "Below", true, shallow)
	header := strings.Replace(root.pem(), "-----\n", "-----\nProc-Type: x\n\n", 1)

	chains := map[string][]*x509.Certificate{
		"whole":           {leaf.cert, middle.cert, root.cert},
		"without root":    {leaf.cert, middle.cert},
		"leaf alone":      {leaf.cert},
		"direct":          {direct.cert},
		"self-signed":     {own.cert},
		"cross-certified": {leaf.cert, middle.cert, cross.cert},
		"expired":         plain(expired),
		"elsewhere":       plain(elsewhere),
		"barred":          plain(barred),
		"no authority":    plain(noCA),
		"for mail only":   plain(mailOnly),
		"too deep":        {plain(deep)[0], deep.cert},
		"deep enough":     plain(shallow),
		"another key's":   {byOtherID.cert},
		"renewed":         {byRenewed.cert},
		"renewed and old": {byRenewed.cert, renewed.cert, oldRoot.cert},
		"twice":           {leaf.cert, middle.cert, middle.cert, cross.cert, root.cert},
		"unrelated":       {leaf.cert, noCA.cert, expired.cert},
		"wrong order":     {leaf.cert, cross.cert, middle.cert},
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
		"of all kinds": expired.pem() + elsewhere.pem() + barred.pem() + noCA.pem() + mailOnly.pem() +
			shallow.pem() + oldRoot.pem() + renewed.pem(),
		"duplicates":   root.pem() + namesake.pem() + root.pem() + oldRoot.pem() + renewed.pem() + root.pem(),
		"new key only": renewed.pem(), "old key only": oldRoot.pem(),
		"commented out": other.pem() + "# " + root.pem(),
		"commented throughout": other.pem() + "# " + strings.ReplaceAll(strings.TrimSpace(root.pem()), "\n",
			"\n# ") + "\n",
		"no line after a mark":  other.pem() + strings.Replace(root.pem(), "-----\n", "-----", 1),
		"no line before a mark": other.pem() + strings.Replace(root.pem(), "\n-----END", "-----END", 1),
		"words behind a mark":   other.pem() + strings.TrimSpace(root.pem()) + " # old\n",
		"marks within":          other.pem() + "-----BEGIN X-----\n" + root.pem() + "-----END X-----\n",
		"trusted certificate":   other.pem() + strings.ReplaceAll(root.pem(), "CERTIFICATE", "TRUSTED CERTIFICATE"),
		"garbage":               "\x00\xff-----END " + other.pem() + "-----BEGIN CERTIFICATE\n" + root.pem() + "\x00",
		"no certificate":        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + root.pem(),
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
		b, err := loadBundle(file)
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
	if _, err := loadBundle(file); err == nil || !strings.Contains(err.Error(), "no certificate in PEM form") {
		t.Error(err)
	}
}

func BenchmarkBundle(b *testing.B) {
	if _, err := loadBundle(""); err != nil {
		b.Skip("no system bundle: ", err)
	}
	b.Run("bundle", func(b *testing.B) {
		for b.Loop() {
			_, _ = loadBundle("")
		}
	})
	b.Run("pool", func(b *testing.B) {
		for b.Loop() {
			_, _ = Roots("")
		}
	})
}
