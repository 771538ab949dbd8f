package deliver

import (
	"errors"
	"strings"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/schedule"
	"o365-sendmail/internal/submit"
)

// Exchange counts refused recipients and senders, and throttles the whole mailbox for too many in a row. So
// a user whose messages meet one after the other waits between them, and nobody else does.

// keySlow is the key of a stop by a user's refusals in a row.
const keySlow = "refusals-in-a-row"

// row counts a user's messages in a row that met a refused recipient or sender.
type row struct {
	refused int
	since   time.Time // of the first
	until   time.Time // no message of the user's before
	slow    bool      // the user is out of the ring until then
	reason  string
}

// countRefusals notes what a try says about its user. The mutex is held.
func (e *Engine) countRefusals(j *job, v *Outcome) {
	if e.config.Account == nil {
		return
	}
	b, uid := j.box, j.by.id
	err := v.counted(j.author != "" || !e.config.Account.Senders.Named(j.env.Sender))
	if err == nil {
		if r := b.rows[uid]; r != nil {
			r.until = e.clock.Now()
			b.hurry(r.until)
			if v.taken > 0 {
				delete(b.rows, uid)
			}
		}
		return
	}
	if uid == personReports {
		return // a bad address to report to is not the reporter's fault
	}
	r := b.rows[uid]
	if r == nil {
		r = &row{since: e.clock.Now()}
		b.rows[uid] = r
	}
	r.refused++
	r.reason = err.Error()
	pause := schedule.UserPause(r.refused)
	if pause == 0 {
		return
	}
	b.slowDown(uid, r, e.clock.Now().Add(pause))
	e.rouse()
}

// slowDown takes a user out of the ring for a while.
func (b *box) slowDown(uid int, r *row, until time.Time) {
	r.until, r.slow = until, true
	if u := b.users[uid]; u != nil && u.linked {
		u.linked = false
		b.ring.remove(u)
	}
}

// untried takes back that a user's message was on its way: it was not.
func (e *Engine) untried(j *job) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := j.box.rows[j.by.id]; r != nil && j.entry != nil {
		r.until = e.clock.Now()
		j.box.hurry(r.until)
	}
}

// oneByOne lets a user whose messages meet refusals have only one on its way.
func (b *box) oneByOne(u *user, now time.Time) {
	if r := b.rows[u.by.id]; r != nil {
		if pause := schedule.UserPause(r.refused + 1); pause > 0 {
			b.slowDown(u.by.id, r, now.Add(pause))
		}
	}
}

// counted returns the refusal of a recipient, or of a sender that the caller chose, which the server counts; nil
// if there was none.
func (v *Outcome) counted(chosen bool) error {
	for k, f := range v.fate {
		var e *submit.Error
		if !errors.As(v.errs[k], &e) {
			continue
		}
		recipient := e.Phase == submit.PhaseRcpt || e.Diagnosis.Key == diagnose.KeyRecipientRefused ||
			strings.HasPrefix(e.Enhanced, "5.1.1")
		if f == fateRefused && recipient || f != fateTaken && chosen && e.Diagnosis.SenderRefused() {
			return v.errs[k]
		}
	}
	return nil
}

// slowed reports whether a user waits between messages.
func (b *box) slowed(uid int) bool { return b.rows[uid] != nil && b.rows[uid].slow }

// hurry lets the users go on whose wait is over, and forgets rows of long ago.
func (b *box) hurry(now time.Time) {
	for uid, r := range b.rows {
		if r.slow && !after(r.until, now) {
			r.slow = false
			if u := b.users[uid]; u != nil && !u.linked && u.ring.len() > 0 {
				u.linked = true
				b.ring.add(u)
			}
		}
		if !r.slow && now.Sub(r.until) > forgetAfter && !r.until.IsZero() {
			delete(b.rows, uid)
		}
	}
}
