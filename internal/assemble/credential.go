package assemble

import (
	"fmt"
	"net/http"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/xoauth"
)

// proof is what the application proves itself with, read from its files.
type proof struct {
	credential  xoauth.Credential
	fingerprint string
}

// Fingerprint tells credentials apart in the name of a cached token.
func (p *proof) Fingerprint() string { return p.fingerprint }

type sourceOptions struct {
	config *config.Config
	cloud  xoauth.Cloud
	scope  string
	client *http.Client
	now    func() time.Time
}

// credential reads what the configuration names.
func credential(c *config.Config, _ Options) (*proof, error) {
	switch c.Credential.Type {
	case config.TypeSecret:
		secret, err := c.Secret()
		if err != nil {
			return nil, err
		}
		next, err := c.NextSecret()
		if err != nil {
			return nil, err
		}
		cred := xoauth.TwoSecrets(secret, next)
		return &proof{credential: cred, fingerprint: cred.Fingerprint()}, nil
	}
	return nil, fmt.Errorf("credential.type %q is not known", c.Credential.Type)
}

// source makes the token source of the credential.
func (p *proof) source(o sourceOptions) (xoauth.TokenSource, error) {
	return xoauth.New(xoauth.Options{
		Tenant:     o.config.Tenant,
		ClientID:   o.config.ClientID,
		Scope:      o.scope,
		TokenURL:   o.config.Token.URL,
		LoginHost:  o.cloud.LoginHost,
		Credential: p.credential,
		HTTPClient: o.client,
		Now:        o.now,
	})
}
