package submit

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// pool is a Trust whose roots are parsed already; nil stands for the system's.
type pool struct{ roots *x509.CertPool }

func (p pool) Roots([]*x509.Certificate) *x509.CertPool { return p.roots }

// verify does what package tls does by itself when it knows the roots beforehand: the server's
// certificate must be good now, for a server, for this name, and by a trusted root. It
// is called for each handshake, resumed ones too, before the first byte is sent.
func verify(cs tls.ConnectionState, host string, trust Trust) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("the server sent no certificate")
	}
	opts := x509.VerifyOptions{
		DNSName:       host,
		Roots:         trust.Roots(cs.PeerCertificates),
		Intermediates: x509.NewCertPool(),
	}
	for _, c := range cs.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	if _, err := cs.PeerCertificates[0].Verify(opts); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: cs.PeerCertificates, Err: err}
	}
	return nil
}
