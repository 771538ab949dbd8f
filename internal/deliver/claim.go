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
		l := c.queue.Lock()
		turn := c.place.Next(l)
		l.Unlock()
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
		l = c.queue.Lock()
		j.Untried(l)
		l.Unlock()
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
	j.item = it
	if todo = c.passOutside(j, env.Recipients, todo); len(todo) == 0 {
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
	return c.passAuthor(j)
}

// postponed gives a message back whose status says that its time has not come.
func (c *courier) postponed(j *job, it *spool.Item) bool {
	st := statusOf(it.Meta(), it.Status())
	l := c.queue.Lock()
	defer func() { l.Unlock() }()
	if j.Due(l, st) {
		return false
	}
	l.Unlock()
	it.Unlock()
	l = c.queue.Lock()
	j.Place(l, st)
	return true
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
	l := c.queue.Lock()
	defer l.Unlock()
	if wait == 0 {
		j.Drop(l)
	} else {
		j.Wait(l, c.clock.Now().Add(wait))
	}
}

// passOutside returns those of the recipients that may be tried now. If there are none, the message is given back.
func (c *courier) passOutside(j *job, all []envelope.Recipient, todo []int) []int {
	var inside []int
	for _, i := range todo {
		if c.account.Inside(all[i].Address) {
			inside = append(inside, i)
		}
	}
	l := c.queue.Lock()
	cause, ok := j.PassOutside(l, len(inside) < len(todo))
	l.Unlock()
	if ok {
		return todo
	}
	if len(inside) == 0 {
		c.putBehind(j, &cause)
	}
	return inside
}

// passAuthor lets a claimed message go on, or gives it the place that its refused author leaves it.
func (c *courier) passAuthor(j *job) bool {
	j.Author = c.authorOf(j.env, j.msg)
	lifetime, now := c.config().Lifetime, c.clock.Now()
	l := c.queue.Lock()
	stands, cause, tries := j.PassAuthor(l, lifetime > 0 && now.Sub(j.item.Meta().Arrived) > lifetime)
	l.Unlock()
	switch stands {
	case queue.Refused:
		v := untried(len(j.env.Recipients), errors.New(cause.Reason))
		v.refuse(&SenderError{Author: j.Author, Tries: tries, Err: v.err})
		c.recorder.record(j, v, session{server: "none", dsn: true})
	case queue.Behind:
		c.putBehind(j, &cause)
	}
	return stands == queue.Free
}

// putBehind gives a claimed message back that waits for the gate of its author, or before recipients outside.
func (c *courier) putBehind(j *job, cause *queue.Fault) {
	l := c.queue.Lock()
	until := j.GateNext(l, cause)
	l.Unlock()
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
	l, a := e.queue.Lock(), e.config().Account
	some := a != nil && l.AnyAuthor(env.SignIn)
	l.Unlock()
	if !some {
		return ""
	}
	return a.strangeAuthor(env, msg)
}

// authorRefused returns why a message can't be taken from its caller: its author was refused lately. Else
// it returns the author whose gate the message has to pass.
func (e *core) authorRefused(env *envelope.Envelope, msg envelope.Message) (author string, err error) {
	author = e.authorOf(env, msg)
	l := e.queue.Lock()
	defer l.Unlock()
	if stands, cause, tries := l.Author(env.SignIn, author); stands == queue.Refused {
		err = &SenderError{Author: author, Tries: tries, Err: errors.New(cause.Reason)}
	}
	return author, err
}
