package quota

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/durable"
)

const account = "noreply@contoso.com"

var testTime = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func testDir(path string, warn func(error)) *durable.Shared {
	return &durable.Shared{Path: path, Warn: warn, Lost: "nothing is counted", Ops: durable.System}
}

// testLedger is a ledger in a directory that is not there yet.
func testLedger(t testing.TB, warn func(error)) *Ledger {
	return New(testDir(filepath.Join(t.TempDir(), "cache"), warn), nil)
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

// changed are the system's operations with some changed.
func changed(change func(*durable.Ops)) *durable.Ops {
	o := *durable.System
	change(&o)
	return &o
}

// unusable makes a directory that can't be used, in ways that stop root, too.
var unusable = []struct {
	name, reason string
	make         func(t *testing.T, s *durable.Shared)
}{
	{"directory is a file", "not a directory", func(t *testing.T, s *durable.Shared) { write(t, s.Path, nil) }},
	{"parent is a file", "not a directory", func(t *testing.T, s *durable.Shared) {
		write(t, s.Path, nil)
		s.Path = filepath.Join(s.Path, "cache")
	}},
	{"others may write", "mode 0777", func(t *testing.T, s *durable.Shared) {
		if err := errors.Join(os.Mkdir(s.Path, 0o700), os.Chmod(s.Path, 0o777)); err != nil {
			t.Fatal(err)
		}
	}},
	{"read-only file system", "name another", func(_ *testing.T, s *durable.Shared) {
		s.Ops = changed(func(o *durable.Ops) {
			o.Open = func(path string, _ int, _ os.FileMode) (*os.File, error) {
				return nil, &os.PathError{Op: "open", Path: path, Err: syscall.EROFS}
			}
			o.Mkdir = func(path string, _ os.FileMode) error {
				return &os.PathError{Op: "mkdir", Path: path, Err: syscall.EROFS}
			}
		})
	}},
	{"no locks", "no locks available", func(_ *testing.T, s *durable.Shared) {
		s.Ops = changed(func(o *durable.Ops) {
			o.Flock = func(*os.File, int) error { return syscall.ENOLCK }
			o.Write = func(*os.File, []byte) (int, error) { return 0, syscall.EIO }
		})
	}},
}
