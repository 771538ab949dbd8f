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

// Standing says how a message stands with the gate of its author.
type Standing uint8

// The standings.
const (
	Free    Standing = iota // nothing is in its way
	Behind                  // it waits
	Refused                 // it is refused: there are no more tries
)

// AnyAuthor reports whether an author of messages for that sign-in mailbox may have been refused.
func (l *Locked) AnyAuthor(signIn string) bool { return len(l.mailbox(signIn).authors) > 0 }

// Author says how a message stands with the gate of its author, and why.
func (l *Locked) Author(signIn, author string) (s Standing, cause Fault, tries int) {
	g, s := l.mailbox(signIn).standing(author)
	if s != Free {
		cause, tries = g.cause, g.failures
	}
	return s, cause, tries
}

func (m *Mailbox) standing(author string) (*Gate, Standing) {
	g := m.authors[author]
	switch {
	case author == "" || g == nil || !g.shut:
		return g, Free
	case g.final && !g.due(m.l.now):
		return g, Refused
	case g.final:
		delete(m.authors, author)
		m.l.unpark(g)
		return nil, Free
	}
	return g, Behind
}

// PassAuthor is Locked.Author for a job, which may go as a probe. One that is old is not to wait any more.
func (j *Job) PassAuthor(l *Locked, old bool) (s Standing, cause Fault, tries int) {
	g, s := j.mailbox.standing(j.Author)
	switch {
	case s == Free:
		return s, cause, 0
	case s == Behind && old:
		s = Refused
	case s == Behind && g.pass(l.now) == passProbe && l.spend(g):
		j.probe(g)
		return Free, cause, 0
	}
	return s, g.cause, g.failures
}

func (j *Job) probe(g *Gate) {
	g.probing = true
	j.probes = append(j.probes, g)
}

// PassOutside reports whether a job may go to recipients outside the organization, maybe as a probe, and if not, why.
// probes is set if it would go to some.
func (j *Job) PassOutside(l *Locked, probes bool) (cause Fault, ok bool) {
	g := &j.mailbox.outside
	switch {
	case !g.shut:
		return cause, true
	case probes && g.pass(l.now) == passProbe:
		j.probe(g)
		return cause, true
	}
	return g.cause, false
}

// failAuthor shuts the gate of an author that was refused. It returns after how many tries there are no more.
func (j *Job) failAuthor(l *Locked, f *Fault) (tries int) {
	g := j.mailbox.authorGate(j.Author)
	if g.shut && !slices.Contains(j.probes, g) {
		return 0 // it was on its way when another one met the refusal
	}
	changed := !g.shut
	g.fail(f, l.now)
	wait, more := AuthorPause(g.failures)
	if more {
		g.next = l.now.Add(wait)
		if changed {
			l.tell(g, false)
		}
		return 0
	}
	g.final, g.next = true, l.now.Add(authorMemory)
	l.unpark(g)
	return g.failures
}

// failOutside shuts the gate before the recipients outside.
func (j *Job) failOutside(l *Locked, f *Fault) {
	g := &j.mailbox.outside
	if g.shut && !slices.Contains(j.probes, g) {
		return
	}
	changed := !g.shut
	g.fail(f, l.now)
	g.next = l.now.Add(outsidePause)
	if changed {
		l.tell(g, false)
	}
}

// park puts an entry off that waits for a gate outside the lanes.
func (l *Locked) park(g *Gate, e *Entry) {
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
func (l *Locked) unpark(g *Gate) {
	for e := range g.parked {
		if e.place == Waiting {
			l.unwait(e)
			e.forced = true // its status has the time of before
			e.lane.push(e, false)
		}
	}
	g.parked = nil
}
