package queueview

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestBoard: changes are told once, those that happened while nothing was heard as well.
func TestBoard(t *testing.T) {
	t.Parallel()
	var out, drawn bytes.Buffer
	b := &Board{Changes: &out}
	st := Status{Agent: true, Mailbox: "m@example.com", Since: now, Sent: 3, Active: 1}
	tell := func(name, want string) {
		t.Helper()
		if out.String() != want {
			t.Errorf("%s: %q, want %q", name, out.String(), want)
		}
		out.Reset()
	}
	all := reasons()
	listing := func(messages ...*Message) {
		b.Status(st, now)
		for _, m := range messages {
			b.Message(m, now)
		}
		b.Status(st, now)
	}
	listing(all...)
	tell("listed", "10:00:00 4 messages waiting\n")
	b.Message(all[0], now)
	tell("the same", "")
	changed := *all[0]
	changed.Tries, changed.Reason = 2, "451 \x1b[2J"
	b.Message(&changed, now)
	tell("changed", "10:00:00 20260304090000-0000000000000001 deferred: 451 \\x1b[2J; to x@example.org, tried 2 times\n")
	b.Gone(all[1].ID, now)
	b.Gone("20260304090000-0123456789abcdef", now)
	tell("gone", "10:00:00 20260304090000-0000000000000002 left the queue\n")
	b.Reset()
	listing(&changed, message())
	tell("again", "10:00:00 20260304090000-0000000000000003 left the queue\n10:00:00 20260304090000-0000000000000004 "+
		"left the queue\n10:00:00 2 messages waiting\n")
	st.Stops = []Stop{{All: true, Hold: true, Reason: "the secret is over"}}
	b.Status(st, now)
	tell("held", "10:00:00 Delivery is held: the secret is over.\n")
	if err := b.Draw(&drawn, now, 80, 24, false, nil); err != nil || !b.changedIsSeen() ||
		!strings.HasPrefix(drawn.String(), "2026-03-04 10:00:00  2 messages, 1 being delivered; since 10:00 3 sent, 0 deferred") ||
		!strings.Contains(drawn.String(), "(held: the secret is over; 2 messages)\n") {
		t.Errorf("%v:\n%s", err, &drawn)
	}
}

func (b *Board) changedIsSeen() bool { return !b.Changed() }

// TestBoardFits: a screen has as many lines as the terminal at most, and the last ones are not lost at once.
func TestBoardFits(t *testing.T) {
	t.Parallel()
	b := &Board{}
	b.Status(Status{Agent: true}, now)
	for i := range 5000 {
		b.Message(message(func(m *Message) {
			m.ID, m.State, m.Reason = fmt.Sprintf("20260304090000-%016x", i), Deferred, fmt.Sprintf("reason %d", i%3)
			m.Arrived = now.Add(-time.Minute)
		}), now)
	}
	b.Status(Status{Agent: true}, now)
	for _, height := range []int{5, 24, 50} {
		var drawn bytes.Buffer
		if err := b.Draw(&drawn, now, 120, height, false, nil); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(drawn.String(), "\n"); n >= height {
			t.Errorf("%d lines of %d", n+1, height)
		}
		if height > 20 && strings.Count(drawn.String(), "more\n") != 3 {
			t.Errorf("height %d:\n%s", height, &drawn)
		}
	}
	for id := range b.messages {
		b.Gone(id, now)
	}
	if len(b.order) > 2000 {
		t.Errorf("%d of none are kept", len(b.order))
	}
}
