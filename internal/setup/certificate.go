package setup

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/durable"
)

const (
	// keyBits is above the 2048 that Entra asks for at least.
	keyBits = 3072
	// defaultDays is the longest life that Microsoft's baseline for app management policies allows.
	// Source: learn.microsoft.com/entra/identity/enterprise-apps/configure-app-management-policies.
	defaultDays = "365"
	maxDays     = 3650
)

// NewCertificate is a pair that setup has made. The private key is in KeyFile alone.
type NewCertificate struct {
	File       string `json:"file"`
	KeyFile    string `json:"key_file"`
	Thumbprint string `json:"thumbprint"` // SHA-1 in hex, as the portal shows it
	Expires    string `json:"expires"`    // a date
	PEM        string `json:"pem"`        // the public part, to be uploaded
}

// makesCertificate reports whether the answers call for a new pair.
func (a *Answers) makesCertificate() bool {
	return a.Type == TypeCertificate && !a.Relayed() && a.CertFile == "" && a.KeyFile == "" && a.PFXFile == ""
}

// PlanCertificate names the files of a new pair beside the configuration, and reports whether
// there is to be one. Files that exist are left alone: the old key may be in use.
func (f *File) PlanCertificate(a *Answers) bool {
	if !a.makesCertificate() {
		return false
	}
	base := strings.TrimSuffix(f.Path, ".toml")
	if exists(base+".crt") || exists(base+".key") {
		base += f.Now().UTC().Format("-20060102T150405Z")
	}
	a.CertFile, a.KeyFile, a.PassphraseFile = base+".crt", base+".key", ""
	return true
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// MakeCertificate makes the pair that was planned. The key is as readable as the configuration.
func (f *File) MakeCertificate(a *Answers, host string) (*NewCertificate, error) {
	days, err := strconv.Atoi(a.CertDays)
	if err != nil {
		return nil, err
	}
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, err
	}
	now := f.Now()
	cert, err := selfSigned(key, "o365-sendmail on "+host, now.Add(-time.Hour), now.AddDate(0, 0, days))
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	made := &NewCertificate{
		File: a.CertFile, KeyFile: a.KeyFile, PEM: string(public),
		Thumbprint: fmt.Sprintf("%X", sha1.Sum(cert.Raw)), Expires: cert.NotAfter.Format(time.DateOnly),
	}
	if err := f.storePair(made, private, public); err != nil {
		return nil, errors.Join(err, made.Remove())
	}
	return made, nil
}

// storePair writes both files. At no time can others read the key.
func (f *File) storePair(made *NewCertificate, private, public []byte) error {
	for _, path := range []string{made.KeyFile, made.File} {
		if err := planted(path, 0); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
	}
	if err := durable.Replace(made.KeyFile, private, 0o600); err != nil {
		return err
	}
	if f.Owner.GID >= 0 {
		if err := errors.Join(os.Chown(made.KeyFile, 0, f.Owner.GID), os.Chmod(made.KeyFile, 0o640)); err != nil {
			return err
		}
	}
	return durable.Replace(made.File, public, 0o644)
}

// Remove takes the pair away again, for a configuration that was not written.
func (c *NewCertificate) Remove() error {
	var errs []error
	for _, path := range []string{c.KeyFile, c.File} {
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			continue // a read-only file system refuses even this
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// selfSigned makes a certificate for the signing of assertions.
func selfSigned(key *rsa.PrivateKey, name string, begin, end time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	if len(name) > 64 { // ub-common-name, RFC 5280 appendix A.1
		name = name[:64]
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: begin, NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func daysForm(_ *Answers, s string) (string, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxDays {
		return "", fmt.Errorf("a whole number of days from 1 to %d", maxDays)
	}
	return strconv.Itoa(n), nil
}

// certForm takes "new" for none.
func certForm(a *Answers, s string) (string, error) {
	if strings.EqualFold(s, "new") {
		return "", nil
	}
	return pathForm(a, s)
}
