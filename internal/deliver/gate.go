package deliver

import (
	"slices"
	"time"
)

// scope says what a fault stops.
type scope uint8

const (
	scopeMessage scope = iota // one message
	scopeSender               // the messages of one sender address
	scopeBox                  // everything that one mailbox signs in for
	scopeApp                  // everything
)

// The classes as they stand in a message's status.
const (
	classTemporary     = "temporary"
	classAccount       = "account"
	classConfiguration = "configuration"
	classShare         = "share" // there is no room for it in its user's share of the day
)

// stop is a fault that is none of a message's own.
type stop struct {
	scope  scope
	hold   bool   // an administrator has to act; else waiting helps
	early  bool   // it showed before a message was named, so a session proves that it is gone
	key    string // stable identifier of the fault
	reason string // one line
	remedy string // what to do, "" when there is nothing but to wait
	after  time.Duration
}

func (s *stop) class() string {
	switch {
	case s.hold:
		return classConfiguration
	case s.key == keyShare:
		return classShare
	}
	return classAccount
}

// gate lets messages pass, or stops them for a while: a pause ends by itself, a hold when
// the configuration is mended. Either is found out by a probe: one session, one message.
// The engine's mutex guards it.
type gate struct {
	scope  scope
	box    *box   // nil for scopeApp
	sender string // of scopeSender
	lanes  []*lane
	turn   int

	shut     bool
	cause    stop
	since    time.Time
	next     time.Time // of the probe
	failures int
	probing  bool
	lastOK   time.Time // a message was taken
}

// passage is what a gate says to one who wants through.
type passage uint8

const (
	passNo passage = iota
	passProbe
	passYes
)

// maxStop is the longest that a gate can be shut without a probe. What lies further ahead comes
// from a clock that was set.
const maxStop = 25 * time.Hour

func (g *gate) pass(now time.Time) passage {
	switch {
	case !g.shut:
		return passYes
	case g.probing:
		return passNo
	case g.due(now):
		return passProbe
	}
	return passNo
}

func (g *gate) due(now time.Time) bool {
	return !g.next.After(now) || g.next.After(now.Add(maxStop))
}

// waiting tells whether a message waits behind a sender's gate.
func (g *gate) waiting() bool {
	return slices.ContainsFunc(g.lanes, func(l *lane) bool { return l.ready.len() > 0 })
}

func (g *gate) removeLane(l *lane) {
	g.lanes = slices.DeleteFunc(g.lanes, func(m *lane) bool { return m == l })
}

// shutGate closes a gate, or keeps it closed after a probe. Only the first of several couriers that
// meet the fault counts as a failure.
func (e *Engine) shutGate(g *gate, s *stop, probe bool, now time.Time) {
	if g.shut && !probe && (g.cause.hold || !s.hold) {
		return
	}
	if !g.shut {
		g.since = now
		g.failures = 0
	}
	changed := !g.shut || g.cause.key != s.key
	g.shut, g.cause = true, *s
	g.failures++
	g.probing = false
	g.next = now.Add(e.pauseFor(s, g.failures))
	if g.scope == scopeSender {
		e.shutLanes(g)
	}
	e.noteShut(g, changed, now)
	e.flushExpress(g)
	e.rouse()
}

// shutLanes takes the lanes of a sender out of their rings.
func (e *Engine) shutLanes(g *gate) {
	for _, u := range g.box.users {
		if l := u.lanes[g.sender]; l != nil && l.gate == nil {
			l.unlink()
			l.gate = g
			g.lanes = append(g.lanes, l)
		}
	}
}

// openGate lets everything pass again.
func (e *Engine) openGate(g *gate, now time.Time) {
	if !g.shut {
		return
	}
	e.noteOpen(g, now)
	g.shut, g.probing, g.failures, g.next = false, false, 0, time.Time{}
	for _, l := range g.lanes {
		l.gate = nil
		l.link()
	}
	g.lanes = nil
	e.kickAll()
	e.rouse()
}

// senderGate returns the gate of a sender, made if need be.
func (b *box) senderGate(sender string) *gate {
	g := b.senders[sender]
	if g == nil {
		g = &gate{scope: scopeSender, box: b, sender: sender}
		b.senders[sender] = g
	}
	return g
}

// gates calls fn for every gate.
func (e *Engine) gates(fn func(*gate)) {
	fn(&e.app)
	for _, b := range e.boxes {
		fn(&b.gate)
		for _, g := range b.senders {
			fn(g)
		}
	}
}

// probeNow lets the shut gates be probed at once.
func (e *Engine) probeNow(now time.Time) {
	e.gates(func(g *gate) {
		if g.shut {
			g.next = now
		}
	})
	for _, b := range e.boxes {
		b.pace, b.noSlot = [ranks]pace{}, time.Time{}
	}
}
