package assemble

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"o365-sendmail/internal/account"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/notify"
	"o365-sendmail/xoauth"
)

// Life is what of the credential begins and ends, and when. What is "" for one that does not
// end on a known day; a zero time means that nobody has noted the day.
type Life struct {
	What         string // as in "the client secret"
	Begins, Ends time.Time
	// Thumbprint is a certificate's, as the portal shows it.
	Thumbprint string
}

// CredentialLife reads it from the configuration, or from the certificate that this names.
func CredentialLife(c *config.Config) (Life, error) {
	if c.Kind == account.Relay {
		cert, err := proveHost(c)
		if err != nil {
			return Life{}, err
		}
		leaf := cert.shown.Leaf
		return Life{What: "the client certificate", Begins: leaf.NotBefore, Ends: leaf.NotAfter}, nil
	}
	switch c.Credential.Type {
	case config.TypeSecret:
		return Life{What: "the client secret", Ends: c.SecretExpires}, nil
	case config.TypeCertificate:
		cert, err := readCertificate(c)
		if err != nil {
			return Life{}, err
		}
		return Life{What: "the certificate", Begins: cert.NotBefore(), Ends: cert.NotAfter(),
			Thumbprint: cert.Thumbprint()}, nil
	}
	return Life{}, nil
}

// ListenerLife is the life of the certificate that other hosts see; What is "" where they see none.
func ListenerLife(c *config.Config) (Life, error) {
	if c.Agent.TLSCertFile == "" {
		return Life{}, nil
	}
	data, err := ReadFile("agent.tls_cert_file", c.Agent.TLSCertFile)
	if err != nil {
		return Life{}, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return Life{}, noCertificate(c.Agent.TLSCertFile)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return Life{}, fmt.Errorf("agent.tls_cert_file: %w", err)
	}
	return Life{What: "the certificate that other hosts see", Begins: leaf.NotBefore, Ends: leaf.NotAfter}, nil
}

// EndsSoon reports whether the first warning before the end is due.
func (l Life) EndsSoon(now time.Time) bool {
	days, _ := notify.ExpiryWarning(l.Begins, l.Ends, now, 0)
	return days > 0
}

// WriteToken writes an access token and a line end, for a program that asked for it.
func WriteToken(w io.Writer, t xoauth.Token) error {
	_, err := io.WriteString(w, t.Access.Reveal()+"\n")
	return err
}

// TokenLength is the length of an access token in characters.
func TokenLength(t xoauth.Token) int { return len(t.Access.Reveal()) }

// SecretText is the TOML text of a secret that setup writes into a configuration.
func SecretText(s xoauth.Secret) []byte { return []byte(tomlString(s.Reveal())) }

// SecretFileText is the text of a file that holds a secret and nothing else.
func SecretFileText(s xoauth.Secret) []byte { return []byte(s.Reveal() + "\n") }

// tomlString quotes text as a TOML basic string.
func tomlString(s string) string {
	b := []byte{'"'}
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return string(append(b, '"'))
}

// SignIn makes the interactive part of a person's sign-in.
func SignIn(c *config.Config, warn func(error)) (*xoauth.DeviceCode, error) {
	cloud, _ := xoauth.LookupCloud(c.Cloud)
	client, err := webClient(c)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(RefreshTokenFile(c)), 0o700); err != nil {
		return nil, err
	}
	return DeviceCode(c, cloud, client, warn)
}
