package deliver

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"o365-sendmail/cache"
	"o365-sendmail/xoauth"
)

// sourceFunc is a source of tokens.
type sourceFunc func(context.Context) (xoauth.Token, error)

func (f sourceFunc) Token(ctx context.Context) (xoauth.Token, error) { return f(ctx) }

// TestTokenPatience: an endpoint that asks for less patience than is left is asked again in the same call.
func TestTokenPatience(t *testing.T) {
	t.Parallel()
	busy := func(status int, after time.Duration) error {
		return &xoauth.Error{Op: "token request", Status: status, RetryAfter: after}
	}
	for name, c := range map[string]struct {
		errs     []error // the answers before a token
		patience time.Duration
		asked    int
		took     time.Duration
		fails    bool
	}{
		"429 with a time":     {[]error{busy(429, 4*time.Second)}, 10 * time.Second, 2, 4 * time.Second, false},
		"503 with a time":     {[]error{busy(503, 9*time.Second)}, 10 * time.Second, 2, 9 * time.Second, false},
		"429 without":         {[]error{busy(429, 0)}, 10 * time.Second, 2, time.Second, false},
		"503 twice":           {[]error{busy(503, 0), busy(503, 0)}, 10 * time.Second, 3, 3 * time.Second, false},
		"longer than is left": {[]error{busy(429, 10*time.Second)}, 10 * time.Second, 1, 0, true},
		"longer after the second": {[]error{busy(429, 6*time.Second), busy(429, 6*time.Second)}, 10 * time.Second, 2,
			6 * time.Second, true},
		"no patience": {[]error{busy(429, time.Second)}, 0, 1, 0, true},
		"500":         {[]error{busy(500, 0)}, 10 * time.Second, 1, 0, true},
		"a refusal": {[]error{&xoauth.Error{Status: 401, Code: "invalid_client"}}, 10 * time.Second,
			1, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				a := &Account{Cache: cache.New(cache.Options{Now: time.Now}), Key: cache.Key{Tenant: "x"},
					Patience: c.patience}
				a.Source = func() (xoauth.TokenSource, error) {
					return sourceFunc(func(context.Context) (xoauth.Token, error) {
						if asked++; asked <= len(c.errs) {
							return xoauth.Token{}, c.errs[asked-1]
						}
						return xoauth.Token{Access: xoauth.NewSecret("abc"), Obtained: time.Now(),
							Expiry: time.Now().Add(time.Hour)}, nil
					}), nil
				}
				start := time.Now()
				_, err := a.Token(t.Context())
				if took := time.Since(start).Round(time.Second); asked != c.asked || took != c.took ||
					(err != nil) != c.fails {
					t.Errorf("asked %d times in %v: %v; want %d in %v", asked, took, err, c.asked, c.took)
				}
			})
		})
	}
}

// TestPatienceEndsWithTheCall: the call's own time bounds the patience, and its end ends it.
func TestPatienceEndsWithTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		a := &Account{Cache: cache.New(cache.Options{Now: time.Now}), Key: cache.Key{Tenant: "x"},
			Patience: time.Minute}
		fetch := func(context.Context) (xoauth.Token, error) {
			asked++
			return xoauth.Token{}, &xoauth.Error{Status: 429, RetryAfter: 5 * time.Second}
		}
		wait, stop := context.WithTimeout(t.Context(), 4*time.Second)
		defer stop()
		if _, err := a.token(wait, fetch); err == nil || asked != 1 {
			t.Errorf("asked %d times: %v", asked, err)
		}
		time.Sleep(10 * time.Second) // what was remembered is over
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := a.token(ctx, fetch)
		if err == nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
