package cache

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/durable"
)

// odd puts something else than a good token file at path.
var odd = []struct {
	name string
	make func(t *testing.T, c *Cache, path string)
}{
	{"nothing", func(*testing.T, *Cache, string) {}},
	{"empty", func(t *testing.T, _ *Cache, path string) { write(t, path, nil) }},
	{"garbage", func(t *testing.T, _ *Cache, path string) { write(t, path, []byte("\x00\xff\x1b[2J")) }},
	{"truncated", func(t *testing.T, c *Cache, path string) {
		plant(t, c, "planted", testTime, time.Hour)
		if err := os.Truncate(path, 300); err != nil {
			t.Fatal(err)
		}
	}},
	{"foreign", func(t *testing.T, _ *Cache, path string) {
		data, _ := encodeToken(&tokenRecord{Token: "planted", Obtained: testTime, Expiry: testTime.Add(time.Hour)})
		write(t, path, data)
	}},
	{"future-dated", func(t *testing.T, c *Cache, _ string) {
		plant(t, c, "planted", testTime.Add(time.Minute),
			time.Hour)
	}},
	{"expired", func(t *testing.T, c *Cache, _ string) { plant(t, c, "planted", testTime.Add(-time.Hour), time.Hour) }},
	{"world-readable", func(t *testing.T, c *Cache, path string) { plantMode(t, c, path, 0o604) }},
	{"group-writable", func(t *testing.T, c *Cache, path string) { plantMode(t, c, path, 0o620) }},
	{"huge", func(t *testing.T, _ *Cache, path string) {
		write(t, path, nil)
		if err := os.Truncate(path, 1<<40); err != nil {
			t.Fatal(err)
		}
	}},
	{"symbolic link", func(t *testing.T, c *Cache, path string) {
		plant(t, c, "planted", testTime, time.Hour)
		move(t, path, path+".other")
		if err := os.Symlink(path+".other", path); err != nil {
			t.Fatal(err)
		}
	}},
	{"FIFO", func(t *testing.T, _ *Cache, path string) {
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}},
	{"directory", func(t *testing.T, _ *Cache, path string) {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}},
	{"wrong owner", func(t *testing.T, c *Cache, path string) {
		plant(t, c, "planted", testTime, time.Hour)
		if err := os.Chown(path, 65534, 65534); err != nil {
			t.Skipf("only root can give a file away: %v", err)
		}
	}},
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func plantMode(t *testing.T, c *Cache, path string, mode os.FileMode) {
	t.Helper()
	plant(t, c, "planted", testTime, time.Hour)
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// preparedDir is a cache directory that exists.
func preparedDir(t *testing.T) string {
	t.Helper()
	dir := cacheDir(t)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestOddFileIsNoToken(t *testing.T) {
	t.Parallel()
	for _, o := range odd {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			h := newHost()
			c := h.cache(preparedDir(t))
			c.dir.Warn = func(err error) { t.Error(err) }
			o.make(t, c, c.path(testKey, tokenSuffix))
			if got := h.ask(t, c); got != "token-1" {
				t.Errorf("got %s", got)
			}
			// The write replaced whatever it was.
			if got := h.ask(t, h.cache(c.dir.Path)); got != "token-1" || h.fetched != 1 {
				t.Errorf("then %s after %d requests", got, h.fetched)
			}
			if st, err := os.Lstat(c.path(testKey, tokenSuffix)); err != nil || st.Mode() != durable.SharedFileMode {
				t.Errorf("%v, %v", st.Mode(), err)
			}
		})
	}
}

func TestOddRefusalFileIsNone(t *testing.T) {
	t.Parallel()
	for _, o := range odd {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			h := newHost()
			c := h.cache(preparedDir(t))
			o.make(t, c, c.path(testKey, tokenSuffix))
			if _, err := os.Lstat(c.path(testKey, tokenSuffix)); err == nil {
				move(t, c.path(testKey, tokenSuffix), c.path(testKey, refusedSuffix))
			}
			h.err = &endpointError{status: 400}
			for range 2 {
				if got := h.ask(t, c); !strings.HasPrefix(got, "error: the endpoint said 400") || h.fetched != 1 {
					t.Errorf("got %s after %d requests", got, h.fetched)
				}
			}
		})
	}
}

// unusable makes a cache that can't be used, in ways that stop root, too.
var unusable = []struct {
	name, reason string
	make         func(t *testing.T, c *Cache)
}{
	{"directory is a file", "not a directory", func(t *testing.T, c *Cache) { write(t, c.dir.Path, nil) }},
	{"parent is a file", "not a directory", func(t *testing.T, c *Cache) {
		write(t, c.dir.Path, nil)
		c.dir.Path = filepath.Join(c.dir.Path, "cache")
	}},
	{"others may write", "mode 0777", func(t *testing.T, c *Cache) {
		if err := errors.Join(os.Mkdir(c.dir.Path, 0o700), os.Chmod(c.dir.Path, 0o777)); err != nil {
			t.Fatal(err)
		}
	}},
	{"read-only file system", "name another", func(_ *testing.T, c *Cache) {
		c.dir.Ops = failingOps(syscall.EROFS)
	}},
	{"no locks", "no locks available", func(_ *testing.T, c *Cache) {
		o := *durable.System
		o.Flock = func(*os.File, int) error { return syscall.ENOLCK }
		o.Write = func(*os.File, []byte) (int, error) { return 0, syscall.EIO }
		c.dir.Ops = &o
	}},
	{"disk full", "no space left", func(_ *testing.T, c *Cache) {
		o := *durable.System
		o.Write = func(*os.File, []byte) (int, error) { return 0, syscall.ENOSPC }
		c.dir.Ops = &o
	}},
	{"full directory at the token's place", "file exists", func(t *testing.T, c *Cache) {
		if err := os.MkdirAll(filepath.Join(c.path(testKey, tokenSuffix), "x"), 0o700); err != nil {
			t.Fatal(err)
		}
	}},
}

func failingOps(err error) *durable.Ops {
	o := *durable.System
	o.Open = func(path string, _ int, _ os.FileMode) (*os.File, error) {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	o.Mkdir = func(path string, _ os.FileMode) error { return &os.PathError{Op: "mkdir", Path: path, Err: err} }
	return &o
}

func TestGoesOnWithoutACache(t *testing.T) {
	t.Parallel()
	for _, u := range unusable {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			h := newHost()
			c := h.cache(cacheDir(t))
			var warnings []string
			c.dir.Warn = func(err error) { warnings = append(warnings, err.Error()) }
			u.make(t, c)
			// One process keeps the token for itself, in memory.
			for range 3 {
				if got := h.ask(t, c); got != "token-1" || h.fetched != 1 {
					t.Errorf("got %s after %d requests", got, h.fetched)
				}
			}
			if len(warnings) != 1 || !strings.Contains(warnings[0], c.dir.Path) ||
				!strings.Contains(warnings[0], u.reason) {
				t.Errorf("warnings: %q; want one with %q", warnings, u.reason)
			}
			// Its end is seen, and a refusal remembered, without a disk, too.
			h.pass(time.Hour)
			h.err = &endpointError{status: 400}
			for range 3 {
				if got := h.ask(t, c); !strings.HasPrefix(got, "error: the endpoint said 400") || h.fetched != 2 {
					t.Errorf("got %s after %d requests", got, h.fetched)
				}
			}
			h.pass(2 * time.Minute)
			h.err = nil
			tok, err := c.Token(t.Context(), testKey, h.fetch)
			if err != nil || tok.Access.Reveal() != "token-3" {
				t.Errorf("%v, %v", tok, err)
			}
			c.Discard(testKey, tok)
			if got := h.ask(t, c); got != "token-4" {
				t.Errorf("after the discard: %s", got)
			}
		})
	}
}

func TestNoDirectoryIsNoFault(t *testing.T) {
	t.Parallel()
	h := newHost()
	c := h.cache("")
	c.dir.Warn = func(err error) { t.Error(err) }
	for range 2 {
		if got := h.ask(t, c); got != "token-1" {
			t.Errorf("got %s", got)
		}
	}
	if left, _ := filepath.Glob("*" + tokenSuffix); len(left) > 0 {
		t.Errorf("written to the working directory: %v", left)
	}
}

func TestUnwritableDirectoryWithFreshToken(t *testing.T) {
	t.Parallel()
	h := newHost()
	c := h.cache(cacheDir(t))
	h.ask(t, c)
	c.dir.Ops = failingOps(syscall.EROFS)
	warnings := 0
	c.dir.Warn = func(error) { warnings++ }
	if got := h.ask(t, c); got != "token-1" || warnings != 0 {
		t.Errorf("fresh: %s, %d warnings", got, warnings)
	}
	h.pass(51 * time.Minute) // due, but what is fetched now could not be kept
	if got := h.ask(t, c); got != "token-1" || warnings != 1 || h.fetched != 1 {
		t.Errorf("due: %s, %d warnings, %d requests", got, warnings, h.fetched)
	}
	h.pass(10 * time.Minute)
	for range 2 {
		if got := h.ask(t, c); got != "token-2" || warnings != 1 {
			t.Errorf("over: %s, %d warnings", got, warnings)
		}
	}
}
