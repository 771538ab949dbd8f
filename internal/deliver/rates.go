package deliver

import (
	"errors"
	"fmt"
	"time"

	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/quota"
)

// reserve charges the account's rates and the user's share of them; nil means that the message may go.
func (c *courier) reserve(j *job) *queue.Shortage {
	a := c.account
	if a.Limits == (quota.Limits{}) {
		return nil
	}
	c.rates.Lock()
	defer c.rates.Unlock()
	now, n := c.clock.Now(), len(j.env.Recipients)
	release, ok := a.probe(c.place.Mailbox, now)
	if !ok {
		return &queue.Shortage{Wait: probeLook, Rank: queue.RankRoot,
			Reason: "another message shows whether the server " +
				"takes more in a minute"}
	}
	short := c.charge(j, n, now)
	if short != nil {
		release()
		return short
	}
	j.probed = release
	return nil
}

// charge is reserve with the rates locked.
func (c *courier) charge(j *job, n int, now time.Time) *queue.Shortage {
	a := c.account
	perMinute := a.perMinute(c.place.Mailbox, now)
	var allowed queue.Allowance
	var short *queue.Shortage
	c.queue.Do(func(l *queue.Locked) { allowed, short = j.Allow(l, n, perMinute) })
	if short != nil {
		return short
	}
	mine := quota.Limits{MessagesPerMinute: allowed.PerMinute, RecipientsPerDay: allowed.PerDay}
	wait, err := a.Quota.Reserve(c.place.Mailbox, n, mine, now)
	switch {
	case err != nil: // an interactive message with too many: by way of the queue it goes in parts
		return &queue.Shortage{Wait: time.Minute, Alone: true, Reason: err.Error()}
	case wait > 0:
		return a.shortage(c.place.Mailbox, mine, allowed.Rank, n, wait, now)
	}
	c.queue.Do(func(l *queue.Locked) { short = j.Charge(l, n, allowed, now) })
	if short != nil {
		a.Quota.Unreserve(c.place.Mailbox, n, now, now)
	}
	return short
}

// shortage says which of the account's rates has no room for a message.
func (a *Account) shortage(mailbox string, mine quota.Limits, r queue.Rank, n int, wait time.Duration,
	now time.Time) *queue.Shortage {
	_, day := a.Quota.Usage(mailbox, now)
	if most := mine.RecipientsPerDay; most > 0 && day+n > most {
		text := dayText(n, day, most, a.Limits.RecipientsPerDay, now.Add(wait))
		return &queue.Shortage{Wait: wait, Alone: true, Reason: text}
	}
	return &queue.Shortage{Wait: wait, Rank: r, Reason: "the limit on messages a minute is reached"}
}

func dayText(n, used, most, limit int, until time.Time) string {
	text := fmt.Sprintf("its %d recipients do not fit into the day: %d of %d were sent to", n, used, limit)
	if most < limit {
		text += fmt.Sprintf(", and %d are kept in reserve (delivery.reserve_percent)", limit-most)
	}
	return text + "; there is room " + until.UTC().Format("Jan 2 15:04 MST")
}

// correctCharge corrects the charge when the outcome is known: what failed by a fault of the message, its
// sender or its recipients costs the others nothing, and what the server has not seen not even its user.
func (c *courier) correctCharge(j *job, v *Outcome) {
	n, now, unseen := len(j.env.Recipients), c.clock.Now(), v.lost && !v.uncertain
	c.account.learnPace(c.place.Mailbox, v.stop, now)
	if release := j.probed; release != nil {
		j.probed = nil
		defer release()
	}
	switch {
	case j.Charged.IsZero():
	case unseen || v.failedAlone():
		c.account.Quota.Unreserve(c.place.Mailbox, n, j.Charged, now)
		c.queue.Do(func(l *queue.Locked) { j.TakeBack(l, n, !unseen) })
	case now.Sub(j.Charged) >= time.Second: // it is charged for its end, which is when the server counts it
		c.rates.Lock() // no other courier takes the place meanwhile
		defer c.rates.Unlock()
		c.account.Quota.Unreserve(c.place.Mailbox, n, j.Charged, now)
		limits := c.account.Limits
		limits.MessagesPerMinute = c.account.perMinute(c.place.Mailbox, now)
		_, _ = c.account.Quota.Reserve(c.place.Mailbox, n, limits, now)
	}
}

// failedAlone reports whether nothing was taken, for a reason that is not the account's.
func (o *Outcome) failedAlone() bool {
	own := o.stop == nil || o.stop.Early
	if !own {
		switch o.stop.Scope {
		case queue.ScopeMessage, queue.ScopeSender, queue.ScopeAuthor, queue.ScopeOutside:
			own = true
		}
	}
	return o.taken == 0 && !o.uncertain && own
}

const (
	// rateLook is how often the rates are looked at when they are used up for long: another
	// process may have given something back.
	rateLook = time.Minute
	// aloneLook is how often a message is looked at that waits for room in the day.
	aloneLook = 15 * time.Minute
)

// holdBack gives a message back because there is no room for it in the rates.
func (c *courier) holdBack(j *job, s *queue.Shortage) {
	now := c.clock.Now()
	wait := min(s.Wait, rateLook)
	if s.Alone {
		wait = min(s.Wait, aloneLook)
	}
	if j.Queued() {
		c.unlock(j, s, now.Add(wait))
	} else {
		c.holdBackNew(j, s, now)
	}
	c.queue.Do(func(l *queue.Locked) { j.Short(l, s, wait) })
}

// unlock lets go of a message of the queue; one that waits alone says why.
func (c *courier) unlock(j *job, s *queue.Shortage, next time.Time) {
	if s.Alone {
		if j.item.Status().Class != queue.ClassShare {
			c.couriers.log.Log(maillog.Notice, j.id, "status", "deferred", "", s.Reason)
		}
		if err := j.item.Postpone(next, queue.ClassShare, s.Reason); err != nil {
			c.o.Warn(err) // only the reason is not known
		}
	}
	j.item.Unlock()
	j.item = nil
}

// holdBackNew sends a submission to the queue.
func (c *courier) holdBackNew(j *job, s *queue.Shortage, now time.Time) {
	stop := &queue.Fault{Scope: queue.ScopeMessage, Key: queue.KeyShare, Reason: s.Reason,
		After: min(s.Wait, aloneLook)}
	err := errors.New(s.Reason)
	if !s.Alone {
		err = &LimitError{c.place.Mailbox, now.Add(s.Wait), s.Reason}
		stop.Scope, stop.Key, stop.Reason, stop.After = queue.ScopeMailbox, queue.KeyPace, err.Error(), s.Wait
	}
	v := untried(len(j.env.Recipients), err)
	v.stop = stop
	if !j.end(v) {
		c.recorder.record(j, v, session{dsn: true})
	}
}
