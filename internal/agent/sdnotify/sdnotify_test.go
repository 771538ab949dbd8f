package sdnotify

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestVariables(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env      func(string) string
		fds      int
		watchdog time.Duration
	}{
		"none": {env(), 0, 0},
		"ours": {env("LISTEN_PID", "7", "LISTEN_FDS", "2", "WATCHDOG_PID", "7", "WATCHDOG_USEC", "3000000"),
			2, 3 * time.Second},
		"a parent's": {env("LISTEN_PID", "6", "LISTEN_FDS", "2", "WATCHDOG_PID", "6", "WATCHDOG_USEC", "3000000"),
			0, 0},
		"without pid":    {env("LISTEN_FDS", "2", "WATCHDOG_USEC", "1000"), 0, time.Millisecond},
		"no numbers":     {env("LISTEN_PID", "7x", "LISTEN_FDS", "two", "WATCHDOG_USEC", "-1"), 0, 0},
		"far too many":   {env("LISTEN_PID", "7", "LISTEN_FDS", "100000"), 0, 0},
		"negative count": {env("LISTEN_PID", "7", "LISTEN_FDS", "-1"), 0, 0},
	} {
		m := New(c.env, 7)
		if m.fds != c.fds || m.Watchdog() != c.watchdog {
			t.Errorf("%s: %d descriptors and %v, want %d and %v", name, m.fds, m.Watchdog(), c.fds, c.watchdog)
		}
	}
}

func TestNotify(t *testing.T) {
	t.Parallel()
	if err := New(env(), 1).Notify(Ready); err != nil {
		t.Errorf("without a manager: %v", err)
	}
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := New(env("NOTIFY_SOCKET", path), 1).Notify(Ready, Status("two\nlines")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	_ = l.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, err := l.Read(buf)
	if got := string(buf[:n]); err != nil || got != "READY=1\nSTATUS=two lines" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := New(env("NOTIFY_SOCKET", "vsock:1"), 1).Notify(Ready); err == nil {
		t.Error("a socket of another kind was taken for a path")
	}
}
