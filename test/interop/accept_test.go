//go:build interop

package interop

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"o365-sendmail/xoauth"
)

// TestCertificateIsAccepted: the server verifies the signature, finds the
// certificate by its thumbprint and accepts the token URL as audience. Two tokens
// in a row take two assertions, as it accepts none twice.
func TestCertificateIsAccepted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, clientID, algorithm string
		pair                      pair
	}{
		{"PS256", certClient, "PS256", current()},
		{"RS256", certClient, "RS256", current()},
		{"PS256, previous of two", rolledClient, "PS256", previous()},
		{"PS256, current of two", rolledClient, "PS256", current()},
		{"RS256, previous of two", rolledClient, "RS256", previous()},
		{"RS256, current of two", rolledClient, "RS256", current()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRequest(t, c.clientID, c.pair.credential(t, c.algorithm), nil)
			first := checkToken(t, r)
			if second := checkToken(t, r); second == first {
				t.Error("the server gave the same token twice")
			}
		})
	}
}

// TestSecretIsAccepted: the form's escaping survives every awkward character.
func TestSecretIsAccepted(t *testing.T) {
	t.Parallel()
	checkToken(t, newRequest(t, secretClient, xoauth.ClientSecret(xoauth.NewSecret(secret)), nil))
}

// TestAssertionFileIsAccepted covers what federation has in common with standard
// private_key_jwt: the assertion comes out of a file that somebody else renews.
// The package comment says what it can't cover.
func TestAssertionFileIsAccepted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "assertion")
	r := newRequest(t, certClient, xoauth.FederatedFile(path), nil)
	for range 2 { // it is read again for each request
		writeAssertion(t, path, tokenURL, certClient)
		checkToken(t, r)
	}
}

// writeAssertion puts a fresh assertion into a file, with a newline as editors do.
func writeAssertion(t *testing.T, path, audience, clientID string) {
	t.Helper()
	params, err := current().credential(t, "").Params(t.Context(), audience, clientID, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(params.Get("client_assertion")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// checkToken asks for a token, which must be as the server was told to make it.
func checkToken(t *testing.T, r *request) string {
	t.Helper()
	before := time.Now()
	token, err := r.Token(t.Context())
	if err != nil {
		t.Fatalf("%v; the server's reason: %q", err, r.detail)
	}
	if d := token.Expiry.Sub(token.Obtained); d != lifetime {
		t.Errorf("the token lives %v, want %v", d, lifetime)
	}
	if d := token.Obtained.Sub(before); d < -time.Second || d > 10*time.Second {
		t.Errorf("obtained %v after the request", d)
	}
	claims, err := xoauth.ParseClaims(token.Access)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(claims.Aud, []string{audience}) || claims.Iss+"/token" != tokenURL || !claims.Application() {
		t.Errorf("claims: %+v", claims)
	}
	if d := claims.Exp.Sub(token.Expiry); d.Abs() > 10*time.Second {
		t.Errorf("exp differs from expires_in by %v", d)
	}
	return token.Access.Reveal()
}
