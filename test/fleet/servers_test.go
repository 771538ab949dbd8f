//go:build system

package fleet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// trickle has each host send its part of n messages, one after the other.
func (l *lab) trickle(n int, pause time.Duration) {
	for i := range n {
		if err := l.hosts[i%len(l.hosts)].send(); err != nil {
			l.t.Error(err)
		}
		time.Sleep(pause)
	}
}

// fine has the test fail unless all has arrived once, within the limits and without a refusal.
func (l *lab) fine(most time.Duration) {
	l.t.Helper()
	begun := time.Now()
	v := l.wait(most)
	l.t.Logf("after %v: %v", time.Since(begun).Round(100*time.Millisecond), v)
	if v.lost > 0 || v.duplicates > 0 || v.inMinute > 30 || v.sessions > 3 || v.refusals() > 0 {
		l.t.Error("see above")
	}
}

// TestLeaderKilled: the server that leads what counts is killed, twice, while hosts send.
func TestLeaderKilled(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for range 3 {
		l.addHost()
	}
	l.trickle(3, 0)
	for range 2 {
		var s *natsServer
		for s == nil {
			time.Sleep(time.Second)
			s = l.leader()
		}
		s.kill()
		l.trickle(6, 500*time.Millisecond)
		s.start(t)
		time.Sleep(5 * time.Second)
	}
	l.fine(90 * time.Second)
}

// TestAllServersKilled: all three are killed at once while hosts send, and started again.
func TestAllServersKilled(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for range 3 {
		l.addHost()
	}
	l.trickle(6, 0)
	for _, s := range l.servers {
		s.kill()
	}
	l.trickle(6, time.Second)
	for _, s := range l.servers {
		s.start(t)
	}
	l.fine(90 * time.Second)
}

// TestDiskFull: the disks of all servers are full. It is as if they were away; all is well when there is room again and
// they were restarted.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	disks := t.TempDir()
	disk := func(i int) string { return filepath.Join(disks, fmt.Sprint(i)) }
	l := newLab(t, func(l *lab) {
		l.store = func(i int) string {
			if err := os.Mkdir(disk(i), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mount("tmpfs", disk(i), "tmpfs", 0, "size=8m"); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = syscall.Unmount(disk(i), syscall.MNT_DETACH) })
			return disk(i)
		}
	})
	for range 3 {
		l.addHost()
	}
	l.trickle(3, 0)
	if v := l.wait(20 * time.Second); v.lost > 0 {
		t.Fatal(v)
	}
	for i := range l.servers {
		_ = os.WriteFile(filepath.Join(disk(i), "filler"), make([]byte, 9<<20), 0o600) // as much as fits
	}
	l.trickle(9, time.Second)
	time.Sleep(15 * time.Second)
	t.Logf("with full disks: %v", l.judge())
	for _, h := range l.hosts {
		t.Logf("%s: %s", h.name, lastLines(h.said.String(), 3))
	}
	for i, s := range l.servers {
		if err := os.Remove(filepath.Join(disk(i), "filler")); err != nil {
			t.Error(err)
		}
		s.kill()
		s.start(t)
	}
	l.fine(90 * time.Second)
}

// TestPurged: somebody purges what was counted in the minute. The hosts say so; Exchange Online may refuse for now what
// is too much, and nothing is lost.
func TestPurged(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for range 3 {
		l.addHost()
	}
	l.trickle(21, 0)
	if v := l.wait(30 * time.Second); v.lost > 0 {
		t.Fatal(v)
	}
	for info := range l.js().ListStreams(t.Context()).Info() {
		if strings.HasPrefix(info.Config.Name, "lab-minute-") {
			s, err := l.js().Stream(t.Context(), info.Config.Name)
			if err == nil {
				err = s.Purge(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	l.trickle(24, 0)
	v := l.wait(150 * time.Second)
	t.Log(v)
	if v.lost > 0 || v.duplicates > 0 {
		t.Error("see above")
	}
	for _, h := range l.hosts {
		for end := time.Now().Add(15 * time.Second); !strings.Contains(h.said.String(), "somebody purged or deleted the stream"); {
			if time.Sleep(200 * time.Millisecond); time.Now().After(end) {
				t.Errorf("%s did not notice", h.name)
				break
			}
		}
	}
}
