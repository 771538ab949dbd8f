package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/durable"
	"o365-sendmail/xoauth"
)

// host is a fake clock with an uptime, and a source of numbered tokens.
type host struct {
	mu      sync.Mutex
	now     time.Time
	uptime  int64
	boot    string
	fetched int
	life    time.Duration
	refresh time.Duration // refresh_in; 0 is none
	err     error         // instead of a token
}

func newHost() *host { return &host{now: testTime, uptime: 100_000, boot: "boot-1", life: time.Hour} }

// pass lets time go by on both clocks.
func (h *host) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
	h.uptime += int64(d / time.Second)
}

// set sets the wall clock only.
func (h *host) set(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func (h *host) cache(dir string) *Cache {
	c := New(Options{Dir: dir})
	c.clock = clock{
		now:    func() time.Time { h.mu.Lock(); defer h.mu.Unlock(); return h.now },
		uptime: func() int64 { h.mu.Lock(); defer h.mu.Unlock(); return h.uptime },
		boot:   func() string { h.mu.Lock(); defer h.mu.Unlock(); return h.boot },
	}
	return c
}

func (h *host) fetch(context.Context) (xoauth.Token, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fetched++
	if h.err != nil {
		return xoauth.Token{}, h.err
	}
	t := tokenOf(fmt.Sprintf("token-%d", h.fetched), h.now, h.life)
	if h.refresh > 0 {
		t.RefreshAt = h.now.Add(h.refresh)
	}
	return t, nil
}

// ask returns the token's text, or the error's, once the background is quiet.
func (h *host) ask(t testing.TB, c *Cache) string {
	t.Helper()
	got, err := c.Token(t.Context(), testKey, h.fetch)
	c.Wait(t.Context())
	if err != nil {
		return "error: " + err.Error()
	}
	return got.Access.Reveal()
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name               string
		life, refresh      time.Duration
		before             time.Duration
		wantDue, wantUnfit time.Duration
	}{
		{"an hour", time.Hour, 0, 0, 50 * time.Minute, 59 * time.Minute},
		{"a day", 24 * time.Hour, 0, 0, 24*time.Hour - 10*time.Minute, 24*time.Hour - time.Minute},
		{"refresh_in at half-life", 24 * time.Hour, 12 * time.Hour, 0, 12 * time.Hour, 24*time.Hour - time.Minute},
		{"refresh_in too late", time.Hour, 59 * time.Minute, 0, 50 * time.Minute, 59 * time.Minute},
		{"five minutes", 5 * time.Minute, 0, 0, 4 * time.Minute, 4*time.Minute + 30*time.Second},
		{"ten seconds", 10 * time.Second, 0, 0, 8 * time.Second, 9 * time.Second},
		{"other RefreshBefore", time.Hour, 0, 5 * time.Minute, 55 * time.Minute, 59 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rec := &tokenRecord{Obtained: testTime, Expiry: testTime.Add(c.life)}
			if c.refresh > 0 {
				rec.RefreshAt = testTime.Add(c.refresh)
			}
			due, unfit := New(Options{RefreshBefore: c.before}).times(rec)
			if due != c.wantDue || unfit != c.wantUnfit {
				t.Errorf("due at %v, unfit at %v; want %v, %v", due, unfit, c.wantDue, c.wantUnfit)
			}
		})
	}
}

func TestLifeOfAToken(t *testing.T) {
	t.Parallel()
	h := newHost()
	c := h.cache(cacheDir(t))
	for _, step := range []struct {
		pass time.Duration
		err  error
		want string
		n    int
	}{
		{0, nil, "token-1", 1},
		{49 * time.Minute, nil, "token-1", 1},
		{time.Minute, nil, "token-1", 2}, // due: the new one comes in the background
		{0, nil, "token-2", 2},
		{51 * time.Minute, &endpointError{status: 503}, "token-2", 3},
		{10 * time.Second, &endpointError{status: 503}, "token-2", 3}, // not with every message
		{30 * time.Second, &endpointError{status: 503}, "token-2", 4},
		{7 * time.Minute, &endpointError{status: 503}, "token-2", 5},                  // its last minutes
		{time.Minute, &endpointError{status: 503}, "error: the endpoint said 503", 6}, // its end
		{time.Second, nil, "token-7", 7},
	} {
		h.pass(step.pass)
		h.err = step.err
		if got := h.ask(t, c); got != step.want || h.fetched != step.n {
			t.Fatalf("%+v: got %q after %d requests", step, got, h.fetched)
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		turn func(*host)
		want string
	}{
		{"nothing happens", func(*host) {}, "token-1"},
		{"set back by a minute", func(h *host) { h.set(-time.Minute) }, "token-2"},
		{"set back by a year", func(h *host) { h.set(-365 * 24 * time.Hour) }, "token-2"},
		{"runs back by a moment", func(h *host) { h.set(-time.Second) }, "token-1"},
		{"set forward a little", func(h *host) { h.set(5 * time.Minute) }, "token-1"},
		{"set forward by a year", func(h *host) { h.set(365 * 24 * time.Hour) }, "token-2"},
		{"set back so that an old token looks fresh",
			func(h *host) { h.pass(90 * time.Minute); h.set(-80 * time.Minute) }, "token-2"},
		{"the same over a reboot",
			func(h *host) { h.pass(90 * time.Minute); h.set(-80 * time.Minute); h.boot = "2"; h.uptime = 9 },
			"token-1"},
		{"reboot", func(h *host) { h.pass(9 * time.Minute); h.boot = "2"; h.uptime = 30 }, "token-1"},
		{"reboot, long ago by the new uptime",
			func(h *host) { h.pass(9 * time.Minute); h.boot = "2"; h.uptime += 5000 }, "token-1"},
		{"unknown boot, uptime says old",
			func(h *host) { h.pass(90 * time.Minute); h.set(-80 * time.Minute); h.boot = "" }, "token-2"},
		{"no uptime", func(h *host) { h.uptime = 0; h.pass(0) }, "token-1"},
		{"uptime runs back", func(h *host) { h.uptime -= 600 }, "token-2"},
		{"suspended for two hours", func(h *host) { h.pass(2 * time.Hour) }, "token-2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHost()
			dir := cacheDir(t)
			h.ask(t, h.cache(dir))
			c.turn(h)
			if got := h.ask(t, h.cache(dir)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if got := h.ask(t, h.cache(dir)); got != c.want {
				t.Errorf("then %s, want %s", got, c.want)
			}
		})
	}
}

func TestDiscard(t *testing.T) {
	t.Parallel()
	h := newHost()
	c := h.cache(cacheDir(t))
	first, err := c.Token(t.Context(), testKey, h.fetch)
	if err != nil {
		t.Fatal(err)
	}
	c.Discard(testKey, tokenOf("another", h.now, time.Hour))
	c.Discard(testKey, xoauth.Token{})
	if got := h.ask(t, c); got != "token-1" {
		t.Errorf("after a discard of another token: %s", got)
	}
	other := h.cache(c.dir.Path) // another process met the same refusal
	c.Discard(testKey, first)
	if got := h.ask(t, c); got != "token-2" {
		t.Errorf("after the discard: %s", got)
	}
	other.Discard(testKey, first)
	if got := h.ask(t, other); got != "token-2" || h.fetched != 2 {
		t.Errorf("after the second discard of the first: %s, %d requests", got, h.fetched)
	}
}

func TestDiscardWhatCantBeRemoved(t *testing.T) {
	t.Parallel()
	h := newHost()
	c := h.cache(cacheDir(t))
	first, _ := c.Token(t.Context(), testKey, h.fetch)
	o := *durable.System
	o.Unlink = func(string) error { return syscall.EPERM }
	c.dir.Ops = &o
	c.Discard(testKey, first)
	if got := h.ask(t, c); got != "token-2" {
		t.Errorf("got %s", got)
	}
}

func TestOneRequestForManyGoroutines(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{cacheDir(t), ""} {
		h := newHost()
		c := h.cache(dir)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if got, err := c.Token(t.Context(), testKey, h.fetch); err != nil || got.Access.Reveal() != "token-1" {
					t.Errorf("%v, %v", got, err)
				}
			})
		}
		wg.Wait()
		if h.fetched != 1 {
			t.Errorf("dir %q: %d requests", dir, h.fetched)
		}
	}
}

func TestWaiterGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	h := newHost()
	c := h.cache(preparedDir(t))
	unlock, _, err := durable.TryLock(c.path(testKey, lockSuffix), durable.SharedFileMode)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Token(ctx, testKey, h.fetch); !errors.Is(err, context.DeadlineExceeded) || h.fetched != 0 {
		t.Errorf("%v after %d requests", err, h.fetched)
	}
}

func TestBothLocksStuck(t *testing.T) {
	t.Parallel()
	h := newHost()
	c := h.cache(preparedDir(t))
	c.lockWait = 10 * time.Millisecond
	for _, suffix := range []string{lockSuffix, takeoverSuffix} {
		unlock, _, err := durable.TryLock(c.path(testKey, suffix), durable.SharedFileMode)
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
	}
	for range 2 { // its own request, and then the token is there for all
		if got := h.ask(t, c); got != "token-1" {
			t.Errorf("got %s", got)
		}
	}
}

func TestRefreshAheadPastAStoppedProcess(t *testing.T) {
	t.Parallel()
	h := newHost()
	c := h.cache(cacheDir(t))
	h.ask(t, c)
	unlock, _, err := durable.TryLock(c.path(testKey, lockSuffix), durable.SharedFileMode)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	h.pass(51 * time.Minute)
	if got := h.ask(t, c); got != "token-1" || h.fetched != 1 {
		t.Errorf("at first: %s, %d requests", got, h.fetched)
	}
	h.pass(5 * time.Minute)
	if got := h.ask(t, c); got != "token-1" || h.fetched != 2 {
		t.Errorf("halfway to the end: %s, %d requests", got, h.fetched)
	}
	if got := h.ask(t, c); got != "token-2" {
		t.Errorf("then: %s", got)
	}
}

func TestRefreshDoneBetweenLookAndLock(t *testing.T) {
	t.Parallel()
	h := newHost()
	c := h.cache(cacheDir(t))
	h.ask(t, c)
	h.pass(51 * time.Minute)
	other := h.cache(c.dir.Path)
	o := *durable.System
	o.Flock = func(f *os.File, how int) error {
		other.store(testKey, tokenOf("of-another", h.now, time.Hour), other.clock.stamp())
		return durable.System.Flock(f, how)
	}
	c.dir.Ops = &o
	if got := h.ask(t, c); got != "of-another" || h.fetched != 1 {
		t.Errorf("got %s after %d requests", got, h.fetched)
	}
}

func TestWaitCallsOff(t *testing.T) {
	t.Parallel()
	h := newHost()
	c := h.cache(cacheDir(t))
	h.ask(t, c)
	h.pass(51 * time.Minute)
	var began, ended atomic.Int32
	slow := func(ctx context.Context) (xoauth.Token, error) {
		began.Add(1)
		<-ctx.Done()
		ended.Add(1)
		return xoauth.Token{}, ctx.Err()
	}
	parent, cancelParent := context.WithCancel(t.Context())
	if got, err := c.Token(parent, testKey, slow); err != nil || got.Access.Reveal() != "token-1" {
		t.Fatal(got, err)
	}
	cancelParent() // the delivery is done; its refresh goes on
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	c.Wait(ctx)
	c.Wait(t.Context()) // returns when the goroutine is gone
	if began.Load() != 1 || ended.Load() != 1 {
		t.Errorf("began %d, ended %d", began.Load(), ended.Load())
	}
	if _, last, _ := c.Peek(testKey); last != nil {
		t.Errorf("what was called off is remembered: %+v", last)
	}
}

func TestTokenWithoutEndIsNotKept(t *testing.T) {
	t.Parallel()
	c := New(Options{Dir: cacheDir(t)})
	n := 0
	for range 2 {
		got, err := c.Token(t.Context(), testKey, func(context.Context) (xoauth.Token, error) {
			n++
			return xoauth.Token{Access: xoauth.NewSecret("x")}, nil
		})
		if err != nil || got.Access.Reveal() != "x" {
			t.Error(got, err)
		}
	}
	if _, _, ok := c.Peek(testKey); ok || n != 2 {
		t.Errorf("kept: %v, %d requests", ok, n)
	}
}

func TestSweepKeepsWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	c := New(Options{Dir: preparedDir(t)})
	stem := strings.Repeat("a", sumLength)
	gone := []string{durable.TempPrefix + "1", stem + tokenSuffix, stem + refusedSuffix}
	stay := []string{"README", "x" + tokenSuffix, stem + lockSuffix, "slot-1.lock"}
	old := time.Now().AddDate(0, 0, -8)
	for _, name := range append(gone, stay...) {
		path := filepath.Join(c.dir.Path, name)
		write(t, path, nil)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	young := filepath.Join(c.dir.Path, durable.TempPrefix+"2")
	write(t, young, nil)
	c.sweep()
	for _, name := range gone {
		if _, err := os.Lstat(filepath.Join(c.dir.Path, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range append(stay, filepath.Base(young)) {
		if _, err := os.Lstat(filepath.Join(c.dir.Path, name)); err != nil {
			t.Error(err)
		}
	}
}

// TestRenew: a new token takes the place of an old one that is still good, and a failure costs nobody the old one.
func TestRenew(t *testing.T) {
	t.Parallel()
	h := newHost()
	c := h.cache(t.TempDir())
	h.ask(t, c)
	old, _, _ := c.Peek(testKey)
	h.err = errors.New("down")
	if _, err := c.Renew(t.Context(), testKey, old, h.fetch); !errors.Is(err, h.err) || h.ask(t, c) != "token-1" {
		t.Errorf("%v, then %s", err, h.ask(t, c))
	}
	h.err = nil
	h.pass(10 * time.Minute) // no failure is remembered for so long
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if got, err := c.Renew(t.Context(), testKey, old, h.fetch); err != nil || got.Access.Reveal() != "token-3" {
				t.Errorf("%v %s", err, got.Access.Reveal())
			}
		})
	}
	if all.Wait(); h.fetched != 3 || h.ask(t, h.cache(c.dir.Path)) != "token-3" {
		t.Errorf("%d requests", h.fetched)
	}
}
