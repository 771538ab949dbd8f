package deliver

import (
	"errors"
	"fmt"
	"time"

	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/quota"
)

// shortage says which of the account's rates has no room for a message.
func (a *Account) shortage(mailbox string, mine quota.Limits, r rank, n int, wait time.Duration,
	now time.Time) *shortage {
	_, day := a.Quota.Usage(mailbox, now)
	if most := mine.RecipientsPerDay; most > 0 && day+n > most {
		text := dayText(n, day, most, a.Limits.RecipientsPerDay, now.Add(wait))
		return &shortage{wait: wait, alone: true, reason: text}
	}
	return &shortage{wait: wait, rank: r, reason: limitText}
}

func dayText(n, used, most, limit int, until time.Time) string {
	text := fmt.Sprintf("its %d recipients do not fit into the day: %d of %d were sent to", n, used, limit)
	if most < limit {
		text += fmt.Sprintf(", and %d are kept in reserve (delivery.reserve_percent)", limit-most)
	}
	return text + "; there is room " + until.UTC().Format("Jan 2 15:04 MST")
}

func daySharedText(share int) string {
	return fmt.Sprintf("others wait, and the user's share of the day's recipients is used up (%d, %s)",
		share, "delivery.user_share_percent")
}

const limitText = "the limit on messages a minute is reached"

// unreserve takes the charge back for a message that the server has not seen.
func (e *Engine) unreserve(c *courier, j *job) {
	if j.reserved.IsZero() {
		return
	}
	e.mu.Lock()
	j.by.takeBackTry(j.reserved)
	e.mu.Unlock()
	e.giveBack(c, j)
}

// giveBack takes off the account's rates what a failed try was charged. It stays a try of its user's.
func (e *Engine) giveBack(c *courier, j *job) {
	if j.reserved.IsZero() {
		return
	}
	n := len(j.env.Recipients)
	c.account.Quota.Unreserve(c.mailbox, n, j.reserved, e.clock.Now())
	e.mu.Lock()
	defer e.mu.Unlock()
	j.by.takeBackRecipients(n, j.reserved)
	j.reserved = time.Time{}
	j.box.pace = [ranks]pace{} // there is room again
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
	n := len(j.env.Recipients)
	c.account.Quota.Unreserve(c.mailbox, n, j.reserved, now)
	_, _ = c.account.Quota.Reserve(c.mailbox, n, c.account.Limits, now)
}

// settleRates corrects the charge when the outcome is known: what failed by a fault of the message, its
// sender or its recipients costs the others nothing.
func (e *Engine) settleRates(c *courier, j *job, v *Outcome) {
	switch {
	case v.lost && !v.uncertain:
		e.unreserve(c, j)
	case v.failedAlone():
		e.giveBack(c, j)
	default:
		e.restamp(c, j)
	}
}

// failedAlone reports whether nothing was taken, for a reason that is not the account's.
func (v *Outcome) failedAlone() bool {
	own := v.stop == nil || v.stop.early
	if !own {
		switch v.stop.scope {
		case scopeMessage, scopeSender, scopeAuthor, scopeOutside:
			own = true
		}
	}
	return v.taken == 0 && !v.uncertain && own
}

// rateLook is how often the rates are looked at when they are used up for long: another
// process may have given something back.
const rateLook = time.Minute

// holdBack gives a message back because there is no room for it in the rates.
func (e *Engine) holdBack(j *job, s *shortage) {
	now := e.clock.Now()
	wait := min(s.wait, rateLook)
	if s.alone {
		wait = min(s.wait, aloneLook)
	}
	if j.entry == nil {
		e.holdBackNew(j, s, now)
	} else {
		e.letGo(j, s, now.Add(wait))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case s.alone && j.entry != nil:
		j.entry.forced = false
		e.wait(j.entry, now.Add(wait))
	case s.alone:
	case s.own:
		j.by.pace = now.Add(wait)
	default:
		e.paceRanks(j.box, s, now, wait)
	}
	if !s.alone && j.entry != nil {
		j.entry.lane.push(j.entry, true)
	}
	e.rouse()
}

// paceRanks notes that the messages a minute are used up for a rank, and so for those below.
func (e *Engine) paceRanks(b *box, s *shortage, now time.Time, wait time.Duration) {
	for r := range s.rank + 1 {
		b.pace[r] = pace{until: now.Add(wait), end: now.Add(s.wait)}
	}
}

// letGo unlocks a message of the queue; one that waits alone says why.
func (e *Engine) letGo(j *job, s *shortage, next time.Time) {
	if s.alone {
		if j.item.Status().Class != classShare {
			e.log.Log(maillog.Notice, j.id, "status", "deferred", "", s.reason)
		}
		if err := j.item.Postpone(next, classShare, s.reason); err != nil {
			e.o.Warn(err) // only the reason is not known
		}
	}
	j.item.Unlock()
	j.item = nil
}

// holdBackNew sends a submission to the queue.
func (e *Engine) holdBackNew(j *job, s *shortage, now time.Time) {
	stop := &stop{scope: scopeMessage, key: keyShare, reason: s.reason, after: min(s.wait, aloneLook)}
	err := errors.New(s.reason)
	if !s.alone {
		err = &LimitError{j.mailbox(e), now.Add(s.wait), s.reason}
		stop.scope, stop.key, stop.reason, stop.after = scopeBox, keyPace, err.Error(), s.wait
	}
	v := untried(len(j.env.Recipients), err)
	v.stop = stop
	if !j.end(v) {
		e.record(j, v, session{dsn: true})
	}
}

// The keys of a stop by the account's rates, and of one that is a message's own for them.
const (
	keyPace  = "rates"
	keyShare = "share"
)

func (j *job) mailbox(e *Engine) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mailbox(j.box)
}
