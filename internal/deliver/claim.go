package deliver

import (
	"errors"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
)

// next chooses the next message and makes it ready to send; nil when there is none now.
func (c *courier) next() *job {
	for {
		var turn *queue.Job
		c.queue.Do(func(l *queue.Locked) { turn = c.place.Next(l) })
		if turn == nil {
			return nil
		}
		j, ok := turn.Of.(*job)
		if !ok {
			j = &job{Job: turn, id: spool.Key(turn.ID).String()}
		}
		if c.prepare(j) {
			return j
		}
		c.queue.Do(j.Untried)
	}
}

// prepare claims a message of the queue and charges the rates.
func (c *courier) prepare(j *job) bool {
	defer c.guard(j)
	if j.Queued() && !c.claim(j) {
		return false
	}
	short := c.reserve(j)
	if short == nil {
		return true
	}
	c.holdBack(j, short)
	return false
}

// busyPause is after what time to look again at a message that another process has in hand.
const busyPause = 10 * time.Second

// troublePause is the same for a file that can't be opened for a reason that says nothing about it.
const troublePause = 2 * time.Minute

// claim takes the message's lock and reads it. False means that it is not to be sent now.
func (c *courier) claim(j *job) bool {
	it, err := c.spool.Claim(j.id)
	if err != nil {
		c.unclaimed(j, err)
		return false
	}
	todo := it.Todo()
	switch {
	case len(todo) == 0: // a process died between the last recipient and the end
		j.item = it
		c.recorder.close(j, nil, c.couriers.log)
		return false
	case c.postponed(j, it):
		return false
	case it.Meta().Unprocessed():
		c.process(j, it)
		return false
	}
	for _, most := range [...]int{c.account.mostOfDay(j.User() == queue.Root), c.account.Submit.MaxRecipients} {
		if most > 0 && len(todo) > most {
			todo = todo[:most]
		}
	}
	env := *it.Envelope()
	j.env, j.item = &env, it
	if todo = c.passOutside(j, j.env.Recipients, todo); len(todo) == 0 {
		return false
	}
	if len(todo) < len(j.env.Recipients) {
		j.env = j.env.To(todo)
	}
	j.todo, j.msg = todo, it.Message()
	return c.passAuthor(j)
}

// postponed gives a message back whose status says that its time has not come.
func (c *courier) postponed(j *job, it *spool.Item) (early bool) {
	st := statusOf(it.Meta(), it.Status())
	c.queue.Do(func(l *queue.Locked) { early = !j.Due(l, st) })
	if early {
		it.Unlock()
		c.queue.Do(func(l *queue.Locked) { j.Place(l, st) })
	}
	return early
}

// unclaimed deals with a message that can't be had.
func (c *courier) unclaimed(j *job, err error) {
	wait := troublePause
	switch {
	case errors.Is(err, spool.ErrBusy):
		wait = busyPause
	case errors.Is(err, spool.ErrGone), errors.Is(err, spool.ErrBadID):
		wait = 0
	case errors.Is(err, spool.ErrDamaged):
		wait = 0
		c.counters.add(func(n *Counters) { n.Damaged++ })
		c.couriers.log.Log(maillog.Err, j.id, "status", "failed", "", err)
	default:
		c.couriers.log.Log(maillog.Err, j.id, "status", "deferred", "", err)
	}
	if wait == 0 {
		c.queue.Do(j.Drop)
		return
	}
	c.queue.Do(func(l *queue.Locked) { j.Wait(l, wait) })
}

// passOutside returns those of the recipients that may be tried now. If there are none, the message is given back.
func (c *courier) passOutside(j *job, all []envelope.Recipient, todo []int) []int {
	var inside []int
	for _, i := range todo {
		if c.account.Inside(all[i].Address) {
			inside = append(inside, i)
		}
	}
	var cause *queue.Fault
	c.queue.Do(func(l *queue.Locked) { cause = j.PassOutside(l, len(inside) < len(todo)) })
	if cause == nil {
		return todo
	}
	if len(inside) == 0 {
		c.putBehind(j, cause)
	}
	return inside
}

// passAuthor lets a claimed message go on, or gives it the place that its refused author leaves it.
func (c *courier) passAuthor(j *job) bool {
	j.Author = c.authorOf(j.env, j.msg)
	lifetime, now := c.config().Lifetime, c.clock.Now()
	var cause *queue.Fault
	var tries int
	c.queue.Do(func(l *queue.Locked) {
		cause, tries = j.PassAuthor(l, lifetime > 0 && now.Sub(j.item.Meta().Arrived) > lifetime)
	})
	switch {
	case tries > 0:
		v := untried(len(j.env.Recipients), errors.New(cause.Reason))
		v.refuse(&SenderError{Author: j.Author, Tries: tries, Err: v.err})
		c.recorder.record(j, v, session{server: "none", dsn: true})
	case cause != nil:
		c.putBehind(j, cause)
	}
	return cause == nil
}

// putBehind gives a claimed message back that waits for the gate of its author, or before recipients outside.
func (c *courier) putBehind(j *job, cause *queue.Fault) {
	var until time.Time
	c.queue.Do(func(l *queue.Locked) { until = j.GateNext(l, cause) })
	if st := j.item.Status(); st.Class != cause.Class() || st.Next.Before(until) {
		if err := j.item.Postpone(until, cause.Class(), cause.Reason); err != nil {
			c.o.Warn(err) // only the reason is not shown
		}
	}
	j.item.Unlock()
	c.recorder.requeue(j, queue.After{Fault: cause})
	j.item = nil
}

// authorOf returns the author of a message by whose gate it has to go; "" when none is refused.
func (e *core) authorOf(env *envelope.Envelope, msg envelope.Message) string {
	some := false
	e.queue.Do(func(l *queue.Locked) { some = l.AnyAuthor(env.SignIn) })
	if a := e.config().Account; some && a != nil {
		return a.strangeAuthor(env, msg)
	}
	return ""
}

// authorRefused returns why a message can't be taken from its caller: its author was refused lately. Else
// it returns the author whose gate the message has to pass.
func (e *core) authorRefused(env *envelope.Envelope, msg envelope.Message) (author string, err error) {
	author = e.authorOf(env, msg)
	e.queue.Do(func(l *queue.Locked) {
		if cause, tries := l.RefusesAuthor(env.SignIn, author); tries > 0 {
			err = &SenderError{Author: author, Tries: tries, Err: errors.New(cause.Reason)}
		}
	})
	return author, err
}
