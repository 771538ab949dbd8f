package deliver

import (
	"slices"
	"time"

	"o365-sendmail/internal/spool"
)

// settle records the outcome of a try.
func (e *Engine) settle(c *courier, j *job, v *verdict) {
	e.settleRates(c, j, v)
	e.mu.Lock()
	e.settleGates(c, j, v)
	again := v.lost && j.entry == nil && !j.kept() && !e.stopping
	if again {
		j.box.express.pushFront(j)
		j.by.express++
		e.kick(j.box)
	}
	e.mu.Unlock()
	if again || j.entry == nil && j.end(v) {
		return // the caller records it
	}
	if j.entry != nil && v.taken == len(v.fate) {
		c.taken = append(c.taken, record{job: j, verdict: v})
		return
	}
	e.record(j, v, c.sessionFacts())
}

// session is what a record needs to know of the session.
type session struct {
	server string
	dsn    bool // it reports successes itself
}

// settleGates opens and shuts what the outcome concerns. The mutex is held.
func (e *Engine) settleGates(c *courier, j *job, v *verdict) {
	b, now := j.box, e.clock.Now()
	sender := b.senders[j.env.Sender]
	if v.taken > 0 {
		b.losses, b.losers = 0, nil
		for _, g := range [...]*gate{&e.app, &b.gate, sender} {
			if g != nil {
				g.lastOK = now
				e.openGate(g, now)
			}
		}
	}
	e.countLoss(b, j, v)
	if s := v.stop; s != nil && c.generation == e.generation {
		e.settleStop(j, v, now)
	}
	for _, g := range j.probes {
		g.probing = false
	}
	j.probes = nil
}

// settleStop shuts the gate of a fault, unless the fault is this message's alone.
func (e *Engine) settleStop(j *job, v *verdict, now time.Time) {
	b, s := j.box, v.stop
	var g *gate
	switch s.scope {
	case scopeApp:
		g = &e.app
	case scopeBox:
		g = &b.gate
	case scopeSender:
		g = b.senderGate(j.env.Sender)
	}
	if g == nil || !s.early && s.hold && e.only(j, g, now) {
		own := *s
		own.scope = scopeMessage
		v.stop = &own
		e.noteOwn(j, &own, now)
		return
	}
	e.shutGate(g, s, slices.Contains(j.probes, g), now)
}

// only tells whether a configuration fault is one message's own: it has met it before,
// and others have passed since.
func (e *Engine) only(j *job, g *gate, now time.Time) bool {
	id, ok := spool.ParseKey(j.id)
	if !ok {
		return false
	}
	b := j.box
	before := b.faulted[id]
	if b.faulted == nil {
		b.faulted = map[spool.Key]fault{}
	}
	b.faulted[id] = fault{at: now, times: before.times + 1}
	return before.times > 0 && g.lastOK.After(before.at)
}

// manyLosses sessions lost in a row, by this many messages, are no message's fault.
const (
	manyLosses = 4
	manyLosers = 3
)

// countLoss pauses a mailbox when session after session ends without a message taken.
func (e *Engine) countLoss(b *box, j *job, v *verdict) {
	if v.taken > 0 || v.err == nil || v.stop != nil || v.bystander || !ended(v.err) || e.hard.Err() != nil {
		return
	}
	id, _ := spool.ParseKey(j.id)
	if b.losers == nil {
		b.losers = map[spool.Key]bool{}
	}
	b.losses++
	b.losers[id] = true
	if b.losses >= manyLosses && len(b.losers) >= manyLosers {
		b.losses, b.losers = 0, nil
		e.shutGate(&b.gate, &stop{scope: scopeBox, key: "sessions-lost", reason: "the server ends session after session: " + v.err.Error()}, slices.Contains(j.probes, &b.gate), e.clock.Now())
	}
}
