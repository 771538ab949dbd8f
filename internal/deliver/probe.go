package deliver

import (
	"fmt"
	"slices"
	"time"
)

// A shut gate is tried by one message at a time. Which one it is decides how long a message with a
// fault of its own can keep others waiting: it is another one than met the fault, so that after one
// probe, or two, only the message at fault waits.

// maxAuthorTries is how many refused senders are tried again in an hour, all together: Exchange counts
// each refusal, and throttles the mailbox for them.
const maxAuthorTries = 3

// pickProbe takes the message that tries the shut gates.
func (e *Engine) pickProbe(b *box, probes []*gate, now time.Time) *job {
	var lanes []*lane
	for _, u := range b.ring.members {
		if !e.pacedOut(b, u.by, now) {
			lanes = append(lanes, u.ring.members...)
		}
	}
	return e.pickFrom(b, lanes, probes[len(probes)-1])
}

// pickFrom takes the message out of the lanes that tries a gate; nil when there is none.
func (e *Engine) pickFrom(b *box, lanes []*lane, g *gate) *job {
	l, i := e.choice(b, lanes, g)
	if l == nil {
		return nil
	}
	en := b.popAt(l, i)
	return &job{id: en.id.String(), box: b, entry: en, by: l.user.by}
}

// choice finds what tries a gate: a message that has not met the fault, whose sender the administrator
// chose; else the next best.
func (e *Engine) choice(b *box, lanes []*lane, g *gate) (best *lane, at int) {
	const fresh, chosen = 2, 1
	most := -1
	for n := range lanes {
		l := lanes[(g.turn+n)%len(lanes)]
		rank, i := 0, l.ready.index(func(en *entry) bool {
			met, suspect := b.faulted[en.id]
			return !suspect || met.at.Before(g.since)
		})
		switch {
		case l.ready.len() == 0:
			continue
		case i >= 0:
			rank = fresh
		}
		if e.config.Account.Senders.Chosen(l.sender) {
			rank += chosen
		}
		if rank > most {
			best, at, most = l, max(i, 0), rank
		}
	}
	g.turn++
	return best, at
}

// popAt takes the i-th entry of a lane.
func (b *box) popAt(l *lane, i int) *entry {
	en := l.ready.take(i)
	b.ready--
	if l.ready.len() == 0 {
		l.unlink()
	}
	en.place = placeOut
	return en
}

// mayProbe reports whether a sender's gate is due for a probe, and counts it when such probes are limited. The
// mutex is held.
func (e *Engine) mayProbe(g *gate, now time.Time) bool {
	return g.shut && g.pass(now) == passProbe && g.waiting() && e.spend(g, now)
}

// spend takes one of the hour's tries of refused senders, or puts the gate off until there is one. Senders
// that the administrator named one by one, and gates that a person wants tried, need none.
func (e *Engine) spend(g *gate, now time.Time) bool {
	if asked := g.asked; asked || g.scope == scopeSender && e.config.Account.Senders.Named(g.sender) {
		g.asked = false
		return true
	}
	e.authorTries = slices.DeleteFunc(e.authorTries, func(t time.Time) bool {
		return !t.After(now.Add(-time.Hour)) || t.After(now)
	})
	if len(e.authorTries) >= maxAuthorTries {
		g.next = e.authorTries[0].Add(time.Hour)
		return false
	}
	e.authorTries = append(e.authorTries, now)
	return true
}

// askInterval is the least time between two probes that a person asks for.
const askInterval = time.Minute

// probeNow lets what is paused or held be probed at once, but at most once a minute, and nothing that the
// server throttles or allows no more of today. It returns when probes were asked for last if that is
// too recent; then they come a minute after that.
func (e *Engine) probeNow(now time.Time) (before time.Time) {
	at := now
	if soon := e.asked.Add(askInterval); soon.After(now) && !e.asked.After(now) {
		at, before = soon, e.asked
	} else {
		e.asked = now
	}
	e.gates(func(g *gate) {
		if !g.shut || g.cause.throttle() || g.scope == scopeOutside {
			return
		}
		if g.next.After(at) {
			g.next = at
		}
		if g.scope == scopeAuthor || g.scope == scopeSender {
			g.asked, g.final = true, false
			e.unpark(g)
		}
	})
	for _, b := range e.boxes {
		b.pace, b.noSlot = [ranks]pace{}, time.Time{}
		for _, r := range b.rows {
			r.until = at
		}
		b.hurry(now)
	}
	return before
}

// Ask probes what is paused or held, for a person who asks for it, and says in lines for people what is probed
// now and what is not and why.
func (e *Engine) Ask() (notes []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.clock.Now()
	if before := e.probeNow(now); !before.IsZero() {
		notes = append(notes,
			fmt.Sprintf("probes were asked for %d s ago: they come at most once a minute, the next at %s",
				int(now.Sub(before).Seconds()), clockTime(before.Add(askInterval))))
	}
	e.gates(func(g *gate) {
		if g.shut {
			notes = append(notes, e.subjectOf(g.scope, g.box, g.sender)+": "+g.asking(now)+": "+g.cause.reason)
		}
	})
	for _, b := range e.boxes {
		if end := b.pace[rankRoot].end; after(end, now) {
			notes = append(notes, "mail of "+e.mailbox(b)+": waits for the sending limits until "+clockTime(end))
		}
	}
	e.kickAll()
	e.rouse()
	return notes
}

// asking says what comes of asking for a gate's probe.
func (g *gate) asking(now time.Time) string {
	switch {
	case g.cause.throttle():
		return "no probe before " + clockTime(g.next) + ", since Exchange throttles the mailbox and counts each error"
	case g.scope == scopeOutside:
		return "no probe before " + clockTime(g.next) + ", since the day's limit is used up"
	case after(g.next, now):
		return "a probe comes at " + clockTime(g.next)
	}
	return "a probe comes now"
}

// clockTime writes a time for people.
func clockTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

// park puts an entry off that waits for a gate outside the lanes. The mutex is held.
func (e *Engine) park(g *gate, en *entry, now time.Time) {
	if g.parked == nil {
		g.parked = map[*entry]bool{}
	}
	g.parked[en] = true
	e.wait(en, parkedUntil(g, now))
}

// parkedAt returns the shut gate outside the lanes that an entry still waits for; nil when there is none. The
// mutex is held.
func (e *Engine) parkedAt(en *entry, now time.Time) *gate {
	b := en.lane.user.box
	if b.outside.parked[en] && !b.outside.due(now) {
		return &b.outside
	}
	for _, g := range b.authors {
		if g.parked[en] && !g.due(now) {
			return g
		}
	}
	return nil
}

// parkedUntil is when a message that waits for a gate outside the lanes looks at it again. It is within the
// time that is not taken for the mistake of a clock.
func parkedUntil(g *gate, now time.Time) time.Time {
	switch most := now.Add(time.Hour); {
	case g.next.After(most):
		return most
	case !g.next.After(now): // another one probes it now
		return now.Add(time.Minute)
	}
	return g.next.Truncate(time.Second).Add(time.Second) // the index keeps whole seconds
}

// unpark makes ready what waits for a gate outside the lanes. The mutex is held.
func (e *Engine) unpark(g *gate) {
	for en := range g.parked {
		if en.place == placeWaiting {
			e.unwait(en)
			en.forced = true // its status has the time of before
			en.lane.push(en, false)
		}
	}
	g.parked = nil
}
