package assemble

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
)

// bundle is a bundle file whose certificates are parsed only when one is asked for. To
// parse all of a distribution's, some 140, costs more than the rest of a process that
// sends a message.
type bundle struct {
	certificates [][]byte // DER, not looked at yet
}

// loadBundle reads file, or the first system bundle when file is "".
func loadBundle(file string) (*bundle, error) {
	text, path, err := read(file)
	if err != nil {
		return nil, err
	}
	b := &bundle{certificates: split(text)}
	if len(b.certificates) == 0 {
		return nil, noCertificate(path)
	}
	return b, nil
}

// Roots returns the authorities that may have a part in the verification of a chain, as a server
// sent it: those that issued one of its certificates, and those that are in it. A pool
// of the whole bundle would give the same verdict. Package x509 looks at a root in two cases only:
// when it is the server's certificate itself, and when its subject is the issuer of a
// certificate that the server sent. A root ends the path, so that no other is looked for from there.
// All of these are in the pool, in the bundle's order, and so the candidates are the same.
func (b *bundle) Roots(chain []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, der := range b.certificates {
		if !concerns(der, chain) {
			continue
		}
		if c, err := x509.ParseCertificate(der); err == nil {
			pool.AddCert(c)
		}
	}
	return pool
}

// concerns reports whether an authority may have issued a certificate of the chain. An issuer's
// name stands somewhere in its own certificate, byte for byte: to find it elsewhere
// than in the subject does no harm.
func concerns(der []byte, chain []*x509.Certificate) bool {
	for _, c := range chain {
		if bytes.Contains(der, c.RawIssuer) || bytes.Equal(der, c.Raw) {
			return true
		}
	}
	return false
}

// split returns the certificates of a PEM file, in its order.
func split(text []byte) (all [][]byte) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return all
		}
		if block.Type == "CERTIFICATE" && len(block.Headers) == 0 {
			all = append(all, block.Bytes)
		}
	}
}
