package xoauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Kinds of managed identity, by where the program runs.
const (
	IdentityIMDS       = "imds"        // virtual machines and scale sets
	IdentityAppService = "app-service" // App Service, Functions, Container Apps
	IdentityArc        = "arc"         // machines elsewhere, joined by Azure Arc
)

// IdentityOptions describe a managed identity.
type IdentityOptions struct {
	// Scope is a Cloud's Scope.
	Scope string
	// ClientID, ObjectID or ResourceID names a user-assigned identity: one of them,
	// or none for the system-assigned identity.
	ClientID, ObjectID, ResourceID string
	// Getenv tells where the program runs; nil means a virtual machine.
	Getenv func(string) string
	// HTTPClient must use no proxy; nil means one that does not.
	HTTPClient *http.Client
	// Now and Sleep are the clock; nil means the real one.
	Now   func() time.Time
	Sleep SleepFunc
	// MetadataURL stands in for http://169.254.169.254, ArcKeyDir for
	// /var/opt/azcmagent/tokens.
	MetadataURL, ArcKeyDir string
}

// ManagedIdentity gets tokens for the machine it runs on, without any credential.
// Whether Exchange Online accepts them for SMTP is not documented: treat it as an
// experiment. It is safe for concurrent use.
// Source: learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token.
type ManagedIdentity struct {
	kind     string
	url      *url.URL
	header   http.Header
	identity string // name and value of what chooses the identity
	clientID string
	keyDir   string
	client   *http.Client
	now      func() time.Time
	sleep    SleepFunc
}

// NewManagedIdentity finds out where it runs, in MSAL's order. It sends nothing.
func NewManagedIdentity(o IdentityOptions) (*ManagedIdentity, error) {
	if o.Scope == "" {
		return nil, errors.New("no scope")
	}
	m := &ManagedIdentity{client: o.HTTPClient, now: o.Now, sleep: o.Sleep,
		keyDir: cmp.Or(o.ArcKeyDir, "/var/opt/azcmagent/tokens"), clientID: o.ClientID}
	if m.now == nil {
		m.now = time.Now
	}
	if m.sleep == nil {
		m.sleep = sleep
	}
	if m.client == nil {
		var err error
		if m.client, err = NewHTTPClient(HTTPOptions{Timeout: 10 * time.Second}); err != nil {
			return nil, err
		}
	}
	getenv := o.Getenv
	if getenv == nil {
		getenv = func(string) string { return "" }
	}
	if err := m.detect(o, getenv); err != nil {
		return nil, err
	}
	if err := m.choose(o); err != nil {
		return nil, err
	}
	return m, nil
}

// detect fills in what the place asks for.
func (m *ManagedIdentity) detect(o IdentityOptions, getenv func(string) string) error {
	endpoint, secret := getenv("IDENTITY_ENDPOINT"), getenv("IDENTITY_HEADER")
	version, raw := "2018-02-01", ""
	switch {
	case endpoint != "" && secret != "" && getenv("IDENTITY_SERVER_THUMBPRINT") != "":
		return errors.New("managed identity on Service Fabric is not supported")
	case endpoint != "" && secret != "":
		m.kind, version, raw = IdentityAppService, "2019-08-01", endpoint
		m.header = http.Header{"X-Identity-Header": {secret}}
	case getenv("MSI_ENDPOINT") != "":
		return errors.New("managed identity in Cloud Shell or Azure Machine Learning is not supported")
	case endpoint != "" && getenv("IMDS_ENDPOINT") != "":
		m.kind, version, raw = IdentityArc, "2020-06-01", endpoint
	case o.Getenv != nil && o.MetadataURL == "" && exists("/opt/azcmagent/bin/himds"):
		m.kind, version, raw = IdentityArc, "2020-06-01", "http://127.0.0.1:40342/metadata/identity/oauth2/token"
	default:
		m.kind, raw = IdentityIMDS, strings.TrimRight(cmp.Or(o.MetadataURL, "http://169.254.169.254"),
			"/")+"/metadata/identity/oauth2/token"
	}
	if m.header == nil {
		m.header = http.Header{"Metadata": {"true"}}
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return fmt.Errorf("the identity endpoint %q is not a URL", clean(redactURL(raw), 100))
	}
	if m.kind == IdentityArc && !isLoopback(u.Hostname()) {
		return fmt.Errorf("the identity endpoint %q is not on this machine", clean(raw, 100))
	}
	u.RawQuery = url.Values{"api-version": {version}, "resource": {strings.TrimSuffix(o.Scope, "/.default")}}.Encode()
	m.url = u
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// choose adds the user-assigned identity's name.
func (m *ManagedIdentity) choose(o IdentityOptions) error {
	resourceKey := "msi_res_id"
	if m.kind == IdentityAppService {
		resourceKey = "mi_res_id"
	}
	q := m.url.Query()
	for _, id := range []struct{ key, value string }{{"client_id", o.ClientID}, {"object_id", o.ObjectID},
		{resourceKey, o.ResourceID}} {
		switch {
		case id.value == "":
		case m.identity != "":
			return errors.New("a managed identity is named by one of client ID, object ID and resource ID, not by two")
		case m.kind == IdentityArc:
			return errors.New("azure arc has no user-assigned identities: leave the identity's client ID empty")
		default:
			m.identity = id.key + "=" + id.value
			q.Set(id.key, id.value)
		}
	}
	m.url.RawQuery = q.Encode()
	return nil
}

// Kind tells where the program runs: one of the Identity constants.
func (m *ManagedIdentity) Kind() string { return m.kind }

// Fingerprint tells identities apart, as Credential's does.
func (m *ManagedIdentity) Fingerprint() string { return fingerprint("identity", m.kind, m.identity) }

// identityTries is how often to ask: at 0, 2, 6, 14 and 30 s, as Microsoft advises.
const identityTries = 5

// Token asks the machine's endpoint. It asks again while the endpoint is being
// updated, as long as ctx has time for that.
func (m *ManagedIdentity) Token(ctx context.Context) (Token, error) {
	for try := 1; ; try++ {
		t, failed := m.try(ctx)
		if failed == nil {
			return t, nil
		}
		wait := max(time.Second<<try, failed.RetryAfter)
		if deadline, ok := ctx.Deadline(); ok && m.now().Add(wait).After(deadline) {
			wait = 0
		}
		if try == identityTries || !retryIdentity(failed.Status) || wait == 0 || wait > time.Minute {
			return Token{}, failed
		}
		if m.sleep(ctx, wait) != nil {
			return Token{}, failed
		}
	}
}

func retryIdentity(status int) bool {
	return status == 404 || status == 410 || status == 429 || status >= 500
}

func (m *ManagedIdentity) try(ctx context.Context) (Token, *Error) {
	now := m.now()
	secrets := []string{m.header.Get("X-Identity-Header")}
	r, failed := m.get(ctx, "", secrets)
	if failed == nil && m.kind == IdentityArc && r.status == http.StatusUnauthorized {
		key, err := m.arcKey(r.header.Get("WWW-Authenticate"))
		if err != nil {
			return Token{}, m.fill(&Error{Err: &localError{err}})
		}
		secrets = append(secrets, key)
		r, failed = m.get(ctx, key, secrets)
	}
	if failed != nil {
		return Token{}, failed
	}
	g, failed := parseReply(r, now, secrets)
	if failed != nil {
		return Token{}, m.fill(failed)
	}
	t := g.token(now)
	if t.RefreshAt.IsZero() && g.expiresIn > 2*time.Hour {
		t.RefreshAt = t.Obtained.Add(g.expiresIn / 2) // as MSAL does
	}
	return t, nil
}

// get makes one request; key answers the challenge of Azure Arc.
func (m *ManagedIdentity) get(ctx context.Context, key string, secrets []string) (reply, *Error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.url.String(), nil)
	if err != nil {
		return reply{}, m.fill(&Error{Err: &localError{err}})
	}
	req.Header = m.header.Clone()
	if key != "" {
		req.Header.Set("Authorization", "Basic "+key)
	}
	r, err := exchange(m.client, req)
	if err != nil {
		return reply{}, m.fill(transportError(ctx, err, secrets))
	}
	return r, nil
}

func (m *ManagedIdentity) fill(e *Error) *Error {
	e.Op, e.Host, e.ClientID = opIdentity, m.url.Host, m.clientID
	return e
}
