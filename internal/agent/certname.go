package agent

import (
	"crypto/x509"
	"errors"
	"strings"
)

// maxCertificateName is the longest name of a certificate that counts, in bytes.
const maxCertificateName = 255

// certificateName is the name that a certificate gives its host: its first DNS name, else its first URI, else its first
// mail address, else the subject's common name. A URI counts as it is written, the rest in lower case. The error
// says why it can't be a name: it goes into the log, the Received field and the spool.
func certificateName(c *x509.Certificate) (string, error) {
	name := strings.ToLower(c.Subject.CommonName)
	switch {
	case len(c.DNSNames) > 0:
		name = strings.ToLower(c.DNSNames[0])
	case len(c.URIs) > 0:
		name = c.URIs[0].String()
	case len(c.EmailAddresses) > 0:
		name = strings.ToLower(c.EmailAddresses[0])
	}
	switch {
	case name == "":
		return "", errors.New("has no name")
	case len(name) > maxCertificateName:
		return "", errors.New("has a name of more than 255 bytes")
	case strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_~:/@+%=", r)
	}):
		return "", errors.New("has a name with characters other than letters, digits and .-_~:/@+%=")
	}
	return name, nil
}
