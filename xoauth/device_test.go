package xoauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// memory is a RefreshStore; it fails when told to.
type memory struct {
	token Secret
	fail  error
	saved int
}

func (m *memory) Load(context.Context) (Secret, error) { return m.token, m.fail }

func (m *memory) Save(_ context.Context, s Secret) error {
	if m.fail != nil {
		return m.fail
	}
	m.token, m.saved = s, m.saved+1
	return nil
}

const (
	deviceReply = `{"user_code":"ABCD-EFGH","device_code":"device-code-secret","verification_uri":"https://microsoft.com/devicelogin","expires_in":900,"interval":5,
		"message":"To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code ABCD-EFGH to authenticate."}`
	delegated = `{"token_type":"Bearer","scope":"https://outlook.office.com/SMTP.Send","expires_in":3600,"access_token":"aaa.bbb.ccc","refresh_token":"refresh-two"}`
)

// device makes a DeviceCode whose clock moves when it sleeps.
func (p *peer) device(t *testing.T, store RefreshStore) (d *DeviceCode, slept *[]time.Duration) {
	t.Helper()
	now := testNow
	slept = new([]time.Duration)
	d, err := NewDeviceCode(DeviceOptions{
		Tenant: "consumers", ClientID: testClient, Scope: "https://outlook.office.com/SMTP.Send offline_access",
		TokenURL: p.URL + "/consumers/oauth2/v2.0/token", Store: store, HTTPClient: testHTTPClient(t),
		Now: func() time.Time { return now },
		Sleep: func(ctx context.Context, d time.Duration) error {
			*slept, now = append(*slept, d), now.Add(d)
			return ctx.Err()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d, slept
}

func TestDeviceSignIn(t *testing.T) {
	t.Parallel()
	replies := []struct {
		status int
		body   string
	}{
		{200, deviceReply},
		{400, entraReply("authorization_pending", 70016, "OAuth 2.0 device flow error.", " ")},
		{400, `{"error":"slow_down"}`},
		{503, "<html>"},
		{200, delegated},
	}
	n := 0
	p := newPeer(t, func(w http.ResponseWriter, form url.Values) {
		saying(replies[n].status, "application/json", replies[n].body)(w, form)
		n++
	})
	store := &memory{}
	d, slept := p.device(t, store)
	a, err := d.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if a.UserCode != "ABCD-EFGH" || a.VerificationURI != "https://microsoft.com/devicelogin" ||
		!strings.HasPrefix(a.Message, "To sign in") ||
		!a.Expires.Equal(testNow.Add(15*time.Minute)) || a.Interval != 5*time.Second {
		t.Errorf("authorization %+v", a)
	}
	if s := fmt.Sprintf("%v %+v %#v", a, a, a); strings.Contains(s, "device-code-secret") {
		t.Errorf("printing shows the device code: %s", s)
	}
	got, err := d.Poll(context.Background(), a)
	if err != nil || got.Access.Reveal() != "aaa.bbb.ccc" || store.token.Reveal() != "refresh-two" {
		t.Errorf("Poll = %+v, %v; stored %q", got, err, store.token.Reveal())
	}
	if want := "[5s 5s 10s 20s]"; fmt.Sprint(*slept) != want {
		t.Errorf("slept %v, want %s", *slept, want)
	}
	if !got.Obtained.Equal(testNow.Add(40*time.Second)) || !got.Expiry.Equal(got.Obtained.Add(time.Hour)) {
		t.Errorf("obtained %v, expiry %v", got.Obtained, got.Expiry)
	}
	forms := p.seen()
	if want := (url.Values{"client_id": {testClient},
		"scope": {"https://outlook.office.com/SMTP.Send offline_access"}}); forms[0].Encode() != want.Encode() {
		t.Errorf("begin sent %v, want %v", forms[0], want)
	}
	if want := (url.Values{"client_id": {testClient}, "device_code": {"device-code-secret"},
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}}); forms[4].Encode() != want.Encode() {
		t.Errorf("poll sent %v, want %v", forms[4], want)
	}
}

func TestDevicePollEnds(t *testing.T) {
	t.Parallel()
	pending := `{"error":"authorization_pending"}`
	tests := []struct {
		name   string
		status int
		body   string
		store  *memory
		code   string
		want   string
	}{
		{"declined", 400, `{"error":"authorization_declined"}`, &memory{}, "authorization_declined", "declined"},
		{"expired", 400, `{"error":"expired_token"}`, &memory{}, "expired_token", "no longer valid"},
		{"bad code", 400, `{"error":"bad_verification_code","error_description":"device-code-secret"}`, &memory{},
			"bad_verification_code", "no longer valid"},
		{"nobody came", 400, pending, &memory{}, "expired_token", "begin the sign-in again"},
		{"no refresh token", 200, goodReply, &memory{}, "", "add offline_access"},
		{"disk full", 200, delegated, &memory{fail: errors.New("no space left on device")}, "",
			"can't be kept: no space left on device"},
	}
	for _, tt := range tests {
		p := newPeer(t, saying(tt.status, "application/json", tt.body))
		d, _ := p.device(t, tt.store)
		_, err := d.Poll(context.Background(), DeviceAuthorization{Expires: testNow.Add(time.Minute),
			Interval: 5 * time.Second, code: NewSecret("device-code-secret")})
		var e *Error
		if !errors.As(err, &e) || e.Code != tt.code || e.Temporary() || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want code %q and %q", tt.name, err, tt.code, tt.want)
			continue
		}
		if strings.Contains(fmt.Sprintf("%#v", *e), "device-code-secret") {
			t.Errorf("%s: the device code is in %#v", tt.name, *e)
		}
		checkLine(t, tt.name, err)
	}
	p := newPeer(t, saying(400, "application/json", pending))
	d, _ := p.device(t, &memory{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := d.Poll(ctx, DeviceAuthorization{Expires: testNow.Add(time.Hour)}); !errors.Is(err, context.Canceled) ||
		len(p.seen()) != 0 {
		t.Errorf("cancelled: %v after %d requests", err, len(p.seen()))
	}
}

func TestDeviceBeginRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"public client off", 401, entraReply("invalid_client", 7000218, "x", " "), "Allow public client flows > Yes"},
		{"cut", 200, deviceReply[:50], "not a whole JSON object"},
		{"no code", 200, `{"user_code":"A","verification_uri":"https://x.y","expires_in":900}`, "no device_code"},
		{"no expiry", 200, `{"user_code":"A","device_code":"B","verification_uri":"https://x.y"}`, "no expires_in"},
		{"script", 200, `{"user_code":"A","device_code":"B","verification_uri":"javascript:alert(1)","expires_in":900}`,
			"not an https URL"},
		{"plain http", 200,
			`{"user_code":"A","device_code":"B","verification_uri":"http://evil.example/","expires_in":900}`,
			"not an https URL"},
		{"error in a 200", 200, `{"error":"invalid_scope"}`, "scope"},
	}
	for _, tt := range tests {
		p := newPeer(t, saying(tt.status, "application/json", tt.body))
		d, _ := p.device(t, &memory{})
		a, err := d.Begin(context.Background())
		var e *Error
		if !errors.As(err, &e) || e.Op != opDevice || !strings.Contains(err.Error(), tt.want) ||
			a != (DeviceAuthorization{}) {
			t.Errorf("%s: %+v, error %v; want %q", tt.name, a, err, tt.want)
			continue
		}
		checkLine(t, tt.name, err)
	}
}

func TestDeviceBeginBounds(t *testing.T) {
	t.Parallel()
	p := newPeer(t, saying(200, "application/json",
		`{"user_code":"A\u001b[1m","device_code":"B","verification_uri":"https://x.y","expires_in":1e9,"interval":"86400","message":"one\ntwo"}`))
	d, _ := p.device(t, &memory{})
	a, err := d.Begin(context.Background())
	if err != nil || a.UserCode != "A [1m" || a.Message != "one two" || a.Interval != time.Minute ||
		!a.Expires.Equal(testNow.Add(time.Hour)) {
		t.Errorf("authorization %+v, %v", a, err)
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	p := newPeer(t, saying(200, "application/json", delegated))
	store := &memory{token: NewSecret("refresh-one")}
	d, _ := p.device(t, store)
	for range 2 {
		got, err := d.Token(context.Background())
		if err != nil || got.Access.Reveal() != "aaa.bbb.ccc" {
			t.Fatalf("Token = %+v, %v", got, err)
		}
	}
	want := url.Values{"client_id": {testClient}, "grant_type": {"refresh_token"}, "refresh_token": {"refresh-one"},
		"scope": {"https://outlook.office.com/SMTP.Send offline_access"}}
	if forms := p.seen(); forms[0].Encode() != want.Encode() || forms[1].Get("refresh_token") != "refresh-two" {
		t.Errorf("sent %v, want %v and then refresh-two", forms, want)
	}
	if store.saved != 1 {
		t.Errorf("saved %d times, want once: the second reply brought nothing new", store.saved)
	}
}

func TestRefreshFails(t *testing.T) {
	t.Parallel()
	p := newPeer(t, saying(400, "application/json",
		entraReply("invalid_grant", 700082, "refresh-one has expired", " ")))
	d, _ := p.device(t, &memory{token: NewSecret("refresh-one")})
	_, err := d.Token(context.Background())
	var e *Error
	if !errors.As(err, &e) || e.Op != opRefresh || !e.Configuration() ||
		!strings.Contains(err.Error(), "sign in again") || strings.Contains(e.Description, "refresh-one") {
		t.Errorf("error %v", err)
	}
	for _, store := range []*memory{{}, {fail: errors.New("damaged")}} {
		d, _ := p.device(t, store)
		if _, err := d.Token(context.Background()); !errors.As(err, &e) || !e.Configuration() {
			t.Errorf("error %v, want a configuration fault", err)
		}
	}
}

// TestRefreshCannotBeStored still gives the access token, and a warning.
func TestRefreshCannotBeStored(t *testing.T) {
	t.Parallel()
	p := newPeer(t, saying(200, "application/json", delegated))
	store := &memory{token: NewSecret("refresh-one")}
	d, _ := p.device(t, &onceReadOnly{store})
	var warnings []error
	d.warn = func(err error) { warnings = append(warnings, err) }
	got, err := d.Token(context.Background())
	if err != nil || got.Access.Empty() || len(warnings) != 1 || !strings.Contains(warnings[0].Error(), "read-only") {
		t.Errorf("token %v, error %v, warnings %v", got, err, warnings)
	}
}

type onceReadOnly struct{ *memory }

func (*onceReadOnly) Save(context.Context, Secret) error { return errors.New("read-only file system") }

func TestNewDeviceCodeRefuses(t *testing.T) {
	t.Parallel()
	base := DeviceOptions{Tenant: "consumers", ClientID: testClient, Scope: "s", LoginHost: "login.microsoftonline.com",
		Store: &memory{}}
	d, err := NewDeviceCode(base)
	if err != nil || d.tokenURL != "https://login.microsoftonline.com/consumers/oauth2/v2.0/token" ||
		d.deviceURL != "https://login.microsoftonline.com/consumers/oauth2/v2.0/devicecode" {
		t.Errorf("consumers: %+v, %v", d, err)
	}
	for name, change := range map[string]func(*DeviceOptions){
		"common":       func(o *DeviceOptions) { o.Tenant = "common" },
		"no tenant":    func(o *DeviceOptions) { o.Tenant = "" },
		"no scope":     func(o *DeviceOptions) { o.Scope = "" },
		"no store":     func(o *DeviceOptions) { o.Store = nil },
		"no client":    func(o *DeviceOptions) { o.ClientID = "" },
		"no device":    func(o *DeviceOptions) { o.TokenURL = "https://x.y/other" },
		"plain device": func(o *DeviceOptions) { o.DeviceURL = "http://x.y/devicecode" },
	} {
		o := base
		change(&o)
		if _, err := NewDeviceCode(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
