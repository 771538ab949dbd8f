package assemble

import (
	"crypto/tls"
	"fmt"
	"os"
	"syscall"

	"o365-sendmail/internal/config"
)

// ReadFile reads a file of certificates, of bounded size, and never waits for what is none. what begins its errors, as
// in "certificate authorities".
func ReadFile(what, file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s can't be read: %w", what, err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%s can't be read: %w", what, err)
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxBundle {
		return nil, fmt.Errorf("%s can't be read: %s is not a regular file under %d MiB", what, file,
			maxBundle>>20)
	}
	pem := make([]byte, fi.Size())
	n, err := f.ReadAt(pem, 0)
	if n < len(pem) {
		return nil, fmt.Errorf("%s can't be read: %w", what, err)
	}
	return pem, nil
}

// KeyPair reads a certificate, the value of a key of the configuration, and its private key, the secret of another.
func KeyPair(c *config.Config, certKey, certFile, keyKey string) (tls.Certificate, error) {
	cert, err := ReadFile(certKey, certFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := c.SecretFile(keyKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s (%s) and %s: %w", certKey, certFile, keyKey, err)
	}
	return pair, nil
}
