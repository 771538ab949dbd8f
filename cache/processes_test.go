package cache

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/durable"
	"o365-sendmail/xoauth"
)

// endpoint is a token endpoint that counts.
type endpoint struct {
	*httptest.Server
	mu       sync.Mutex
	requests int
	handle   handler
}

// handler may answer the nth request itself (true), or delay it; pid is who asks.
type handler = func(w http.ResponseWriter, r *http.Request, n, pid int) bool

func newEndpoint(t testing.TB, handle handler) *endpoint {
	t.Helper()
	e := &endpoint{handle: handle}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	t.Cleanup(e.CloseClientConnections)
	return e
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	pid, _ := strconv.Atoi(string(body))
	e.mu.Lock()
	e.requests++
	n := e.requests
	e.mu.Unlock()
	if e.handle != nil && e.handle(w, r, n, pid) {
		return
	}
	_ = json.NewEncoder(w).Encode(reply{AccessToken: fmt.Sprintf("token-%d", n), ExpiresIn: 3599})
}

func (e *endpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.requests
}

// plant writes a token file as another process would have.
func plant(t testing.TB, c *Cache, token string, obtained time.Time, life time.Duration) {
	t.Helper()
	data, err := encodeToken(&tokenRecord{Key: testKey, Token: token, Obtained: obtained, Expiry: obtained.Add(life)})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.dir.Replace(c.path(testKey, tokenSuffix), data); err != nil {
		t.Fatal(err)
	}
}

func cacheDir(t testing.TB) string { return filepath.Join(t.TempDir(), "cache") }

// expect reads n outcomes that must all be the token want.
func expect(t *testing.T, all []*process, want string) (slowest time.Duration) {
	t.Helper()
	for i, p := range all {
		o, ok := p.outcome()
		if !ok || o.Err != "" || o.Token != want || len(o.Warnings) > 0 {
			t.Errorf("process %d: %+v, %v; want %s", i, o, ok, want)
		}
		slowest = max(slowest, o.Took)
	}
	return slowest
}

func TestColdCacheOneRequest(t *testing.T) {
	n := 500
	if raceEnabled {
		n = 100 // each process is many times as heavy
	}
	const fetchTime = 300 * time.Millisecond
	e := newEndpoint(t, func(http.ResponseWriter, *http.Request, int, int) bool {
		time.Sleep(fetchTime) // the endpoint's own slowness, not a wait for something
		return false
	})
	all, open := crowd(t, n, child{Role: "token", Dir: cacheDir(t), URL: e.URL, LockWait: time.Minute})
	begin := time.Now()
	open()
	slowest := expect(t, all, "token-1")
	t.Logf("%d processes: %v until the last had the token, the slowest waited %v", n, time.Since(begin), slowest)
	if got := e.count(); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

// TestWaitersSleep: who waits two seconds for another process's token uses no processor meanwhile.
func TestWaitersSleep(t *testing.T) {
	e := newEndpoint(t, func(http.ResponseWriter, *http.Request, int, int) bool {
		time.Sleep(2 * time.Second) // the endpoint's own slowness
		return false
	})
	all, open := crowd(t, 3, child{Role: "token", Dir: cacheDir(t), URL: e.URL, LockWait: time.Minute})
	open()
	for _, p := range all {
		o, ok := p.outcome()
		if !ok || o.Token != "token-1" || o.Switches > 200 { // a poll costs over 400, the runtime alone 100
			t.Errorf("%d switches (%v): %+v", o.Switches, ok, o)
		}
		t.Logf("%d switches", o.Switches)
	}
}

func TestRefreshAheadNobodyWaits(t *testing.T) {
	const n = 50
	gate := make(chan struct{})
	e := newEndpoint(t, func(http.ResponseWriter, *http.Request, int, int) bool { <-gate; return false })
	dir := cacheDir(t)
	c := New(Options{Dir: dir})
	plant(t, c, "old", time.Now().Add(-51*time.Minute), time.Hour)
	all, open := crowd(t, n, child{Role: "token", Dir: dir, URL: e.URL})
	open()
	slowest := expect(t, all, "old") // all of them have it although the endpoint says nothing yet
	t.Logf("slowest: %v", slowest)
	close(gate)
	for _, p := range all {
		_ = p.cmd.Wait()
	}
	if got := e.count(); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
	if got, _, _ := c.Peek(testKey); got.Access.Reveal() != "token-1" {
		t.Errorf("the cache holds %q", got.Access.Reveal())
	}
}

func TestKilledRefresherLeavesOthersWorking(t *testing.T) {
	for _, at := range []string{"before-request", "after-reply", "in-write", "before-rename", "after-rename"} {
		for _, due := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s due=%v", at, due), func(t *testing.T) {
				t.Parallel()
				e := newEndpoint(t, nil)
				dir := cacheDir(t)
				c := New(Options{Dir: dir})
				if due {
					plant(t, c, "old", time.Now().Add(-51*time.Minute), time.Hour)
				}
				victim := spawn(t, child{Role: "token", Dir: dir, URL: e.URL, KillAt: at}, nil, nil)
				if err := victim.cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
					t.Fatalf("the victim ended with %v", err)
				}
				all, open := crowd(t, 10, child{Role: "token", Dir: dir, URL: e.URL})
				open()
				for _, p := range all {
					if o, ok := p.outcome(); !ok || o.Err != "" || o.Token == "" {
						t.Errorf("%+v, %v", o, ok)
					}
					_ = p.cmd.Wait()
				}
				want := map[string]int{"before-request": 1, "after-rename": 1}[at]
				if want == 0 {
					want = 2
				}
				if got := e.count(); got != want {
					t.Errorf("%d requests, want %d", got, want)
				}
				checkSwept(t, c)
			})
		}
	}
}

// checkSwept makes leftovers old and lets a write remove them.
func checkSwept(t *testing.T, c *Cache) {
	t.Helper()
	left, _ := filepath.Glob(filepath.Join(c.dir.Path, durable.TempPrefix+"*"))
	old := time.Now().Add(-time.Hour)
	for _, path := range left {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	c.store(testKey, tokenOf("last", now, time.Hour), c.clock.stamp())
	if left, _ := filepath.Glob(filepath.Join(c.dir.Path, durable.TempPrefix+"*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	if got, _, ok := c.Peek(testKey); !ok || got.Access.Reveal() != "last" {
		t.Errorf("after the sweep the cache holds %q", got.Access.Reveal())
	}
}

func tokenOf(text string, obtained time.Time, life time.Duration) xoauth.Token {
	return xoauth.Token{Access: xoauth.NewSecret(text), Obtained: obtained, Expiry: obtained.Add(life)}
}

func TestKilledDuringRequest(t *testing.T) {
	const n, kills = 60, 8
	e := newEndpoint(t, func(w http.ResponseWriter, r *http.Request, n, pid int) bool {
		if n > kills {
			return false
		}
		if n%2 == 0 { // half of them get a part of the reply first
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"access_token":"ha`)
			w.(http.Flusher).Flush()
		}
		_ = syscall.Kill(pid, syscall.SIGKILL)
		<-r.Context().Done()
		return true
	})
	all, open := crowd(t, n, child{Role: "token", Dir: cacheDir(t), URL: e.URL, LockWait: time.Minute})
	open()
	dead := 0
	for _, p := range all {
		o, ok := p.outcome()
		switch {
		case !ok:
			dead++
		case o.Token != fmt.Sprintf("token-%d", kills+1) || o.Err != "":
			t.Errorf("%+v", o)
		}
	}
	if dead != kills || e.count() != kills+1 {
		t.Errorf("%d dead, %d requests; want %d and %d", dead, e.count(), kills, kills+1)
	}
}

func TestStoppedRefresherHoldsNobodyForEver(t *testing.T) {
	t.Parallel()
	asked, gate := make(chan int, 1), make(chan struct{})
	e := newEndpoint(t, func(_ http.ResponseWriter, _ *http.Request, n, pid int) bool {
		if n == 1 {
			asked <- pid
			<-gate
		} else {
			time.Sleep(200 * time.Millisecond) // so that all run out of patience meanwhile
		}
		return false
	})
	dir := cacheDir(t)
	ch := child{Role: "token", Dir: dir, URL: e.URL, LockWait: time.Second}
	stopped := spawn(t, ch, nil, nil)
	pid := <-asked
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	all, open := crowd(t, 40, ch)
	open()
	expect(t, all, "token-2")
	if got := e.count(); got != 2 {
		t.Errorf("%d requests, want 2: one of the stopped process, one of who took over", got)
	}
	// The stopped one comes back with its older token, which must not replace the newer.
	close(gate)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if o, ok := stopped.outcome(); !ok || o.Token != "token-1" {
		t.Errorf("the stopped process: %+v, %v", o, ok)
	}
	_ = stopped.cmd.Wait()
	if got, _, _ := New(Options{Dir: dir}).Peek(testKey); got.Access.Reveal() != "token-2" {
		t.Errorf("the cache holds %q", got.Access.Reveal())
	}
}

func TestRefusalIsShared(t *testing.T) {
	for _, c := range []struct {
		name          string
		status, after int
		requests      int
		configuration bool
	}{
		{"definite", http.StatusBadRequest, 0, 1, true},
		{"retry after", http.StatusTooManyRequests, 120, 1, false},
		{"temporary", http.StatusServiceUnavailable, 0, sharedFailures, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const n = 60
			// The reply comes when all are at work, as far as one can see from here.
			e := newEndpoint(t, func(w http.ResponseWriter, _ *http.Request, _, _ int) bool {
				time.Sleep(200 * time.Millisecond)
				w.Header().Set("Retry-After", strconv.Itoa(c.after))
				w.WriteHeader(c.status)
				return true
			})
			all, open := crowd(t, n, child{Role: "token", Dir: cacheDir(t), URL: e.URL, LockWait: time.Minute})
			open()
			remembered := 0
			for _, p := range all {
				o, ok := p.outcome()
				if !ok || o.Configuration != c.configuration ||
					!strings.Contains(o.Err, fmt.Sprintf("the endpoint said %d", c.status)) {
					t.Errorf("%+v, %v", o, ok)
				}
				if o.Remembered {
					remembered++
				}
			}
			if e.count() != c.requests || remembered != n-c.requests {
				t.Errorf("%d requests, %d told from memory; want %d and %d", e.count(), remembered, c.requests,
					n-c.requests)
			}
		})
	}
}

func TestExpiredTokenOneRequest(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, nil)
	dir := cacheDir(t)
	plant(t, New(Options{Dir: dir}), "old", time.Now().Add(-2*time.Hour), time.Hour)
	all, open := crowd(t, 40, child{Role: "token", Dir: dir, URL: e.URL})
	open()
	expect(t, all, "token-1")
	if got := e.count(); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

// TestKillsAtAnyTime kills every third process after a random time, over and over.
func TestKillsAtAnyTime(t *testing.T) {
	const rounds, n = 8, 24
	dir := cacheDir(t)
	e := newEndpoint(t, nil)
	for range rounds {
		plant(t, New(Options{Dir: dir}), "old", time.Now().Add(-2*time.Hour), time.Hour)
		all, open := crowd(t, n, child{Role: "token", Dir: dir, URL: e.URL})
		var killers sync.WaitGroup
		for i := 0; i < n; i += 3 {
			killers.Go(func() {
				time.Sleep(rand.N(8 * time.Millisecond))
				_ = all[i].cmd.Process.Kill()
			})
		}
		open()
		for i, p := range all {
			if o, ok := p.outcome(); i%3 != 0 && (!ok || o.Err != "" || !strings.HasPrefix(o.Token, "token-")) {
				t.Errorf("process %d: %+v, %v", i, o, ok)
			}
		}
		killers.Wait()
	}
	if got := e.count(); got > rounds*(n/3+1) {
		t.Errorf("%d requests", got)
	}
	t.Logf("%d requests in %d rounds", e.count(), rounds)
}
