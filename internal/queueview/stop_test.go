package queueview

import (
	"strings"
	"testing"
	"time"
)

// A stop that concerns one user, one author or the recipients outside is told as such, and to nobody else.
func TestNarrowStops(t *testing.T) {
	t.Parallel()
	const mailbox = "noreply@contoso.com"
	uid := 1000
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		stop   Stop
		note   string
		covers bool // a message of user 1000
		users  bool
	}{
		{"user", Stop{UID: &uid}, "paused for the user 1000:", true, true},
		{"author", Stop{Author: "boss@example.org"}, "paused for messages from boss@example.org:", false, true},
		{"outside", Stop{Outside: true}, "paused for recipients outside the organization:", false, false},
		{"mailbox", Stop{}, "Delivery is paused:", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := c.stop
			s.Mailbox, s.Reason = mailbox, "because"
			st := Status{Agent: true, Mailbox: mailbox, Stops: []Stop{s}}
			e := &Explainer{Status: st, Now: now}
			if notes := e.Notes(); len(notes) != 1 || !strings.Contains(notes[0], c.note) {
				t.Errorf("%q, want %q", notes, c.note)
			}
			if got := s.Covers(&Message{UID: uid}, mailbox); got != c.covers {
				t.Errorf("it covers the user's message: %v", got)
			}
			if other := s.Covers(&Message{UID: 1001}, mailbox); other != (c.covers && !c.users) {
				t.Errorf("it covers another's message: %v", other)
			}
			if shown := len(st.Harmless().Stops) == 1; shown == c.users {
				t.Errorf("others are shown it: %v", shown)
			}
		})
	}
}
