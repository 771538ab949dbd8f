package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"o365-sendmail/xoauth"
)

func TestRefusalIsRememberedForAMinute(t *testing.T) {
	t.Parallel()
	h := newHost()
	h.err = fmt.Errorf("wrapped: %w", &endpointError{status: 400})
	dir := cacheDir(t)
	h.ask(t, h.cache(dir))
	h.pass(20 * time.Second)
	_, err := h.cache(dir).Token(t.Context(), testKey, h.fetch)
	var r *RememberedError
	if !errors.As(err, &r) || h.fetched != 1 {
		t.Fatalf("%v after %d requests", err, h.fetched)
	}
	if want := "wrapped: the endpoint said 400 (remembered; the next request is made in 40s)"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	var class interface {
		Temporary() bool
		Configuration() bool
		Advice() string
	}
	if !errors.As(err, &class) || class.Temporary() || !class.Configuration() || class.Advice() != "make a new secret" {
		t.Errorf("%+v", class)
	}
	if r.RetryAfterDuration() != 40*time.Second {
		t.Errorf("retry after %v", r.RetryAfterDuration())
	}
	h.pass(40 * time.Second)
	h.err = nil
	if got := h.ask(t, h.cache(dir)); got != "token-2" {
		t.Errorf("after a minute: %s", got)
	}
	if _, last, _ := h.cache(dir).Peek(testKey); last != nil {
		t.Errorf("a success leaves %+v", last)
	}
}

func TestNewSecretIsTriedAtOnce(t *testing.T) {
	t.Parallel()
	h := newHost()
	h.err = &endpointError{status: 400}
	c := h.cache(cacheDir(t))
	h.ask(t, c)
	h.err = nil
	k := testKey
	k.Credential = "other"
	if got, err := c.Token(t.Context(), k, h.fetch); err != nil || got.Access.Reveal() != "token-2" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestHold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		want time.Duration
	}{
		{"temporary", &endpointError{status: 503}, 0},
		{"no class", errors.New("x"), 0},
		{"definite", &endpointError{status: 400}, time.Minute},
		{"retry after", &endpointError{status: 429, after: 90 * time.Second}, 90 * time.Second},
		{"definite, longer retry after", &endpointError{status: 400, after: 2 * time.Minute}, 2 * time.Minute},
		{"absurd retry after", &endpointError{status: 429, after: 1000 * time.Hour}, time.Hour},
		{"xoauth", fmt.Errorf("x: %w", &xoauth.Error{Status: 429, RetryAfter: 7 * time.Second}), 7 * time.Second},
	} {
		if got := hold(c.err); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	h := newHost()
	h.err = &endpointError{status: 429, after: 2 * time.Minute}
	c := h.cache(cacheDir(t))
	h.ask(t, c)
	h.pass(119 * time.Second)
	if h.ask(t, c); h.fetched != 1 {
		t.Errorf("%d requests within the time", h.fetched)
	}
	h.pass(2 * time.Second)
	if h.ask(t, c); h.fetched != 2 {
		t.Errorf("%d requests after it", h.fetched)
	}
	// Ahead of the end it counts, too.
	h.err = nil
	h.pass(2 * time.Minute)
	h.ask(t, c)
	h.pass(51 * time.Minute)
	h.err = &endpointError{status: 429, after: 2 * time.Minute}
	h.ask(t, c)
	h.pass(time.Minute)
	if got := h.ask(t, c); got != "token-3" || h.fetched != 4 {
		t.Errorf("%s after %d requests", got, h.fetched)
	}
}

func TestRefusalAndClock(t *testing.T) {
	t.Parallel()
	for name, turn := range map[string]func(*host){
		"set back":    func(h *host) { h.set(-time.Hour) },
		"set forward": func(h *host) { h.set(time.Hour) },
	} {
		h := newHost()
		h.err = &endpointError{status: 400}
		c := h.cache(cacheDir(t))
		h.ask(t, c)
		turn(h)
		if h.ask(t, c); h.fetched != 2 {
			t.Errorf("%s: the refusal still stands", name)
		}
	}
}

func TestGivenUpIsNotRemembered(t *testing.T) {
	t.Parallel()
	c := New(Options{Dir: cacheDir(t)})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.Token(ctx, testKey, func(context.Context) (xoauth.Token, error) {
		cancel()
		return xoauth.Token{}, fmt.Errorf("post: %w", ctx.Err())
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, last, _ := c.Peek(testKey); last != nil {
		t.Errorf("remembered: %+v", last)
	}
}

func TestRememberedTextIsOneSafeLine(t *testing.T) {
	t.Parallel()
	h := newHost()
	h.err = errors.New("bad\r\n\x1b[2Jthing\x00\u202e " + strings.Repeat("ä", maxText))
	c := h.cache(cacheDir(t))
	h.ask(t, c)
	_, last, _ := c.Peek(testKey)
	if last == nil || !strings.HasPrefix(last.Text, "bad   [2Jthing   ä") || len(last.Text) > maxText ||
		!strings.HasSuffix(last.Text, "...") {
		t.Errorf("%+v", last)
	}
	if last.Refused || last.Failures != 1 || !last.At.Equal(testTime) {
		t.Errorf("%+v", last)
	}
}

func TestNoTokenInWhatIsSaid(t *testing.T) {
	t.Parallel()
	h := newHost()
	c := h.cache(cacheDir(t))
	said := ""
	c.dir.Warn = func(err error) { said += err.Error() }
	tok, _ := c.Token(t.Context(), testKey, h.fetch)
	h.pass(2 * time.Hour)
	h.err = &endpointError{status: 400}
	said += h.ask(t, c) + h.ask(t, c)
	data, err := os.ReadFile(c.path(testKey, refusedSuffix))
	if err != nil {
		t.Fatal(err)
	}
	said += string(data) + fmt.Sprintf("%v %+v", tok, tok)
	if strings.Contains(said, "token-1") {
		t.Errorf("the token is in %q", said)
	}
}
