package deliver

import (
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/spool"
)

// settle records the outcome of a try.
func (e *Engine) settle(c *courier, j *job, v *Outcome) {
	e.settleRates(c, j, v)
	if v.stop != nil && v.stop.scope == scopeSender && j.author == "" {
		j.author = c.account.strangeAuthor(j.env, j.msg)
	}
	e.mu.Lock()
	e.settleGates(c, j, v)
	e.countRefusals(j, v)
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
		c.taken = append(c.taken, record{job: j, outcome: v})
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
func (e *Engine) settleGates(c *courier, j *job, v *Outcome) {
	b, now := j.box, e.clock.Now()
	sender := b.senders[j.env.Sender]
	if v.taken > 0 {
		b.losses, b.losers = 0, nil
		for _, g := range [...]*gate{&e.app, &b.gate, sender, b.authors[strings.ToLower(j.author)]} {
			if g != nil {
				g.lastOK = now
				e.openGate(g, now)
			}
		}
		e.openOutside(j, v, now)
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

// settleStop shuts the gate of a fault, unless the fault is this message's alone. The mutex is held.
func (e *Engine) settleStop(j *job, v *Outcome, now time.Time) {
	s := v.stop
	switch {
	case s.scope == scopeOutside:
		e.settleOutside(j, v, now)
		return
	case s.scope == scopeSender && j.author != "":
		e.settleAuthor(j, v, now)
		return
	}
	g := e.gateOf(j, s.scope)
	probe := g != nil && slices.Contains(j.probes, g)
	own := g == nil || !s.early && (e.only(j, g, now) || !probe && j.waitedAlone())
	if !own {
		if id, ok := spool.ParseKey(j.id); ok && !s.early {
			g.meet(id)
		} else {
			g.several = true
		}
		e.shutGate(g, s, probe, now)
	}
	if own || s.key == diagnose.KeyUnknownLimit {
		alone := *s
		alone.scope = scopeMessage
		v.stop = &alone
		if alone.hold {
			e.noteOwn(j, &alone, now)
		}
	}
}

// gateOf returns the gate of a scope that a message passes; nil for what is the message's alone.
func (e *Engine) gateOf(j *job, sc scope) *gate {
	switch sc {
	case scopeApp:
		return &e.app
	case scopeBox:
		return &j.box.gate
	case scopeSender:
		return j.box.senderGate(j.env.Sender)
	}
	return nil
}

// only reports whether a fault is one message's own: the message has met it before, and others have
// passed since.
func (e *Engine) only(j *job, g *gate, now time.Time) bool {
	id, ok := spool.ParseKey(j.id)
	if !ok {
		return false
	}
	b := j.box
	before := b.faulted[id]
	f := before
	f.at, f.times = now, before.times+1
	b.faulted[id] = f
	return before.times > 0 && g.lastOK.After(before.at)
}

// waitedAlone reports whether the last try, maybe of an earlier run, showed a fault of the message's own.
func (j *job) waitedAlone() bool { return j.entry != nil && j.item.Status().Class == classOwn }

// manyLosses sessions lost in a row, by this many messages, are no message's fault.
const (
	manyLosses = 4
	manyLosers = 3
)

// countLoss pauses a mailbox when session after session ends without a message taken.
func (e *Engine) countLoss(b *box, j *job, v *Outcome) {
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
