package deliver

import (
	"slices"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/spool"
)

// scope says what a fault stops.
type scope uint8

const (
	scopeMessage scope = iota // one message
	scopeSender               // the messages of one sender address
	scopeBox                  // everything that one mailbox signs in for
	scopeApp                  // everything
	scopeAuthor               // the messages of one From address that a caller chose
	scopeOutside              // the recipients outside the organization
)

// The classes as they stand in a message's status.
const (
	classTemporary     = "temporary"
	classAccount       = "account"
	classConfiguration = "configuration"
	classShare         = "share"   // there is no room for it in its user's share of the day
	classOwn           = "own"     // a fault that others of the mailbox don't meet
	classSender        = "sender"  // the sender that its caller chose is refused
	classOutside       = "outside" // what is left is for recipients outside the organization
)

// stop is a fault that is none of a message's own.
type stop struct {
	scope  scope
	hold   bool   // an administrator has to act; else waiting helps
	early  bool   // it showed before a message was named, so a session proves that it is gone
	key    string // stable identifier of the fault
	err    error  // nil for one that was restored, or is no server's or token endpoint's
	reason string // one line
	remedy string // what to do, "" when there is nothing but to wait
	after  time.Duration
}

func (s *stop) class() string {
	switch {
	case s.key == keyShare:
		return classShare
	case s.scope == scopeMessage:
		return classOwn
	case s.scope == scopeAuthor:
		return classSender
	case s.scope == scopeOutside:
		return classOutside
	case s.hold:
		return classConfiguration
	}
	return classAccount
}

// throttle reports whether the server refuses everything because one error came too often. Nobody
// goes through before the probe: that would be one more.
func (s *stop) throttle() bool { return s.key == diagnose.KeyThrottled }

// counted reports whether the server counts the fault, so that a probe adds to what it is throttled for.
// Such probes come in growing pauses, across restarts.
func (s *stop) counted() bool {
	switch s.key {
	case diagnose.KeyThrottled, diagnose.KeyUnknownLimit, diagnose.KeyMailboxFull, diagnose.KeyLicence:
		return true
	}
	return s.scope == scopeSender || s.scope == scopeAuthor || s.scope == scopeOutside
}

// gate lets messages pass, or stops them for a while: a pause ends by itself, a hold when
// the configuration is mended. Either is found out by a probe: one session, one message.
// The engine's mutex guards it.
type gate struct {
	scope  scope
	box    *box   // nil for scopeApp
	sender string // of scopeSender and scopeAuthor
	lanes  []*lane
	turn   int
	parked map[*entry]bool // that wait for it outside the lanes, of scopeAuthor and scopeOutside

	shut     bool
	cause    stop
	since    time.Time
	next     time.Time // of the probe
	failures int
	met      spool.Key // the message that met the cause, as long as no other has
	several  bool
	another  time.Time // when a message that has not met it may try, as long as a single one has
	probing  bool
	final    bool      // of scopeAuthor: no more tries, until next
	asked    bool      // a person wants it tried
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

// waiting reports whether a message waits behind a sender's gate.
func (g *gate) waiting() bool {
	return slices.ContainsFunc(g.lanes, func(l *lane) bool { return l.ready.len() > 0 })
}

func (g *gate) removeLane(l *lane) {
	g.lanes = slices.DeleteFunc(g.lanes, func(m *lane) bool { return m == l })
}

// shutGate closes a gate, or keeps it closed after a probe. Only the first of several couriers that
// meet the fault counts as a failure.
func (e *Engine) shutGate(g *gate, s *stop, probe bool, now time.Time) {
	if g.shut && !probe && !s.worse(&g.cause) {
		return
	}
	if !g.shut {
		g.since = now
		g.failures = 0
	}
	g.another = now.Add(e.config.ProbeInterval)
	changed := !g.shut || g.cause.key != s.key
	g.shut, g.cause = true, *s
	g.failures++
	g.probing = false
	g.next = now.Add(e.pauseFor(s, g.failures))
	if g.scope == scopeSender {
		e.shutLanes(g)
	}
	e.noteShut(g, changed)
	e.flushExpress(g)
	e.rouse()
}

// meet notes which message met the fault that is about to shut the gate, or keeps it shut.
func (g *gate) meet(id spool.Key) {
	if !g.shut {
		g.met, g.several = id, false
	}
	g.several = g.several || id != g.met
}

// hasten lets a message try soon that comes while a single other one has met the cause: pauses grow only when
// they are not that one's doing.
func (g *gate) hasten(id spool.Key) {
	if g.shut && g.cause.counted() && !g.several && id != g.met && g.another.Before(g.next) {
		g.next = g.another
	}
}

// worse reports whether s replaces the cause of a gate that is shut already.
func (s *stop) worse(cause *stop) bool {
	if s.throttle() || cause.throttle() {
		return !cause.throttle()
	}
	return s.hold && !cause.hold
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
	g.shut, g.probing, g.final, g.asked, g.failures, g.next = false, false, false, false, 0, time.Time{}
	for _, l := range g.lanes {
		l.gate = nil
		l.link()
	}
	g.lanes = nil
	e.unpark(g)
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
		fn(&b.outside)
		for _, g := range b.senders {
			fn(g)
		}
		for _, g := range b.authors {
			fn(g)
		}
	}
}
