//go:build crash

package crash

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/spool"
)

// jumpClock is the system's clock, set wrong by an offset that may jump. Like timers of the
// system's, waits do not care about a jump.
type jumpClock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *jumpClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Round(0).Add(c.offset)
}

func (c *jumpClock) After(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

func (c *jumpClock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

const tenYears = 10 * 365 * 24 * time.Hour

// TestClockJumps lets the clock jump by ten years, in both directions, before the first try
// and between a failed one and the next: no message expires, waits for ten years, or is sent twice.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		first, second time.Duration
	}{
		{"forth, before the first try", tenYears, 0},
		{"back, before the first try", -tenYears, 0},
		{"forth, after a failed try", 0, tenYears},
		{"back, after a failed try", 0, -tenYears},
		{"forth and back", tenYears, -tenYears},
		{"back and forth", -tenYears, tenYears},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "")
			clock := &jumpClock{}
			cfg, err := config.Loader{}.Load(s.config)
			if err != nil {
				t.Fatal(err)
			}
			account, err := assemble.Account(cfg, assemble.Options{HostName: "web1", Now: clock.Now,
				Getenv: func(string) string { return "" }, Warn: func(err error) { t.Log(err) }})
			if err != nil {
				t.Fatal(err)
			}
			o := assemble.SpoolOptions(cfg)
			o.Now = clock.Now
			sp, err := spool.Open(o)
			if err != nil {
				t.Fatal(err)
			}
			defer sp.Close()
			for i := range 5 {
				env := &envelope.Envelope{Sender: s.Mailbox, Origin: "root@web1",
					Recipients: []envelope.Recipient{{Address: "a@example.org"}}}
				text := message(fmt.Sprintf("From: %s\r\nTo: a@example.org\r\nSubject: m-%d\r\nMessage-ID: "+
					"<%d@web1>\r\n\r\ntext\r\n", s.Mailbox, i, i))
				if _, err := sp.Put(t.Context(), spool.Meta{UID: 0, Origin: "root@web1"}, env, text); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Script(emulator.Rule{Stage: "dot",
				Reply: "451 4.7.0 Temporary server error. Please try again later", First: 5}); err != nil {
				t.Fatal(err)
			}
			// The engine runs, then rests while the clock jumps, as in an agent that is restarted...
			engine := func(until func(st deliver.State) bool) {
				t.Helper()
				ec := assemble.Engine(cfg, account, nil, "web1", nil)
				ec.QueueInterval, ec.Lifetime, ec.DelayWarning = time.Second, 5*24*time.Hour, 0
				e := deliver.NewEngine(deliver.EngineOptions{Config: ec, Spool: sp, Clock: clock,
					StateFile: filepath.Join(s.dir, "state")})
				ctx, stop := context.WithCancel(context.Background())
				done := make(chan error, 1)
				go func() { done <- e.Run(ctx) }()
				s.until("the engine is there", func() bool { return until(e.State()) })
				stop()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			clock.jump(c.first)
			engine(func(deliver.State) bool { return s.Refused("451") >= 5 })
			clock.jump(c.second)
			clock.jump(2 * time.Minute) // the usual wait for the second try
			engine(func(deliver.State) bool { return s.queued() == 0 })
			s.quiet()
			for _, m := range s.Messages() {
				if !strings.HasPrefix(m.Header("Subject"), "m-") {
					t.Errorf("a message of the program's own: %q", m.Header("Subject"))
				}
			}
			if n := len(s.Messages()); n != 5 {
				t.Errorf("%d messages arrived", n)
			}
			s.clean()
		})
	}
}
