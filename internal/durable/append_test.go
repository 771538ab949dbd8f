package durable

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestOpenAppend: a file that somebody else may have put there is not written.
func TestOpenAppend(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.WriteFile(in("good"), nil, 0o600), os.WriteFile(in("two"), nil, 0o600), os.Link(in("two"), in("names")),
		os.Symlink(in("new"), in("link")), syscall.Mkfifo(in("fifo"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, good := range map[string]bool{in("good"): true, in("made"): true, in("two"): false, in("link"): false,
		in("fifo"): false, dir: false, in("no/dir"): false} {
		f, _, err := OpenAppend(path)
		if (err == nil) != good {
			t.Errorf("%s: %v", path, err)
		}
		if err == nil {
			f.Close()
		}
	}
	if _, err := os.Lstat(in("new")); err == nil {
		t.Error("a link's target was made")
	}
	for _, c := range []struct {
		uid, mode uint32
		good      bool
	}{{0, 0o644, true}, {uint32(os.Geteuid()), 0o666, true}, {54321, 0o666, false}} {
		if got := ours(&syscall.Stat_t{Uid: c.uid, Mode: c.mode}); got != c.good {
			t.Errorf("uid %d, mode %04o: %v", c.uid, c.mode, got)
		}
	}
}
