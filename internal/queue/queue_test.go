package queue

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"o365-sendmail/internal/diagnose"
)

// bench is a queue with a clock that a test moves, and with what its hooks were told.
type bench struct {
	t        testing.TB
	q        *Queue
	now      time.Time
	started  []*Courier
	returned []*Job
	events   []Notice
}

func newBench(t testing.TB, change func(*Rules)) *bench {
	b := &bench{t: t, now: now}
	b.q = New(Hooks{
		Start:  func(_ *Locked, c *Courier) { b.started = append(b.started, c) },
		Return: func(_ *Locked, j *Job, _ *Fault) { b.returned = append(b.returned, j) },
		Tell:   func(e Notice) { b.events = append(b.events, e) },
		Now:    func() time.Time { return b.now },
		Jitter: func() float64 { return noJitter },
	})
	r := Rules{Open: true, Mailbox: "m@contoso.com", Connections: 2, ProbeInterval: 5 * time.Minute}
	if change != nil {
		change(&r)
	}
	b.do(func(l *Locked) {
		l.SetRules(r)
		l.Open(false)
		l.HoldAll(nil)
	})
	return b
}

// do runs f with the queue locked.
func (b *bench) do(f func(*Locked)) {
	b.t.Helper()
	b.q.Do(func(l *Locked) {
		f(l)
		check(b.t, l)
	})
}

// check finds what must never be: counts that are wrong, and lanes that should have turns and have none.
func check(t testing.TB, l *Locked) {
	t.Helper()
	for _, m := range l.mailboxes {
		ready, waiting := 0, 0
		for _, u := range m.users {
			for _, ln := range u.lanes {
				ready += len(ln.ready)
				if want := len(ln.ready) > 0 && ln.gate == nil; ln.linked != want {
					t.Fatalf("a lane of user %d with %d messages: linked is %v", u.by.id, len(ln.ready), ln.linked)
				}
			}
			if want := u.turn.len() > 0 && !m.slowed(u.by.id); u.linked != want {
				t.Fatalf("user %d with %d lanes: linked is %v", u.by.id, u.turn.len(), u.linked)
			}
		}
		for _, p := range m.persons {
			waiting += p.waiting
		}
		if ready != m.ready || waiting != len(m.submissions) || m.starting < 0 || m.couriers < m.starting {
			t.Fatalf("%d ready, counted %d; %d submissions, counted %d; %d of %d couriers start", ready, m.ready,
				len(m.submissions), waiting, m.starting, m.couriers)
		}
	}
	for id, e := range l.index {
		if e.id != id || e.place == Waiting && l.waiting[e.heapAt] != e {
			t.Fatalf("entry %v is not where it says", id)
		}
	}
}

func id(n int) ID { return ID{20260304050607, uint64(n)} }

// add puts n messages of a user and sender into the queue, numbered from first.
func (b *bench) add(user int, sender string, first, n int) {
	b.t.Helper()
	b.do(func(l *Locked) {
		for i := range n {
			l.Add(Message{ID: id(first + i), Sender: sender, By: User{ID: user}}, Status{}, false)
		}
	})
}

// courier is the n-th courier, with a session.
func (b *bench) courier(n int) *Courier {
	b.t.Helper()
	if len(b.started) <= n {
		b.t.Fatalf("%d couriers were started", len(b.started))
	}
	c := b.started[n]
	if !c.ready {
		b.do(func(l *Locked) { c.Arrived(l) })
	}
	return c
}

func (b *bench) next(c *Courier) (j *Job) {
	b.t.Helper()
	b.do(func(l *Locked) { j = c.Next(l) })
	return j
}

// deliver ends a job with success.
func (b *bench) deliver(c *Courier, j *Job) {
	b.t.Helper()
	b.do(func(l *Locked) {
		j.Done(l, c, &Result{Taken: 1})
		j.Drop(l)
	})
}

// fail ends a job with a fault, and gives its message its place.
func (b *bench) fail(c *Courier, j *Job, f Fault) (e Effect) {
	b.t.Helper()
	b.do(func(l *Locked) {
		e = j.Done(l, c, &Result{Fault: &f, Outside: 1})
		after := After{Now: e.Again, Fault: e.Fault, Next: b.now.Add(time.Minute)}
		j.Return(l, Message{ID: j.ID, Sender: j.Sender, By: User{ID: j.User()}}, after)
	})
	return e
}

// users delivers until nothing is to be had, and returns whose messages went, in order.
func (b *bench) users(c *Courier) (order []int) {
	b.t.Helper()
	for j := b.next(c); j != nil; j = b.next(c) {
		order = append(order, j.User())
		b.deliver(c, j)
	}
	return order
}

// TestUsersTakeTurns: whoever has many messages goes no more often than who has few, and so do senders of a user.
func TestUsersTakeTurns(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.add(33, "a@contoso.com", 0, 100)
	b.add(1001, "a@contoso.com", 100, 3)
	b.add(1002, "a@contoso.com", 200, 3)
	order := b.users(b.courier(0))
	if len(order) != 106 {
		t.Fatalf("%d went", len(order))
	}
	count := map[int]int{}
	for _, u := range order[:9] {
		count[u]++
	}
	if count[33] != 3 || count[1001] != 3 || count[1002] != 3 {
		t.Errorf("the first nine are %v", order[:9])
	}
	b.add(33, "many@contoso.com", 300, 50)
	b.add(33, "few@contoso.com", 400, 2)
	c, few := b.courier(0), 0
	for range 4 {
		j := b.next(c)
		if j.Sender == "few@contoso.com" {
			few++
		}
		b.deliver(c, j)
	}
	if few != 2 {
		t.Errorf("%d of the first four are of the sender with few", few)
	}
}

// submit lets a submission of a user wait for a courier.
func (b *bench) submit(user int) (ok bool) {
	b.do(func(l *Locked) {
		ok = (&Job{Sender: "a@contoso.com"}).Admit(l, "", User{ID: user}, true)
	})
	return ok
}

// TestSubmissionsTakeTurns: a user who submits without end takes turns with those who submit once, and with
// the queue.
func TestSubmissionsTakeTurns(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	n := 0
	for b.submit(33) {
		n++
	}
	if n != maxSubmissions {
		t.Errorf("alone somebody may have %d submissions waiting", n)
	}
	if !b.submit(1001) || !b.submit(0) || b.submit(33) {
		t.Error("others have no place, or this user has another one")
	}
	for uid := range 3 {
		b.add(2000+uid, "a@contoso.com", uid, 1)
	}
	c, turns := b.courier(0), map[int]int{}
	var order []int
	for range 6 {
		j := b.next(c)
		turns[j.User()]++
		order = append(order, j.User())
	}
	for _, user := range []int{0, 1001, 2000, 2001, 2002} {
		if turns[user] != 1 {
			t.Errorf("%d has %d turns in %v", user, turns[user], order)
		}
	}
}

var (
	quota   = Fault{Scope: ScopeMailbox, Key: "quota", Reason: "the quota is used up"}
	refused = Fault{Scope: ScopeSender, Hold: true, Key: "send-as-denied", Reason: "no SendAs"}
	sign    = Fault{Scope: ScopeMailbox, Hold: true, Early: true, Key: "sign-in", Reason: "no"}
)

// TestGates: a fault stops what its scope says, for as long as it lasts, and one message at a time tries.
func TestGates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		fault  Fault
		stops  bool // messages of another sender, too
		probes time.Duration
	}{
		{"a pause of the mailbox", quota, true, 30 * time.Second},
		{"a hold of the mailbox", Fault{Scope: ScopeMailbox, Hold: true, Key: "blocked"}, true, 5 * time.Minute},
		{"a throttled mailbox", Fault{Scope: ScopeMailbox, Key: diagnose.KeyThrottled}, true, 5 * time.Minute},
		{"a refused sender", refused, false, 5 * time.Minute},
		{"everything", Fault{Scope: ScopeAll, Key: "dns"}, true, 30 * time.Second},
	} {
		b := newBench(t, nil)
		b.add(1, "a@contoso.com", 0, 2)
		w := b.courier(0)
		b.fail(w, b.next(w), c.fault)
		b.add(2, "b@contoso.com", 10, 1)
		if j := b.next(w); (j == nil) != c.stops {
			t.Errorf("%s: the other sender's goes: %v", c.name, j != nil)
		} else if j != nil {
			b.deliver(w, j)
		}
		if j := b.next(w); j != nil {
			t.Errorf("%s: %v goes through a shut gate", c.name, j.ID)
		}
		b.now = b.now.Add(c.probes - time.Second)
		if j := b.next(w); j != nil {
			t.Errorf("%s: the probe comes early", c.name)
		}
		b.now = b.now.Add(2 * time.Second)
		probe := b.next(w)
		if probe == nil || b.next(w) != nil {
			t.Errorf("%s: not one probe", c.name)
			continue
		}
		if probe.ID == id(0) {
			t.Errorf("%s: the message that met the fault is tried, though there is another one", c.name)
		}
		b.deliver(w, probe)
		left := 2
		if !c.stops {
			left = 1
		}
		if n := len(b.users(w)); n != left {
			t.Errorf("%s: %d go when it is over, want %d", c.name, n, left)
		}
		if n := len(b.events); n != 2 || b.events[0].Open || !b.events[1].Open {
			t.Errorf("%s: events %+v", c.name, b.events)
		}
	}
}

// TestNoSession: a fault before any message is named stops all, is reported, and is over when there is a session.
func TestNoSession(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.add(1, "a@contoso.com", 0, 1)
	first := b.started[0]
	b.do(func(l *Locked) {
		f := sign
		first.NoSession(l, &f)
		first.Gone(l)
		if h := l.Shut(); len(h) != 1 || h[0].Name != "2||sign-in" || h[0].Subject != "mail of m@contoso.com" {
			t.Errorf("%+v", h)
		}
		if s := l.Stops(); len(s) != 1 || !s[0].Held || s[0].Mailbox != "m@contoso.com" {
			t.Errorf("%+v", s)
		}
	})
	if len(b.started) != 1 || b.submit(7) {
		t.Fatal("something goes")
	}
	b.now = b.now.Add(5 * time.Minute)
	b.do(func(l *Locked) { l.Tick() })
	if len(b.started) != 2 {
		t.Fatal("no session is tried")
	}
	if j := b.next(b.courier(1)); j == nil {
		t.Error("a session does not open the gate")
	}
}

// TestOwnFault: a message that meets a fault again while others pass waits alone.
func TestOwnFault(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.add(1, "a@contoso.com", 0, 3)
	c := b.courier(0)
	bad := b.next(c)
	b.fail(c, bad, quota)
	for i := range 10 {
		b.now = b.now.Add(time.Hour)
		b.do(func(l *Locked) { l.Tick() })
		j := b.next(c)
		if j == nil {
			break
		}
		if j.ID != bad.ID {
			b.deliver(c, j)
			continue
		}
		if e := b.fail(c, j, quota); e.Fault.Scope != ScopeMessage {
			t.Errorf("round %d: %+v", i, e.Fault)
		}
		break
	}
	b.add(2, "b@contoso.com", 10, 5)
	if n := len(b.users(c)); n < 5 {
		t.Errorf("%d of 5 others went", n)
	}
}

// TestTwoGates: a message behind two shut gates tries both when there is no other one.
func TestTwoGates(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.add(1, "a@contoso.com", 0, 2)
	c := b.courier(0)
	first, second := b.next(c), b.next(c)
	b.fail(c, first, refused)
	b.fail(c, second, quota)
	b.now = b.now.Add(10 * time.Minute)
	j := b.next(c)
	if j == nil || b.next(c) != nil {
		t.Fatal("not one probe")
	}
	b.deliver(c, j)
	if n := len(b.users(c)); n != 1 {
		t.Errorf("%d go when both are over", n)
	}
}

// TestLostSessions: sessions that end without an answer, by several messages, pause the mailbox.
func TestLostSessions(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.add(1, "a@contoso.com", 0, 4)
	c := b.courier(0)
	for range manyLosses {
		b.do(func(l *Locked) {
			j := c.Next(l)
			j.Done(l, c, &Result{Lost: errors.New("reset")})
			j.Return(l, Message{ID: j.ID}, After{Next: b.now.Add(time.Minute)})
		})
	}
	b.do(func(l *Locked) {
		if s := l.Stops(); len(s) != 1 || s[0].Key != keyLost {
			t.Errorf("%+v", s)
		}
	})
}

// TestStopAll: at the end submissions are handed back, couriers get nothing, and nothing is put off.
func TestStopAll(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.add(1, "a@contoso.com", 0, 2)
	c := b.courier(0)
	j := b.next(c)
	b.submit(5)
	b.do(func(l *Locked) {
		l.StopAll()
		j.Return(l, Message{ID: j.ID}, After{Now: true})
	})
	if len(b.returned) != 1 || b.next(c) != nil || b.submit(6) {
		t.Errorf("%d handed back", len(b.returned))
	}
	b.do(func(l *Locked) {
		if r := l.Report(); !r.Running || !r.Started.Equal(now) || l.Open(false) {
			t.Error("it is not open, or can be opened twice")
		}
		l.Close()
		if !l.Open(true) || l.Len() != 0 {
			t.Error("a new run begins with the messages of the last")
		}
	})
}

// TestCouriers: there are no more than connections, none for what those at hand can take, and the idle are woken.
func TestCouriers(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.add(1, "a@contoso.com", 0, 1)
	c := b.courier(0)
	b.add(1, "a@contoso.com", 10, 2)
	if len(b.started) != 1 {
		t.Errorf("%d couriers for three messages", len(b.started))
	}
	b.add(1, "a@contoso.com", 20, 50)
	if len(b.started) != 2 {
		t.Errorf("%d couriers for 53 messages, of 2", len(b.started))
	}
	b.users(c)
	b.do(func(l *Locked) {
		if stays, waits, alone := c.Idle(l); !stays || !waits || !alone {
			t.Error("it does not wait alone")
		}
		l.Add(Message{ID: id(99)}, Status{}, false)
	})
	select {
	case <-c.Wake:
	default:
		t.Error("the idle courier sleeps on")
	}
	b.do(func(l *Locked) { l.SetRules(Rules{Open: true, Connections: 2}) })
	if b.next(c) != nil {
		t.Error("a courier of the old rules gets a message")
	}
}

// TestDayIsShared: while others wait nobody has more than a share, and root has what is kept.
func TestDayIsShared(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(r *Rules) { r.PerDay, r.Shares = 1000, Shares{Reserve: 10, Small: 5, User: 50} })
	b.add(33, "a@contoso.com", 0, 20)
	b.add(1001, "a@contoso.com", 100, 1)
	c := b.courier(0)
	j := b.next(c)
	for j.User() != 33 {
		j = b.next(c)
	}
	b.add(1001, "a@contoso.com", 200, 1)
	b.do(func(l *Locked) {
		for range 8 {
			a, short := j.Allow(l, 50, 0, l.now)
			if short != nil || a.PerDay != 850 {
				t.Fatalf("%+v, %+v", a, short)
			}
		}
		if _, short := j.Allow(l, 50, 0, l.now); short == nil || !short.Alone {
			t.Errorf("%+v", short)
		}
		j.TakeBack(l, 50, true)
		if _, short := j.Allow(l, 50, 0, l.now); short != nil {
			t.Errorf("what was taken back counts: %+v", short)
		}
		root := &Job{mailbox: j.mailbox, by: j.mailbox.person(Root)}
		if a, short := root.Allow(l, 500, 0, l.now); short != nil || a.PerDay != 1000 {
			t.Errorf("root: %+v, %+v", a, short)
		}
	})
}

// checkPassed finds a job that has passed a shut gate and is not its probe.
func (b *bench) checkPassed(j *Job) {
	b.t.Helper()
	b.do(func(l *Locked) {
		for _, g := range [...]*Gate{&l.all, &j.mailbox.gate, j.mailbox.senders[j.Sender]} {
			if g != nil && g.shut && !slices.Contains(j.probes, g) {
				b.t.Fatalf("%v has passed a gate that is shut for %s", j.ID, g.cause.Key)
			}
		}
	})
}

// FuzzQueue plays couriers, callers and a clock at random. Whatever happens, no message is lost or with two couriers,
// nothing passes a shut gate but one probe, and when all is well again, all go.
func FuzzQueue(f *testing.F) {
	for _, seed := range []string{"", "aaaaannndddffffttttnnnn", "aannffffffffftnftnftnftn", "02\x1572\xfd",
		"aoosannttffabcdefnopqrst0123456789"} {
		f.Add([]byte(seed))
	}
	faults := []Fault{quota, refused, {Scope: ScopeAll, Key: "dns"}, {Scope: ScopeMailbox, Key: diagnose.KeyThrottled},
		{Scope: ScopeOutside, Key: diagnose.KeyOutsideQuota}, {Scope: ScopeMessage, Key: KeyShare}}
	f.Fuzz(func(t *testing.T, steps []byte) {
		if len(steps) > 2000 {
			steps = steps[:2000]
		}
		b := newBench(t, func(r *Rules) { r.Connections = 3 })
		type try struct {
			j *Job
			c *Courier
		}
		var out []try
		queued, added := map[ID]bool{}, 0
		for n, step := range steps {
			user, sender := int(step>>4)%3, fmt.Sprintf("s%d@contoso.com", step>>6)
			switch step % 8 {
			case 0, 1:
				added++
				b.add(user, sender, added, 1)
				queued[id(added)] = true
			case 2, 3:
				if len(b.started) == 0 {
					continue
				}
				c := b.courier(int(step>>3) % len(b.started))
				if j := b.next(c); j != nil {
					for _, o := range out {
						if o.j.ID == j.ID {
							t.Fatalf("step %d: %v is with two couriers", n, j.ID)
						}
					}
					b.checkPassed(j)
					out = append(out, try{j, c})
				}
			case 4, 5:
				if len(out) == 0 {
					continue
				}
				o := out[0]
				out = out[1:]
				if step%8 == 5 {
					b.fail(o.c, o.j, faults[int(step>>3)%len(faults)])
					continue
				}
				b.deliver(o.c, o.j)
				delete(queued, o.j.ID)
			case 6:
				b.now = b.now.Add(time.Duration(step) * time.Minute)
				b.do(func(l *Locked) { l.Tick() })
			case 7:
				b.do(func(l *Locked) { l.Ask() })
			}
			b.do(func(l *Locked) {
				if l.Len() != len(queued) {
					t.Fatalf("step %d: %d in the queue, want %d", n, l.Len(), len(queued))
				}
			})
		}
		for _, o := range out {
			b.deliver(o.c, o.j)
			delete(queued, o.j.ID)
		}
		for round := 0; len(queued) > 0 && round < 200; round++ {
			b.now = b.now.Add(time.Hour)
			b.do(func(l *Locked) { l.Tick() })
			for i := range b.started {
				c := b.courier(i)
				for j := b.next(c); j != nil; j = b.next(c) {
					b.deliver(c, j)
					delete(queued, j.ID)
				}
			}
		}
		if len(queued) > 0 {
			t.Fatalf("%d messages never go", len(queued))
		}
	})
}
