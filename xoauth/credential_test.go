package xoauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestFingerprints(t *testing.T) {
	t.Parallel()
	cert, err := Certificate(CertificateOptions{Certificate: fixture(t, "rsa.crt"), Key: fixture(t, "rsa-pkcs1.key")})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for name, c := range map[string]Credential{
		"secret": ClientSecret(NewSecret(testSecret)), "other secret": ClientSecret(NewSecret("other")),
		"no secret":   ClientSecret(Secret{}),
		"pair":        TwoSecrets(NewSecret("ab"), NewSecret("c")),
		"other pair":  TwoSecrets(NewSecret("a"), NewSecret("bc")),
		"certificate": cert, "file": FederatedFile("/a"), "other file": FederatedFile("/b"),
	} {
		f := c.Fingerprint()
		if len(f) != 32 || strings.Trim(f, "0123456789abcdef") != "" {
			t.Errorf("%s: fingerprint %q is not 32 hex digits", name, f)
		}
		if seen[f] != "" {
			t.Errorf("%s and %s have the same fingerprint", name, seen[f])
		}
		seen[f] = name
		if f != c.Fingerprint() {
			t.Errorf("%s: the fingerprint changes", name)
		}
		if s := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(s, testSecret) {
			t.Errorf("%s: printing shows the secret: %s", name, s)
		}
	}
	if TwoSecrets(NewSecret("a"), Secret{}).Fingerprint() != ClientSecret(NewSecret("a")).Fingerprint() {
		t.Error("a pair with an empty second secret is not the first alone")
	}
}

// TestTwoSecrets follows a roll-over: which secrets the server takes, what is sent.
func TestTwoSecrets(t *testing.T) {
	t.Parallel()
	const one, two = "secret-one", "secret-two"
	tests := []struct {
		name   string
		valid  string
		status int
		reply  string
		want   []string // secrets sent in two calls of Token
		fails  bool
	}{
		{"first works", one, 401, entraReply("invalid_client", 7000215, "x", " "), []string{one, one}, false},
		{"first wrong", two, 401, entraReply("invalid_client", 7000215, "x", " "), []string{one, two, two}, false},
		{"first expired", two, 401, entraReply("invalid_client", 7000222, "x", " "), []string{one, two, two}, false},
		{"both refused", "", 401, entraReply("invalid_client", 7000215, "x", " "), []string{one, two, two, one}, true},
		{"another reason", two, 400, entraReply("unauthorized_client", 700016, "x", " "), []string{one, one}, true},
		{"another number", two, 401, entraReply("invalid_client", 7000229, "x", " "), []string{one, one}, true},
		{"throttled", two, 429, "Too Many Requests", []string{one, one}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, func(w http.ResponseWriter, form url.Values) {
				if form.Get("client_secret") == tt.valid {
					saying(200, "application/json", goodReply)(w, form)
					return
				}
				saying(tt.status, "application/json", tt.reply)(w, form)
			})
			s := p.source(t, TwoSecrets(NewSecret(one), NewSecret(two)))
			for range 2 {
				if _, err := s.Token(context.Background()); (err != nil) != tt.fails {
					t.Errorf("error %v", err)
				}
			}
			var sent []string
			for _, form := range p.seen() {
				sent = append(sent, form.Get("client_secret"))
			}
			if fmt.Sprint(sent) != fmt.Sprint(tt.want) {
				t.Errorf("sent %q, want %q", sent, tt.want)
			}
		})
	}
}

// TestTwoSecretsTogether has many callers go over to the second secret at once.
func TestTwoSecretsTogether(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func(w http.ResponseWriter, form url.Values) {
		if form.Get("client_secret") == "secret-two" {
			saying(200, "application/json", goodReply)(w, form)
			return
		}
		saying(401, "application/json", entraReply("invalid_client", 7000222, "x", " "))(w, form)
	})
	s := p.source(t, TwoSecrets(NewSecret("secret-one"), NewSecret("secret-two")))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := s.Token(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestBothSecretsRefused(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func(w http.ResponseWriter, form url.Values) {
		number := 7000222
		if form.Get("client_secret") == "secret-two" {
			number = 7000215
		}
		saying(401, "application/json", entraReply("invalid_client", number, "x", " "))(w, form)
	})
	_, err := p.source(t, TwoSecrets(NewSecret("secret-one"), NewSecret("secret-two"))).Token(context.Background())
	var e *Error
	if !errors.As(err, &e) || e.AADSTS != 7000215 ||
		!strings.Contains(err.Error(), "and before with the other credential: the client secret has expired (HTTP "+
			"401 invalid_client, AADSTS7000222") {
		t.Errorf("error %v, want both refusals", err)
	}
	checkLine(t, "both", err)
}

func TestFederatedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	p := newPeer(t, saying(200, "application/json", goodReply))
	s := p.source(t, FederatedFile(path))
	for _, token := range []string{"aaa.bbb.ccc", "ddd.eee.fff\n", "\ufeffggg.hhh.iii\r\n"} {
		if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Token(context.Background()); err != nil {
			t.Fatal(err)
		}
		forms := p.seen()
		if got := forms[len(forms)-1].Get("client_assertion"); got != strings.Trim(token, "\ufeff\r\n") {
			t.Errorf("sent %q, want %q", got, token)
		}
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, contents, want string }{
		{path, "", "does not hold one JWT"},
		{path, "\xff\xfea\x00.\x00b\x00.\x00c\x00", "is in UTF-16: save it as UTF-8"},
		{path, "only.two", "does not hold one JWT"},
		{path, "a.b.c\nd.e.f", "does not hold one JWT"},
		{path, strings.Repeat("a", maxToken+1), "more than 65536 bytes"},
		{filepath.Join(t.TempDir(), "missing"), "-", "no such file"},
		{t.TempDir(), "-", "not a regular file"},
		{fifo, "-", "not a regular file"},
	} {
		if tt.contents != "-" {
			if err := os.WriteFile(tt.path, []byte(tt.contents), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := p.source(t, FederatedFile(tt.path)).Token(context.Background())
		var e *Error
		if !errors.As(err, &e) || !e.Configuration() || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.20q: error %v, want a configuration fault with %q", tt.contents, err, tt.want)
			continue
		}
		checkLine(t, tt.want, err)
	}
}

func TestFederationFromEnvironment(t *testing.T) {
	t.Parallel()
	tests := []struct {
		env  map[string]string
		want Federation
		err  string
	}{
		{map[string]string{"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_FEDERATED_TOKEN_FILE": "/f",
			"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us/"},
			Federation{"t", "c", "/f", "login.microsoftonline.us"}, ""},
		{map[string]string{"AZURE_FEDERATED_TOKEN_FILE": "/f"}, Federation{"", "", "/f", ""}, ""},
		{map[string]string{"AZURE_TENANT_ID": "t"}, Federation{}, "AZURE_FEDERATED_TOKEN_FILE is not set"},
		{map[string]string{"AZURE_FEDERATED_TOKEN_FILE": "/f",
			"AZURE_AUTHORITY_HOST": "http://login.microsoftonline.com"}, Federation{}, "it must be like"},
		{map[string]string{"AZURE_FEDERATED_TOKEN_FILE": "/f", "AZURE_AUTHORITY_HOST": "https://a.b/c"}, Federation{},
			"it must be like"},
		{map[string]string{"AZURE_FEDERATED_TOKEN_FILE": "/f", "AZURE_AUTHORITY_HOST": "https://hunter22@a.b/"},
			Federation{}, "it must be like"},
	}
	for _, tt := range tests {
		got, err := FederationFromEnvironment(func(k string) string { return tt.env[k] })
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%v: %+v, %v; want %+v, %q", tt.env, got, err, tt.want, tt.err)
		}
		if err != nil {
			checkLine(t, "environment", err)
		}
	}
	if f := (Federation{TokenFile: "/f"}); f.Credential().Fingerprint() != FederatedFile("/f").Fingerprint() {
		t.Error("Credential is not the token file")
	}
}
