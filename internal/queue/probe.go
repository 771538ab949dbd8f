package queue

import (
	"fmt"
	"slices"
	"time"
)

// A shut gate is tried by one message at a time. Which one it is decides how long a message with a
// fault of its own can keep others waiting: it is another one than met the fault, so that after one
// probe, or two, only the message at fault waits.

// maxSenderTries is how many refused senders are tried again in an hour, all together: Exchange counts
// each refusal, and throttles the mailbox for them.
const maxSenderTries = 3

// pickProbe takes the message that tries the shut gates. If all that wait are behind senders' gates, too, it is one of
// those, and tries them all.
func (m *Mailbox) pickProbe(probes []*Gate) *Job {
	var lanes []*lane
	for _, u := range m.turn.members {
		if !m.pacedOut(u.by) {
			lanes = append(lanes, u.turn.members...)
		}
	}
	if j := m.pickFrom(lanes, probes[len(probes)-1]); j != nil {
		return j
	}
	return m.pickSenderProbe()
}

// pickSenderProbe takes a message that tries the gate of a sender which is due for that.
func (m *Mailbox) pickSenderProbe() *Job {
	for _, g := range m.senders {
		if !g.shut || g.pass(m.l.now) != passProbe || !g.waiting() || !g.spend(m.l) {
			continue
		}
		if j := m.pickFrom(g.lanes, g); j != nil {
			j.probes = []*Gate{g}
			return j
		}
	}
	return nil
}

// pickFrom takes the message out of the lanes that tries a gate; nil when there is none.
func (m *Mailbox) pickFrom(lanes []*lane, g *Gate) *Job {
	ln, i := m.choice(lanes, g)
	if ln == nil {
		return nil
	}
	return ln.pop(i).job()
}

// choice finds what tries a gate: a message that has not met the fault, whose sender the administrator
// chose; else the next best.
func (m *Mailbox) choice(lanes []*lane, g *Gate) (best *lane, at int) {
	const fresh, chosen = 2, 1
	most := -1
	for n := range lanes {
		ln := lanes[(g.turn+n)%len(lanes)]
		rank, i := 0, slices.IndexFunc(ln.ready, func(e *Entry) bool {
			met, suspect := m.met[e.id]
			return !suspect || met.at.Before(g.since)
		})
		switch {
		case len(ln.ready) == 0:
			continue
		case i >= 0:
			rank = fresh
		}
		if m.l.rules.Chosen == nil || m.l.rules.Chosen(ln.sender) {
			rank += chosen
		}
		if rank > most {
			best, at, most = ln, max(i, 0), rank
		}
	}
	g.turn++
	return best, at
}

// spend takes one of the hour's tries of refused senders, or puts the gate off until there is one. Senders
// that the administrator named one by one, and gates that a person wants tried, need none.
func (g *Gate) spend(l *Locked) bool {
	if asked := g.asked; asked || g.scope == ScopeSender && l.Named(g.sender) {
		g.asked = false
		return true
	}
	l.senderTries = slices.DeleteFunc(l.senderTries, func(t time.Time) bool {
		return !t.After(l.now.Add(-time.Hour)) || t.After(l.now)
	})
	if len(l.senderTries) >= maxSenderTries {
		g.next = l.senderTries[0].Add(time.Hour)
		return false
	}
	l.senderTries = append(l.senderTries, l.now)
	return true
}

// Named reports whether the configuration has a sender's address itself, and not only a pattern that it matches.
func (l *Locked) Named(sender string) bool { return l.rules.Named == nil || l.rules.Named(sender) }

// askInterval is the least time between two probes that a person asks for.
const askInterval = time.Minute

// probeSoon lets what is paused or held be probed at once, but at most once a minute, and nothing that the
// server throttles or allows no more of today. It returns when probes were asked for last if that is
// too recent; then they come a minute after that.
func (l *Locked) probeSoon() (before time.Time) {
	at := l.now
	if soon := l.asked.Add(askInterval); soon.After(at) && !l.asked.After(at) {
		at, before = soon, l.asked
	} else {
		l.asked = at
	}
	for g := range l.gates {
		if !g.shut || g.cause.throttle() || g.scope == ScopeOutside {
			continue
		}
		if g.next.After(at) {
			g.next = at
		}
		if g.scope == ScopeAuthor || g.scope == ScopeSender {
			g.asked, g.final = true, false
			g.unpark(l)
		}
	}
	for _, m := range l.mailboxes {
		m.pace, m.noSlot = [ranks]pace{}, time.Time{}
		for _, r := range m.rows {
			r.until = at
		}
		m.endPauses()
	}
	return before
}

// Asked is when probes were asked for last.
func (l *Locked) Asked() time.Time { return l.asked }

// Ask probes what is paused or held, for a person who asks for it, and says in lines for people what is probed
// now and what is not and why.
func (l *Locked) Ask() (notes []string) {
	if before := l.probeSoon(); !before.IsZero() {
		notes = append(notes,
			fmt.Sprintf("probes were asked for %d s ago: they come at most once a minute, the next at %s",
				int(l.now.Sub(before).Seconds()), clockTime(before.Add(askInterval))))
	}
	for g := range l.gates {
		if g.shut {
			notes = append(notes, subjectOf(g.scope, g.mailbox, g.sender)+": "+g.asking(l.now)+": "+g.cause.Reason)
		}
	}
	for _, m := range l.mailboxes {
		if end := m.pace[RankRoot].end; after(end, l.now) {
			notes = append(notes, "mail of "+m.address()+": waits for the sending limits until "+clockTime(end))
		}
	}
	l.dispatchAll()
	l.hooks.Timer()
	return notes
}

// asking says what comes of asking for a gate's probe.
func (g *Gate) asking(now time.Time) string {
	switch {
	case g.cause.throttle():
		return "no probe before " + clockTime(g.next) + ", since Exchange throttles the mailbox and counts each error"
	case g.scope == ScopeOutside:
		return "no probe before " + clockTime(g.next) + ", since the day's limit is used up"
	case after(g.next, now):
		return "a probe comes at " + clockTime(g.next)
	}
	return "a probe comes now"
}

// clockTime writes a time for people.
func clockTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
