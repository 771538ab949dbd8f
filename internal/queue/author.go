package queue

import (
	"slices"
	"time"
)

// A From address that its caller chose (from.policy keep), and that Exchange refuses, waits alone, together with
// all messages that have it. Nobody is alerted: it is the caller's. Recipients outside the organization wait for
// themselves, too, when the day allows no more of them. The gates of both have no lanes, since who stands before
// them is in the message and not in the envelope, or only a part of it: entries wait for them with a time, parked.

// authorMemory is how long messages of a refused author are refused without a try of their own.
const authorMemory = time.Hour

// outsidePause is the time by which Microsoft counts recipients outside: mail from addresses below onmicrosoft.com
// goes to so many in a day, and no more (550 5.7.236).
const outsidePause = 24 * time.Hour

// AnyAuthor reports whether an author of messages for that sign-in mailbox may have been refused.
func (l *Locked) AnyAuthor(signIn string) bool {
	return l.anyMember(signIn, func(m *Mailbox) bool { return len(m.authors) > 0 })
}

// RefusesAuthor returns why, and after how many tries, a message of an author is refused at once; 0 tries if it is not.
func (l *Locked) RefusesAuthor(signIn, author string) (cause *Fault, tries int) {
	l.anyMember(signIn, func(m *Mailbox) bool {
		if g := m.shutAuthor(author); g != nil && g.final {
			cause, tries = g.why(), max(g.failures, 1)
		}
		return tries > 0
	})
	return cause, tries
}

// shutAuthor returns the gate of an author, if it is shut.
func (m *Mailbox) shutAuthor(author string) *Gate {
	g := m.authors[author]
	switch {
	case author == "" || g == nil || !g.shut:
		return nil
	case g.final && g.due(m.l.now):
		delete(m.authors, author)
		g.unpark(m.l)
		return nil
	}
	return g
}

// PassAuthor returns nil if the gate of its author lets a job go, maybe as a probe. Else it returns why not, and if the
// message is refused, after how many tries. One that is old is not to wait any more.
func (j *Job) PassAuthor(l *Locked, old bool) (cause *Fault, tries int) {
	g := j.mailbox.shutAuthor(j.Author)
	if g == nil {
		return nil, 0
	}
	switch {
	case g.final || old:
		return g.why(), max(g.failures, 1)
	case g.pass(l.now) == passProbe && g.spend(l):
		j.probe(g)
		return nil, 0
	}
	return g.why(), 0
}

func (j *Job) probe(g *Gate) {
	g.probing = true
	j.probes = append(j.probes, g)
}

// PassOutside returns nil if a job may go to recipients outside the organization, maybe as a probe, and else why not.
// probes is set if it would go to some.
func (j *Job) PassOutside(l *Locked, probes bool) *Fault {
	g := &j.mailbox.outside
	if g.shut && probes && g.pass(l.now) == passProbe {
		j.probe(g)
		return nil
	}
	return g.why()
}

// failAuthor shuts the gate of an author that was refused. It returns after how many tries there are no more.
func (j *Job) failAuthor(l *Locked, f *Fault) (tries int) {
	g := j.mailbox.authorGate(j.Author)
	wait, more := AuthorPause(g.failures + 1)
	switch {
	case !more && g.mayFail(j):
		g.count(f, l.now)
		g.final, g.next = true, l.now.Add(authorMemory)
		g.unpark(l)
		return g.failures
	case g.mayFail(j):
		g.failParked(l, f, wait)
	}
	return 0
}

// mayFail is false for a job that was on its way when another one met the fault.
func (g *Gate) mayFail(j *Job) bool { return !g.shut || slices.Contains(j.probes, g) }

// failParked shuts a gate outside the lanes.
func (g *Gate) failParked(l *Locked, f *Fault, wait time.Duration) {
	again := g.shut
	g.count(f, l.now)
	g.next = l.now.Add(wait)
	g.tell(l, again)
}

// park puts an entry off that waits for a gate outside the lanes.
func (g *Gate) park(l *Locked, e *Entry) {
	if g.parked == nil {
		g.parked = map[*Entry]bool{}
	}
	g.parked[e] = true
	l.wait(e, g.parkedUntil(l.now))
}

// parkedAt returns the shut gate outside the lanes that an entry still waits for; nil when there is none.
func (e *Entry) parkedAt(now time.Time) *Gate {
	m := e.lane.user.mailbox
	if m.outside.parked[e] && !m.outside.due(now) {
		return &m.outside
	}
	for _, g := range m.authors {
		if g.parked[e] && !g.due(now) {
			return g
		}
	}
	return nil
}

// parkedUntil is when a message that waits for a gate outside the lanes looks at it again. It is within the
// time that is not taken for the mistake of a clock.
func (g *Gate) parkedUntil(now time.Time) time.Time {
	switch most := now.Add(time.Hour); {
	case g.next.After(most):
		return most
	case !g.next.After(now): // another one probes it now
		return now.Add(time.Minute)
	}
	return g.next.Truncate(time.Second).Add(time.Second) // the index keeps whole seconds
}

// unpark makes ready what waits for a gate outside the lanes.
func (g *Gate) unpark(l *Locked) {
	for e := range g.parked {
		if e.place == Waiting {
			l.unwait(e)
			e.forced = true // its status has the time of before
			e.lane.push(e, false)
		}
	}
	g.parked = nil
}
