package xoauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	testTenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	testClient = "11112222-bbbb-3333-cccc-4444dddd5555"
	testSecret = "Xyz8Q~planted+secret/value&1"
	testScope  = "https://outlook.office365.com/.default"
)

var testNow = time.Date(2026, 11, 23, 20, 30, 0, 0, time.UTC)

// peer is a token endpoint on loopback that answers as it is told.
type peer struct {
	*httptest.Server
	mu    sync.Mutex
	forms []url.Values
}

// newPeer serves answer, which gets the request's form.
func newPeer(t *testing.T, answer func(w http.ResponseWriter, form url.Values)) *peer {
	t.Helper()
	p := &peer{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, err := url.ParseQuery(string(body))
		if err != nil || r.Method != "POST" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("request %s %s, form %v", r.Method, r.Header.Get("Content-Type"), err)
		}
		p.mu.Lock()
		p.forms = append(p.forms, form)
		p.mu.Unlock()
		answer(w, form)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *peer) seen() []url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.forms
}

// saying answers every request alike.
func saying(status int, contentType, body string) func(http.ResponseWriter, url.Values) {
	return func(w http.ResponseWriter, _ url.Values) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func (p *peer) source(t *testing.T, c Credential) *Source {
	t.Helper()
	s, err := New(Options{
		Tenant: testTenant, ClientID: testClient, Scope: testScope, TokenURL: p.URL + "/" + testTenant +
			"/oauth2/v2.0/token",
		Credential: c, HTTPClient: testHTTPClient(t), Now: func() time.Time { return testNow },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func testHTTPClient(t *testing.T) *http.Client {
	t.Helper()
	c, err := NewHTTPClient(HTTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const goodReply = `{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"refresh_in":1800,"access_token":"eyJ0eXAiOiJKV1QiLCJub25jZSI6.e30.c2ln"}`

func TestSourceToken(t *testing.T) {
	t.Parallel()
	p := newPeer(t, saying(200, "application/json; charset=utf-8", goodReply))
	got, err := p.source(t, ClientSecret(NewSecret(testSecret))).Token(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := Token{
		Access:   NewSecret("eyJ0eXAiOiJKV1QiLCJub25jZSI6.e30.c2ln"),
		Obtained: testNow, Expiry: testNow.Add(3599 * time.Second), RefreshAt: testNow.Add(1800 * time.Second),
	}
	if got != want {
		t.Errorf("token = %+v, want %+v", got, want)
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {testClient}, "client_secret": {testSecret},
		"scope": {testScope},
	}
	if seen := p.seen(); len(seen) != 1 || seen[0].Encode() != form.Encode() {
		t.Errorf("forms = %v, want one %v", seen, form)
	}
}

// TestSourceTakesTheTimeBefore makes the server slow by moving the clock.
func TestSourceTakesTheTimeBefore(t *testing.T) {
	t.Parallel()
	var late atomic.Int64
	p := newPeer(t, func(w http.ResponseWriter, form url.Values) {
		late.Add(int64(20 * time.Second))
		saying(200, "application/json", goodReply)(w, form)
	})
	s := p.source(t, ClientSecret(NewSecret(testSecret)))
	s.now = func() time.Time { return testNow.Add(time.Duration(late.Load())) }
	got, err := s.Token(context.Background())
	if err != nil || !got.Obtained.Equal(testNow) {
		t.Errorf("obtained %v, %v; want the time before the request, %v", got.Obtained, err, testNow)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"common", func(o *Options) { o.Tenant = "common" }, `"common" stands for many tenants`},
		{"organizations", func(o *Options) { o.Tenant = "Organizations" }, "stands for many tenants"},
		{"consumers", func(o *Options) { o.Tenant = "consumers" }, "stands for many tenants"},
		{"no tenant", func(o *Options) { o.Tenant = "" }, "the tenant is missing"},
		{"GUID with a typo", func(o *Options) { o.Tenant = testTenant[1:] }, "neither a GUID nor a domain"},
		{"path in tenant", func(o *Options) { o.Tenant = "a.b/../c.d" }, "neither a GUID nor a domain"},
		{"escape in tenant", func(o *Options) { o.Tenant = "\x1b[2J.com" }, `"[2J.com"`},
		{"no client", func(o *Options) { o.ClientID = "" }, "client ID"},
		{"control in client", func(o *Options) { o.ClientID = "a\nb" }, "client ID"},
		{"no scope", func(o *Options) { o.Scope = "" }, "no scope"},
		{"no credential", func(o *Options) { o.Credential = nil }, "no credential"},
		{"no login host", func(o *Options) { o.LoginHost = "" }, "login host"},
		{"login host with a path", func(o *Options) { o.LoginHost = "a.b/c" }, "login host"},
		{"plain http", func(o *Options) { o.TokenURL = "http://login.example.com/t" }, "unencrypted"},
		{"password in URL", func(o *Options) { o.TokenURL = "https://u:hunter22@login.example.com/t" },
			"[redacted]@login"},
		{"no URL", func(o *Options) { o.TokenURL = "login.example.com" }, "not a URL"},
	}
	for _, tt := range tests {
		o := Options{
			Tenant: "contoso.onmicrosoft.com", ClientID: testClient, Scope: testScope,
			LoginHost: "login.microsoftonline.com", Credential: ClientSecret(NewSecret("x")),
		}
		tt.change(&o)
		_, err := New(o)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q in it", tt.name, err, tt.want)
		} else {
			checkLine(t, tt.name, err)
		}
	}
}

func TestNewMakesTheURL(t *testing.T) {
	t.Parallel()
	s, err := New(Options{
		Tenant: "contoso.com", ClientID: testClient, Scope: testScope,
		LoginHost: "login.microsoftonline.us", Credential: ClientSecret(NewSecret("x")),
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "https://login.microsoftonline.us/contoso.com/oauth2/v2.0/token"; s.tokenURL != want {
		t.Errorf("token URL %q, want %q", s.tokenURL, want)
	}
}

// checkLine fails unless an error is one printable line of bearable length.
func checkLine(t *testing.T, name string, err error) {
	t.Helper()
	s := err.Error()
	if clean(s, len(s)+8) != s || len(s) > 2000 {
		t.Errorf("%s: error is not one clean line: %q", name, s)
	}
	for _, secret := range []string{testSecret, url.QueryEscape(testSecret), "hunter22", "eyJ0eXAiOiJKV1Qi"} {
		if strings.Contains(fmt.Sprintf("%v %+v", err, err), secret) {
			t.Errorf("%s: error shows a secret: %q", name, s)
		}
	}
}

// tokenError asks the peer for a token and returns its error.
func tokenError(t *testing.T, name string, p *peer) *Error {
	t.Helper()
	got, err := p.source(t, ClientSecret(NewSecret(testSecret))).Token(context.Background())
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%s: token %v, error %v; want an *Error", name, got, err)
	}
	if got != (Token{}) {
		t.Errorf("%s: a token with the error", name)
	}
	checkLine(t, name, err)
	if e.Temporary() == e.Configuration() {
		t.Errorf("%s: temporary and configuration are both %v", name, e.Temporary())
	}
	return e
}

func TestUnusableGrants(t *testing.T) {
	t.Parallel()
	grant := func(token, kind, life string) string {
		return fmt.Sprintf(`{"access_token":%q,"token_type":%q,"expires_in":%s}`, token, kind, life)
	}
	tests := []struct{ name, body, want string }{
		{"empty", "", "the reply is empty"},
		{"HTML", "<html><title>Welcome</title></html>", "a proxy or captive portal has answered"},
		{"truncated", goodReply[:60], "not a whole JSON object"},
		{"an array", "[]", "not a whole JSON object"},
		{"null", "null", "not a whole JSON object"},
		{"no token", `{"token_type":"Bearer","expires_in":3599}`, "no access_token"},
		{"token a number", `{"access_token":5,"token_type":"Bearer","expires_in":3599}`, "no access_token"},
		{"line feed in the token", grant("abc\nRCPT TO:<x>", "Bearer", "3599"), "byte 0x0a"},
		{"0x01 in the token", `{"access_token":"a\u0001b","token_type":"Bearer","expires_in":3599}`, "byte 0x01"},
		{"space in the token", grant("a b", "Bearer", "3599"), "byte 0x20"},
		{"big token", grant(strings.Repeat("a", maxToken+1), "Bearer", "3599"), "more than 65536"},
		{"big reply", grant(strings.Repeat("a", maxReply), "Bearer", "3599"), "more than 262144 bytes"},
		{"proof of possession", grant("abc", "pop", "3599"), "not Bearer"},
		{"no type", `{"access_token":"abc","expires_in":3599}`, "not Bearer"},
		{"no lifetime", `{"access_token":"abc","token_type":"Bearer"}`, "no expires_in"},
		{"lifetime null", grant("abc", "Bearer", "null"), "no expires_in"},
		{"lifetime a word", grant("abc", "Bearer", `"soon"`), "no expires_in"},
		{"lifetime NaN", grant("abc", "Bearer", `"NaN"`), "no expires_in"},
		{"lifetime 0", grant("abc", "Bearer", "0"), "the lifetime of 0s"},
		{"lifetime negative", grant("abc", "Bearer", "-5"), "the lifetime of -5s"},
		{"a week", grant("abc", "Bearer", "604800"), "the lifetime of 168h0m0s"},
		{"no int64", grant("abc", "Bearer", "1e300"), "no expires_in"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := tokenError(t, tt.name, newPeer(t, saying(200, "application/json", tt.body)))
			if !strings.Contains(e.Error(), tt.want) || e.Status != 200 || !e.Temporary() {
				t.Errorf("error %q, status %d, temporary %v; want %q, 200, true", e.Error(), e.Status, e.Temporary(),
					tt.want)
			}
		})
	}
}

func TestUsableGrants(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		life       time.Duration
		refresh    time.Duration
	}{
		{"strings", `{"access_token":"abc","token_type":"bearer","expires_in":"86399"}`, 86399 * time.Second, 0},
		{"fraction", `{"access_token":"abc","token_type":"Bearer","expires_in":3599.9}`, 3599 * time.Second, 0},
		{"byte order mark", "\xef\xbb\xbf" + `{"access_token":"abc","token_type":"Bearer","expires_in":3599}`,
			3599 * time.Second, 0},
		{"refresh_in too late", `{"access_token":"abc","token_type":"Bearer","expires_in":600,"refresh_in":600}`,
			600 * time.Second, 0},
		{"refresh_in negative", `{"access_token":"abc","token_type":"Bearer","expires_in":600,"refresh_in":-1}`,
			600 * time.Second, 0},
		{"refresh_in a word", `{"access_token":"abc","token_type":"Bearer","expires_in":600,"refresh_in":"x"}`,
			600 * time.Second, 0},
		{"refresh_in a string", `{"access_token":"abc","token_type":"Bearer","expires_in":600,"refresh_in":"300"}`,
			600 * time.Second, 300 * time.Second},
		{"expires_on", fmt.Sprintf(`{"access_token":"abc","token_type":"Bearer","expires_on":"%d"}`,
			testNow.Unix()+1000), 1000 * time.Second, 0},
		{"token of 64 KiB", `{"access_token":"` + strings.Repeat("a", maxToken) +
			`","token_type":"Bearer","expires_in":60}`, time.Minute, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, saying(200, "application/json", tt.body))
			got, err := p.source(t, ClientSecret(NewSecret(testSecret))).Token(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			var refreshAt time.Time
			if tt.refresh > 0 {
				refreshAt = testNow.Add(tt.refresh)
			}
			if !got.Expiry.Equal(testNow.Add(tt.life)) || got.RefreshAt != refreshAt {
				t.Errorf("expiry %v, refresh %v; want %v, %v", got.Expiry, got.RefreshAt, testNow.Add(tt.life),
					refreshAt)
			}
		})
	}
}
