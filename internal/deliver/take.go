package deliver

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/schedule"
	"o365-sendmail/internal/spool"
)

// maxFavour is how many interactive messages go in a row while others wait in the queue.
const maxFavour = 8

// take chooses the next message for a courier and makes it ready to send; nil when
// there is none now.
func (e *Engine) take(c *courier) *job {
	for {
		j := e.choose(c)
		if j == nil {
			return nil
		}
		if c.prepare(j) {
			return j
		}
		e.releaseProbes(j)
		e.untried(j)
	}
}

// prepare is Engine.prepare with a guard.
func (c *courier) prepare(j *job) (ok bool) {
	defer c.guard(j)
	return c.e.prepare(c, j)
}

// choose picks a message by turn.
func (e *Engine) choose(c *courier) *job {
	e.mu.Lock()
	defer e.mu.Unlock()
	b, now := c.box, e.clock.Now()
	if e.stopping || c.generation != e.generation {
		return nil
	}
	probes := c.probes
	for _, g := range [...]*gate{&e.app, &b.gate} {
		if slices.Contains(c.probes, g) {
			continue
		}
		switch g.pass(now) {
		case passNo:
			return nil
		case passProbe:
			probes = append(probes, g)
		}
	}
	j := e.pick(b, probes, now)
	if j == nil {
		return nil
	}
	c.probes = nil
	j.probes = append(j.probes, probes...)
	for _, g := range j.probes {
		g.probing = true
	}
	j.start = now
	if len(j.probes) == 0 {
		e.kick(b) // there may be work for another one, too
	}
	return j
}

// pick takes a message out: what tries a shut gate, else a message of whoever's last turn lies back furthest,
// interactive ones first.
func (e *Engine) pick(b *box, probes []*gate, now time.Time) *job {
	j := e.pickAny(b, probes, now)
	if j != nil {
		b.turns++
		j.by.turn = b.turns
	}
	return j
}

func (e *Engine) pickAny(b *box, probes []*gate, now time.Time) *job {
	if len(probes) > 0 {
		return e.pickProbe(b, probes, now)
	}
	for _, g := range b.senders {
		if (b.express.len() == 0 || b.turns%maxFavour == 0) && e.mayProbe(g, now) {
			if j := e.pickFrom(b, g.lanes, g); j != nil {
				j.probes = []*gate{g}
				return j
			}
		}
	}
	j := e.nextExpress(b, now)
	u, at := e.nextUser(b, now)
	switch {
	case j == nil && u == nil:
		return nil
	case u == nil, j != nil && j.by.turn < u.by.turn, j != nil && j.by == u.by && b.favour < maxFavour:
		b.favour++
		b.ring.at = at // it was not the user's turn
		j.by.express--
		b.express.remove(func(o *job) bool { return o == j })
		return j
	}
	b.favour = 0
	en := b.popOf(u, at)
	b.oneByOne(u, now)
	return &job{id: en.id.String(), box: b, entry: en, by: u.by}
}

// nextExpress finds the submission to take, and leaves it where it is.
func (e *Engine) nextExpress(b *box, now time.Time) (next *job) {
	b.express.remove(func(j *job) bool {
		if (next == nil || j.by.turn < next.by.turn) && !e.pacedOut(b, j.by, now) {
			next = j
		}
		return false
	})
	return next
}

// prepare claims a message of the queue and charges the rates.
func (e *Engine) prepare(c *courier, j *job) bool {
	if j.entry != nil && !e.claim(c, j) {
		return false
	}
	short := e.reserve(c, j)
	if short == nil {
		return true
	}
	e.holdBack(j, short)
	return false
}

// busyPause is after what time to look again at a message that another process has in hand.
const busyPause = 10 * time.Second

// troublePause is the same for a file that can't be opened for a reason that says nothing about it.
const troublePause = 2 * time.Minute

// claim takes the message's lock and reads it. False means that it is not to be sent now.
func (e *Engine) claim(c *courier, j *job) bool {
	it, err := e.spool.Claim(j.id)
	if err != nil {
		e.unclaimed(j, err)
		return false
	}
	st, now := it.Status(), e.clock.Now()
	meta := it.Meta()
	st.Held = meta.HeldBack(&st)
	todo := it.Todo()
	switch {
	case len(todo) == 0: // a process died between the last recipient and the end
		j.item = it
		e.close(j, nil, e.log)
		return false
	case st.Held, !j.entry.forced && !accountWide(st.Class) && !schedule.Due(st.Next, now):
		it.Unlock()
		e.mu.Lock()
		e.put(j.entry, &st, now)
		e.mu.Unlock()
		return false
	case meta.Unprocessed():
		e.process(c, j, it)
		return false
	}
	for _, most := range [...]int{c.account.mostOfDay(j.by.id == personRoot), c.account.Submit.MaxRecipients} {
		if most > 0 && len(todo) > most {
			todo = todo[:most]
		}
	}
	env := *it.Envelope()
	j.item = it
	if todo = e.allowed(c.account, j, env.Recipients, todo); len(todo) == 0 {
		e.mu.Lock()
		cause := j.box.outside.cause
		e.mu.Unlock()
		e.putBehind(j, &j.box.outside, &cause)
		return false
	}
	if len(todo) < len(env.Recipients) {
		some := make([]envelope.Recipient, len(todo))
		for k, i := range todo {
			some[k] = env.Recipients[i]
		}
		env.Recipients = some
	}
	j.todo, j.env, j.msg = todo, &env, it.Message()
	return e.passAuthor(j)
}

// unclaimed deals with a message that can't be had.
func (e *Engine) unclaimed(j *job, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.clock.Now()
	switch {
	case errors.Is(err, spool.ErrGone), errors.Is(err, spool.ErrBadID):
		e.drop(j.entry)
	case errors.Is(err, spool.ErrDamaged):
		e.counters.Damaged++
		e.log.Log(maillog.Err, j.id, "status", "failed", "", err)
		e.drop(j.entry)
	case errors.Is(err, spool.ErrBusy):
		e.wait(j.entry, now.Add(busyPause))
	default:
		e.log.Log(maillog.Err, j.id, "status", "deferred", "", err)
		e.wait(j.entry, now.Add(troublePause))
	}
}

func (e *Engine) releaseProbes(j *job) {
	if len(j.probes) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, g := range j.probes {
		g.probing = false
	}
	j.probes = nil
}

// holdAfterPanic puts a message on hold that has brought out a fault of this program.
func (e *Engine) holdAfterPanic(j *job, reason string) {
	e.releaseProbes(j)
	e.mu.Lock()
	e.counters.Faults++
	e.mu.Unlock()
	if j.entry == nil {
		if j.end(untried(len(j.env.Recipients), errors.New(reason))) {
			return
		}
	}
	if j.item != nil {
		if err := j.item.Hold(reason); err != nil {
			e.o.Warn(fmt.Errorf("message %s can't be held: %w", j.id, err))
		}
		j.item.Unlock()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if j.entry != nil {
		j.entry.place = placeHeld
	}
}
