package xoauth

import (
	"context"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// CertificateOptions hold a certificate and its private key.
type CertificateOptions struct {
	// Certificate is PEM, with or without a chain and the key; or PKCS#12 (PFX).
	Certificate []byte
	// Key is PEM, when it is not in Certificate: PKCS#1, or PKCS#8 plain or encrypted.
	Key []byte
	// Passphrase opens an encrypted key or a PFX.
	Passphrase Secret
	// Algorithm signs: PS256 (also when empty), or RS256.
	Algorithm string
}

// CertificateCredential signs an assertion for each request (RFC 7523).
// Source: learn.microsoft.com/entra/identity-platform/certificate-credentials.
type CertificateCredential struct {
	key       *rsa.PrivateKey
	cert      *x509.Certificate
	algorithm string
}

// Certificate reads a certificate and its RSA key. Errors are about what was read
// and hold none of it.
func Certificate(o CertificateOptions) (*CertificateCredential, error) {
	algorithm := strings.ToUpper(first(o.Algorithm, "PS256"))
	if algorithm != "PS256" && algorithm != "RS256" {
		return nil, fmt.Errorf("the algorithm %q is unknown: use PS256 or RS256", clean(o.Algorithm, 20))
	}
	key, cert, err := readKeyPair(o)
	if err != nil {
		return nil, err
	}
	return &CertificateCredential{key: key, cert: cert, algorithm: algorithm}, nil
}

// NotBefore and NotAfter bound the certificate's life.
func (c *CertificateCredential) NotBefore() time.Time { return c.cert.NotBefore }

// NotAfter is when Entra stops accepting the certificate.
func (c *CertificateCredential) NotAfter() time.Time { return c.cert.NotAfter }

// Thumbprint is the SHA-1 of the certificate as the portal shows it.
func (c *CertificateCredential) Thumbprint() string {
	return fmt.Sprintf("%X", sha1.Sum(c.cert.Raw))
}

// Fingerprint depends on the certificate alone.
func (c *CertificateCredential) Fingerprint() string {
	return fingerprint("certificate", string(c.cert.Raw))
}

// Params signs a new assertion.
func (c *CertificateCredential) Params(_ context.Context, tokenURL, clientID string, now time.Time) (url.Values, error) {
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
