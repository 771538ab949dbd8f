package deliver

import (
	"context"
	"errors"
	"time"

	"o365-sendmail/xoauth"
)

// token returns a token from the cache or by fetch. An endpoint that asks for less patience than is left of the
// account's, and of the context's time, is asked again.
func (a *Account) token(ctx context.Context, fetch func(context.Context) (xoauth.Token, error)) (xoauth.Token, error) {
	until := time.Now().Add(a.Patience)
	if end, ok := ctx.Deadline(); ok && end.Before(until) {
		until = end
	}
	for again := time.Second; ; again *= 2 {
		t, err := a.Cache.Token(ctx, a.Key, fetch)
		wait := askedPatience(err, again)
		if wait <= 0 || !time.Now().Add(wait).Before(until) {
			return t, err
		}
		if sleep(ctx, wait) != nil {
			return t, err
		}
	}
}

// sleep waits, and returns early, with an error, when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// askedPatience is how long the endpoint asks to wait: what it says, or otherwise when it is too busy and says nothing.
// 0 is for all other errors.
func askedPatience(err error, otherwise time.Duration) time.Duration {
	if Permanent(err) || err == nil {
		return 0
	}
	if wait := retryAfter(err); wait > 0 {
		return wait
	}
	var e *xoauth.Error
	if errors.As(err, &e) && (e.Status == 429 || e.Status == 503) {
		return otherwise
	}
	return 0
}
