package assemble

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// bundles are where distributions keep their bundle: Debian, Alpine and Arch; Red Hat;
// SUSE; the BSDs and others. Servers are verified against one such file: Go's own default reads every certificate
// twice and listens to SSL_CERT_FILE and SSL_CERT_DIR of whoever calls.
var bundles = [...]string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
}

const authorities = "certificate authorities"

// maxBundle bounds a bundle file; the usual ones have 200 to 250 KiB.
const maxBundle = 16 << 20

// Roots loads file, or the first system bundle when file is "".
func Roots(file string) (*x509.CertPool, error) {
	pem, path, err := read(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, noCertificate(path)
	}
	return pool, nil
}

func noCertificate(path string) error {
	return fmt.Errorf("%s holds no certificate in PEM form", path)
}

// read returns what file, or the first system bundle, holds, and its path.
func read(file string) (pem []byte, path string, err error) {
	if file != "" {
		pem, err = ReadFile(authorities, file)
		return pem, file, err
	}
	for _, b := range bundles {
		pem, err := ReadFile(authorities, b)
		if err == nil || !errors.Is(err, os.ErrNotExist) {
			return pem, b, err
		}
	}
	return nil, "",
		fmt.Errorf("no bundle of certificate authorities: install the package ca-certificates, or set tls.ca_file "+
			"(looked at %s)", strings.Join(bundles[:], ", "))
}
