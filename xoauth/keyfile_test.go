package xoauth

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"software.sslmate.com/src/go-pkcs12"
)

// pemOf makes a block of any type.
func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// issue makes a certificate for key that is valid from begin to end.
func issue(t *testing.T, key *rsa.PrivateKey, begin, end time.Time) *x509.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(begin.Unix()), Subject: pkix.Name{CommonName: "app"},
		NotBefore: begin, NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// pairOf is a key and its certificates in one PEM.
func pairOf(key *rsa.PrivateKey, certs ...*x509.Certificate) []byte {
	pair := pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	for _, c := range certs {
		pair = append(pair, pemOf("CERTIFICATE", c.Raw)...)
	}
	return pair
}

func newKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// negativeSerial is a certificate as old appliances made them, which crypto/x509 refuses.
func negativeSerial(t *testing.T) []byte {
	t.Helper()
	der := bytes.Clone(fixture(t, "rsa.der"))
	i := bytes.Index(der, []byte{0xa0, 3, 2, 1, 2, 2}) // [0] v3, then the serial number
	if i < 0 {
		t.Fatal("no serial number in the fixture")
	}
	der[i+7] |= 0x80
	if _, err := x509.ParseCertificate(der); err == nil || !strings.Contains(err.Error(), "negative serial") {
		t.Fatalf("crypto/x509 says %v", err)
	}
	return der
}

// TestCredentialShapes reads the shapes in which people hold one and the same pair.
func TestCredentialShapes(t *testing.T) {
	t.Parallel()
	key, crt, pfx := fixture(t, "rsa-pkcs8.key"), fixture(t, "rsa.crt"), fixture(t, "rsa-empty.pfx")
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	both, der := join(key, crt), fixture(t, "rsa.der")
	indented := []byte("  " + strings.ReplaceAll(string(both), "\n", "\n  "))
	b64 := base64.StdEncoding.EncodeToString(pfx)
	keyDER, _ := pem.Decode(key)
	pkcs1, _ := pem.Decode(fixture(t, "rsa-pkcs1.key"))
	sealed, _ := pem.Decode(fixture(t, "rsa-aes256.key"))
	tests := []struct {
		name       string
		cert, key  []byte
		passphrase string
	}{
		{"one PEM", both, nil, ""},
		{"one PEM, named twice", both, both, ""},
		{"the key in both files", both, key, ""},
		{"the key in two forms", both, fixture(t, "rsa-pkcs1.key"), ""},
		{"the key twice in one file", join(key, both), nil, ""},
		{"the certificate twice", join(crt, crt), key, ""},
		{"another key without a certificate beside it", join(both, fixture(t, "ec.key")), nil, ""},
		{"a key that can't be read beside it", join(both, fixture(t, "rsa-dek.key")), nil, ""},
		{"byte order mark", join([]byte("\xef\xbb\xbf"), both), nil, ""},
		{"byte order mark in both files", join([]byte("\xef\xbb\xbf"), crt), join([]byte("\xef\xbb\xbf"), key), ""},
		{"indented", indented, nil, ""},
		{"CR only", bytes.ReplaceAll(both, []byte("\n"), []byte("\r")), nil, ""},
		{"blanks at the line ends", bytes.ReplaceAll(both, []byte("\n"), []byte(" \r\n")), nil, ""},
		{"JSON", []byte("\"" + strings.ReplaceAll(string(both), "\n", "\\n") + "\""), nil, ""},
		{"no line end between the blocks", join(bytes.TrimSpace(crt), key), nil, ""},
		{"TRUSTED CERTIFICATE", join(pemOf("TRUSTED CERTIFICATE", join(der, []byte{0x30, 0})), key), nil, ""},
		{"X509 CERTIFICATE", join(pemOf("X509 CERTIFICATE", der), key), nil, ""},
		{"the key as PRIVATE KEY in PKCS #1", join(crt, pemOf("PRIVATE KEY", pkcs1.Bytes)), nil, ""},
		{"the key as RSA PRIVATE KEY in PKCS #8", join(crt, pemOf("RSA PRIVATE KEY", keyDER.Bytes)), nil, ""},
		{"DER and DER", der, keyDER.Bytes, ""},
		{"DER and encrypted DER", der, sealed.Bytes, "fixture"},
		{"base64 of DER and PEM", []byte(base64.StdEncoding.EncodeToString(der)), key, ""},
		{"PFX in base64", []byte(b64 + "\n"), nil, ""},
		{"PFX in base64, quoted", []byte("\"" + b64 + "\"\r\n"), nil, ""},
		{"PFX in base64, in lines, with a byte order mark", []byte("\ufeff" + b64[:64] + "\r\n" + b64[64:]), nil, ""},
		{"PFX in base64 without padding", []byte(strings.TrimRight(b64, "=")), nil, ""},
		{"PFX without a passphrase, and one set", pfx, nil, "superfluous"},
		{"PFX in base64 without a passphrase, and one set", []byte(b64), nil, "superfluous"},
		{"PKCS12 block", pemOf("PKCS12", pfx), nil, ""},
		{"PFX and its key again", pfx, key, ""},
		{"a CA with a negative serial number before", join(pemOf("CERTIFICATE", negativeSerial(t)), both), nil, ""},
		{"damaged certificates behind", join(both, pemOf("CERTIFICATE", []byte("x"))), nil, ""},
		{"PKCS7 block behind", join(both, pemOf("PKCS7", []byte("x"))), nil, ""},
	}
	for _, tt := range tests {
		c, err := Certificate(CertificateOptions{Certificate: tt.cert, Key: tt.key,
			Passphrase: NewSecret(tt.passphrase)})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !c.cert.Equal(fixtureCertificate(t)) {
			t.Errorf("%s: another certificate", tt.name)
		}
	}
}

// TestCredentialShapesRefused holds the words for what can't be used.
func TestCredentialShapesRefused(t *testing.T) {
	t.Parallel()
	both := append(fixture(t, "rsa-pkcs8.key"), fixture(t, "rsa.crt")...)
	wide := func(order func([]byte, uint16) []byte, mark string) []byte {
		b := []byte(mark)
		for _, u := range utf16.Encode([]rune(string(both))) {
			b = order(b, u)
		}
		return b
	}
	little := func(b []byte, u uint16) []byte { return append(b, byte(u), byte(u>>8)) }
	big := func(b []byte, u uint16) []byte { return append(b, byte(u>>8), byte(u)) }
	other := newKey(t, 2048)
	otherPair := pairOf(other, issue(t, other, time.Now(), time.Now().Add(time.Hour)))
	short := newKey(t, 1024)
	shortPair := pairOf(short, issue(t, short, time.Now(), time.Now().Add(time.Hour)))
	signedData := append([]byte{0x30, 0x80, 6, 9}, "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80"...)
	tests := []struct {
		name string
		o    CertificateOptions
		want string
	}{
		{"UTF-16",
			CertificateOptions{Certificate: wide(little, "\xff\xfe")},
			"in UTF-16: save it as UTF-8",
		},
		{"UTF-16, big end first",
			CertificateOptions{Certificate: wide(big, "\xfe\xff")},
			"in UTF-16",
		},
		{"UTF-16 without a mark",
			CertificateOptions{Certificate: wide(little, "")},
			"in UTF-16",
		},
		{"UTF-16 in the key's file",
			CertificateOptions{Certificate: fixture(t, "rsa.crt"), Key: wide(big, "")},
			"in UTF-16",
		},
		{"JKS",
			CertificateOptions{Certificate: []byte("\xfe\xed\xfe\xed\x00\x00\x00\x02"), CertificateFile: "/etc/a.jks"},
			"Java key store (JKS): set pfx_file to the new file of: " +
				"(umask 077; keytool -importkeystore -srckeystore /etc/a.jks -destkeystore /etc/a.new.p12",
		},
		{"p7b",
			CertificateOptions{Certificate: signedData, CertificateFile: "/etc/a.p7b"},
			"in certificate_file the new file of: openssl pkcs7 -inform DER -in /etc/a.p7b -print_certs -out " +
				"/etc/a.new.pem",
		},
		{"p7b in PEM",
			CertificateOptions{Certificate: pemOf("PKCS7", signedData)},
			"openssl pkcs7 -inform PEM -in old.p7b -print_certs",
		},
		{"p7b titled as a certificate",
			CertificateOptions{Certificate: pemOf("CERTIFICATE CHAIN", signedData)},
			"PKCS #7",
		},
		{"1024 bits",
			CertificateOptions{Certificate: shortPair},
			"the RSA key has 1024 bits, and Entra refuses one of less than 2048; make one with: openssl",
		},
		{"two pairs",
			CertificateOptions{Certificate: append(bytes.Clone(both), otherPair...)},
			"more than one private key with a certificate",
		},
		{"a certificate alone",
			CertificateOptions{Certificate: fixture(t, "rsa.crt")},
			"name the certificate's key file in key_file",
		},
		{"a cut PEM",
			CertificateOptions{Certificate: both[:len(both)-40]},
			"no certificate in the file",
		},
		{"a certificate that is cut",
			CertificateOptions{Certificate: fixture(t, "rsa.crt")[:200]},
			"the PEM in the file is damaged",
		},
		{"only a CA that can't be read",
			CertificateOptions{Certificate: append(pemOf("CERTIFICATE", negativeSerial(t)),
				fixture(t, "rsa-pkcs8.key")...)},
			"negative serial number",
		},
		{"an old cipher",
			CertificateOptions{Certificate: fixture(t, "rsa.crt"), Key: fixture(t, "rsa-dek.key"),
				Passphrase: NewSecret("x"),
				KeyFile:    "/etc/my key", PassphraseFile: "/etc/p",
			},
			"openssl pkcs8 -topk8 -v2 aes-256-cbc -in '/etc/my key' -out '/etc/my key.new.key' -passin file:/etc/p " +
				"-passout stdin </etc/p",
		},
		{"PFX of another maker",
			CertificateOptions{Certificate: append([]byte{0x30, 0x80}, fixture(t, "rsa.pfx")[4:]...),
				Passphrase:      NewSecret("x"),
				CertificateFile: "/etc/a.pfx", PassphraseFile: "/etc/p",
			},
			"openssl pkcs12 -in /etc/a.pfx -passin file:/etc/p -aes256 -passout stdin -out /etc/a.new.pem </etc/p",
		},
	}
	for _, tt := range tests {
		_, err := Certificate(tt.o)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q in it", tt.name, err, tt.want)
			continue
		}
		checkLine(t, tt.name, err)
	}
}

// TestPFXWithOddChain takes the leaf of a PFX whose CA crypto/x509 can't parse.
func TestPFXWithOddChain(t *testing.T) {
	t.Parallel()
	key := newKey(t, 2048)
	cert := issue(t, key, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	odd := &x509.Certificate{Raw: negativeSerial(t)}
	for _, e := range []*pkcs12.Encoder{pkcs12.Modern2023, pkcs12.LegacyDES, pkcs12.LegacyRC2} {
		pfx, err := e.Encode(key, cert, []*x509.Certificate{odd}, "fixture")
		if err != nil {
			t.Fatal(err)
		}
		c, err := Certificate(CertificateOptions{Certificate: pfx, Passphrase: NewSecret("fixture")})
		if err != nil || !c.cert.Equal(cert) {
			t.Errorf("%v", err)
		}
	}
}

// TestCertificateOfKey picks among the certificates of one key, when it is read and when it signs.
func TestCertificateOfKey(t *testing.T) {
	t.Parallel()
	key := newKey(t, 2048)
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	at := func(days int) time.Time { return now.Add(time.Duration(days) * 24 * time.Hour) }
	past, present, renewed, future := issue(t, key, at(-800), at(-70)), issue(t, key, at(-360), at(5)),
		issue(t, key, at(-1), at(364)), issue(t, key, at(10), at(700))
	for _, tt := range []struct {
		name string
		list []*x509.Certificate
		days int
		want *x509.Certificate
	}{
		{"expired first", []*x509.Certificate{past, present}, 0, present},
		{"expired last", []*x509.Certificate{present, past}, 0, present},
		{"future first", []*x509.Certificate{future, present}, 0, present},
		{"renewed last", []*x509.Certificate{present, renewed}, 0, renewed},
		{"renewed first", []*x509.Certificate{renewed, present, past, future}, 0, renewed},
		{"the next one has begun", []*x509.Certificate{present, future}, 20, future},
		{"expired only", []*x509.Certificate{past}, 0, past},
		{"all expired", []*x509.Certificate{past, renewed, present}, 800, renewed},
	} {
		pair := pairOf(key, tt.list...)
		c, err := Certificate(CertificateOptions{Certificate: pair, Now: func() time.Time { return at(tt.days) }})
		if err != nil || !c.cert.Equal(tt.want) || !c.NotAfter().Equal(tt.want.NotAfter) {
			t.Errorf("%s: %v", tt.name, err)
		}
		c, err = Certificate(CertificateOptions{Certificate: pair, Now: func() time.Time { return at(-1000) }})
		if err != nil {
			t.Fatal(err)
		}
		text, err := c.assertion("https://login.example.org", testClient, at(tt.days))
		if err != nil {
			t.Fatal(err)
		}
		if header, _ := openAssertion(t, tt.want, text); header["x5t#S256"] != thumbprint256(tt.want) {
			t.Errorf("%s: the assertion names another certificate", tt.name)
		}
	}
}

func thumbprint256(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
