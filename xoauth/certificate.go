package xoauth

import (
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// CertificateOptions hold a certificate and its private key.
type CertificateOptions struct {
	// Certificate is PEM, with or without a chain and the key; DER; PKCS #12 (PFX); or
	// base64 text of these, as Key Vault hands them out.
	Certificate []byte
	// Key is PEM or DER, when it is not in Certificate: PKCS #1, or PKCS #8 plain or
	// encrypted. It may be the same file as Certificate.
	Key []byte
	// Passphrase opens an encrypted key or a PFX. It does no harm where none is needed.
	Passphrase Secret
	// Algorithm signs: PS256 (also when empty), or RS256.
	Algorithm string
	// CertificateFile, KeyFile and PassphraseFile are the names for commands in errors.
	CertificateFile, KeyFile, PassphraseFile string
	// WindowsPassphrase says that PassphraseFile has a byte order mark or a CR at the line's end,
	// which OpenSSL takes for a part of the passphrase.
	WindowsPassphrase bool
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// CertificateCredential signs an assertion for each request (RFC 7523).
// Source: learn.microsoft.com/entra/identity-platform/certificate-credentials.
type CertificateCredential struct {
	key       *rsa.PrivateKey
	certs     []*x509.Certificate // all of this key
	cert      *x509.Certificate   // the one that was best when it was read
	algorithm string
}

// Certificate reads a certificate and its RSA key, of 2048 bits at least. Of several
// certificates for the key, the newest that is valid is used, at each request. Errors are
// about what was read and hold none of it.
func Certificate(o CertificateOptions) (*CertificateCredential, error) {
	algorithm := strings.ToUpper(cmp.Or(o.Algorithm, "PS256"))
	if algorithm != "PS256" && algorithm != "RS256" {
		return nil, fmt.Errorf("the algorithm %q is unknown: use PS256 or RS256", clean(o.Algorithm, 20))
	}
	key, certs, err := readKeyPair(o)
	if err != nil {
		return nil, err
	}
	now := time.Now
	if o.Now != nil {
		now = o.Now
	}
	return &CertificateCredential{key: key, certs: certs, cert: newest(certs, now()), algorithm: algorithm}, nil
}

// newest picks the certificate that was made last among the valid ones; without a valid one,
// the one that lasts longest.
func newest(certs []*x509.Certificate, now time.Time) *x509.Certificate {
	valid := func(c *x509.Certificate) bool { return !now.Before(c.NotBefore) && !now.After(c.NotAfter) }
	return slices.MaxFunc(certs, func(a, b *x509.Certificate) int {
		switch va, vb := valid(a), valid(b); {
		case va != vb && va:
			return 1
		case va != vb:
			return -1
		case va:
			return cmp.Or(a.NotBefore.Compare(b.NotBefore), a.NotAfter.Compare(b.NotAfter))
		}
		return a.NotAfter.Compare(b.NotAfter)
	})
}

// NotBefore is when Entra begins to accept the certificate.
func (c *CertificateCredential) NotBefore() time.Time { return c.cert.NotBefore }

// NotAfter is when Entra stops accepting the certificate.
func (c *CertificateCredential) NotAfter() time.Time { return c.cert.NotAfter }

// Thumbprint is the SHA-1 of the certificate as the portal shows it.
func (c *CertificateCredential) Thumbprint() string {
	return fmt.Sprintf("%X", sha1.Sum(c.cert.Raw))
}

// Fingerprint depends on the key's certificates alone.
func (c *CertificateCredential) Fingerprint() string {
	var raw strings.Builder
	for _, cert := range c.certs {
		raw.Write(cert.Raw)
	}
	return fingerprint("certificate", raw.String())
}

// Params signs a new assertion.
func (c *CertificateCredential) Params(_ context.Context, tokenURL, clientID string, now time.Time) (url.Values,
	error) {
	signed, err := c.assertion(tokenURL, clientID, now)
	if err != nil {
		return nil, fmt.Errorf("the assertion can't be signed: %w", err)
	}
	return assertionParams(signed), nil
}

// assertionParams are the form fields of RFC 7523 2.2.
func assertionParams(assertion string) url.Values {
	return url.Values{
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
	}
}
