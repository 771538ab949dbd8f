package queue

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"o365-sendmail/internal/diagnose"
)

// TestWaits: a message goes when its time has come, or at once if it waits for what is not its own, or is forced.
func TestWaits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		st     Status
		forced bool
		at     time.Duration // when it goes, -1 for never
	}{
		{"new", Status{}, false, 0},
		{"put off", Status{Class: ClassTemporary, Next: now.Add(5 * time.Minute)}, false, 5 * time.Minute},
		{"put off, and forced", Status{Class: ClassTemporary, Next: now.Add(5 * time.Minute)}, true, 0},
		{"paused with its mailbox", Status{Class: ClassAccount, Next: now.Add(5 * time.Minute)}, false, 0},
		{"put off by a clock that was set back", Status{Next: now.Add(tenYears)}, false, 0},
		{"held", Status{Held: true}, true, -1},
	} {
		b := newBench(t, nil)
		b.add(1, "a@contoso.com", 100, 1)
		w := b.courier(0)
		b.users(w)
		b.do(func(l *Locked) { l.Add(Message{ID: id(1)}, c.st, c.forced) })
		went := func() bool {
			b.do(func(l *Locked) { l.Tick() })
			return b.next(w) != nil
		}
		if c.at > 0 {
			b.now = b.now.Add(c.at - time.Second)
			if went() {
				t.Errorf("%s: it goes early", c.name)
			}
			b.now = b.now.Add(time.Second)
		}
		if went() != (c.at >= 0) {
			t.Errorf("%s: it goes: %v", c.name, c.at < 0)
		}
	}
}

// TestRefusalsInARow: a user whose messages meet refused recipients, one after the other, waits between them, and
// nobody else does. A message that is taken ends the row.
func TestRefusalsInARow(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.add(33, "a@contoso.com", 0, 20)
	c := b.courier(0)
	took := time.Duration(0)
	refuse := func() bool {
		j := b.next(c)
		if j == nil || j.User() != 33 {
			return false
		}
		if took > 0 && b.next(c) != nil {
			t.Error("two are on their way")
		}
		b.now = b.now.Add(took)
		b.do(func(l *Locked) {
			j.Done(l, c, &Result{Refused: errors.New("no such user")})
			j.Drop(l)
		})
		return true
	}
	n := 0
	for refuse() {
		n++
	}
	if n != freeRefusals+1 {
		t.Errorf("%d messages go at once", n)
	}
	b.do(func(l *Locked) {
		if s := l.Stops(); len(s) != 1 || s[0].Key != KeySlow || *s[0].UID != 33 || s[0].Failures != n {
			t.Errorf("%+v", s)
		}
	})
	b.add(1001, "a@contoso.com", 100, 3)
	if order := b.users(c); len(order) != 3 {
		t.Errorf("beside it go %v", order)
	}
	took = 30 * time.Second
	for _, wait := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
		b.now = b.now.Add(wait - time.Second)
		if b.do(func(l *Locked) { l.Tick() }); refuse() {
			t.Errorf("one goes before %v are over", wait)
		}
		b.now = b.now.Add(time.Second)
		b.do(func(l *Locked) { l.Tick() })
		if !refuse() || refuse() {
			t.Errorf("after %v not one goes", wait)
		}
	}
	b.now = b.now.Add(8 * time.Minute)
	b.do(func(l *Locked) { l.Tick() })
	if order := b.users(c); len(order) != 20-n-3 {
		t.Errorf("of the rest go %d", len(order))
	}
}

// TestSenderProbesAreFew: of many refused senders three are tried in an hour, unless the configuration names them.
func TestSenderProbesAreFew(t *testing.T) {
	t.Parallel()
	for _, named := range []bool{true, false} {
		b := newBench(t, func(r *Rules) { r.Named = func(string) bool { return named } })
		for i := range 10 {
			b.add(1, fmt.Sprintf("s%d@contoso.com", i), i, 1)
		}
		c := b.courier(0)
		for j := b.next(c); j != nil; j = b.next(c) {
			b.fail(c, j, refused)
		}
		b.now = b.now.Add(10 * time.Minute)
		n := 0
		for j := b.next(c); j != nil; j = b.next(c) {
			n++
		}
		if want := map[bool]int{true: 10, false: maxSenderTries}[named]; n != want {
			t.Errorf("named %v: %d are tried", named, n)
		}
	}
}

// TestPausesGrow: a fault that the server counts is tried less and less often, as long as more than one message meets
// it; another message than the one that met it may try soon.
func TestPausesGrow(t *testing.T) {
	t.Parallel()
	full := Fault{Scope: ScopeMailbox, Key: diagnose.KeyMailboxFull}
	for _, another := range []bool{false, true} {
		b := newBench(t, nil)
		b.add(1, "a@contoso.com", 0, 1)
		c := b.courier(0)
		var waits []time.Duration
		for range 4 {
			j := b.next(c)
			for j == nil {
				b.now = b.now.Add(time.Minute)
				j = b.next(c)
			}
			at := b.now
			b.fail(c, j, full)
			b.do(func(l *Locked) { waits = append(waits, l.Stops()[0].Next.Sub(at)) })
		}
		if waits[0] != 5*time.Minute || waits[1] != 10*time.Minute || waits[2] != 20*time.Minute {
			t.Errorf("the pauses are %v", waits)
		}
		if another {
			b.add(2, "b@contoso.com", 10, 1)
		}
		b.now = b.now.Add(6 * time.Minute)
		if j := b.next(c); (j != nil) != another {
			t.Errorf("another message %v: one goes: %v", another, j != nil)
		}
	}
}

// TestParked: messages of a refused author, and for recipients outside, wait outside the lanes, and others pass.
func TestParked(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.add(1, "a@contoso.com", 0, 3)
	c := b.courier(0)
	for tries, wait := range []time.Duration{30 * time.Minute, 90 * time.Minute, 0} {
		j := b.next(c)
		j.Author = "me@example.com"
		b.do(func(l *Locked) {
			if cause, n := j.PassAuthor(l, false); cause != nil || n > 0 {
				t.Errorf("try %d: it does not pass: %v", tries, cause)
			}
		})
		e := b.fail(c, j, refused)
		if last := wait == 0; e.Fault.Scope != ScopeAuthor || e.Fault.Hold || (e.Tries == 3) != last {
			t.Fatalf("try %d: %+v", tries, e)
		}
		for j := b.next(c); j != nil; j = b.next(c) {
			b.deliver(c, j)
		}
		b.now = b.now.Add(wait + time.Minute)
		b.do(func(l *Locked) { l.Tick() })
	}
	b.do(func(l *Locked) {
		if cause, n := l.RefusesAuthor("", "me@example.com"); n != 3 || cause.Key != refused.Key {
			t.Errorf("a new message: %v after %d", cause, n)
		}
	})

	b = newBench(t, nil)
	b.add(1, "a@contoso.com", 0, 1)
	c = b.courier(0)
	outside := Fault{Scope: ScopeOutside, Key: diagnose.KeyOutsideQuota}
	if e := b.fail(c, b.next(c), outside); e.Fault.Scope != ScopeOutside || e.Again {
		t.Errorf("%+v", e)
	}
	b.add(1, "a@contoso.com", 10, 1)
	j := b.next(c)
	b.do(func(l *Locked) {
		if j.PassOutside(l, true) == nil {
			t.Error("a recipient outside passes")
		}
		l.Tick()
		if r := l.Report(); r.Waiting != 1 || r.Ready != 0 {
			t.Errorf("%+v", r)
		}
	})
	b.deliver(c, j)
	b.now = b.now.Add(outsidePause)
	b.do(func(l *Locked) { l.Tick() })
	if j = b.next(c); j == nil {
		t.Fatal("a day later nothing goes")
	}
	b.do(func(l *Locked) {
		if j.PassOutside(l, true) != nil {
			t.Error("a day later there is no probe")
		}
		j.Done(l, c, &Result{Taken: 1, TakenOutside: true})
		if len(l.Stops()) != 0 {
			t.Errorf("%+v", l.Stops())
		}
	})
}

// TestOwnSubmissionsAndQueue: of one user submissions go first, but the queue has every ninth turn.
func TestOwnSubmissionsAndQueue(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.add(33, "a@contoso.com", 0, 3)
	c, first := b.courier(0), -1
	for n := range 12 {
		b.submit(33)
		if j := b.next(c); j.Queued() && first < 0 {
			first = n
		}
	}
	if first != maxInARow {
		t.Errorf("the queue goes first after %d submissions", first)
	}
}
