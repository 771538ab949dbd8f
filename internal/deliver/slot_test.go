package deliver

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/quota"
)

// testLimiter is a limiter whose answers a test gives.
type testLimiter struct {
	quota.Limiter
	mu      sync.Mutex
	slots   int
	lose    context.CancelFunc // of the last slot
	cut     context.CancelFunc
	unknown *quota.UnknownError
	// slotsKnown is set when unknown is of counts alone.
	slotsKnown bool
	reserve    func(quota.Request)
}

func (l *testLimiter) TrySlot(ctx context.Context, account string, n int) (quota.Slot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unknown != nil && !l.slotsKnown {
		return quota.Slot{}, l.unknown
	}
	s, err := l.Limiter.TrySlot(ctx, account, n)
	l.slots++
	s.Wanted = context.Background()
	s.Lost, l.lose = context.WithCancel(context.Background())
	s.Cut, l.cut = context.WithCancel(context.Background())
	return s, err
}

func (l *testLimiter) Reserve(ctx context.Context, r quota.Request) (quota.Grant, *quota.Short, error) {
	l.mu.Lock()
	ask, unknown := l.reserve, l.unknown
	l.mu.Unlock()
	if ask != nil {
		ask(r)
	}
	if unknown != nil {
		return quota.Grant{}, nil, unknown
	}
	return l.Limiter.Reserve(ctx, r)
}

func (l *testLimiter) set(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// limited is an account option.
func (l *testLimiter) limited(a *Account) {
	l.Limiter = quota.Host{Ledger: a.Quota}
	a.Limiter, a.Connections, a.Limits.MessagesPerMinute = l, 1, 30
}

// TestLostSlotEndsSession: an idle session ends with its slot, and what comes then takes another.
func TestLostSlotEndsSession(t *testing.T) {
	t.Parallel()
	l := &testLimiter{}
	r := newRig(t, rigOptions{account: l.limited, config: func(c *Config) { c.IdleTimeout = time.Hour }}).run()
	for i := range 2 {
		r.e.Wake(r.put(1000, i))
		r.untilEmpty()
		l.set(func() { l.lose() })
		r.until("the session ends", func() bool { return !strings.Contains(sessionsOf(r), "open") })
	}
	if n := r.em.Stats().Connections; n != 2 || l.slots != 2 {
		t.Errorf("%d connections, %d slots", n, l.slots)
	}
}

// sessionsOf is "open" while a courier works.
func sessionsOf(r *rig) (what string) {
	r.e.queue.Do(func(l *queue.Locked) {
		for _, m := range l.Report().Mailboxes {
			if m.Sessions > 0 {
				what = "open"
			}
		}
	})
	return what
}

// TestCutBreaksOff: what is under way when the slot passes to another is broken off, stays, and goes later.
func TestCutBreaksOff(t *testing.T) {
	t.Parallel()
	l := &testLimiter{}
	r := newRig(t, rigOptions{account: l.limited})
	if err := r.em.Script(emulator.Rule{Stage: "mail", Delay: time.Hour, First: 1}); err != nil {
		t.Fatal(err)
	}
	r.run()
	r.e.Wake(r.put(1000, 1))
	r.until("the message is under way", func() bool { return strings.Contains(r.em.Transcript(), "C: MAIL FROM") })
	l.set(func() { l.lose(); l.cut() })
	r.untilEmpty()
	if n := r.em.Stats().Messages; n != 1 || l.slots != 2 {
		t.Errorf("%d messages arrived, %d slots", n, l.slots)
	}
}

func unknownFor(d time.Duration, hosts int) (*quota.UnknownError, context.CancelFunc) {
	over, known := context.WithCancel(context.Background())
	return &quota.UnknownError{For: d, Hosts: hosts, Over: over,
		Err: errors.New("the fleet's servers can't be reached: test")}, known
}

// TestUnknownWaits: mail waits while nobody can tell what other hosts have used, and goes at once when they can.
func TestUnknownWaits(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{UnreachableWait, UnreachableShare} {
		l := &testLimiter{}
		inBubble(t, rigOptions{account: func(a *Account) { l.limited(a); a.Unreachable = policy }},
			func(t *testing.T, r *rig) {
				unknown, known := unknownFor(0, 3)
				l.set(func() { l.unknown = unknown })
				if policy == UnreachableWait {
					unknown.For = time.Hour
				}
				id := r.put(1000, 1)
				r.run()
				time.Sleep(40 * time.Second)
				if n := len(r.em.Messages()); n != 0 {
					t.Errorf("%s: %d messages went", policy, n)
				}
				stops := r.e.State().Stops
				if len(stops) != 1 || stops[0].Held || !strings.Contains(stops[0].Reason, "can't be reached") {
					t.Errorf("%s: %+v", policy, stops)
				}
				if st := r.status(id).Status; st.Attempts != 0 {
					t.Errorf("%s: the message was tried: %+v", policy, st)
				}
				l.set(func() { l.unknown = nil })
				known()
				time.Sleep(time.Second)
				if n := len(r.em.Messages()); n != 1 {
					t.Errorf("%s: %d messages went when it was known again", policy, n)
				}
			})
	}
}

// TestUnknownCount: slots are given out and messages can't be counted. The reason is told, and mail goes as policy has it.
func TestUnknownCount(t *testing.T) {
	t.Parallel()
	l := &testLimiter{slotsKnown: true}
	inBubble(t, rigOptions{account: func(a *Account) { l.limited(a); a.Unreachable = UnreachableShare }},
		func(t *testing.T, r *rig) {
			unknown, known := unknownFor(0, 3)
			l.set(func() { l.unknown = unknown })
			for i := range 20 {
				r.put(1000, i)
			}
			r.run()
			time.Sleep(50 * time.Second)
			s := r.e.State()
			if len(s.Stops) != 1 || s.Stops[0].Held || !strings.Contains(s.Stops[0].Reason, "can't be reached") {
				t.Errorf("%+v", s.Stops)
			}
			l.set(func() { unknown.For = time.Minute })
			time.Sleep(time.Minute)
			if n := len(r.em.Messages()); n != 10 {
				t.Errorf("%d messages went, want 30/3", n)
			}
			l.set(func() { l.unknown = nil })
			known()
			time.Sleep(time.Minute)
			if n := len(r.em.Messages()); n != 20 || len(r.e.State().Stops) != 0 {
				t.Errorf("%d messages went when it was known again: %+v", n, r.e.State().Stops)
			}
		})
}

// TestUnknownShares: after a minute a host sends on one connection, at its part of the messages a minute; the session
// ends when more is known.
func TestUnknownShares(t *testing.T) {
	t.Parallel()
	l := &testLimiter{}
	inBubble(t, rigOptions{account: func(a *Account) {
		l.limited(a)
		a.Connections, a.Unreachable = 3, UnreachableShare
	}, config: func(c *Config) { c.IdleTimeout = time.Hour }}, func(t *testing.T, r *rig) {
		unknown, known := unknownFor(2*time.Minute, 10)
		l.set(func() { l.unknown = unknown })
		for i := range 20 {
			r.put(1000, i)
		}
		r.run()
		time.Sleep(50 * time.Second)
		if n, c := len(r.em.Messages()), r.em.Stats().Connections; n != 3 || c != 1 {
			t.Errorf("%d messages went over %d connections, want 30/10 over 1", n, c)
		}
		l.set(func() { l.unknown = nil })
		known()
		time.Sleep(time.Minute)
		if n := len(r.em.Messages()); n != 20 || l.slots == 0 {
			t.Errorf("%d messages went when it was known again, by %d slots", n, l.slots)
		}
	})
}

// TestNoLockWhileAsking: a limiter that takes its time stops nobody but the courier that asks it.
func TestNoLockWhileAsking(t *testing.T) {
	t.Parallel()
	l := &testLimiter{}
	asked, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	l.reserve = func(quota.Request) {
		first := false
		once.Do(func() { first = true })
		if first {
			close(asked)
			<-answer
		}
	}
	r := newRig(t, rigOptions{account: func(a *Account) { l.limited(a); a.Connections = 2 }}).run()
	defer close(answer) // before the engine is stopped
	const messages = 12
	for i := range messages {
		r.e.Wake(r.put(1000, i))
	}
	<-asked
	r.until("the other messages go meanwhile", func() bool { return r.em.Stats().Messages == messages-1 })
	if n := len(r.e.State().Mailboxes); n == 0 {
		t.Error("the state names no mailbox")
	}
}
