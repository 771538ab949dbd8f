package deliver

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"o365-sendmail/cache"
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
	if e.stopping || c.generation != e.generation || e.paced(b, now) {
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
	j := e.pick(b, now)
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

// pick takes a message out: interactive ones first, then what tries a sender's shut gate, then
// the queue by turns.
func (e *Engine) pick(b *box, now time.Time) *job {
	if b.express.len() > 0 && (b.favour < maxFavour || b.ring.len() == 0) {
		b.favour++
		return b.express.pop()
	}
	b.favour = 0
	for _, g := range b.senders {
		if g.shut && g.pass(now) == passProbe {
			if en := b.popBehind(g); en != nil {
				return &job{id: en.id.String(), box: b, entry: en, probes: []*gate{g}}
			}
		}
	}
	if en := b.pop(); en != nil {
		return &job{id: en.id.String(), box: b, entry: en}
	}
	return nil
}

// prepare claims a message of the queue and charges the rates.
func (e *Engine) prepare(c *courier, j *job) bool {
	if j.entry != nil && !e.claim(c, j) {
		return false
	}
	wait := e.reserve(c, j)
	if wait <= 0 {
		return true
	}
	e.holdBack(j, wait)
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
	}
	if most := c.account.Limits.RecipientsPerDay; most > 0 && len(todo) > most {
		todo = todo[:most]
	}
	env := *it.Envelope()
	if len(todo) < len(env.Recipients) {
		some := make([]envelope.Recipient, len(todo))
		for k, i := range todo {
			some[k] = env.Recipients[i]
		}
		env.Recipients = some
	}
	j.item, j.todo, j.env, j.msg = it, todo, &env, it.Message()
	return true
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
		e.log.Log(maillog.Err, j.id, "status", "damaged", "", err)
		e.drop(j.entry)
	case errors.Is(err, spool.ErrBusy):
		e.wait(j.entry, now.Add(busyPause))
	default:
		e.log.Log(maillog.Err, j.id, "status", "deferred", "", err)
		e.wait(j.entry, now.Add(troublePause))
	}
}

// reserve charges the account's rates; a wait means that they allow nothing now.
func (e *Engine) reserve(c *courier, j *job) time.Duration {
	limits := c.account.Limits
	if limits == (cache.Limits{}) {
		return 0
	}
	e.rates.Lock()
	defer e.rates.Unlock()
	now := e.clock.Now()
	wait, err := c.account.Cache.Reserve(c.mailbox, len(j.env.Recipients), limits, now)
	if err != nil { // an interactive message with too many: by way of the queue it goes in parts
		return time.Minute
	}
	if wait <= 0 {
		j.reserved = now
	}
	return wait
}

// unreserve takes the charge back for a message that the server has not seen.
func (e *Engine) unreserve(c *courier, j *job) {
	if !j.reserved.IsZero() {
		c.account.Cache.Unreserve(c.mailbox, len(j.env.Recipients), j.reserved, e.clock.Now())
		j.reserved = time.Time{}
	}
}

// restamp charges a message that took long for the time of its end, which is when the server
// counts it.
func (e *Engine) restamp(c *courier, j *job) {
	now := e.clock.Now()
	if j.reserved.IsZero() || now.Sub(j.reserved) < time.Second {
		return
	}
	e.rates.Lock() // no other courier takes the place meanwhile
	defer e.rates.Unlock()
	e.unreserve(c, j)
	_, _ = c.account.Cache.Reserve(c.mailbox, len(j.env.Recipients), c.account.Limits, now)
}

// rateLook is how often the rates are looked at when they are used up for long: another
// process may have given something back.
const rateLook = time.Minute

// holdBack gives a message back because of the rates, which everything of the mailbox waits for.
func (e *Engine) holdBack(j *job, wait time.Duration) {
	now := e.clock.Now()
	if j.entry == nil {
		until := now.Add(wait)
		v := &verdict{fate: make([]fate, len(j.env.Recipients)), errs: make([]error, len(j.env.Recipients)), later: len(j.env.Recipients),
			err: &LimitError{j.mailbox(e), until, limitText}}
		v.stop = &stop{scope: scopeBox, key: keyPace, reason: v.err.Error()}
		for i := range v.errs {
			v.errs[i] = v.err
		}
		if !j.end(v) {
			e.mu.Lock()
			j.box.paceEnd = until
			e.mu.Unlock()
			e.record(j, v, session{dsn: true})
		}
	} else {
		j.item.Unlock()
		j.item = nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	j.box.pace, j.box.paceEnd = now.Add(min(wait, rateLook)), now.Add(wait)
	if j.entry != nil {
		// When the day is used up a message with fewer recipients may go sooner.
		j.entry.lane.push(j.entry, wait <= rateLook)
	}
	e.rouse()
}

// keyPace is the key of a stop by the account's rates.
const keyPace = "rates"

const limitText = "the limit on messages a minute or recipients a day is reached"

func (j *job) mailbox(e *Engine) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mailbox(j.box)
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
		v := &verdict{fate: make([]fate, len(j.env.Recipients)), errs: make([]error, len(j.env.Recipients)), later: len(j.env.Recipients), err: errors.New(reason)}
		if j.end(v) {
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
