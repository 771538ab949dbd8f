package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
)

// Bundle is a bundle file whose certificates are parsed only when one is asked for. To
// parse all of a distribution's, some 140, costs more than the rest of a process that
// sends a message.
type Bundle struct {
	certificates [][]byte // DER, not looked at yet
}

// Load reads file, or the first system bundle when file is "".
func Load(file string) (*Bundle, error) {
	text, path, err := read(file)
	if err != nil {
		return nil, err
	}
	b := &Bundle{certificates: split(text)}
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
func (b *Bundle) Roots(chain []*x509.Certificate) *x509.CertPool {
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

// concerns tells whether an authority may have issued a certificate of the chain. An issuer's
// name stands somewhere in its own certificate, octet for octet: to find it elsewhere
// than in the subject does no harm.
func concerns(der []byte, chain []*x509.Certificate) bool {
	for _, c := range chain {
		if bytes.Contains(der, c.RawIssuer) || bytes.Equal(der, c.Raw) {
			return true
		}
	}
	return false
}

var (
	begin = []byte("-----BEGIN CERTIFICATE-----")
	end   = []byte("\n-----END CERTIFICATE-----")
	marks = [...][]byte{[]byte("-----BEGIN "), []byte("-----END ")}
)

// split decodes the certificates of a PEM file. A file that holds nothing but plain ones takes a third
// of the time of package pem. Any other is left to that: what is trusted must not depend on
// who reads it, and a mark behind a "#" is none.
func split(text []byte) [][]byte {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	var all [][]byte
	for rest, first := text, true; ; first = false {
		start := bytes.Index(rest, begin)
		if start < 0 {
			if marked(rest) {
				return splitSlowly(text)
			}
			return all
		}
		body := rest[start+len(begin):]
		stop := bytes.Index(body, end)
		if marked(rest[:start]) || start > 0 && rest[start-1] != '\n' || start == 0 && !first || stop < 0 || !endsLine(body) {
			return splitSlowly(text)
		}
		rest = body[stop+len(end):]
		n, err := base64.StdEncoding.Decode(out, body[:stop])
		if err != nil || len(rest) > 0 && !endsLine(rest) {
			return splitSlowly(text)
		}
		all = append(all, out[:n:n])
		out = out[n:]
	}
}

// marked tells whether something in the text may begin or end a block of PEM.
func marked(text []byte) bool {
	return bytes.Contains(text, marks[0]) || bytes.Contains(text, marks[1])
}

func endsLine(text []byte) bool {
	return bytes.HasPrefix(text, []byte("\n")) || bytes.HasPrefix(text, []byte("\r\n"))
}

func splitSlowly(text []byte) (all [][]byte) {
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
