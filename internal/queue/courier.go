package queue

import (
	"slices"
	"time"
)

// Courier is one who takes messages of a mailbox to the server, one session long. Its fields don't change.
type Courier struct {
	// Mailbox signs in.
	Mailbox string
	// Careful is set when sessions were lost: the message that ends them is to be found alone.
	Careful bool
	// Wake gets a value when an idle courier is to look for work.
	Wake chan struct{}

	mailbox    *Mailbox
	generation int
	probes     []*Gate // that its first message has to answer
	ready      bool    // it has a session
}

// enough work is there to start all couriers.
const enough = 16

// available counts what can be taken now, as far as it matters.
func (m *Mailbox) available() int {
	n := 0
	for _, p := range m.persons {
		if p.waiting > 0 && !m.pacedOut(p) {
			n += p.waiting
		}
	}
	for _, u := range m.turn.members {
		if m.pacedOut(u.by) {
			continue
		}
		for _, ln := range u.turn.members {
			if n += len(ln.ready); n >= enough {
				return n
			}
		}
	}
	for _, g := range m.senders {
		if g.shut && g.pass(m.l.now) == passProbe && g.waiting() {
			n++
		}
	}
	return n
}

// open reports whether the gates let something of a mailbox pass.
func (m *Mailbox) open() bool {
	return m.l.all.pass(m.l.now) != passNo && m.gate.pass(m.l.now) != passNo
}

func (l *Locked) dispatchAll() {
	for _, m := range l.mailboxes {
		m.dispatch()
	}
}

// dispatch wakes or starts couriers when there is work for them.
func (m *Mailbox) dispatch() {
	l := m.l
	if !l.open || l.closing || !l.rules.Open {
		return
	}
	work := m.available()
	if work == 0 || !m.open() {
		return
	}
	if n := len(m.idle); n > 0 {
		c := m.idle[n-1]
		m.idle = m.idle[:n-1]
		c.wake()
		return
	}
	// What the sessions at hand can take soon is worth no new one.
	work -= (m.couriers - m.starting - m.slow) * soon
	for m.couriers < max(l.rules.Connections, 1) && m.starting < work && !after(m.noSlot, l.now) {
		probes, ok := m.claimProbes(nil)
		if !ok {
			return
		}
		m.start(probes)
	}
}

// soon is how many messages a session that is up is trusted to take without delay.
const soon = 4

func (m *Mailbox) start(probes []*Gate) {
	beginProbes(probes)
	m.couriers++
	m.starting++
	m.l.hooks.Start(m.l, &Courier{Mailbox: m.address(), Careful: m.losses > 0, Wake: make(chan struct{}, 1),
		mailbox: m, generation: m.l.generation, probes: probes})
}

// claimProbes passes the gates that a session has to pass, and adds those it probes to the ones that it has.
func (m *Mailbox) claimProbes(has []*Gate) (probes []*Gate, ok bool) {
	probes = has
	for _, g := range [...]*Gate{&m.l.all, &m.gate} {
		if slices.Contains(has, g) {
			continue
		}
		switch g.pass(m.l.now) {
		case passNo:
			return nil, false
		case passProbe:
			probes = append(probes, g)
		}
	}
	return probes, true
}

// beginProbes marks the gates as being probed.
func beginProbes(probes []*Gate) {
	for _, g := range probes {
		g.probing = true
	}
}

func endProbes(probes []*Gate) {
	for _, g := range probes {
		g.probing = false
	}
}

func (c *Courier) wake() {
	select {
	case c.Wake <- struct{}{}:
	default:
	}
}

// wakeIdle lets the idle couriers look around, and go.
func (m *Mailbox) wakeIdle() {
	for _, c := range m.idle {
		c.wake()
	}
	m.idle = nil
}

// Arrived notes that a courier has a session: what stood in the way of one is gone.
func (c *Courier) Arrived(l *Locked) {
	c.ready = true
	c.mailbox.starting--
	for _, g := range [...]*Gate{&l.all, &c.mailbox.gate} {
		if g.shut && g.cause.Early && g.cause.Key != KeyNoAccount {
			g.reopen(l)
			c.probes = slices.DeleteFunc(c.probes, func(p *Gate) bool { return p == g })
		}
	}
}

// NoSession shuts the gate of a fault that kept a courier from getting a session. No message is at fault.
func (c *Courier) NoSession(l *Locked, f *Fault) {
	g := &l.all
	if f.Scope != ScopeAll {
		g = &c.mailbox.gate
	}
	g.fail(l, f, slices.Contains(c.probes, g))
}

// slotPause is how long an additional courier stays away when the host has no free connection.
const slotPause = time.Second

// NoSlot notes that the host has no connection free for a courier. It returns false for the only courier of a
// mailbox, which should wait for one.
func (c *Courier) NoSlot(l *Locked) (goes bool) {
	if c.mailbox.couriers <= 1 {
		return false
	}
	c.mailbox.noSlot = l.now.Add(slotPause)
	l.hooks.Timer()
	return true
}

// Gone signs a courier off, and has the work that is left done by others.
func (c *Courier) Gone(l *Locked) {
	c.mailbox.couriers--
	if !c.ready {
		c.mailbox.starting--
	}
	endProbes(c.probes)
	c.mailbox.dispatch()
}

// Slow notes that a courier is busy with a large message, so that another one is found for the others.
func (c *Courier) Slow(*Locked) {
	c.mailbox.slow++
	c.mailbox.dispatch()
}

// Fast says that the large message is through.
func (c *Courier) Fast(*Locked) { c.mailbox.slow-- }

// Wanted reports whether a courier still works by the rules in force.
func (c *Courier) Wanted(l *Locked) bool { return !l.closing && c.generation == l.generation }

// Idle notes that a courier has nothing under way. It goes if it is no longer wanted, and else waits on Wake,
// unless there is work for it already. alone is set if no other one waits.
func (c *Courier) Idle(l *Locked) (stays, waits, alone bool) {
	m := c.mailbox
	endProbes(c.probes)
	c.probes = nil
	if !c.Wanted(l) {
		return false, false, false
	}
	if m.available() > 0 && m.open() {
		return true, false, false
	}
	alone = len(m.idle) == 0
	m.idle = append(m.idle, c)
	return true, true, alone
}

// Backlog reports whether messages of the mailbox wait, if only for the rate.
func (c *Courier) Backlog(*Locked) bool { return c.mailbox.ready+len(c.mailbox.submissions) > 0 }

// Busy notes that a courier no longer waits.
func (c *Courier) Busy(l *Locked) {
	c.mailbox.idle = slices.DeleteFunc(c.mailbox.idle, func(o *Courier) bool { return o == c })
}
