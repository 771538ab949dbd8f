package queue

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Gate lets messages pass, or stops them for a while: a pause ends by itself, a hold when
// the configuration is corrected. Either is found out by a probe: one session, one message.
type Gate struct {
	scope   Scope
	mailbox *Mailbox // nil for ScopeAll
	sender  string   // of ScopeSender and ScopeAuthor
	lanes   []*lane
	turn    int
	parked  map[*Entry]bool // that wait for it outside the lanes, of ScopeAuthor and ScopeOutside

	shut     bool
	cause    Fault
	since    time.Time
	next     time.Time // of the probe
	failures int
	first    ID // the message that met the cause, as long as no other has
	several  bool
	another  time.Time // when a message that has not met it may try, as long as a single one has
	probing  bool
	final    bool      // of ScopeAuthor: no more tries, until next
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

func (g *Gate) pass(now time.Time) passage {
	switch {
	case !g.shut:
		return passYes
	case !g.probing && g.due(now):
		return passProbe
	}
	return passNo
}

func (g *Gate) due(now time.Time) bool {
	return !g.next.After(now) || g.next.After(now.Add(maxStop))
}

// why returns what has shut the gate; nil while it is open.
func (g *Gate) why() *Fault {
	if !g.shut {
		return nil
	}
	f := g.cause
	return &f
}

// waiting reports whether a message waits behind a sender's gate.
func (g *Gate) waiting() bool {
	return slices.ContainsFunc(g.lanes, func(ln *lane) bool { return len(ln.ready) > 0 })
}

func (g *Gate) removeLane(ln *lane) {
	g.lanes = slices.DeleteFunc(g.lanes, func(o *lane) bool { return o == ln })
}

// fail closes a gate, or keeps it closed after a probe. Only the first of several couriers that
// meet the fault counts as a failure.
func (g *Gate) fail(l *Locked, f *Fault, probe bool) {
	if g.shut && !probe && !f.worse(&g.cause) {
		return
	}
	g.another = l.now.Add(l.rules.ProbeInterval)
	changed := g.count(f, l.now)
	g.next = l.now.Add(l.pause(f, g.failures))
	if g.scope == ScopeSender {
		g.shutLanes()
	}
	g.tell(l, !changed)
	l.returnSubmissions(g)
	l.hooks.Timer()
}

// count notes a failure, and reports whether the fault is another one than before.
func (g *Gate) count(f *Fault, now time.Time) (changed bool) {
	if !g.shut {
		g.since, g.failures = now, 0
	}
	changed = !g.shut || g.cause.Key != f.Key
	g.shut, g.cause, g.probing = true, *f, false
	g.failures++
	return changed
}

// meet notes which message met the fault that is about to shut the gate, or keeps it shut. The zero ID is nobody's.
func (g *Gate) meet(id ID, f *Fault) {
	switch {
	case f.Early || id == ID{}:
		g.several = true
	case !g.shut:
		g.first, g.several = id, false
	default:
		g.several = g.several || id != g.first
	}
}

// hasten lets a message try soon that comes while a single other one has met the cause: pauses grow only when
// they are not that one's doing.
func (g *Gate) hasten(id ID) {
	if g.shut && g.cause.Counted() && !g.several && id != g.first && g.another.Before(g.next) {
		g.next = g.another
	}
}

// shutLanes takes the turns of a sender's lanes away.
func (g *Gate) shutLanes() {
	for _, u := range g.mailbox.users {
		if ln := u.lanes[g.sender]; ln != nil && ln.gate == nil {
			ln.unlink()
			ln.gate = g
			g.lanes = append(g.lanes, ln)
		}
	}
}

// reopen lets everything pass again.
func (g *Gate) reopen(l *Locked) {
	if !g.shut {
		return
	}
	l.paused += l.now.Sub(g.since)
	n := g.notice()
	n.Open = true
	l.hooks.Tell(n)
	g.shut, g.probing, g.final, g.asked, g.failures, g.next = false, false, false, false, 0, time.Time{}
	for _, ln := range g.lanes {
		ln.gate = nil
		ln.link()
	}
	g.lanes = nil
	g.unpark(l)
	l.dispatchAll()
	l.hooks.Timer()
}

// senderGate returns the gate of a sender, made if need be.
func (m *Mailbox) senderGate(sender string) *Gate {
	return gateIn(m.senders, Gate{scope: ScopeSender, mailbox: m, sender: sender})
}

// authorGate returns the gate of a From address that its caller chose, made if need be.
func (m *Mailbox) authorGate(author string) *Gate {
	return gateIn(m.authors, Gate{scope: ScopeAuthor, mailbox: m, sender: author})
}

func gateIn(gates map[string]*Gate, made Gate) *Gate {
	g := gates[made.sender]
	if g == nil {
		g = &made
		gates[made.sender] = g
	}
	return g
}

// gates are all gates.
func (l *Locked) gates(yield func(*Gate) bool) {
	if !yield(&l.all) {
		return
	}
	for _, m := range l.mailboxes {
		if !yield(&m.gate) || !yield(&m.outside) {
			return
		}
		for _, gates := range [...]map[string]*Gate{m.senders, m.authors} {
			for _, g := range gates {
				if !yield(g) {
					return
				}
			}
		}
	}
}

// HoldAll shuts everything for want of an account; nil opens it again. With an account, stops of the last run are put
// in force.
func (l *Locked) HoldAll(f *Fault) {
	if f != nil {
		l.all.fail(l, f, true)
		return
	}
	if l.all.cause.Key == KeyNoAccount {
		l.all.reopen(l)
	}
	l.restore()
}

// Known lets what waited for KeyUnknown go: what other hosts have used is known again.
func (l *Locked) Known() {
	if l.all.cause.Key == KeyUnknown {
		l.all.reopen(l)
	}
	for _, m := range l.mailboxes {
		m.pace = [ranks]pace{}
	}
	l.dispatchAll()
}

func (g *Gate) tell(l *Locked, again bool) {
	n := g.notice()
	n.Again = again
	l.hooks.Tell(n)
}

// Notice is something to tell people: of a gate that has shut or opened, or of what an administrator has to fix.
type Notice struct {
	Stop
	// Name is what it is remembered by. Senders share theirs: a thousand of them with the same fault are one
	// thing to fix.
	Name    string
	Subject string // what waits, in words
	Single  bool   // it is of a single message
	Again   bool   // the gate was shut for the same cause before
	Open    bool   // the gate opens
	Err     error  // the fault's; may be nil
}

func (g *Gate) notice() Notice {
	name := fmt.Sprint(g.scope) + "|"
	if g.mailbox != nil {
		name += strings.ToLower(g.mailbox.name) + "|"
	}
	return Notice{Stop: g.stop(), Name: name + g.cause.Key, Subject: subjectOf(g.scope, g.mailbox, g.sender),
		Err: g.cause.Err}
}

// Shut are the faults that keep mail back, those for which an administrator has to act (Held) and the others, but for
// those that are the doing of a message's caller.
func (l *Locked) Shut() (all []Notice) {
	for g := range l.gates {
		if g.shut && g.scope != ScopeAuthor {
			all = append(all, g.notice())
		}
	}
	for _, m := range l.mailboxes {
		for id, met := range m.met {
			if e := l.index[id]; e != nil && met.own != nil {
				own := Gate{scope: ScopeSender, mailbox: m, sender: e.lane.sender, cause: *met.own, since: met.since}
				n := own.notice()
				n.Single = true
				all = append(all, n)
			}
		}
	}
	return all
}

// subjectOf says what a fault stops, in words.
func subjectOf(sc Scope, m *Mailbox, sender string) string {
	switch sc {
	case ScopeAll:
		return "all mail"
	case ScopeMailbox:
		return "mail of " + m.address()
	case ScopeOutside:
		return "mail of " + m.address() + " to recipients outside the organization"
	}
	return fmt.Sprintf("mail from <%s>, signed in as %s", sender, m.address())
}
