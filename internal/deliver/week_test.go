package deliver

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

// A week beside a fault that lasts, with the server's throttling of repeated errors in force, stricter than it is
// believed to be: the mailbox is never throttled by our own doing, other mail is late by a probe at
// most, and nothing is lost.

// strict throttles a mailbox for a day after so many equal errors within an hour.
func strict(after int) func(*emulator.State) {
	return func(s *emulator.State) {
		for _, kind := range []string{"mailbox full", "send as denied", "invalid license", "too many recipients",
			"invalid recipients"} {
			s.Limits.Repeated[kind] = &emulator.Repeated{After: after, Within: emulator.Duration(time.Hour),
				For: emulator.Duration(24 * time.Hour)}
		}
	}
}

// week is a week of others' mail.
type week struct {
	t     *testing.T
	r     *rig
	start time.Time
	sent  map[string]time.Time // by subject
}

func newWeek(t *testing.T, r *rig) *week {
	r.run()
	return &week{t: t, r: r, start: time.Now(), sent: map[string]time.Time{}}
}

// pass sends a message of another user every 40 minutes until so much of the week is over, with what
// each calls for.
func (w *week) pass(until time.Duration, each func(n int)) {
	w.t.Helper()
	for time.Since(w.start) < until {
		n := len(w.sent)
		if each != nil {
			each(n)
		}
		s := fmt.Sprint("other ", n)
		w.sent[s] = time.Now()
		w.r.send(2000+n%3, w.r.em.Mailbox, s, fmt.Sprintf("user%d@example.com", n))
		time.Sleep(40 * time.Minute)
	}
}

// check holds that all others' mail arrived once, and within late.
func (w *week) check(late time.Duration) {
	w.t.Helper()
	got := w.r.subjects()
	for s, at := range w.sent {
		if took := w.r.arrived(s).Sub(at); got[s] != 1 || took > late {
			w.t.Errorf("%q of %v arrived %d times, after %v", s, at.Sub(w.start), got[s], took)
		}
	}
	if n := w.r.em.Stats().Throttled; n != 0 {
		w.t.Errorf("the mailbox was throttled %d times", n)
	}
	if n := len(w.r.ids()); n != 0 {
		w.t.Errorf("%d messages wait", n)
	}
}

const aWeek = 7 * 24 * time.Hour

func TestWeekOfAFullMailbox(t *testing.T) {
	t.Parallel()
	inBubble(t, rigOptions{emulator: strict(8)}, func(t *testing.T, r *rig) {
		w := newWeek(t, r)
		full := func(is bool) {
			r.em.Update(func(s *emulator.State) {
				s.Tenants[r.em.Tenant].Mailboxes[strings.ToLower(r.em.Mailbox)].Full = is
			})
		}
		w.pass(6*time.Hour, nil)
		full(true)
		from := len(w.sent)
		w.pass(5*24*time.Hour, nil)
		if n := r.em.Refused("554 5.2.2"); n < 100 || n > 5*24+6 {
			t.Errorf("%d probes in five days", n)
		}
		full(false)
		emptied := time.Now()
		w.pass(aWeek, nil)
		for n := from; n < len(w.sent); n++ { // what came meanwhile may count from then
			if s := fmt.Sprint("other ", n); w.sent[s].Before(emptied) {
				w.sent[s] = emptied
			}
		}
		w.check(time.Hour + time.Minute)
		if n := r.bounces(); n != 0 {
			t.Errorf("%d came back", n)
		}
	})
}

func TestWeekOfACallersRefusedSender(t *testing.T) {
	t.Parallel()
	inBubble(t, rigOptions{emulator: strict(6), account: keepSenders}, func(t *testing.T, r *rig) {
		w := newWeek(t, r)
		bad := 0
		w.pass(aWeek-4*time.Hour, func(n int) {
			bad++
			r.send(1000, "boss@elsewhere.org", fmt.Sprint("bad ", n))
		})
		w.pass(aWeek, nil)
		w.check(time.Minute)
		if n := r.bounces(); n != bad {
			t.Errorf("%d of %d came back", n, bad)
		}
		if n := r.countAlerts("held"); n != 0 {
			t.Errorf("%d alerts", n)
		}
	})
}

func TestWeekOfAHundredDeadRecipients(t *testing.T) {
	t.Parallel()
	inBubble(t, rigOptions{emulator: strict(20), engine: func(o *EngineOptions) { o.Depth = 1 }},
		func(t *testing.T, r *rig) {
			w := newWeek(t, r)
			for i := range 100 {
				r.send(1000, r.em.Mailbox, fmt.Sprint("dead ", i), fmt.Sprintf("reject-%d@example.com", i))
			}
			w.pass(aWeek, nil)
			w.check(time.Minute)
			if n := r.bounces(); n != 100 {
				t.Errorf("%d came back", n)
			}
		})
}
