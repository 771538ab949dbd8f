package queue

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Stop is something that keeps mail from going.
type Stop struct {
	// Mailbox is the one that signs in, "" for all of them; Sender narrows it.
	Mailbox string `json:"mailbox,omitempty"`
	Sender  string `json:"sender,omitempty"`
	// Author narrows it to messages with that From address, which their caller chose; Outside to the
	// recipients outside the organization; UID to one local user.
	Author  string `json:"author,omitempty"`
	Outside bool   `json:"outside,omitempty"`
	UID     *int   `json:"uid,omitempty"`
	// Held is set when an administrator has to act; else it is a pause that ends by itself.
	Held bool `json:"held,omitempty"`
	// Key is a stable identifier, Reason one line for people, Remedy what to do, if anything.
	Key    string    `json:"key"`
	Reason string    `json:"reason"`
	Remedy string    `json:"remedy,omitempty"`
	Since  time.Time `json:"since"`
	// Next is when the next message tries.
	Next     time.Time `json:"next"`
	Failures int       `json:"failures"`
}

// Covers reports whether the stop concerns a message with that sign-in mailbox (not "") and sender.
func (s *Stop) Covers(mailbox, sender string) bool {
	if s.Outside || s.Author != "" || s.UID != nil {
		return false // it is told with each message
	}
	return (s.Mailbox == "" || strings.EqualFold(s.Mailbox, mailbox)) && (s.Sender == "" || s.Sender == sender)
}

// Counted reports whether a stop is the whole mailbox's, and one whose probes the server counts.
func (s *Stop) Counted() bool {
	cause := Fault{Scope: ScopeMailbox, Key: s.Key}
	return s.Mailbox != "" && s.Sender == "" && s.Author == "" && !s.Outside && s.UID == nil && cause.Counted()
}

// Pending reports whether the next try lies ahead. One that is too far ahead comes from a clock that was set back.
func (s *Stop) Pending(now time.Time) bool { return after(s.Next, now) }

// Stops lists what keeps mail from going.
func (l *Locked) Stops() []Stop {
	var all []Stop
	for g := range l.gates {
		if g.shut {
			all = append(all, g.stop())
		}
	}
	for _, m := range l.mailboxes {
		for uid, r := range m.rows {
			if uid := max(uid, -1); r.slow { // other hosts have numbers of their own, which say nothing to people
				all = append(all, Stop{
					Mailbox: m.address(), UID: &uid, Key: KeySlow, Since: r.since, Next: r.until, Failures: r.refused,
					Reason: fmt.Sprintf("%d messages of user %d in a row met a refused recipient or sender, "+
						"the last: %s", r.refused, uid, r.reason),
				})
			}
		}
	}
	order := func(s *Stop) string { return s.Mailbox + "|" + s.Sender + "|" + s.Author + "|" + s.Reason }
	slices.SortFunc(all, func(a, b Stop) int { return strings.Compare(order(&a), order(&b)) })
	return all
}

// stop describes a gate that is shut.
func (g *Gate) stop() Stop {
	s := Stop{Held: g.cause.Hold, Key: g.cause.Key, Reason: g.cause.Reason, Remedy: g.cause.Remedy,
		Since: g.since, Next: g.next, Failures: g.failures, Sender: g.sender, Outside: g.scope == ScopeOutside}
	if g.scope == ScopeAuthor {
		s.Sender, s.Author = "", g.sender
	}
	if g.mailbox != nil {
		s.Mailbox = g.mailbox.address()
	}
	return s
}

// Restore takes the stops of the last run, and when probes were asked for. They are put in force when there is
// an account: a program that is started often must not probe more often for that.
func (l *Locked) Restore(stops []Stop, asked time.Time) {
	l.restored = append(stops, l.restored...)
	if asked.After(l.asked) {
		l.asked = asked
	}
}

// restore puts the restored stops in force whose probes the server counts.
func (l *Locked) restore() {
	if !l.rules.Open {
		return
	}
	for i := range l.restored {
		s := &l.restored[i]
		if s.Mailbox == "" || s.UID != nil {
			continue
		}
		g := l.gateOfStop(s)
		cause := Fault{Scope: g.scope, Hold: s.Held, Key: s.Key, Reason: s.Reason, Remedy: s.Remedy}
		if !cause.Counted() || g.shut || s.Next.After(l.now.Add(maxStop)) {
			continue
		}
		g.shut, g.cause, g.since, g.next, g.failures, g.several = true, cause, s.Since, s.Next, s.Failures, true
		_, more := AuthorPause(s.Failures)
		g.final = g.scope == ScopeAuthor && !more
		if g.scope == ScopeSender {
			g.shutLanes()
		}
	}
	l.restored = nil
}

func (l *Locked) gateOfStop(s *Stop) *Gate {
	m := l.mailbox(s.Mailbox)
	switch {
	case s.Outside:
		return &m.outside
	case s.Author != "":
		return m.authorGate(s.Author)
	case s.Sender != "":
		return m.senderGate(s.Sender)
	}
	return &m.gate
}
