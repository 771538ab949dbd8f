package assemble

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"o365-sendmail/internal/account"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/durable"
	"o365-sendmail/xoauth"
)

// proof is what the application proves itself with, read from its files.
type proof struct {
	// fingerprint tells credentials apart in the name of a cached token.
	fingerprint string
	// shown is a host's certificate for a relay, for which there are no tokens; else nil.
	shown *tls.Certificate
	// source makes the token source; nil for a relay.
	source func(sourceOptions) (xoauth.TokenSource, error)
}

type sourceOptions struct {
	client *http.Client
	scope  string
	now    func() time.Time
	warn   func(error)
}

// prove reads what the configuration names.
func prove(c *config.Config, cloud xoauth.Cloud, o Options) (*proof, error) {
	if c.Kind == account.Relay {
		return proveHost(c)
	}
	switch c.Credential.Type {
	case config.TypeSecret:
		return proveSecret(c, cloud)
	case config.TypeCertificate:
		return proveCertificate(c, cloud)
	case config.TypeFederated:
		return proveFederated(c, cloud, o.Getenv)
	case config.TypeManagedIdentity:
		return proveIdentity(c, cloud, o.Getenv)
	case config.TypeDeviceCode:
		return proveDevice(c, cloud)
	}
	return nil, fmt.Errorf("credential.type %q is not known", c.Credential.Type)
}

// application makes the proof of an application that signs in with cred.
func application(c *config.Config, cloud xoauth.Cloud, cred xoauth.Credential) *proof {
	return &proof{
		fingerprint: cred.Fingerprint(),
		source: func(o sourceOptions) (xoauth.TokenSource, error) {
			return xoauth.New(xoauth.Options{
				Tenant: c.Tenant, ClientID: c.ClientID, Scope: o.scope, TokenURL: c.Token.URL,
				LoginHost: cloud.LoginHost, Credential: cred, HTTPClient: o.client, Now: o.now,
			})
		},
	}
}

func proveSecret(c *config.Config, cloud xoauth.Cloud) (*proof, error) {
	secret, err := c.Secret()
	if err != nil {
		return nil, err
	}
	next, err := c.NextSecret()
	if err != nil {
		return nil, err
	}
	return application(c, cloud, xoauth.TwoSecrets(secret, next)), nil
}

// proveHost reads what a host shows to a relay.
func proveHost(c *config.Config) (*proof, error) {
	pair, err := KeyPair(c, "credential.certificate_file", c.Credential.CertificateFile, "credential.key_file")
	if err != nil {
		return nil, err
	}
	return &proof{shown: &pair}, nil
}

func proveCertificate(c *config.Config, cloud xoauth.Cloud) (*proof, error) {
	cred, err := readCertificate(c)
	if err != nil {
		return nil, err
	}
	return application(c, cloud, cred), nil
}

// readCertificate reads the files of a certificate as the configuration names them.
func readCertificate(c *config.Config) (*xoauth.CertificateCredential, error) {
	k := c.Credential
	file := cmp.Or(k.PFXFile, k.CertificateFile)
	o := xoauth.CertificateOptions{Algorithm: k.Algorithm, CertificateFile: pathOnly(file),
		KeyFile: pathOnly(k.KeyFile), PassphraseFile: pathOnly(k.PassphraseFile)}
	var err error
	if o.Passphrase, err = c.Passphrase(); err != nil {
		return nil, err
	}
	if raw, err := c.SecretFile("credential.passphrase_file"); err == nil {
		o.WindowsPassphrase = bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")) || bytes.Contains(raw, []byte("\r"))
	}
	if k.PFXFile != "" {
		o.Certificate, err = c.SecretFile("credential.pfx_file")
	} else if o.Certificate, err = ReadFile("credential.certificate_file", k.CertificateFile); err == nil && (k.KeyFile != k.CertificateFile ||
		holdsKey(o.Certificate)) {
		o.Key, err = c.SecretFile("credential.key_file")
	}
	if err != nil {
		return nil, err
	}
	cred, err := xoauth.Certificate(o)
	if err != nil {
		return nil, fmt.Errorf("[credential] %s: %w", file, err)
	}
	return cred, nil
}

// holdsKey reports whether a file may hold a private key, so that its mode matters.
func holdsKey(data []byte) bool {
	return bytes.Contains(data, []byte("PRIVATE KEY-----")) || !bytes.Contains(data, []byte("-----BEGIN"))
}

// pathOnly leaves systemd credentials out, whose place no command can know.
func pathOnly(ref string) string {
	if strings.HasPrefix(ref, "/") {
		return ref
	}
	return ""
}

func proveFederated(c *config.Config, cloud xoauth.Cloud, getenv func(string) string) (*proof, error) {
	if c.Credential.TokenFile != "" {
		return application(c, cloud, xoauth.FederatedFile(c.Credential.TokenFile)), nil
	}
	if getenv == nil {
		return nil, errors.New("credential.token_file is not set, and this process reads no environment")
	}
	f, err := xoauth.FederationFromEnvironment(getenv)
	if err != nil {
		return nil, err
	}
	return application(c, cloud, f.Credential()), nil
}

func proveIdentity(c *config.Config, cloud xoauth.Cloud, getenv func(string) string) (*proof, error) {
	o := xoauth.IdentityOptions{
		Scope:    cmp.Or(c.Token.Scope, cloud.Scope),
		ClientID: c.Credential.IdentityClientID, ObjectID: c.Credential.IdentityObjectID, ResourceID: c.Credential.IdentityResourceID,
		Getenv: getenv, MetadataURL: c.Credential.IdentityEndpoint,
	}
	m, err := xoauth.NewManagedIdentity(o)
	if err != nil {
		return nil, err
	}
	return &proof{fingerprint: m.Fingerprint(), source: func(so sourceOptions) (xoauth.TokenSource, error) {
		o.Now = so.now
		return xoauth.NewManagedIdentity(o)
	}}, nil
}

func proveDevice(c *config.Config, cloud xoauth.Cloud) (*proof, error) {
	d, err := DeviceCode(c, cloud, nil, nil)
	if err != nil {
		return nil, err
	}
	return &proof{fingerprint: d.Fingerprint(), source: func(o sourceOptions) (xoauth.TokenSource, error) {
		return DeviceCode(c, cloud, o.client, o.warn)
	}}, nil
}

// DeviceCode makes the source of a person's sign-in, for its interactive part, too.
func DeviceCode(c *config.Config, cloud xoauth.Cloud, client *http.Client, warn func(error)) (*xoauth.DeviceCode, error) {
	o := xoauth.DeviceOptions{
		Tenant: c.Tenant, ClientID: c.ClientID, Scope: cloud.DelegatedScope(), LoginHost: cloud.LoginHost,
		Account: c.Mailbox, Store: refreshFile(RefreshTokenFile(c)), HTTPClient: client, Warn: warn,
	}
	if c.Token.URL != "" {
		o.TokenURL = c.Token.URL
		o.DeviceURL = strings.TrimSuffix(c.Token.URL, "/token") + "/devicecode"
	}
	return xoauth.NewDeviceCode(o)
}

// refreshFile keeps a refresh token in a file of its own, 0600.
type refreshFile string

// Load returns the stored token, an empty one when there is no file.
func (f refreshFile) Load(context.Context) (xoauth.Secret, error) {
	b, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return xoauth.Secret{}, nil
	}
	return xoauth.NewSecret(strings.TrimSpace(string(b))), err
}

// Save replaces it durably: the old one may be void already.
func (f refreshFile) Save(_ context.Context, refresh xoauth.Secret) error {
	return durable.Replace(string(f), []byte(refresh.Reveal()+"\n"), 0o600)
}
