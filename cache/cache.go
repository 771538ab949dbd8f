package cache

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"o365-sendmail/internal/durable"
	"o365-sendmail/xoauth"
)

const (
	defaultRefreshBefore = 10 * time.Minute // High Volume Email refuses a token that ends sooner
	defaultLockWait      = 20 * time.Second
	maxMargin            = time.Minute // before its end a token is not used any more
	youngAge             = 30 * time.Second
)

const (
	// theCache is what of the directory may fail by itself.
	theCache = "the token cache"
	// lost is what goes with the directory: other packages keep counts and slots in it (see Shared).
	lost = "each process asks for a token of its own, and connections and messages are not counted"
)

// Options say where the cache lies and how it behaves. The zero value of each but Dir is good.
type Options struct {
	// Dir is the directory; it is made when missing. "" keeps tokens in memory only.
	Dir string
	// Now is the wall clock; nil means time.Now.
	Now func() time.Time
	// Warn gets one error of each kind when the cache can't be used; calls go on without it.
	Warn func(error)
	// RefreshBefore is how long before its end a token is replaced, at most a fifth of its
	// life; 0 means 10 minutes. The server's refresh_in counts when it is earlier.
	RefreshBefore time.Duration
	// LockWait is how long a call waits for another process that fetches, before it
	// takes over; 0 means 20 seconds.
	LockWait time.Duration
}

// Cache is a directory of tokens. It may be used by many goroutines and, through
// any number of Cache values, by many processes.
type Cache struct {
	dir           *durable.Shared
	clock         clock
	refreshBefore time.Duration
	lockWait      time.Duration

	mem        memory
	background background
}

// New returns a cache. It touches nothing on disk.
func New(o Options) *Cache {
	c := &Cache{
		dir:           &durable.Shared{Path: o.Dir, Warn: o.Warn, Lost: lost, Ops: durable.System},
		clock:         newClock(o.Now),
		refreshBefore: o.RefreshBefore,
		lockWait:      o.LockWait,
	}
	if c.refreshBefore <= 0 {
		c.refreshBefore = defaultRefreshBefore
	}
	if c.lockWait <= 0 {
		c.lockWait = defaultLockWait
	}
	return c
}

// Shared is the cache's directory, for what else its processes share.
func (c *Cache) Shared() *durable.Shared { return c.dir }

// Token returns a token for k that can be used now. fetch gets a new one; it is called
// only when the cache has none, or in the background when the token nears
// its end: a process must call [Cache.Wait] before it exits, or that work is lost. Of all processes
// that share the directory one at a time calls it.
//
// The error is fetch's own, a [*RememberedError], or wraps ctx.Err().
func (c *Cache) Token(ctx context.Context, k Key, fetch func(context.Context) (xoauth.Token, error)) (
	xoauth.Token, error) {
	found := c.load(k)
	switch found.state {
	case fresh:
		return found.token, nil
	case due:
		return c.refreshAhead(ctx, k, found, fetch), nil
	}
	return c.obtain(ctx, k, fetch)
}

// Peek returns what the cache holds for k without changing anything: the token,
// if ok, and what is remembered of the last failure, or nil.
func (c *Cache) Peek(k Key) (t xoauth.Token, lastErr *NegativeEntry, ok bool) {
	if r := c.lastRefusal(k); r != nil {
		e := r.rec.entry()
		lastErr = &e
	}
	found := c.load(k)
	return found.token, lastErr, found.state != none
}

// Discard removes t from the cache because the server refused it. A token that
// took its place meanwhile stays.
func (c *Cache) Discard(k Key, t xoauth.Token) {
	if t.Access.Empty() {
		return
	}
	c.mem.discard(k, t)
	if !c.holds(k, t) {
		return
	}
	// Under the lock nobody replaces the file between look and removal. When it is held,
	// a new token is on its way and the worst case is one request too many.
	if unlock, ok, err := c.dir.Ops.TryLock(c.path(k, lockSuffix), durable.SharedFileMode); err == nil && ok {
		defer unlock()
	}
	if c.holds(k, t) {
		_ = c.dir.Ops.Unlink(c.path(k, tokenSuffix))
	}
}

// Young reports whether t was obtained within the last 30 seconds. If the server refuses it, then
// one obtained now would fare no better: a burst of processes need not each fetch one to find out.
func (c *Cache) Young(t xoauth.Token) bool {
	age := c.clock.now().Sub(t.Obtained)
	return 0 <= age && age < youngAge
}

// holds reports whether t is the token on disk.
func (c *Cache) holds(k Key, t xoauth.Token) bool {
	data, err := durable.ReadPrivate(c.path(k, tokenSuffix), maxFile, os.Geteuid())
	if err != nil {
		return false
	}
	rec, err := decodeToken(data, k)
	return err == nil && rec.Token == t.Access.Reveal()
}

// path is the file of k with the given suffix; "" without a directory.
func (c *Cache) path(k Key, suffix string) string {
	if c.dir.Path == "" {
		return ""
	}
	return filepath.Join(c.dir.Path, k.name()+suffix)
}

type state int

const (
	none  state = iota // no token that can be used
	due                // can be used, should be replaced
	fresh              // can be used
)

// cached is a token that was found, and how it stands.
type cached struct {
	state state
	token xoauth.Token
	left  time.Duration // until it can't be used any more
	early time.Duration // from the moment it is due to that end
}

// load finds the best token for k on disk or, when the disk failed, in memory.
func (c *Cache) load(k Key) cached {
	var found cached
	if data, err := durable.ReadPrivate(c.path(k, tokenSuffix), maxFile, os.Geteuid()); err == nil {
		if rec, err := decodeToken(data, k); err == nil {
			found = c.judge(k, rec)
		}
	}
	if found.state == fresh {
		return found
	}
	if rec := c.mem.token(k); rec != nil {
		if m := c.judge(k, rec); m.state > found.state {
			return m
		}
	}
	return found
}

// judge says whether a token can be used and whether it should be replaced.
func (c *Cache) judge(k Key, rec *tokenRecord) cached {
	age, ok := c.clock.age(rec.Obtained, rec.stamp)
	if !ok {
		return cached{}
	}
	dueAt, endAt := c.times(rec)
	if age >= endAt || c.mem.isDiscarded(k, rec.Token) {
		return cached{}
	}
	f := cached{state: fresh, token: rec.token(), left: endAt - age, early: endAt - dueAt}
	if age >= dueAt {
		f.state = due
	}
	return f
}

// times returns the ages at which a token should be replaced and at which it is not used any more.
func (c *Cache) times(rec *tokenRecord) (dueAt, endAt time.Duration) {
	life := rec.Expiry.Sub(rec.Obtained)
	endAt = life - min(maxMargin, life/10)
	dueAt = life - min(c.refreshBefore, life/5)
	if in := rec.RefreshAt.Sub(rec.Obtained); !rec.RefreshAt.IsZero() && in > 0 && in < dueAt {
		dueAt = in
	}
	return min(dueAt, endAt), endAt
}
