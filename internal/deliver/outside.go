package deliver

import (
	"slices"
	"time"

	"o365-sendmail/internal/envelope"
)

// Mail from addresses below onmicrosoft.com goes to so many recipients outside the organization in a day, and
// no more (550 5.7.236). Then these recipients wait, and others don't.

// outsidePause is the time by which Microsoft counts.
const outsidePause = 24 * time.Hour

// settleOutside shuts the gate before the recipients outside. Those inside are tried at once, without them.
// The mutex is held.
func (e *Engine) settleOutside(j *job, v *Outcome, now time.Time) {
	if e.config.Account == nil {
		return
	}
	inside, outside := 0, 0
	for k, f := range v.fate {
		switch {
		case f != fateLater:
		case e.config.Account.Inside(j.env.Recipients[k].Address):
			inside++
		default:
			outside++
		}
	}
	s := v.stop
	if outside == 0 { // by what is known none of them is outside, so they are this message's trouble
		alone := *s
		alone.scope = scopeMessage
		v.stop = &alone
		return
	}
	if g := &j.box.outside; !g.shut || slices.Contains(j.probes, g) {
		changed := !g.shut
		if changed {
			g.since, g.failures = now, 0
		}
		g.failures++
		g.shut, g.cause, g.probing, g.next = true, *s, false, now.Add(outsidePause)
		e.noteShut(g, changed)
	}
	if inside > 0 {
		v.stop, v.again = nil, true
	}
}

// openOutside lets the recipients outside pass when one of them has. The mutex is held.
func (e *Engine) openOutside(j *job, v *Outcome, now time.Time) {
	g := &j.box.outside
	if !g.shut || e.config.Account == nil {
		return
	}
	for k, f := range v.fate {
		if f == fateTaken && !e.config.Account.Inside(j.env.Recipients[k].Address) {
			e.openGate(g, now)
			return
		}
	}
}

// allInside reports whether no recipient is outside. The mutex is held.
func (e *Engine) allInside(env *envelope.Envelope) bool {
	return !slices.ContainsFunc(env.Recipients, func(r envelope.Recipient) bool {
		return !e.config.Account.Inside(r.Address)
	})
}

// allowed returns those of the recipients that may be tried now; j.probes gets the gate that one of them
// probes, if any.
func (e *Engine) allowed(a *Account, j *job, all []envelope.Recipient, todo []int) []int {
	e.mu.Lock()
	defer e.mu.Unlock()
	g := &j.box.outside
	if !g.shut {
		return todo
	}
	some := slices.DeleteFunc(slices.Clone(todo), func(i int) bool { return !a.Inside(all[i].Address) })
	if len(some) == len(todo) || g.pass(e.clock.Now()) != passProbe {
		return some
	}
	g.probing = true
	j.probes = append(j.probes, g)
	return todo
}
