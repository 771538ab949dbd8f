package xoauth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// TokenSource gets an access token, each time a new one: keeping it is for package
// cache. Errors are of type *Error.
type TokenSource interface {
	Token(ctx context.Context) (Token, error)
}

// Options describe an application that signs in for itself.
type Options struct {
	// Tenant is a Directory (tenant) ID or a domain. It may be empty with TokenURL.
	Tenant string
	// ClientID is the Application (client) ID.
	ClientID string
	// Scope is a Cloud's Scope.
	Scope string
	// TokenURL is made from LoginHost and Tenant when empty. It must be https,
	// except on loopback.
	TokenURL string
	// LoginHost is a Cloud's LoginHost.
	LoginHost string
	// Credential proves the application.
	Credential Credential
	// HTTPClient sends the requests; nil means NewHTTPClient's default. Redirects
	// are refused whatever it says.
	HTTPClient *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Source gets tokens by the client credentials grant (RFC 6749 4.4) from the v2.0
// endpoint. It is safe for concurrent use.
// Source: learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow.
type Source struct {
	endpoint
	scope      string
	credential Credential
}

// New checks the options. It sends nothing.
func New(o Options) (*Source, error) {
	if o.Tenant != "" || o.TokenURL == "" {
		if err := CheckTenant(o.Tenant); err != nil {
			return nil, err
		}
	}
	if o.Credential == nil {
		return nil, errors.New("no credential: set a client secret, a certificate or a federated token file")
	}
	if o.Scope == "" {
		return nil, errors.New("no scope")
	}
	e, err := newEndpoint(o)
	if err != nil {
		return nil, err
	}
	return &Source{endpoint: *e, scope: o.Scope, credential: o.Credential}, nil
}

// Token asks Entra for a token. With a credential of two secrets it may ask twice.
func (s *Source) Token(ctx context.Context) (Token, error) {
	t, params, failed := s.try(ctx)
	if failed == nil {
		return t, nil
	}
	if a, ok := s.credential.(alternative); ok && a.refused(params, failed) {
		t, _, second := s.try(ctx)
		if second == nil {
			return t, nil
		}
		if second.Err == nil {
			second.Err = failed
		}
		return Token{}, second
	}
	return Token{}, failed
}

func (s *Source) try(ctx context.Context) (Token, url.Values, *Error) {
	now := s.now()
	params, err := s.credential.Params(ctx, s.tokenURL, s.clientID, now)
	if err != nil {
		return Token{}, nil, s.fill(opToken, &Error{Err: &localError{err}})
	}
	// A Config for each request: assertions are good for one.
	config := clientcredentials.Config{
		ClientID:       s.clientID,
		TokenURL:       s.tokenURL,
		Scopes:         []string{s.scope},
		EndpointParams: params,
		AuthStyle:      oauth2.AuthStyleInParams, // detection would post twice
	}
	secrets := []string{params.Get("client_secret"), params.Get("client_assertion")}
	g, failed := s.record(ctx, opToken, now, secrets, func(client *http.Client) error {
		_, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
		return err
	})
	if failed != nil {
		return Token{}, params, failed
	}
	return g.token(now), params, nil
}

// newEndpoint checks what every request to Entra needs.
func newEndpoint(o Options) (*endpoint, error) {
	if o.ClientID == "" || clean(o.ClientID, len(o.ClientID)+8) != o.ClientID {
		return nil, errors.New("no usable client ID: take the Application (client) ID from the app's Overview page")
	}
	if o.TokenURL == "" {
		if !isDomain(o.LoginHost) {
			return nil, fmt.Errorf("the login host %q is not a host name", clean(o.LoginHost, 80))
		}
		o.TokenURL = "https://" + o.LoginHost + "/" + o.Tenant + "/oauth2/v2.0/token"
	}
	host, err := checkURL("token URL", o.TokenURL)
	if err != nil {
		return nil, err
	}
	if o.HTTPClient == nil {
		if o.HTTPClient, err = NewHTTPClient(HTTPOptions{}); err != nil {
			return nil, err
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &endpoint{client: o.HTTPClient, now: o.Now, tokenURL: o.TokenURL, host: host, tenant: o.Tenant,
		clientID: o.ClientID}, nil
}

// checkURL accepts https anywhere and http on loopback, and returns the host.
func checkURL(what, s string) (host string, err error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return "", fmt.Errorf("the %s %q is not a URL: write it as https://host/path", what, clean(redactURL(s), 120))
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return "", fmt.Errorf("the %s %q would send the credential unencrypted: use https", what, clean(s, 120))
	}
	return u.Host, nil
}

// redactURL hides what may be a password before the host.
func redactURL(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return redacted + s[i:]
	}
	return s
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
