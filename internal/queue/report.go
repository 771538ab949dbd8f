package queue

import (
	"slices"
	"strings"
	"time"
)

// Report is what is in the queue.
type Report struct {
	// Running is set while the queue is open, Started when it was opened last.
	Running bool
	Started time.Time
	// Ready, Waiting, Held and InFlight are messages of the queue.
	Ready, Waiting, Held, InFlight int
	// Interactive is how many submissions wait for a courier.
	Interactive int
	First       ID // the oldest message; zero when the queue is empty
	FirstFree   ID // the oldest one that no administrator holds back
	Stops       []Stop
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
	// LastMinute are messages, LastDay recipients that were sent, of all processes: for who knows these to fill in.
	LastMinute, LastDay int
}

// Report returns what is in the queue, with the mailboxes in order.
func (l *Locked) Report() Report {
	r := Report{Running: l.open, Started: l.since, Stops: l.Stops(), Paused: l.paused}
	places := [...]*int{Ready: &r.Ready, Waiting: &r.Waiting, Held: &r.Held, Out: &r.InFlight}
	for id, e := range l.index {
		*places[e.place]++
		if r.First == (ID{}) || id.less(r.First) {
			r.First = id
		}
		if e.place != Held && (r.FirstFree == (ID{}) || id.less(r.FirstFree)) {
			r.FirstFree = id
		}
	}
	for _, m := range l.mailboxes {
		r.Interactive += len(m.submissions)
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

// Drained reports whether all that is not done has to wait for something that takes longer than
// the account's rates do.
func (l *Locked) Drained() bool {
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
