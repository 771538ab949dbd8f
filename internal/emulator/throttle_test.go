package emulator_test

import (
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

// TestRepeatedErrorsThrottle: each kind of error, repeated often enough within its window, has right mail
// refused as well, until its time is over.
func TestRepeatedErrorsThrottle(t *testing.T) {
	t.Parallel()
	const (
		foreign = "From: root@elsewhere.test\r\nSubject: x\r\n\r\nx\r\n"
	)
	full := func(on bool) func(*emulator.State) {
		return func(s *emulator.State) { s.Mailbox(emulator.DefaultMailbox).Full = on }
	}
	for kind, c := range map[string]struct {
		number       string
		before, then func(*emulator.State)
		err          func(c *client)
	}{
		"mailbox full":   {"5.2.251", full(true), full(false), func(c *client) { c.send(message(c.e)) }},
		"send as denied": {"5.2.252", nil, nil, func(c *client) { c.send(foreign) }},
		"invalid recipients": {"5.2.255", nil, nil, func(c *client) {
			c.cmd("MAIL FROM:<%s>", c.e.Mailbox)
			c.cmd("RCPT TO:<reject-1@example.test>")
			c.cmd("RSET")
		}},
		"too many recipients": {"5.2.254", func(s *emulator.State) { s.Limits.Recipients = 1 }, nil, func(c *client) {
			c.cmd("MAIL FROM:<%s>", c.e.Mailbox)
			c.cmd("RCPT TO:<a@example.test>")
			c.cmd("RCPT TO:<b@example.test>")
			c.cmd("RSET")
		}},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			clk := newClock()
			e := emulator.New(t, withClock(clk))
			e.Update(func(s *emulator.State) {
				s.Limits.Repeated[kind] = &emulator.Repeated{After: 3, Within: emulator.Duration(10 * time.Minute),
					For: emulator.Duration(time.Hour)}
				if c.before != nil {
					c.before(s)
				}
			})
			s := signedIn(t, e)
			c.err(s)
			c.err(s)
			clk.add(11 * time.Minute) // these are forgotten
			c.err(s)
			c.err(s)
			if n := e.Stats().Throttled; n != 0 {
				t.Fatalf("throttled %d times too early", n)
			}
			c.err(s)
			if c.then != nil {
				e.Update(c.then)
			}
			want := "550 " + c.number + " Sender throttled due to continuous " + kind + " errors."
			if got := s.send(message(e)); !strings.HasPrefix(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
			clk.add(50 * time.Minute)
			if got := s.send(message(e)); !strings.HasPrefix(got, want) {
				t.Errorf("after 50 min %q, want %q", got, want)
			}
			clk.add(11 * time.Minute)
			if got := signedIn(t, e).send(message(e)); !strings.HasPrefix(got, "250") {
				t.Errorf("after an hour %q", got)
			}
		})
	}
}
