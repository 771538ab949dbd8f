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

// charge is reserve for a message that may go above the documented number. No lock is held while the account's
// rates are asked, which may be far away.
func (c *courier) charge(j *job, n int, now time.Time) *queue.Shortage {
	a := c.account
	r := quota.Request{Account: c.place.Mailbox, Recipients: n, Now: now}
	var allowed queue.Allowance
	var short *queue.Shortage
	perMinute := a.perMinute(c.place.Mailbox, now)
	c.queue.Do(func(l *queue.Locked) { allowed, short = j.Allow(l, n, perMinute, now) })
	if short != nil {
		return short
	}
	r.Limits = quota.Limits{MessagesPerMinute: allowed.PerMinute, RecipientsPerDay: allowed.PerDay}
	r.More = allowed.More
	grant, short := c.grant(r, allowed.Rank)
	granted := short == nil
	c.queue.Do(func(l *queue.Locked) {
		if granted {
			short = j.Spent(l, allowed)
		}
		if short != nil {
			j.Uncharge(l, n)
		}
	})
	switch {
	case short == nil:
		j.grant = grant
	case granted:
		a.limiter().Unreserve(grant, now)
	}
	return short
}

// grant has the account's rates count a message.
func (c *courier) grant(r quota.Request, rank queue.Rank) (quota.Grant, *queue.Shortage) {
	a := c.account
	grant, short, err := a.limiter().Reserve(c.hard, r)
	if unknown := unknownIn(err); unknown != nil {
		grant, short, err = a.reserveUnknown(unknown, r)
	}
	switch {
	case unknownIn(err) != nil:
		wait := c.waitUntilKnown(unknownIn(err))
		c.queue.Do(func(l *queue.Locked) { c.place.NoSession(l, wait) }) // which says why
		return quota.Grant{}, &queue.Shortage{Wait: wait.After, Rank: queue.RankRoot, Reason: wait.Reason}
	case err != nil: // an interactive message with too many: by way of the queue it goes in parts
		return quota.Grant{}, &queue.Shortage{Wait: time.Minute, Alone: true, Reason: err.Error()}
	case short != nil:
		return quota.Grant{}, a.shortage(r, short, rank)
	}
	return grant, nil
}

// shortage says which of the account's rates has no room for a message.
func (a *Account) shortage(r quota.Request, short *quota.Short, rank queue.Rank) *queue.Shortage {
	if short.Day {
		text := dayText(r.Recipients, short.Used, r.Limits.RecipientsPerDay, a.Limits.RecipientsPerDay,
			r.Now.Add(short.Wait))
		return &queue.Shortage{Wait: short.Wait, Alone: true, Reason: text}
	}
	return &queue.Shortage{Wait: short.Wait, Rank: rank, Reason: "the limit on messages a minute is reached"}
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
		c.account.limiter().Unreserve(j.grant, now)
		c.queue.Do(func(l *queue.Locked) { j.TakeBack(l, n, !unseen) })
	default: // it is charged for its end
		c.account.limiter().Restamp(j.grant, now)
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
