package xoauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const identityReply = `{"access_token":"aaa.bbb.ccc","client_id":"c","expires_in":"86399","expires_on":"1795552199","not_before":"1795465500","resource":"https://outlook.office365.com","token_type":"Bearer"}`

// machine is an identity endpoint on loopback, and the environment beside it.
type machine struct {
	*httptest.Server
	mu    sync.Mutex
	seen  []string // method, path and query, and what matters of the header
	slept []time.Duration
}

func newMachine(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, n int)) *machine {
	t.Helper()
	m := &machine{}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		m.seen = append(m.seen, fmt.Sprintf("%s %s Metadata=%s Header=%s Authorization=%s",
			r.Method, r.URL, r.Header.Get("Metadata"), r.Header.Get("X-IDENTITY-HEADER"),
			r.Header.Get("Authorization")))
		n := len(m.seen)
		m.mu.Unlock()
		answer(w, r, n)
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *machine) identity(t *testing.T, o IdentityOptions) *ManagedIdentity {
	t.Helper()
	o.Scope = testScope
	o.Now = func() time.Time { return testNow }
	o.Sleep = func(_ context.Context, d time.Duration) error { m.slept = append(m.slept, d); return nil }
	i, err := NewManagedIdentity(o)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestManagedIdentityRequests(t *testing.T) {
	t.Parallel()
	ok := func(w http.ResponseWriter, _ *http.Request, _ int) { _, _ = io.WriteString(w, identityReply) }
	const resource = "resource=https%3A%2F%2Foutlook.office365.com"
	tests := []struct {
		name string
		o    func(base string) IdentityOptions
		kind string
		want string
	}{
		{"system", func(b string) IdentityOptions { return IdentityOptions{MetadataURL: b} }, IdentityIMDS,
			"GET /metadata/identity/oauth2/token?api-version=2018-02-01&" + resource +
				" Metadata=true Header= Authorization="},
		{"client", func(b string) IdentityOptions { return IdentityOptions{MetadataURL: b + "/", ClientID: "c"} },
			IdentityIMDS,
			"GET /metadata/identity/oauth2/token?api-version=2018-02-01&client_id=c&" + resource +
				" Metadata=true Header= Authorization="},
		{"object", func(b string) IdentityOptions { return IdentityOptions{MetadataURL: b, ObjectID: "o"} },
			IdentityIMDS,
			"GET /metadata/identity/oauth2/token?api-version=2018-02-01&object_id=o&" + resource +
				" Metadata=true Header= Authorization="},
		{"resource", func(b string) IdentityOptions { return IdentityOptions{MetadataURL: b, ResourceID: "/r"} },
			IdentityIMDS,
			"GET /metadata/identity/oauth2/token?api-version=2018-02-01&msi_res_id=%2Fr&" + resource +
				" Metadata=true Header= Authorization="},
		{"App Service", func(b string) IdentityOptions {
			return IdentityOptions{Getenv: env("IDENTITY_ENDPOINT", b+"/msi/token", "IDENTITY_HEADER", "hunter22"),
				ResourceID: "/r"}
		}, IdentityAppService,
			"GET /msi/token?api-version=2019-08-01&mi_res_id=%2Fr&" + resource +
				" Metadata= Header=hunter22 Authorization="},
	}
	for _, tt := range tests {
		m := newMachine(t, ok)
		i := m.identity(t, tt.o(m.URL))
		got, err := i.Token(context.Background())
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		want := Token{Access: NewSecret("aaa.bbb.ccc"), Obtained: testNow, Expiry: testNow.Add(86399 * time.Second),
			RefreshAt: testNow.Add(86399 * time.Second / 2)}
		if got != want || i.Kind() != tt.kind || len(m.seen) != 1 || m.seen[0] != tt.want {
			t.Errorf("%s: token %+v, kind %s, requests %q; want %+v, %s, %q", tt.name, got, i.Kind(), m.seen, want,
				tt.kind, tt.want)
		}
	}
}

func TestManagedIdentityDefault(t *testing.T) {
	t.Parallel()
	i, err := NewManagedIdentity(IdentityOptions{Scope: testScope})
	if err != nil || i.Kind() != IdentityIMDS || i.url.Host != "169.254.169.254" || i.url.Scheme != "http" {
		t.Errorf("without anything: %+v, %v", i, err)
	}
}

func TestManagedIdentityRefuses(t *testing.T) {
	t.Parallel()
	const local = "http://127.0.0.1:1/x"
	tests := []struct {
		name string
		o    IdentityOptions
		want string
	}{
		{"two ids", IdentityOptions{Scope: "s", ClientID: "a", ObjectID: "b"}, "not by two"},
		{"no scope", IdentityOptions{}, "no scope"},
		{"Service Fabric", IdentityOptions{Scope: "s",
			Getenv: env("IDENTITY_ENDPOINT", local, "IDENTITY_HEADER", "h", "IDENTITY_SERVER_THUMBPRINT", "t")},
			"Service Fabric"},
		{"Cloud Shell", IdentityOptions{Scope: "s", Getenv: env("MSI_ENDPOINT", local)}, "Cloud Shell"},
		{"Arc with an id", IdentityOptions{Scope: "s", ClientID: "a",
			Getenv: env("IDENTITY_ENDPOINT", local, "IMDS_ENDPOINT", "x")}, "no user-assigned identities"},
		{"Arc elsewhere", IdentityOptions{Scope: "s",
			Getenv: env("IDENTITY_ENDPOINT", "http://192.0.2.1/x", "IMDS_ENDPOINT", "x")}, "not on this machine"},
		{"no URL", IdentityOptions{Scope: "s", Getenv: env("IDENTITY_ENDPOINT", "file:///etc/passwd", "IDENTITY_HEADER",
			"h")}, "is not a URL"},
		{"password", IdentityOptions{Scope: "s", MetadataURL: "http://u:hunter22@x"}, "is not a URL"},
	}
	for _, tt := range tests {
		i, err := NewManagedIdentity(tt.o)
		if i != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, error %v; want %q in it", tt.name, i, err, tt.want)
			continue
		}
		checkLine(t, tt.name, err)
	}
}

// TestManagedIdentityRetries has the statuses that are worth asking again.
func TestManagedIdentityRetries(t *testing.T) {
	t.Parallel()
	doubling := []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second}
	tests := []struct {
		status    int
		body      string
		after     string
		slept     []time.Duration
		temporary bool
		want      string
	}{
		{404, "", "", doubling, true, "being updated"},
		{410, "", "", doubling, true, "being updated"},
		{429, "Too Many Requests", "", doubling, true, "too many"},
		{429, "", "5", []time.Duration{5 * time.Second, 5 * time.Second, 8 * time.Second, 16 * time.Second}, true,
			"too many"},
		{429, "", "3600", nil, true, "too many"},
		{500, "", "", doubling, true, "unavailable"},
		{503, "", "", doubling, true, "unavailable"},
		{400, `{"error":"invalid_request","error_description":"Identity not found"}`, "", nil, false,
			`no such managed identity (HTTP 400 invalid_request); az vm identity assign`},
		{400, `{"error":"invalid_resource","error_description":"AADSTS50001: The application named x was not found."}`,
			"", nil, false, "AADSTS50001"},
		{400, `{"error":"bad_request_102","error_description":"Required metadata header not specified"}`, "", nil,
			false, "no proxy stands before"},
		{401, `{"error":"unknown_source","error_description":"Unknown Source http://169.254.169.254"}`, "", nil, false,
			"does not know this machine"},
		{403, "", "", nil, false, "no such managed identity"},
	}
	for _, tt := range tests {
		m := newMachine(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			if tt.after != "" {
				w.Header().Set("Retry-After", tt.after)
			}
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.body)
		})
		_, err := m.identity(t, IdentityOptions{MetadataURL: m.URL}).Token(context.Background())
		var e *Error
		if !errors.As(err, &e) || e.Status != tt.status || e.Temporary() != tt.temporary ||
			!strings.Contains(err.Error(), tt.want) {
			t.Errorf("HTTP %d %.30s: error %v, want %q, temporary %v", tt.status, tt.body, err, tt.want, tt.temporary)
			continue
		}
		checkLine(t, tt.body, err)
		if fmt.Sprint(m.slept) != fmt.Sprint(tt.slept) || len(m.seen) != len(tt.slept)+1 {
			t.Errorf("HTTP %d: %d requests, slept %v; want %v", tt.status, len(m.seen), m.slept, tt.slept)
		}
	}
}

func TestManagedIdentityRecovers(t *testing.T) {
	t.Parallel()
	answer := func(w http.ResponseWriter, _ *http.Request, n int) {
		if n < 3 {
			w.WriteHeader(410)
			return
		}
		_, _ = io.WriteString(w, identityReply)
	}
	m := newMachine(t, answer)
	if _, err := m.identity(t, IdentityOptions{MetadataURL: m.URL}).Token(context.Background()); err != nil ||
		len(m.seen) != 3 {
		t.Errorf("%d requests, %v", len(m.seen), err)
	}
	// No time to wait: the first answer stands.
	m = newMachine(t, answer)
	i := m.identity(t, IdentityOptions{MetadataURL: m.URL})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	deadline, _ := ctx.Deadline()
	i.now = func() time.Time { return deadline.Add(-time.Second) }
	if _, err := i.Token(ctx); err == nil || len(m.slept) != 0 || len(m.seen) != 1 {
		t.Errorf("near the deadline: %d requests, slept %v, error %v", len(m.seen), m.slept, err)
	}
	// Interrupted while waiting.
	i = m.identity(t, IdentityOptions{MetadataURL: m.URL})
	i.sleep = func(context.Context, time.Duration) error { return context.Canceled }
	m.seen = nil
	if _, err := i.Token(context.Background()); err == nil || len(m.seen) != 1 {
		t.Errorf("interrupted: %d requests, error %v", len(m.seen), err)
	}
}

func TestManagedIdentityUnreachable(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nil)
	m.Close()
	_, err := m.identity(t, IdentityOptions{MetadataURL: m.URL}).Token(context.Background())
	var e *Error
	if !errors.As(err, &e) || !e.Temporary() || !strings.Contains(err.Error(), "runs on Azure") || len(m.slept) != 0 {
		t.Errorf("error %v, slept %v", err, m.slept)
	}
}

func TestAppServiceEchoesItsHeader(t *testing.T) {
	t.Parallel()
	m := newMachine(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.WriteHeader(401)
		_, _ = io.WriteString(w, `{"error":"unauthorized","error_description":"bad header hunter22"}`)
	})
	_, err := m.identity(t, IdentityOptions{Getenv: env("IDENTITY_ENDPOINT", m.URL, "IDENTITY_HEADER",
		"hunter22")}).Token(context.Background())
	if err == nil {
		t.Fatal("no error")
	}
	checkLine(t, "App Service", err)
}

func TestAzureArc(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(path, text string, mode os.FileMode) string {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write(filepath.Join(dir, "a.key"), "keymaterial\n", 0o600)
	link := filepath.Join(dir, "link.key")
	if err := os.Symlink(good, link); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, challenge, want string }{
		{"good", "Basic realm=" + good, ""},
		{"quoted", `Basic realm="` + good + `"`, ""},
		{"no challenge", "", "names no file"},
		{"another scheme", "Bearer realm=" + good, "names no file"},
		{"elsewhere", "Basic realm=" + write(filepath.Join(t.TempDir(), "b.key"), "x", 0o600), "which is not in"},
		{"below", "Basic realm=" + write(filepath.Join(dir, "sub", "c.key"), "x", 0o600), "which is not in"},
		{"dots", "Basic realm=" + filepath.Join(dir, "sub") + "/../a.key", "which is not in"},
		{"relative", "Basic realm=a.key", "which is not in"},
		{"another ending", "Basic realm=" + write(filepath.Join(dir, "shadow"), "x", 0o600), "which is not in"},
		{"control characters", "Basic realm=/x/\tb.key", "which is not in"},
		{"link", "Basic realm=" + link, "not a regular file"},
		{"too big", "Basic realm=" + write(filepath.Join(dir, "big.key"), strings.Repeat("k", maxArcKey+1), 0o600),
			"more than 4096 bytes"},
		{"missing", "Basic realm=" + filepath.Join(dir, "none.key"), "no such file"},
	}
	for _, tt := range tests {
		m := newMachine(t, func(w http.ResponseWriter, r *http.Request, _ int) {
			if r.Header.Get("Authorization") == "Basic keymaterial" {
				_, _ = io.WriteString(w, identityReply)
				return
			}
			w.Header().Set("WWW-Authenticate", tt.challenge)
			w.WriteHeader(401)
		})
		i := m.identity(t, IdentityOptions{Getenv: env("IDENTITY_ENDPOINT", m.URL+"/metadata/identity/oauth2/token",
			"IMDS_ENDPOINT", m.URL), ArcKeyDir: dir})
		_, err := i.Token(context.Background())
		if tt.want == "" {
			const first = "GET /metadata/identity/oauth2/token?api-version=2020-06-01&resource=https%3A%2F%2Foutlook.office365.com Metadata=true Header= Authorization="
			if err != nil || len(m.seen) != 2 || m.seen[0] != first || m.seen[1] != first+"Basic keymaterial" ||
				i.Kind() != IdentityArc {
				t.Errorf("%s: error %v, kind %s, requests %q", tt.name, err, i.Kind(), m.seen)
			}
			continue
		}
		var e *Error
		if !errors.As(err, &e) || !e.Configuration() || !strings.Contains(err.Error(), tt.want) || len(m.seen) != 1 {
			t.Errorf("%s: error %v after %d requests, want %q", tt.name, err, len(m.seen), tt.want)
			continue
		}
		checkLine(t, tt.name, err)
	}
}

// TestAzureArcRefusesTheKey has an agent that echoes the key in its refusal.
func TestAzureArcRefusesTheKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := filepath.Join(dir, "a.key")
	if err := os.WriteFile(key, []byte("hunter22"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := newMachine(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		w.Header().Set("WWW-Authenticate", "Basic realm="+key)
		w.WriteHeader(401)
		_, _ = io.WriteString(w, "refused "+r.Header.Get("Authorization"))
	})
	_, err := m.identity(t, IdentityOptions{Getenv: env("IDENTITY_ENDPOINT", m.URL, "IMDS_ENDPOINT", m.URL),
		ArcKeyDir: dir}).Token(context.Background())
	if err == nil || len(m.seen) != 2 {
		t.Errorf("%d requests, error %v", len(m.seen), err)
	}
	checkLine(t, "Arc", err)
}

func TestIdentityFingerprints(t *testing.T) {
	t.Parallel()
	a, _ := NewManagedIdentity(IdentityOptions{Scope: testScope})
	b, _ := NewManagedIdentity(IdentityOptions{Scope: testScope, ClientID: "c"})
	if a.Fingerprint() == b.Fingerprint() || len(a.Fingerprint()) != 32 {
		t.Errorf("fingerprints %s, %s", a.Fingerprint(), b.Fingerprint())
	}
}
