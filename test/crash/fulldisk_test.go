//go:build crash

package crash

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/sysexits"
)

// smallDisk puts the site's spool on a file system of its own, of so many KiB.
func (s *site) smallDisk(kib int) {
	s.t.Helper()
	dir := s.spoolDir()
	if err := os.Mkdir(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dk,mode=0700", kib)); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			s.t.Error(err)
		}
	})
}

// fillUp uses up what is left of the disk.
func (s *site) fillUp() (filler string) {
	s.t.Helper()
	filler = filepath.Join(s.spoolDir(), "filler")
	f, err := os.Create(filler)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		s.t.Fatal(err)
	}
	return filler
}

// TestFullDisk fills the spool's file system: what was accepted is delivered, the rest is
// refused for now, and deliveries are marked though there is no room left.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"without an agent", "agent"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			var s *site
			if way == "agent" {
				s = agentSite(t, "[agent]\nqueue_interval = \"1s\"\nprobe_interval = \"1s\"\n")
			} else {
				s = newSite(t, "")
			}
			s.smallDisk(512)
			s.down(true)
			// For one of two recipients the server has no room for now.
			s.Update(func(st *emulator.State) { st.Recipients["later-*"] = "452 4.3.1 Insufficient system resources" })
			l := newLedger(s)
			send := s.sendmail
			var p *process
			if way == "agent" {
				if p = s.agent(); !p.answers() {
					t.Fatal(p.stderr.String())
				}
				send = s.client
			}
			counts := map[int]int{}
			put := func(size int, to ...string) {
				subject, text := l.sized(size)
				r := send(text, append([]string{"-odq", "-i"}, to...)...)
				l.told(subject, r)
				counts[r.code]++
				if r.code != sysexits.OK && r.code != sysexits.TempFail || !oneLine(r) {
					t.Errorf("%+v", r)
				}
			}
			put(100, "later-a@example.org", "b@example.org")
			for counts[sysexits.TempFail] < 3 {
				put(20000, "a@example.org")
			}
			filler := s.fillUp()
			for range 3 {
				put(100, "a@example.org")
			}
			if counts[sysexits.TempFail] != 6 || counts[sysexits.OK] < 10 {
				t.Errorf("exit codes %v", counts)
			}
			s.noPieces(point{})
			if new, _ := filepath.Glob(filepath.Join(s.spoolDir(), "queue", "*.new")); len(new) > 0 {
				t.Errorf("left of what was refused: %v", new)
			}
			s.down(false)
			s.run(p)
			s.until("the others are delivered", func() bool { return s.queued() == 1 })
			s.fillUp() // what deliveries gave back
			s.run(p)
			s.Update(func(st *emulator.State) { delete(st.Recipients, "later-*") })
			s.run(p)
			s.until("the last one is delivered", func() bool { return s.queued() == 0 })
			if p != nil {
				if r := p.end(); r.code != 0 {
					t.Errorf("%+v %s", r, p.stderr.String())
				}
			}
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for _, m := range s.Messages() {
				for _, to := range m.Envelope.To {
					got[m.Header("Subject")+" "+to]++
				}
			}
			if got["m-1 later-a@example.org"] != 1 || got["m-1 b@example.org"] != 1 {
				t.Errorf("two recipients on the full disk: %v", got)
			}
			l.collectBut("m-1")
			t.Logf("exit codes %v", counts)
			l.settle()
		})
	}
}

// run has the queue looked at: by a queue run, or by the agent.
func (s *site) run(p *process) {
	s.t.Helper()
	if r := s.sendmail("", "-q"); r.code != 0 && p == nil {
		s.t.Errorf("-q: %+v", r)
	}
}
