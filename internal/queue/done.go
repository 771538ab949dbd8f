package queue

import (
	"slices"

	"o365-sendmail/internal/diagnose"
)

// Result is what a try says about who goes next.
type Result struct {
	Taken        int  // recipients that were taken
	TakenOutside bool // one of them is outside the organization
	// Inside and Outside count the recipients still to do, if Fault is about those outside.
	Inside, Outside int
	Fault           *Fault // nil when the message's own trouble was all
	Lost            error  // why the session ended before the server judged; nil if it did not
	Refused         error  // a refusal that the server counts; nil if there was none
	Alone           bool   // the last try, maybe of an earlier run, showed a fault of the message's own
}

// Effect is what a result means for its message.
type Effect struct {
	Fault *Fault // what it waits for; nil when for nothing that others do
	Again bool   // the rest is to go at once
	// Tries is, for a sender that is refused for good, after how many tries; else 0.
	Tries int
}

// Done opens and shuts the gates that a result concerns.
func (j *Job) Done(l *Locked, c *Courier, r *Result) Effect {
	m := j.mailbox
	if r.Taken > 0 {
		m.losses, m.losers = 0, map[ID]bool{}
		for _, g := range [...]*Gate{&l.all, &m.gate, m.senders[j.Sender], m.authors[j.Author]} {
			if g != nil {
				g.lastOK = l.now
				g.reopen(l)
			}
		}
		if r.TakenOutside && l.rules.Open {
			m.outside.reopen(l)
		}
	}
	if r.Lost != nil && r.Taken == 0 && r.Fault == nil {
		j.countLoss(l, r.Lost)
	}
	effect := Effect{Fault: r.Fault}
	if r.Fault != nil && c.generation == l.generation {
		effect = j.meet(l, r)
	}
	j.Release(l)
	m.countRefusal(j.by.id, r.Refused, r.Taken > 0)
	return effect
}

// meet shuts the gate of a fault, unless the fault is this message's alone.
func (j *Job) meet(l *Locked, r *Result) Effect {
	f := r.Fault
	switch {
	case f.Scope == ScopeOutside && !l.rules.Open:
		return Effect{Fault: f}
	case f.Scope == ScopeOutside && r.Outside == 0: // by what is known none is outside, so it is this message's trouble
		return Effect{Fault: f.alone()}
	case f.Scope == ScopeOutside:
		if g := &j.mailbox.outside; g.mayFail(j) {
			g.failParked(l, f, outsidePause)
		}
		if r.Inside > 0 {
			return Effect{Again: true}
		}
		return Effect{Fault: f}
	case f.Scope == ScopeSender && j.Author != "":
		own := *f
		own.Scope, own.Hold = ScopeAuthor, false
		return Effect{Fault: &own, Tries: j.failAuthor(l, &own)}
	}
	return Effect{Fault: j.meetGate(l, f, r.Alone)}
}

func (j *Job) meetGate(l *Locked, f *Fault, waitedAlone bool) *Fault {
	g := l.gateOf(j, f.Scope)
	probe := g != nil && slices.Contains(j.probes, g)
	own := g == nil || !f.Early && (j.only(l, g) || !probe && waitedAlone)
	if !own {
		g.meet(j.ID, f)
		g.fail(l, f, probe)
	}
	if !own && f.Key != diagnose.KeyUnknownLimit {
		return f
	}
	f = f.alone()
	if f.Hold {
		j.meetAlone(l, f)
	}
	return f
}

// gateOf returns the gate of a scope that a message passes; nil for what is the message's alone.
func (l *Locked) gateOf(j *Job, sc Scope) *Gate {
	switch sc {
	case ScopeAll:
		return &l.all
	case ScopeMailbox:
		return &j.mailbox.gate
	case ScopeSender:
		return j.mailbox.senderGate(j.Sender)
	}
	return nil
}

// only reports whether a fault is one message's own: the message has met it before, and others have
// passed since.
func (j *Job) only(l *Locked, g *Gate) bool {
	if j.ID == (ID{}) {
		return false
	}
	before := j.mailbox.met[j.ID]
	met := before
	met.at, met.times = l.now, before.times+1
	j.mailbox.met[j.ID] = met
	return before.times > 0 && g.lastOK.After(before.at)
}

// meetAlone notes a fault for which an administrator has to act, and which stops one message only.
func (j *Job) meetAlone(l *Locked, f *Fault) {
	if j.ID == (ID{}) {
		return
	}
	met := j.mailbox.met[j.ID]
	if met.own == nil {
		met.since = l.now
	}
	met.own = f
	j.mailbox.met[j.ID] = met
}

// manyLosses sessions lost in a row, by this many messages, are no message's fault.
const (
	manyLosses = 4
	manyLosers = 3
)

// countLoss pauses a mailbox when session after session ends without a message taken.
func (j *Job) countLoss(l *Locked, err error) {
	m := j.mailbox
	m.losses++
	m.losers[j.ID] = true
	if m.losses >= manyLosses && len(m.losers) >= manyLosers {
		m.losses, m.losers = 0, map[ID]bool{}
		m.gate.fail(l, &Fault{Scope: ScopeMailbox, Key: keyLost,
			Reason: "the server ends session after session: " + err.Error()}, slices.Contains(j.probes, &m.gate))
	}
}
