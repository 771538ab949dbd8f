package xoauth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"strings"
	"testing"
	"time"
)

// fixture reads a file of testdata; the passphrase of all is "fixture".
func fixture(t *testing.T, name string) []byte {
	t.Helper()
	if name == "" {
		return nil
	}
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func fixtureCertificate(t *testing.T) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(fixture(t, "rsa.der"))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestCertificateForms(t *testing.T) {
	t.Parallel()
	tests := []struct{ cert, key, passphrase string }{
		{"rsa.crt", "rsa-pkcs1.key", ""},
		{"rsa.crt", "rsa-pkcs8.key", "not needed"},
		{"rsa.der", "rsa-pkcs8.key", ""},
		{"rsa.crt", "rsa-aes256.key", "fixture"},
		{"rsa.crt", "rsa-aes128-sha1.key", "fixture"},
		{"rsa.crt", "rsa-aes192-sha512.key", "fixture"},
		{"rsa.crt", "rsa-des3-sha384.key", "fixture"},
		{"rsa.pfx", "", "fixture"},
		{"rsa-legacy.pfx", "", "fixture"},
		{"rsa-empty.pfx", "", ""},
	}
	for _, tt := range tests {
		c, err := Certificate(CertificateOptions{Certificate: fixture(t, tt.cert), Key: fixture(t, tt.key),
			Passphrase: NewSecret(tt.passphrase)})
		if err != nil {
			t.Errorf("%s, %s: %v", tt.cert, tt.key, err)
			continue
		}
		if !c.cert.Equal(fixtureCertificate(t)) || !c.NotAfter().Equal(c.cert.NotAfter) ||
			!c.NotBefore().Equal(c.cert.NotBefore) || c.NotAfter().Year() != 2126 {
			t.Errorf("%s, %s: another certificate, until %v", tt.cert, tt.key, c.NotAfter())
		}
		if c.Thumbprint() != "44679FA54DBE93E8A3C459E8A94FD6588CFA5516" {
			t.Errorf("%s: thumbprint %s", tt.cert, c.Thumbprint())
		}
	}
}

func TestCertificateInOneFile(t *testing.T) {
	t.Parallel()
	all := bytes.Join([][]byte{[]byte("Bag Attributes\n"), fixture(t, "ec.crt"), fixture(t, "rsa-pkcs8.key"),
		fixture(t, "rsa.crt")}, nil)
	c, err := Certificate(CertificateOptions{Certificate: all})
	if err != nil || !c.cert.Equal(fixtureCertificate(t)) {
		t.Errorf("chain with key: %v", err)
	}
}

func TestCertificateRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, cert, key, passphrase, want string }{
		{"no certificate", "rsa-pkcs1.key", "", "", "no certificate in the file"},
		{"no key", "rsa.crt", "", "", "no private key in the file"},
		{"DER without a key", "rsa.der", "", "", "no private key"},
		{"foreign key", "ec.crt", "rsa-pkcs8.key", "", "does not belong"},
		{"two keys", "rsa-pkcs1.key", "rsa-pkcs8.key", "", "no certificate"},
		{"EC in PKCS#8", "ec.crt", "ec.key", "", "not RSA, and Entra takes RSA only; make one with: openssl"},
		{"EC in SEC1", "ec.crt", "ec-sec1.key", "", "not RSA"},
		{"EC in PFX", "ec.pfx", "", "fixture", "not RSA"},
		{"wrong passphrase", "rsa.crt", "rsa-aes256.key", "wrong", "the passphrase of the private key is wrong"},
		{"wrong passphrase, DES", "rsa.crt", "rsa-des3-sha384.key", "wrong",
			"the passphrase of the private key is wrong"},
		{"no passphrase", "rsa.crt", "rsa-aes256.key", "", "no passphrase is set"},
		{"scrypt", "rsa.crt", "rsa-scrypt.key", "fixture", "openssl pkcs8 -topk8 -v2 aes-256-cbc"},
		{"OpenSSL's old way", "rsa.crt", "rsa-dek.key", "fixture", "openssl pkcs8 -topk8"},
		{"PFX with a wrong passphrase", "rsa.pfx", "", "wrong", "passphrase of the PFX file is wrong"},
		{"PFX without a passphrase", "rsa-legacy.pfx", "", "",
			"has a passphrase and none is set: write it into a file and name that in passphrase_file"},
	}
	for _, tt := range tests {
		_, err := Certificate(CertificateOptions{Certificate: fixture(t, tt.cert), Key: fixture(t, tt.key),
			Passphrase: NewSecret(tt.passphrase)})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q in it", tt.name, err, tt.want)
			continue
		}
		checkLine(t, tt.name, err)
	}
	block := func(kind, body string) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(body)}) }
	more := []struct {
		name string
		o    CertificateOptions
		want string
	}{
		{"damaged PFX", CertificateOptions{Certificate: fixture(t, "rsa.pfx")[:200]}, "PFX file can't be read"},
		{"damaged certificate", CertificateOptions{Certificate: block("CERTIFICATE", "x")},
			"certificate can't be read"},
		{"damaged key", CertificateOptions{Certificate: fixture(t, "rsa.crt"), Key: block("PRIVATE KEY", "x")},
			"private key can't be read"},
		{"damaged encrypted key", CertificateOptions{Certificate: fixture(t, "rsa.crt"),
			Key: block("ENCRYPTED PRIVATE KEY", "x"), Passphrase: NewSecret("x")}, "file is damaged"},
		{"SSH key", CertificateOptions{Certificate: fixture(t, "rsa.crt"), Key: block("OPENSSH PRIVATE KEY", "x")},
			"SSH key"},
		{"empty", CertificateOptions{}, "no certificate"},
		{"algorithm", CertificateOptions{Algorithm: "none"}, `"none" is unknown: use PS256 or RS256`},
	}
	for _, tt := range more {
		_, err := Certificate(tt.o)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q in it", tt.name, err, tt.want)
		}
	}
}

// TestAssertion checks the assertion that reaches the server, signature included.
func TestAssertion(t *testing.T) {
	t.Parallel()
	cert := fixtureCertificate(t)
	sum1, sum256 := sha1.Sum(cert.Raw), sha256.Sum256(cert.Raw)
	x5t, x5t256 := base64.RawURLEncoding.EncodeToString(sum1[:]), base64.RawURLEncoding.EncodeToString(sum256[:])
	tests := []struct {
		algorithm string
		header    map[string]any
	}{
		{"", map[string]any{"alg": "PS256", "typ": "JWT", "x5t#S256": x5t256}},
		{"PS256", map[string]any{"alg": "PS256", "typ": "JWT", "x5t#S256": x5t256}},
		{"rs256", map[string]any{"alg": "RS256", "typ": "JWT", "x5t#S256": x5t256, "x5t": x5t}},
	}
	for _, tt := range tests {
		c, err := Certificate(CertificateOptions{Certificate: fixture(t, "rsa.pfx"), Passphrase: NewSecret("fixture"),
			Algorithm: tt.algorithm})
		if err != nil {
			t.Fatal(err)
		}
		p := newPeer(t, saying(200, "application/json", goodReply))
		s := p.source(t, c)
		ids := map[string]bool{}
		for range 2 {
			if _, err := s.Token(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		for _, form := range p.seen() {
			if len(form) != 5 || form.Get("client_id") != testClient ||
				form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
				t.Errorf("%s: form %v", tt.algorithm, form)
			}
			header, claims := openAssertion(t, cert, form.Get("client_assertion"))
			if !equalJSON(t, header, tt.header) {
				t.Errorf("%s: header %v, want %v", tt.algorithm, header, tt.header)
			}
			id, _ := claims["jti"].(string)
			if !IsGUID(id) || ids[id] {
				t.Errorf("jti %q is no GUID or was used before", id)
			}
			ids[id] = true
			delete(claims, "jti")
			want := map[string]any{
				"aud": p.URL + "/" + testTenant + "/oauth2/v2.0/token", "iss": testClient, "sub": testClient,
				"nbf": testNow.Unix(), "iat": testNow.Unix(), "exp": testNow.Add(10 * time.Minute).Unix(),
			}
			if !equalJSON(t, claims, want) {
				t.Errorf("claims %v, want %v", claims, want)
			}
		}
	}
}

func equalJSON(t *testing.T, a, b any) bool {
	t.Helper()
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	var u, v any
	if json.Unmarshal(x, &u) != nil || json.Unmarshal(y, &v) != nil {
		t.Fatal("no JSON")
	}
	x, _ = json.Marshal(u)
	y, _ = json.Marshal(v)
	return bytes.Equal(x, y)
}

// openAssertion verifies a JWT by the certificate and returns its parts.
func openAssertion(t *testing.T, cert *x509.Certificate, assertion string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		t.Fatalf("assertion has %d parts", len(parts))
	}
	var raw [3][]byte
	for i := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(parts[i]); err != nil {
			t.Fatal(err)
		}
	}
	if json.Unmarshal(raw[0], &header) != nil || json.Unmarshal(raw[1], &claims) != nil {
		t.Fatalf("assertion %q", assertion)
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	key := cert.PublicKey.(*rsa.PublicKey)
	var err error
	if header["alg"] == "PS256" {
		err = rsa.VerifyPSS(key, crypto.SHA256, digest[:], raw[2], &rsa.PSSOptions{SaltLength: 32})
	} else {
		err = rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], raw[2])
	}
	if err != nil {
		t.Errorf("signature: %v", err)
	}
	return header, claims
}

func FuzzKeyPair(f *testing.F) {
	for _, name := range []string{"rsa.crt", "rsa.der", "rsa.pfx", "rsa-legacy.pfx", "rsa-pkcs1.key", "rsa-aes256.key",
		"ec.key"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		if block, _ := pem.Decode(data); block != nil {
			f.Add(block.Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = Certificate(CertificateOptions{Certificate: data, Passphrase: NewSecret("fixture")})
		if plain, err := decryptPKCS8(data, "fixture"); err == nil && len(plain) == 0 {
			_ = plain // an empty key is for the parser to refuse
		}
	})
}
