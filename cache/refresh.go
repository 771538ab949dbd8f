package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"o365-sendmail/internal/durable"
	"o365-sendmail/xoauth"
)

// backgroundLimit bounds a refresh that nobody waits for.
const backgroundLimit = time.Minute

type fetchFunc = func(context.Context) (xoauth.Token, error)

// errLockWait means that the holder of a lock did not come back in time.
var errLockWait = errors.New("the process that fetches the token does not come back")

// obtain returns a token when there is none that can be used: it fetches one, or
// waits for the process that does.
func (c *Cache) obtain(ctx context.Context, k Key, fetch fetchFunc) (xoauth.Token, error) {
	started := c.clock.now()
	if err := c.dir.Prepare(); err != nil {
		c.dir.Failed(theCache, err)
		return c.obtainAlone(ctx, k, fetch)
	}
	// A process that was stopped while it holds the first lock must not stop the others for ever. The
	// second lock keeps them from all taking over at once.
	for _, suffix := range [...]string{lockSuffix, takeoverSuffix} {
		unlock, t, err := c.await(ctx, k, suffix, started)
		switch {
		case errors.Is(err, errLockWait):
			continue
		case errors.Is(err, errLock):
			c.dir.Failed(theCache, err)
			return c.obtainAlone(ctx, k, fetch)
		case err != nil:
			return xoauth.Token{}, err
		case unlock == nil:
			return t, nil
		}
		defer unlock()
		break
	}
	return c.fetch(ctx, k, fetch)
}

// errLock means that a lock can't be had at all.
var errLock = errors.New("the lock can't be used")

// await waits for the lock, and returns it unless the one who had it left a token or a refusal (an error). It
// returns errLockWait when the lock did not get free within the limit.
func (c *Cache) await(ctx context.Context, k Key, suffix string, started time.Time) (unlock func(), t xoauth.Token,
	err error) {
	if t, found, err := c.left(k, started); found || err != nil {
		return nil, t, err
	}
	waiting, cancel := context.WithTimeout(ctx, c.lockWait)
	defer cancel()
	unlock, err = c.dir.Ops.LockAny(waiting, []string{c.path(k, suffix)}, durable.SharedFileMode)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, t, fmt.Errorf("waiting for another process to fetch the access token: %w", ctx.Err())
	case waiting.Err() != nil:
		return nil, t, errLockWait
	default:
		return nil, t, fmt.Errorf("%w: %w", errLock, err)
	}
	t, found, err := c.left(k, started)
	if found || err != nil {
		unlock()
		return nil, t, err
	}
	return unlock, t, nil
}

// left returns what another process left on disk: a token, or as an error a refusal that counts for a call that
// started then.
func (c *Cache) left(k Key, started time.Time) (t xoauth.Token, found bool, err error) {
	if on := c.load(k); on.state != none {
		return on.token, true, nil
	}
	return t, false, c.lastRefusal(k).verdict(started)
}

// obtainAlone does without the disk; within this process still one call fetches for all.
func (c *Cache) obtainAlone(ctx context.Context, k Key, fetch fetchFunc) (xoauth.Token, error) {
	started := c.clock.now()
	leave, err := c.mem.enter(ctx, k)
	if err != nil {
		return xoauth.Token{}, fmt.Errorf("waiting for the access token: %w", err)
	}
	defer leave()
	if t, found, err := c.left(k, started); found || err != nil {
		return t, err
	}
	return c.fetch(ctx, k, fetch)
}

// fetch gets a token and keeps it, or keeps the failure.
func (c *Cache) fetch(ctx context.Context, k Key, fetch fetchFunc) (xoauth.Token, error) {
	stamp, sent := c.clock.stamp(), c.clock.now()
	t, err := fetch(ctx)
	if err != nil {
		c.remember(ctx, k, err)
		return xoauth.Token{}, err
	}
	if t.Obtained.IsZero() {
		t.Obtained = sent
	}
	c.store(k, t, stamp)
	return t, nil
}

// store keeps t. A token without a sensible end is not kept. A later token stays: a process that
// was stopped for an hour must not put its old one back.
func (c *Cache) store(k Key, t xoauth.Token, s stamp) {
	rec := &tokenRecord{
		Key: k, Token: t.Access.Reveal(),
		Obtained: t.Obtained.UTC(), Expiry: t.Expiry.UTC(), RefreshAt: t.RefreshAt.UTC(), stamp: s,
	}
	data, err := encodeToken(rec)
	if err != nil {
		return
	}
	if found := c.load(k); found.state == fresh && found.token.Obtained.After(rec.Obtained) {
		return
	}
	if err := c.dir.Replace(c.path(k, tokenSuffix), data); err != nil {
		c.mem.keepToken(k, rec)
		c.mem.keepRefused(k, nil)
		c.dir.Failed(theCache, err)
		return
	}
	c.mem.keepToken(k, nil)
	c.forget(k)
	c.sweep()
}

// refreshAhead returns a token that can be used and, when nobody else does it,
// starts to replace it in the background.
func (c *Cache) refreshAhead(ctx context.Context, k Key, old cached, fetch fetchFunc) xoauth.Token {
	if c.lastRefusal(k).pausesRefresh() {
		return old.token
	}
	unlock := c.lockToRefresh(k, old)
	if unlock == nil {
		return old.token
	}
	// Somebody may have finished between our look and the lock.
	if now := c.load(k); now.state == fresh {
		unlock()
		return now.token
	}
	if c.lastRefusal(k).pausesRefresh() {
		unlock()
		return old.token
	}
	c.background.run(ctx, func(ctx context.Context) {
		defer unlock()
		_, _ = c.fetch(ctx, k, fetch) // a failure is remembered; the old token serves on
	})
	return old.token
}

// Renew fetches a token in place of old, which serves on for others until the new one is there. Of calls at the same
// time in this process one fetches for all, and a failure that is remembered is not tried again.
func (c *Cache) Renew(ctx context.Context, k Key, old xoauth.Token, fetch fetchFunc) (xoauth.Token, error) {
	started := c.clock.now()
	leave, err := c.mem.enter(ctx, k)
	if err != nil {
		return xoauth.Token{}, fmt.Errorf("waiting for the access token: %w", err)
	}
	defer leave()
	if found := c.load(k); found.state != none && found.token.Access != old.Access {
		return found.token, nil
	}
	if err := c.lastRefusal(k).verdict(started); err != nil {
		return xoauth.Token{}, err
	}
	return c.fetch(ctx, k, fetch)
}

// lockToRefresh takes the lock without waiting; nil means that another has it or that it can't be had.
func (c *Cache) lockToRefresh(k Key, old cached) (unlock func()) {
	if err := c.dir.Prepare(); err != nil {
		c.dir.Failed(theCache, err)
		return nil
	}
	suffixes := []string{lockSuffix}
	if old.left < old.early/2 {
		// Whoever has the lock should have been done long ago.
		suffixes = append(suffixes, takeoverSuffix)
	}
	for _, suffix := range suffixes {
		unlock, ok, err := c.dir.Ops.TryLock(c.path(k, suffix), durable.SharedFileMode)
		if err != nil {
			c.dir.Failed(theCache, fmt.Errorf("%w: %w", errLock, err))
			return nil
		}
		if ok {
			return unlock
		}
	}
	return nil
}

// Wait waits for refreshes that this process began in the background. When ctx
// ends first it calls them off; the lock passes to the next process.
func (c *Cache) Wait(ctx context.Context) { c.background.wait(ctx) }

// background counts what runs in the background.
type background struct {
	mu     sync.Mutex
	n      int
	idle   chan struct{} // closed when n falls to 0
	cancel context.CancelFunc
	ctx    context.Context
}

// run calls f with a context that outlives the caller's.
func (b *background) run(ctx context.Context, f func(context.Context)) {
	b.mu.Lock()
	if b.n == 0 {
		b.idle = make(chan struct{})
		b.ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	}
	b.n++
	ctx, cancel := context.WithTimeout(b.ctx, backgroundLimit)
	b.mu.Unlock()
	go func() {
		defer b.done()
		defer cancel()
		// A fault in here costs a refresh ahead of time. The next one is made while its caller waits.
		defer func() { _ = recover() }()
		f(ctx)
	}()
}

func (b *background) done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n--; b.n == 0 {
		b.cancel()
		close(b.idle)
	}
}

func (b *background) wait(ctx context.Context) {
	b.mu.Lock()
	n, idle, cancel := b.n, b.idle, b.cancel
	b.mu.Unlock()
	if n == 0 {
		return
	}
	select {
	case <-idle:
	case <-ctx.Done():
		cancel()
	}
}
