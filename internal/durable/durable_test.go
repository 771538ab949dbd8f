package durable

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// failing returns operations of which the named one gives err.
func failing(name string, err error) *Ops {
	o := *System
	switch name {
	case "open":
		o.Open = func(string, int, fs.FileMode) (*os.File, error) { return nil, err }
	case "chmod":
		o.Chmod = func(*os.File, fs.FileMode) error { return err }
	case "write":
		o.Write = func(f *os.File, p []byte) (int, error) {
			n, _ := f.Write(p[:len(p)/2])
			return n, err
		}
	case "fsync":
		o.Sync = func(*os.File) error { return err }
	case "fsync of the directory":
		o.Sync = func(f *os.File) error {
			if st, _ := f.Stat(); st.IsDir() {
				return err
			}
			return f.Sync()
		}
	case "close":
		o.Close = func(f *os.File) error { _ = f.Close(); return err }
	case "rename":
		o.Rename = func(string, string) error { return err }
	}
	return &o
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestReplaceFault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op   string
		err  error
		want string // content afterwards
	}{
		{"open", syscall.EMFILE, "old"},
		{"chmod", syscall.EPERM, "old"},
		{"write", syscall.ENOSPC, "old"},
		{"fsync", syscall.EIO, "old"},
		{"close", syscall.EDQUOT, "old"},
		{"rename", syscall.EROFS, "old"},
		{"fsync of the directory", syscall.EIO, "new content"},
	} {
		t.Run(c.op, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			if err := Replace(path, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := failing(c.op, c.err).Replace(path, []byte("new content"), 0o600); !errors.Is(err, c.err) {
				t.Errorf("error %v, want %v", err, c.err)
			}
			if got, _ := os.ReadFile(path); string(got) != c.want {
				t.Errorf("content %q, want %q", got, c.want)
			}
			if got := names(t, dir); got != "file" {
				t.Errorf("files left: %s", got)
			}
		})
	}
}

func TestReplaceMakesFileWithMode(t *testing.T) {
	t.Parallel()
	for _, replace := range []func(string, []byte, fs.FileMode) error{Replace, ReplaceNoSync} {
		path := filepath.Join(t.TempDir(), "file")
		for _, content := range []string{"one", "", "three"} {
			if err := replace(path, []byte(content), 0o640); err != nil {
				t.Fatal(err)
			}
			st, err := os.Lstat(path)
			if err != nil || st.Mode() != 0o640 {
				t.Fatalf("%v, %v", st.Mode(), err)
			}
			if got, _ := os.ReadFile(path); string(got) != content {
				t.Errorf("content %q, want %q", got, content)
			}
		}
	}
}

func TestReplaceTakesAwayLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim, path := filepath.Join(dir, "victim"), filepath.Join(dir, "file")
	if err := os.WriteFile(victim, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, path); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(victim); string(got) != "kept" {
		t.Errorf("the target of the link now holds %q", got)
	}
}

// TestReplaceable: what an administrator names by mistake, such as /dev/null, is not turned into a file.
func TestReplaceable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe, link, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "link"), filepath.Join(dir, "file")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink("/dev/null", link),
		os.WriteFile(file, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"/dev/null": false, pipe: false, link: false, dir: false, file: true,
		filepath.Join(dir, "none"): true} {
		if err := Replaceable(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestSyncDirWithoutSupport(t *testing.T) {
	t.Parallel()
	for _, err := range []error{syscall.EINVAL, syscall.ENOTSUP} {
		if got := failing("fsync", err).SyncDir(t.TempDir()); got != nil {
			t.Errorf("%v: %v", err, got)
		}
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := Replace(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := System.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := System.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("second time: %v", err)
	}
}

func TestLockExcludes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	var wg sync.WaitGroup
	inside, most, total := 0, 0, 0
	var mu sync.Mutex
	for range 20 {
		wg.Go(func() {
			for range 10 {
				unlock, err := Lock(t.Context(), path, 0o600)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				inside++
				total++
				most = max(most, inside)
				mu.Unlock()
				mu.Lock()
				inside--
				mu.Unlock()
				unlock()
			}
		})
	}
	wg.Wait()
	if most != 1 || total != 200 {
		t.Errorf("at most %d inside, %d in all", most, total)
	}
	if got := names(t, filepath.Dir(path)); got != "lock" {
		t.Errorf("files left: %s", got)
	}
}

func TestLockGivesUpWithContext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Lock(t.Context(), path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := Lock(ctx, path, 0o600); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if _, ok, err := TryLock(path, 0o600); ok || err != nil {
		t.Errorf("TryLock of a held lock: %v, %v", ok, err)
	}
	unlock()
	unlock, err = Lock(t.Context(), path, 0o600)
	if err != nil {
		t.Fatalf("a free lock: %v", err)
	}
	unlock()
}

func TestLockRemovedMeanwhile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	o, removed := *System, false
	o.Flock = func(f *os.File, how int) error {
		if !removed {
			removed = true
			_ = os.Remove(path)
		}
		return flock(f, how)
	}
	unlock, ok, err := o.TryLock(path, 0o600)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	defer unlock()
	if _, ok, _ := TryLock(path, 0o600); ok {
		t.Error("two hold the lock")
	}
}

func TestLockRefusesOddFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link, fifo := filepath.Join(dir, "link"), filepath.Join(dir, "fifo")
	if err := os.Symlink("/etc/passwd", link); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, fifo, dir, filepath.Join(dir, "none", "lock")} {
		if _, _, err := TryLock(path, 0o600); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
}
