package xoauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// RefreshStore keeps a refresh token between processes.
type RefreshStore interface {
	// Load returns the stored refresh token; empty, without an error, means none.
	Load(ctx context.Context) (Secret, error)
	// Save replaces it, atomically and durably: the old one may be void already.
	Save(ctx context.Context, refresh Secret) error
}

// DeviceOptions describe a person's sign-in, for mailboxes without an application.
type DeviceOptions struct {
	// Tenant is a Directory (tenant) ID, a domain, or "consumers" for outlook.com.
	// It may be empty with TokenURL and DeviceURL.
	Tenant string
	// ClientID is the Application (client) ID of a public client.
	ClientID string
	// Scope is a Cloud's DelegatedScope.
	Scope string
	// LoginHost is a Cloud's LoginHost; TokenURL and DeviceURL stand in for what is
	// made from it.
	LoginHost, TokenURL, DeviceURL string
	// Account tells sign-ins of different people apart in Fingerprint.
	Account string
	// Store keeps the refresh token.
	Store RefreshStore
	// HTTPClient sends the requests; nil means NewHTTPClient's default.
	HTTPClient *http.Client
	// Now and Sleep are the clock; nil means the real one.
	Now   func() time.Time
	Sleep SleepFunc
	// Warn hears that a new refresh token could not be stored; nil ignores that.
	Warn func(error)
}

// DeviceCode gets tokens on behalf of a person, who signs in once in a browser
// (RFC 8628), and afterwards by refresh token (RFC 6749 6). Entra forgets a refresh
// token after 90 days without use.
// Source: learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code.
type DeviceCode struct {
	endpoint
	deviceURL, scope, account string
	store                     RefreshStore
	sleep                     SleepFunc
	warn                      func(error)
}

// NewDeviceCode checks the options. It sends nothing.
func NewDeviceCode(o DeviceOptions) (*DeviceCode, error) {
	if o.Tenant != "consumers" && (o.Tenant != "" || o.TokenURL == "") {
		if err := CheckTenant(o.Tenant); err != nil {
			return nil, err
		}
	}
	if o.Scope == "" {
		return nil, errors.New("no scope")
	}
	if o.Store == nil {
		return nil, errors.New("no store for the refresh token")
	}
	e, err := newEndpoint(Options{Tenant: o.Tenant, ClientID: o.ClientID, TokenURL: o.TokenURL, LoginHost: o.LoginHost,
		HTTPClient: o.HTTPClient, Now: o.Now})
	if err != nil {
		return nil, err
	}
	if o.DeviceURL == "" {
		base, found := strings.CutSuffix(e.tokenURL, "/token")
		if !found {
			return nil, errors.New("no device code URL")
		}
		o.DeviceURL = base + "/devicecode"
	}
	if _, err := checkURL("device code URL", o.DeviceURL); err != nil {
		return nil, err
	}
	d := &DeviceCode{endpoint: *e, deviceURL: o.DeviceURL, scope: o.Scope, account: o.Account, store: o.Store,
		sleep: o.Sleep, warn: o.Warn}
	if d.sleep == nil {
		d.sleep = sleep
	}
	if d.warn == nil {
		d.warn = func(error) {}
	}
	return d, nil
}

// Fingerprint tells sign-ins apart, as Credential's does.
func (d *DeviceCode) Fingerprint() string { return fingerprint("device", d.account) }

// DeviceAuthorization is a sign-in that has begun. Its texts are printable.
type DeviceAuthorization struct {
	// UserCode is what the person types at VerificationURI.
	UserCode, VerificationURI string
	// Message is the server's own sentence for the person, in English.
	Message string
	// Expires is when the code ends, by the local clock.
	Expires time.Time
	// Interval is how often Poll asks.
	Interval time.Duration

	code Secret
}

// Begin asks for a code to show to the person.
func (d *DeviceCode) Begin(ctx context.Context) (DeviceAuthorization, error) {
	now := d.now()
	r, failed := d.post(ctx, opDevice, d.deviceURL, url.Values{"client_id": {d.clientID}, "scope": {d.scope}}, nil)
	if failed != nil {
		return DeviceAuthorization{}, failed
	}
	a, failed := parseDevice(r, now)
	if failed != nil {
		return DeviceAuthorization{}, d.fill(opDevice, failed)
	}
	return a, nil
}

// parseDevice reads a device authorization response (RFC 8628 3.2).
func parseDevice(r reply, now time.Time) (DeviceAuthorization, *Error) {
	fields, complete := parseObject(r.body)
	if _, refused := fields["error"]; refused || r.status < 200 || r.status > 299 {
		return DeviceAuthorization{}, parseFailure(r, fields, now, nil)
	}
	a, err := readDevice(fields, now)
	if !complete {
		err = errors.New("the reply is not a whole JSON object")
	}
	if err != nil {
		e := newFailure(r, now)
		e.Err = err
		return DeviceAuthorization{}, e
	}
	return a, nil
}

func readDevice(fields map[string]json.RawMessage, now time.Time) (DeviceAuthorization, error) {
	a := DeviceAuthorization{
		UserCode:        clean(text(fields["user_code"]), 64),
		VerificationURI: clean(text(fields["verification_uri"]), 200),
		Message:         clean(text(fields["message"]), 500),
		Interval:        5 * time.Second, // RFC 8628 3.2: when the server names none
		code:            NewSecret(text(fields["device_code"])),
	}
	if a.UserCode == "" || a.code.Empty() {
		return DeviceAuthorization{}, errors.New("the reply has no user_code or no device_code")
	}
	if _, err := checkURL("verification_uri", a.VerificationURI); err != nil {
		return DeviceAuthorization{}, fmt.Errorf("the verification_uri %q is not an https URL", a.VerificationURI)
	}
	life, ok := seconds(fields["expires_in"])
	if !ok || life <= 0 {
		return DeviceAuthorization{}, errors.New("the reply has no expires_in")
	}
	a.Expires = now.Add(min(life, time.Hour))
	if i, ok := seconds(fields["interval"]); ok {
		a.Interval = min(max(i, time.Second), time.Minute)
	}
	return a, nil
}

// Poll waits until the person has signed in, stores the refresh token, and returns
// the first access token. It fails when the person declines or the code ends.
func (d *DeviceCode) Poll(ctx context.Context, a DeviceAuthorization) (Token, error) {
	form := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {d.clientID},
		"device_code": {a.code.Reveal()},
	}
	for interval := max(a.Interval, time.Second); ; {
		if err := d.sleep(ctx, interval); err != nil {
			return Token{}, d.fill(opDevice, &Error{Err: err})
		}
		if !d.now().Before(a.Expires) {
			return Token{}, d.fill(opDevice, &Error{Code: "expired_token"})
		}
		sent := d.now()
		g, failed := d.grant(ctx, opDevice, form, []string{a.code.Reveal()})
		if failed == nil {
			return d.keep(ctx, sent, g)
		}
		switch {
		case ctx.Err() != nil || !failed.Temporary():
			return Token{}, failed
		case failed.Code == "authorization_pending":
		case failed.Code == "slow_down":
			interval += 5 * time.Second // RFC 8628 3.5
		default:
			interval = min(max(2*interval, failed.RetryAfter), 5*time.Minute)
		}
	}
}

// keep stores the first refresh token, without which the sign-in is worth an hour.
func (d *DeviceCode) keep(ctx context.Context, sent time.Time, g grant) (Token, error) {
	err := errors.New("the reply has no refresh token: add offline_access to the scope")
	if g.refresh != "" {
		err = d.store.Save(ctx, NewSecret(g.refresh))
	}
	if err != nil {
		return Token{}, d.fill(opDevice, &Error{Err: &localError{fmt.Errorf("the sign-in can't be kept: %w", err)}})
	}
	return g.token(sent), nil
}

// Token trades the stored refresh token for an access token, and stores the new
// refresh token that may come with it.
func (d *DeviceCode) Token(ctx context.Context) (Token, error) {
	refresh, err := d.store.Load(ctx)
	if err == nil && refresh.Empty() {
		err = errors.New("nobody has signed in yet: sign in with the device code")
	}
	if err != nil {
		return Token{}, d.fill(opRefresh, &Error{Err: &localError{err}})
	}
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {d.clientID}, "scope": {d.scope},
		"refresh_token": {refresh.Reveal()}}
	sent := d.now()
	g, failed := d.grant(ctx, opRefresh, form, []string{refresh.Reveal()})
	if failed != nil {
		return Token{}, failed
	}
	if g.refresh != "" && g.refresh != refresh.Reveal() {
		// The access token is good all the same.
		if err := d.store.Save(ctx, NewSecret(g.refresh)); err != nil {
			d.warn(fmt.Errorf("the new refresh token can't be stored: %w", err))
		}
	}
	return g.token(sent), nil
}

// grant posts a form to the token endpoint.
func (d *DeviceCode) grant(ctx context.Context, op string, form url.Values, secrets []string) (grant, *Error) {
	r, failed := d.post(ctx, op, d.tokenURL, form, secrets)
	if failed != nil {
		return grant{}, failed
	}
	g, failed := parseReply(r, d.now(), secrets)
	if failed != nil {
		return grant{}, d.fill(op, failed)
	}
	return g, nil
}
