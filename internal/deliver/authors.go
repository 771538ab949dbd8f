package deliver

import (
	"errors"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/schedule"
)

// A From address that its caller chose (from.policy keep), and that Exchange refuses, waits alone, together with
// all messages that have it. Nobody is alerted: it is the caller's. Its gate has no lanes, for
// the address stands in the message and not in the envelope.

// authorMemory is how long messages of a refused author are refused without a try of their own.
const authorMemory = time.Hour

func (b *box) authorGate(author string) *gate {
	g := b.authors[author]
	if g == nil {
		g = &gate{scope: scopeAuthor, box: b, sender: author}
		b.authors[author] = g
	}
	return g
}

// settleAuthor shuts the gate of an author that was refused, and refuses the message after the last try. The
// mutex is held.
func (e *Engine) settleAuthor(j *job, v *Outcome, now time.Time) {
	g := j.box.authorGate(j.author)
	s := *v.stop
	s.scope, s.hold = scopeAuthor, false
	v.stop = &s
	if g.shut && !slices.Contains(j.probes, g) {
		return // it was on its way when another one met the refusal
	}
	changed := !g.shut
	if changed {
		g.since, g.failures = now, 0
	}
	g.failures++
	g.shut, g.cause, g.probing = true, s, false
	wait, more := schedule.AuthorPause(g.failures)
	if more {
		g.next = now.Add(wait)
		e.noteShut(g, changed)
		return
	}
	g.final, g.next = true, now.Add(authorMemory)
	v.refuse(&SenderError{Author: g.sender, Tries: g.failures, Err: v.err})
	e.unpark(g)
}

// The ways of a message whose author may have been refused.
type standing uint8

const (
	standsFree standing = iota
	standsBehind
	standsRefused
)

// authorOf returns the author of a message by whose gate it has to go; "" when none is refused.
func (e *Engine) authorOf(signIn string, env *envelope.Envelope, msg envelope.Message) string {
	e.mu.Lock()
	a := e.config.Account
	some := a != nil && len(e.box(signIn).authors) > 0
	e.mu.Unlock()
	if !some {
		return ""
	}
	return a.strangeAuthor(env, msg)
}

// standing says whether the author's gate lets a message of the queue pass. The mutex is held.
func (e *Engine) standing(b *box, author string, now time.Time) (*gate, standing) {
	g := b.authors[author]
	switch {
	case author == "" || g == nil || !g.shut:
		return g, standsFree
	case g.final && !g.due(now):
		return g, standsRefused
	case g.final:
		delete(b.authors, author)
		e.unpark(g)
		return nil, standsFree
	}
	return g, standsBehind
}

// passAuthor lets a claimed message go on, or gives it the place that its refused author leaves it.
func (e *Engine) passAuthor(j *job) bool {
	j.author = e.authorOf(j.env.SignIn, j.env, j.msg)
	e.mu.Lock()
	now := e.clock.Now()
	g, stands := e.standing(j.box, j.author, now)
	if stands == standsBehind && e.outlived(j, now) {
		stands = standsRefused
	}
	switch {
	case stands == standsFree:
		e.mu.Unlock()
		return true
	case stands == standsBehind && g.pass(now) == passProbe && e.spend(g, now):
		g.probing = true
		j.probes = append(j.probes, g)
		e.mu.Unlock()
		return true
	}
	cause, tries := g.cause, g.failures
	e.mu.Unlock()
	if stands == standsRefused {
		v := untried(len(j.env.Recipients), errors.New(cause.reason))
		v.refuse(&SenderError{Author: j.author, Tries: tries, Err: v.err})
		e.record(j, v, session{server: "none", dsn: true})
		return false
	}
	e.putBehind(j, g, &cause)
	return false
}

// outlived reports whether a message is too old to wait for its author. The mutex is held.
func (e *Engine) outlived(j *job, now time.Time) bool {
	return e.config.Lifetime > 0 && now.Sub(j.item.Meta().Arrived) > e.config.Lifetime
}

// putBehind gives a claimed message back that waits for a gate outside the lanes.
func (e *Engine) putBehind(j *job, g *gate, cause *stop) {
	e.mu.Lock()
	until := parkedUntil(g, e.clock.Now())
	e.mu.Unlock()
	if st := j.item.Status(); st.Class != cause.class() || st.Next.Before(until) {
		if err := j.item.Postpone(until, cause.class(), cause.reason); err != nil {
			e.o.Warn(err) // only the reason is not shown
		}
	}
	it := j.item
	it.Unlock()
	e.requeue(j, it, func(en *entry) { e.park(g, en, e.clock.Now()) })
	j.item = nil
}

// authorRefused returns why a message can't be taken from its caller: its author was refused lately. Else
// it returns the author whose gate the message has to pass.
func (e *Engine) authorRefused(env *envelope.Envelope, msg envelope.Message) (author string, err error) {
	author = e.authorOf(env.SignIn, env, msg)
	e.mu.Lock()
	defer e.mu.Unlock()
	if g, stands := e.standing(e.box(env.SignIn), strings.ToLower(author), e.clock.Now()); stands == standsRefused {
		err = &SenderError{Author: author, Tries: g.failures, Err: errors.New(g.cause.reason)}
	}
	return author, err
}
