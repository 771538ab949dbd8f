//go:build interop

package interop

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/xoauth"
)

// toOther is a credential whose assertions are for another audience.
type toOther struct {
	xoauth.Credential
	audience string
}

func (c toOther) Params(ctx context.Context, _, clientID string, now time.Time) (url.Values, error) {
	return c.Credential.Params(ctx, c.audience, clientID, now)
}

// TestRefusals: the server refuses what it must, for the reason meant, and its
// replies become an error that says what happened and what to do.
func TestRefusals(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) func(*xoauth.Options) {
		return func(o *xoauth.Options) { o.Now = func() time.Time { return time.Now().Add(d) } }
	}
	const (
		refused = "Entra does not accept the credential (HTTP 401 invalid_client); check the secret or certificate: " +
			"... the reply says \"client authentication failed\""
		unheard = "Entra does not understand the request (HTTP 400 invalid_request); check the tenant, ... " +
			"the reply says "
	)
	for _, c := range []struct {
		name       string
		clientID   string
		credential xoauth.Credential
		change     func(*xoauth.Options)
		detail     string // of the server
		status     int
		code, text string // "... " stands for any text
	}{
		{"another key", certClient, previous().credential(t, "PS256"), nil, "signature verification failed", 401,
			"invalid_client", refused},
		{"another key, RS256", certClient, previous().credential(t, "RS256"), nil, "signature verification failed", 401,
			"invalid_client", refused},
		{"another audience", certClient, toOther{current().credential(t, ""), "https://login.example/token"}, nil,
			"audience (aud) must equal", 401, "invalid_client", refused},
		{"slow clock", certClient, current().credential(t, ""), at(-time.Hour), "jwt expired", 401, "invalid_client",
			refused},
		{"fast clock", certClient, current().credential(t, ""), at(time.Hour), "jwt not active yet", 401,
			"invalid_client", refused},
		{"unknown client", nobodyClient, current().credential(t, ""), nil, "client not found", 401, "invalid_client",
			refused},
		{"wrong secret", secretClient, xoauth.ClientSecret(xoauth.NewSecret("guessed-" + secret)), nil,
			"invalid secret provided", 401, "invalid_client", refused},
		{"secret for certificate", certClient, xoauth.ClientSecret(xoauth.NewSecret(secret)), nil,
			"does not match the registered", 401, "invalid_client", refused},
		{"certificate for secret", secretClient, current().credential(t, ""), nil, "does not match the registered", 401,
			"invalid_client", refused},
		{"another issuer's token", certClient, foreignFile(t, certClient), nil,
			"iss (JWT issuer) must be the client_id", 401, "invalid_client", refused},
		{"another issuer's token and subject", certClient, foreignFile(t, "system:serviceaccount:mail:sendmail"), nil,
			"", 400, "invalid_request", unheard + `"subject of client_assertion must be the same as client_id`},
		{"another scope", certClient, current().credential(t, ""), func(o *xoauth.Options) { o.Scope = otherScope }, "",
			400, "invalid_scope", "the scope is wrong (HTTP 400 invalid_scope); use the cloud's ... the reply says "},
		{"another grant", personClient, current().credential(t, ""), nil, "", 400, "invalid_request", unheard +
			`"requested grant type is not allowed for this client"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRequest(t, c.clientID, c.credential, c.change)
			e := checkRefused(t, r)
			if e.Status != c.status || e.Code != c.code || e.Description == "" || !inOrder(e.Error(), c.text) {
				t.Errorf("got HTTP %d, code %q, description %q, text:\n%s\nwant HTTP %d, code %q, text with:\n%s",
					e.Status, e.Code, e.Description, e.Error(), c.status, c.code, c.text)
			}
			if !strings.Contains(r.detail, c.detail) {
				t.Errorf("the server's reason is %q, want %q", r.detail, c.detail)
			}
		})
	}
}

// inOrder reports whether the parts of want, which "... " divides, stand in a text one behind the other.
func inOrder(text, want string) bool {
	for part := range strings.SplitSeq(want, "... ") {
		_, rest, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text = rest
	}
	return true
}

// TestClockSkew: an Error says how far the server's clock is from ours.
func TestClockSkew(t *testing.T) {
	t.Parallel()
	r := newRequest(t, certClient, current().credential(t, ""), func(o *xoauth.Options) {
		o.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	})
	if e := checkRefused(t, r); (e.ClockSkew - time.Hour).Abs() > 10*time.Second {
		t.Errorf("the clock is said to be off by %v, want 1h", e.ClockSkew)
	}
}

// TestAssertionIsGoodOnce: the server knows an assertion by its jti and refuses
// it the second time.
func TestAssertionIsGoodOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "assertion")
	writeAssertion(t, path, tokenURL, certClient)
	r := newRequest(t, certClient, xoauth.FederatedFile(path), nil)
	checkToken(t, r)
	checkRefused(t, r)
	if !strings.Contains(r.detail, "must only be used once") {
		t.Errorf("the server's reason is %q", r.detail)
	}
}

// checkRefused asks for a token that must be refused for good, in one line that
// gives no credential away.
func checkRefused(t *testing.T, r *request) *xoauth.Error {
	t.Helper()
	token, err := r.Token(t.Context())
	var e *xoauth.Error
	if !errors.As(err, &e) || !token.Access.Empty() {
		t.Fatalf("got the error %v, want an *xoauth.Error and no token", err)
	}
	if e.Temporary() || !e.Configuration() || e.Advice() == "" || e.AADSTS != 0 {
		t.Errorf("temporary %v, configuration %v, advice %q, AADSTS%d", e.Temporary(), e.Configuration(), e.Advice(),
			e.AADSTS)
	}
	line := err.Error()
	if strings.ContainsAny(line, "\r\n") || strings.Contains(line, "eyJ") || strings.Contains(line, secret) {
		t.Errorf("the error is not one line without credentials: %q", line)
	}
	return e
}

// foreignFile is a file with the token of another issuer, such as Kubernetes
// gives to a pod, signed with a key that the server knows.
func foreignFile(t *testing.T, subject string) xoauth.Credential {
	t.Helper()
	now := time.Now()
	part := func(v map[string]any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(data)
	}
	sum := sha256.Sum256(current().cert)
	signed := part(map[string]any{"alg": "RS256", "typ": "JWT",
		"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}) + "." +
		part(map[string]any{
			"iss": "https://cluster.example", "sub": subject, "aud": []string{tokenURL}, "jti": rand.Text(),
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
		})
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, current().key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(signed+"."+base64.RawURLEncoding.EncodeToString(signature)),
		0o600); err != nil {
		t.Fatal(err)
	}
	return xoauth.FederatedFile(path)
}
