package agent

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"o365-sendmail/internal/assemble"
)

// revocations is a list of revoked certificates (RFC 5280 5).
type revocations struct {
	*x509.RevocationList
	serials map[string]time.Time // of the revoked ones, and when
}

// readLists reads a file of lists, in PEM form or one as DER.
func readLists(path string) ([]revocations, error) {
	data, err := assemble.ReadFile("agent.client_crl_file", path)
	if err != nil {
		return nil, err
	}
	var all []revocations
	add := func(der []byte) error {
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			return fmt.Errorf("agent.client_crl_file: %s: %w (it takes lists of version 2, which openssl writes with "+
				"crl_extensions)", path, err)
		}
		r := revocations{list, make(map[string]time.Time, len(list.RevokedCertificateEntries))}
		for _, e := range list.RevokedCertificateEntries {
			r.serials[e.SerialNumber.String()] = e.RevocationTime
		}
		all = append(all, r)
		return nil
	}
	if block, _ := pem.Decode(data); block == nil {
		return all, add(data)
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "X509 CRL" {
			err = errors.Join(err, add(block.Bytes))
		}
	}
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("agent.client_crl_file: %s holds no list of revoked certificates", path)
	}
	return all, err
}

// revoked says why a certificate does not count any more, or not now; "" when it counts. Its own authority must have a
// list that is in date; one of an authority in between is looked at where there is one.
func (c *clients) revoked(chains [][]*x509.Certificate, now time.Time) string {
	if c.lists == nil {
		return ""
	}
	why := ""
	for _, chain := range chains {
		if why = c.revokedIn(chain, now); why == "" {
			return ""
		}
	}
	return why
}

func (c *clients) revokedIn(chain []*x509.Certificate, now time.Time) string {
	for i, cert := range chain[:len(chain)-1] {
		list := c.listOf(chain[i+1])
		if list == nil {
			if i == 0 {
				return "can't be looked up: agent.client_crl_file has no list of its authority"
			}
			continue
		}
		if !list.NextUpdate.IsZero() && now.After(list.NextUpdate) {
			return "can't be looked up: the list of agent.client_crl_file is out of date since " + date(list.NextUpdate)
		}
		if when, ok := list.serials[cert.SerialNumber.String()]; ok {
			return "was revoked on " + date(when)
		}
	}
	return ""
}

// listOf is the newest list that an authority has signed.
func (c *clients) listOf(authority *x509.Certificate) *revocations {
	var newest *revocations
	for i := range c.lists {
		l := &c.lists[i]
		if bytes.Equal(l.RawIssuer, authority.RawSubject) && (newest == nil || l.ThisUpdate.After(newest.ThisUpdate)) &&
			l.CheckSignatureFrom(authority) == nil {
			newest = l
		}
	}
	return newest
}
