package cli

import (
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

// TestQueueWatch: where no terminal is, each change is a line, with an agent and without; a terminal has a screen.
func TestQueueWatch(t *testing.T) {
	t.Parallel()
	for _, agent := range []bool{false, true} {
		s := newQueueSite(t)
		s.open()
		a := s.put(33, "x@example.org")
		if agent {
			s.agent(queueview.Status{})
		}
		ctx, cancel := context.WithCancel(context.Background())
		out, in := io.Pipe()
		var ended sync.WaitGroup
		watch := func(out io.Writer) {
			ended.Go(func() {
				if code := Main(ctx, s.env(out, os.Stderr, "o365-sendmail", "queue", "watch")); code != 0 {
					t.Errorf("exit code %d", code)
				}
			})
		}
		watch(in)
		var buf [4096]byte
		expect := func(want string) {
			t.Helper()
			n, err := out.Read(buf[:])
			if got := string(buf[:n]); err != nil || !strings.Contains(got, want) {
				t.Errorf("agent %v: %q, want %q (%v)", agent, got, want, err)
			}
		}
		expect(" 1 message waiting\n")
		b := s.put(34, "y@example.net")
		expect(b + " new: from " + s.Mailbox + " to y@example.net\n")
		s.claim(b, func(it *spool.Item) error { return it.Defer(time.Now(), "temporary", "451 no\x1b[2J") })
		expect(b + ` deferred: 451 no\x1b[2J; to y@example.net, tried 1 time` + "\n")
		s.queue("delete", a).says(t, 0, "1 message deleted", "")
		expect(a + " left the queue\n")
		screen := &shared{}
		watch(screen)
		for !strings.Contains(screen.String(), "451 no") {
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
		ended.Wait()
		if got := screen.String(); !strings.Contains(got, "\x1b[H") || strings.Contains(got, "\x1b[2J") {
			t.Errorf("agent %v: %q", agent, got)
		}
	}
	s := newQueueSite(t)
	s.queue("watch").says(t, sysexits.NoInput, "", "there is no queue to watch")
	for _, args := range []string{"watch all", "watch --failed", "watch --json", "watch 20260101000000-0123456789abcdef"} {
		if r := s.queue(strings.Fields(args)...); r.code != sysexits.Usage {
			t.Errorf("%s: %+v", args, r)
		}
	}
}

// shared is a terminal that is written to and looked at at the same time.
type shared struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *shared) Terminal() bool { return true }

func (s *shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
