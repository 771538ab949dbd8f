package xoauth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"sync"
	"time"
)

// Credential proves to Entra who the application is.
type Credential interface {
	// Fingerprint tells credentials apart without giving one away: the hex of a
	// hash, fit for a file name.
	Fingerprint() string
	// Params returns the form fields that a token request carries for it.
	// An error says what is wrong on this side.
	Params(ctx context.Context, tokenURL, clientID string, now time.Time) (url.Values, error)
}

// alternative is a credential with more than one value. refused hears which fields
// were refused and how, and reports whether another try with others makes sense.
type alternative interface {
	refused(params url.Values, e *Error) bool
}

// fingerprint hashes parts, each with its length, so that no two lists collide.
func fingerprint(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		var n [4]byte
		for i := range n {
			n[i] = byte(len(p) >> (8 * i))
		}
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

type clientSecret struct{ secret Secret }

// ClientSecret is the Value of a client secret.
func ClientSecret(s Secret) Credential { return clientSecret{s} }

func (c clientSecret) Fingerprint() string { return fingerprint("secret", c.secret.Reveal()) }

func (c clientSecret) Params(context.Context, string, string, time.Time) (url.Values, error) {
	return url.Values{"client_secret": {c.secret.Reveal()}}, nil
}

// twoSecrets tries one secret and then the other.
type twoSecrets struct {
	secrets [2]Secret
	mu      sync.Mutex
	current int // which one worked, or is next
}

// TwoSecrets is a pair of client secrets, for the days of a roll-over: when Entra
// says that one is wrong or expired, the other is tried at once, and used from then
// on in this process.
func TwoSecrets(first, second Secret) Credential {
	if second.Empty() {
		return ClientSecret(first)
	}
	return &twoSecrets{secrets: [2]Secret{first, second}}
}

func (c *twoSecrets) Fingerprint() string {
	return fingerprint("secrets", c.secrets[0].Reveal(), c.secrets[1].Reveal())
}

func (c *twoSecrets) Params(context.Context, string, string, time.Time) (url.Values, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return url.Values{"client_secret": {c.secrets[c.current].Reveal()}}, nil
}

func (c *twoSecrets) refused(params url.Values, e *Error) bool {
	if e.Code != "invalid_client" || e.AADSTS != 7000215 && e.AADSTS != 7000222 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Another goroutine may have gone over to the other one meanwhile.
	if params.Get("client_secret") == c.secrets[c.current].Reveal() {
		c.current = 1 - c.current
	}
	return true
}
