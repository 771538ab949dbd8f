package queue

import (
	"slices"
	"strings"
	"time"
)

// Report is what is in the queue.
type Report struct {
	Places [Out + 1]int // messages, by their place
	Oldest ID           // zero when the queue is empty
	// Submissions is how many wait for a courier.
	Submissions int
	Mailboxes   []MailboxReport
	// Paused is the time for which anything was or is paused or held.
	Paused time.Duration
}

// MailboxReport is what is known of a mailbox that signs in.
type MailboxReport struct {
	Name     string
	Sessions int
	Ready    int // messages that wait for their turn
	// PacedUntil is when the messages a minute are expected to allow users more; zero when they do now.
	PacedUntil time.Time
}

// Report returns what is in the queue, with the mailboxes in order.
func (l *Locked) Report() Report {
	r := Report{Paused: l.paused}
	for id, e := range l.index {
		r.Places[e.place]++
		if r.Oldest == (ID{}) || id.less(r.Oldest) {
			r.Oldest = id
		}
	}
	for _, m := range l.mailboxes {
		r.Submissions += len(m.submissions)
		b := MailboxReport{Name: m.address(), Sessions: m.couriers - m.starting, Ready: m.ready}
		if p := m.pace[RankUser]; after(p.until, l.now) {
			b.PacedUntil = p.end
		}
		r.Mailboxes = append(r.Mailboxes, b)
	}
	slices.SortFunc(r.Mailboxes, func(a, b MailboxReport) int { return strings.Compare(a.Name, b.Name) })
	for g := range l.gates {
		if g.shut {
			r.Paused += l.now.Sub(g.since)
		}
	}
	return r
}

// Settled reports whether all that is not done has to wait for something that takes longer than
// the account's rates do.
func (l *Locked) Settled() bool {
	for _, m := range l.mailboxes {
		if m.couriers > len(m.idle) {
			return false // it dials, or has something under way
		}
		if l.all.shut || m.gate.shut {
			continue
		}
		if m.available() > 0 || m.turn.len() > 0 {
			return false // the messages a minute allow more soon
		}
	}
	return true
}

// Left counts the messages that are ready or under way.
func (l *Locked) Left() int {
	n := 0
	for _, m := range l.mailboxes {
		n += m.ready
	}
	for _, e := range l.index {
		if e.place == Out {
			n++
		}
	}
	return n
}
