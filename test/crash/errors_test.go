//go:build crash

package crash

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/sysexits"
)

// failures are system calls that fail, and how: a full disk, a used up quota, a broken disk, no
// descriptors left.
var failures = []struct {
	effect string
	calls  []string
}{
	{"error=ENOSPC", []string{"openat", "write", "pwrite64", "renameat", "mkdirat", "ftruncate", "fsync"}},
	{"error=EDQUOT", []string{"openat", "write", "pwrite64", "renameat", "fsync"}},
	{"error=EIO", []string{"fsync", "fdatasync", "write", "pwrite64", "read", "pread64", "renameat", "unlinkat",
		"flock", "getdents64"}},
	{"error=EMFILE", []string{"openat", "socket", "accept4"}},
}

// failurePoints are single failures and, but for sockets and pipes, lasting ones.
func failurePoints(most map[string]int) []point {
	var all []point
	for _, f := range failures {
		for _, p := range points(most, f.calls, f.effect) {
			all = append(all, p)
			if !slices.Contains([]string{"write", "read", "accept4"}, p.call) {
				p.onward = true
				all = append(all, p)
			}
		}
	}
	return all
}

// doubt reports whether a process with that failure may not know of what it has delivered: the
// server's answer can't be read, or the disk does not take the mark.
func (p point) doubt() doubt {
	switch p.call {
	case "openat", "socket", "accept4", "flock", "getdents64", "mkdirat":
		return none
	case "read", "write":
		return unheard
	}
	return lost
}

// failureCodes are the exit codes of a machine in trouble.
var failureCodes = []int{sysexits.OK, sysexits.TempFail, sysexits.IOErr, sysexits.CantCreat, sysexits.OSErr,
	sysexits.Unavailable, sysexits.NoInput}

// checkFailed checks what a caller saw.
func checkFailed(t *testing.T, p point, r result) {
	t.Helper()
	if broken(r.stderr) {
		return
	}
	if r.killed || !slices.Contains(failureCodes, r.code) {
		t.Errorf("%v: exit code %d: %s", p, r.code, r.stderr)
	}
	errors := 0
	for line := range strings.Lines(r.stderr) {
		if strings.HasPrefix(line, "sendmail: error: ") {
			errors++
		} else if !strings.HasPrefix(line, "sendmail: warning: ") {
			errors = -1
			break
		}
	}
	// That the error can't be written is possible, too: each thread has its first write.
	if want := min(r.code, 1); errors != want && !(p.call == "write" && r.stderr == "") {
		t.Errorf("%v: exit code %d, and not one line that says why: %q", p, r.code, r.stderr)
	}
}

// TestFailingClient: when system calls fail, a sendmail without an agent either has the message safe
// or says that it has not.
func TestFailingClient(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"-odq", "-odi"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "")
			s.down(mode == "-odi")
			l := newLedger(s)
			subject, text := l.message()
			most, r := s.calls(text, mode, "-i", "a@example.org")
			l.told(subject, r)
			codes := map[int]int{}
			each(t, failurePoints(most), func(p point) {
				subject, text := l.message()
				r := s.traced(p.args(), text, mode, "-i", "a@example.org")
				l.told(subject, r)
				codes[r.code]++
				checkFailed(t, p, r)
				s.noPieces(p)
			})
			t.Logf("exit codes: %v", codes)
			s.down(false)
			l.settle()
		})
	}
}

// noPieces checks that every message in the queue can be read.
func (s *site) noPieces(p point) {
	s.t.Helper()
	sp := s.openSpool()
	defer sp.Close()
	err := sp.List(s.t.Context(), infoCheck(s.t, p))
	if err != nil {
		s.t.Errorf("%v: %v", p, err)
	}
	if failed, err := filepath.Glob(filepath.Join(s.spoolDir(), "failed", "*")); err != nil || len(failed) > 0 {
		s.t.Errorf("%v: in failed/: %v, %v", p, failed, err)
	}
}

// TestFailingQueueRun: the same for sendmail -q: what it can't do it leaves, and sends nothing twice.
func TestFailingQueueRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	l := newLedger(s)
	fill := func() {
		for n := s.queued(); n < 2; n++ {
			subject, text := l.message()
			l.told(subject, s.sendmail(text, "-odq", "-i", "a@example.org", "b@example.org"))
		}
	}
	fill()
	most, _ := s.calls("", "-q")
	l.collect(none)
	each(t, failurePoints(most), func(p point) {
		fill()
		r := s.traced(p.args(), "", "-q")
		checkFailed(t, p, r)
		s.noPieces(p)
		l.collect(p.doubt())
	})
	l.settle()
}

// TestFailingAgent: an agent whose system calls fail answers with a refusal, and goes on.
func TestFailingAgent(t *testing.T) {
	t.Parallel()
	s := agentSite(t, "[agent]\nqueue_interval = \"1s\"\n")
	l := newLedger(s)
	file := filepath.Join(s.dir, "calls")
	p := s.agent(append([]string{"strace", "-D"}, counting(file)...)...)
	p.answers()
	l.send(allModes...)
	s.until("all is delivered", func() bool { return s.queued() == 0 })
	p.end()
	l.collect(none)
	codes := map[int]int{}
	each(t, failurePoints(counts(t, file)), func(pt point) {
		p := s.agent(append([]string{"strace", "-D"}, pt.args()...)...)
		if p.answers() {
			for _, mode := range allModes {
				subject, text := l.message()
				r := s.client(text, mode, "-i", "a@example.org", "b@example.org")
				l.told(subject, r)
				codes[r.code]++
				checkFailed(t, pt, r)
			}
			s.eventually(func() bool { return s.queued() == 0 })
		}
		if r := p.end(); !broken(p.stderr.String()) && (r.killed || strings.Contains(p.stderr.String(), "goroutine ")) {
			t.Errorf("%v: the agent: %+v %s", pt, r, p.stderr.String())
		}
		s.noPieces(pt)
		l.collect(pt.doubt())
	})
	t.Logf("exit codes of its clients: %v", codes)
	l.settle()
	if mail, err := filepath.Glob(config.DefaultSpool + "/*/*"); err != nil || len(mail) > 0 {
		t.Errorf("in the default spool, which nobody looks at: %v %v", mail, err)
	}
}

// eventually waits a moment for something that need not come.
func (s *site) eventually(done func() bool) {
	for deadline := time.Now().Add(300 * time.Millisecond); !done() && time.Now().Before(deadline); {
		time.Sleep(2 * time.Millisecond)
	}
}
