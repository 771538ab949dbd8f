package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestTrusted holds which files a trusted loader refuses before it reads them. That it takes good ones
// needs root (test/system, TestNamedConfig).
func TestTrusted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	const text = "[log]\nto = \"/nonexistent\"\n"
	for name, mode := range map[string]os.FileMode{"own": 0o600, "public": 0o644} {
		if err := os.WriteFile(in(name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		syscall.Mkfifo(in("fifo"), 0o600), os.Symlink(in("own"), in("link")), os.Symlink("loop", in("loop")),
		os.Link(in("own"), in("hard")), os.Symlink("/etc", in("etc")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{
		"", "/", ".", dir, in("own"), in("public"), in("fifo"), in("link"), in("loop"), in("hard"), in("missing"),
		in("own") + "/x",
		"/proc/self/cmdline", "/proc/1/cmdline", "/proc/self/mounts", "/dev/null", "/dev/zero", "/dev/stdin",
		"/etc", in("etc"),
		"a\x00b", "/nonexistent/" + strings.Repeat("x", 300), strings.Repeat("/x", 5000),
	} {
		cfg, err := Loader{Trusted: true}.Load(path)
		if cfg != nil || !errors.Is(err, ErrUntrusted) || strings.Contains(err.Error(), "\n") ||
			len(err.Error()) > 512 {
			t.Errorf("%.100q: %v, want one short line and ErrUntrusted", path, err)
		}
	}
	// A way to a file of root's is nothing but its name. This one is no configuration.
	if err := os.Symlink("etc/passwd", in("passwd")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/etc/passwd", in("etc/passwd"), in("passwd")} {
		if _, err := (Loader{Trusted: true}).Load(path); err == nil || errors.Is(err, ErrUntrusted) {
			t.Errorf("%s: %v, want a fault of its text", path, err)
		}
	}
}

// TestStrange holds who may own and write what a trusted loader goes by.
func TestStrange(t *testing.T) {
	t.Parallel()
	j := judge{euid: func() int { return 1001 }, service: func() (int, bool) { return 900, true }}
	for _, c := range []struct {
		uid, mode uint32
		good      bool
	}{
		{0, 0o755, true}, {900, 0o750, true}, {0, 0o2755, true},
		{1001, 0o600, false}, {33, 0o644, false}, {0, 0o775, false}, {0, 0o757, false}, {0, 0o1777, false},
		{900, 0o770, false},
	} {
		if why := j.strange(&syscall.Stat_t{Uid: c.uid, Mode: c.mode}); (why == "") != c.good {
			t.Errorf("uid %d, mode %04o: %q", c.uid, c.mode, why)
		}
	}
}
