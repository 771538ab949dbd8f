package deliver

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
)

// recorder writes down in the spool and in the log what becomes of messages.
type recorder struct {
	*core
	unsynced atomic.Bool // a message was removed, and the directory not synced since

	mu   sync.Mutex
	open []unrecorded
}

// record writes the outcome into the spool and the log, and gives the message its place.
func (r *recorder) record(j *job, v *Outcome, s session) {
	it := j.item
	switch {
	case v.lost:
		if v.lostBy() != nil {
			if err := it.Excuse(time.Time{}, it.Status().Class, reasonText(v.err)); err != nil {
				r.o.Warn(err) // only the try is not counted
			}
		}
		it.Unlock()
		r.requeue(j, queue.After{Now: true})
		return
	case v.damaged:
		r.quarantine(j, v)
		return
	}
	now := r.clock.Now()
	v.told = toldByMail
	r.expire(it, v, now)
	if err := r.report(j, v, notify.Failed, fateRefused, now, time.Time{}); err != nil {
		// Without a report the refusal must not be final.
		for k, f := range v.fate {
			if f == fateRefused {
				v.fate[k] = fateLater
				v.later++
			}
		}
		v.stop, v.again, v.err = nil, false, err
	}
	states := v.states(j.todo)
	if r.unreported(it, states) {
		v.told = toldNobody
	}
	r.reportSuccess(j, v, s, now)
	r.tellTry(r.log, j, v, s.server, now)
	r.conclude(j, v, states, now, r.log)
}

// note does for a message that was taken for all recipients what record does up to its log.
func (r *recorder) note(j *job, v *Outcome, s session, log keeper) map[int]spool.RecipientStatus {
	now := r.clock.Now()
	r.reportSuccess(j, v, s, now)
	r.tellTry(log, j, v, s.server, now)
	return v.states(j.todo)
}

// conclude gives a message whose try is noted its place.
func (r *recorder) conclude(j *job, v *Outcome, states map[int]spool.RecipientStatus, now time.Time, log eventLog) {
	if len(states) == countTodo(j.item) {
		r.close(j, states, log)
		return
	}
	r.keep(j, v, states, now)
}

func countTodo(it *spool.Item) int {
	st := it.Status()
	return st.Count(spool.Todo)
}

// expire gives up what is too old.
func (r *recorder) expire(it *spool.Item, v *Outcome, now time.Time) {
	if v.later == 0 || v.again || v.stop != nil && (v.stop.Class() != queue.ClassOwn || v.stop.Hold) {
		return
	}
	lifetime := r.config().Lifetime
	arrived := it.Meta().Arrived
	if !queue.Expired(it.Status().Attempts+1, arrived, now, lifetime) {
		return
	}
	v.expired = true
	v.refuseLater(func(err error) error { return &notify.ExpiredError{Age: now.Sub(arrived), Err: err} })
}

// close ends a message of which nothing is to do. Its file is removed without a mark before: the
// removal says the same, with one sync less. A message that failed and of which
// nobody could be told stays in failed/.
func (r *recorder) close(j *job, states map[int]spool.RecipientStatus, log eventLog) {
	it := j.item
	var err error
	last := "removed"
	if r.unreported(it, states) {
		last = "moved to failed/"
		if err = it.Mark(states); err == nil {
			err = it.Fail("refused for good, and nobody can be told: " + lastReason(it, states))
			r.counters.add(func(c *Counters) { c.Failed++ })
		}
	} else {
		err = it.Delete()
	}
	if err != nil {
		r.deliveredButKept(j, states, err)
		return
	}
	r.removed()
	log.Log(maillog.Info, j.id, "", last)
	r.queue.Do(j.Drop)
}

// lastReason is the code of a refusal, for the file in failed/.
func lastReason(it *spool.Item, states map[int]spool.RecipientStatus) string {
	env := it.Envelope()
	for i, r := range it.Status().Recipients {
		if s, ok := states[i]; ok {
			r = s
		}
		if r.State == spool.Failed {
			return fmt.Sprintf("%s %d %s", env.Recipients[i].Address, r.Code, r.Enhanced)
		}
	}
	return ""
}

// unreported reports whether somebody should have been told about a refusal, and nobody could be.
func (r *recorder) unreported(it *spool.Item, states map[int]spool.RecipientStatus) bool {
	env := it.Envelope()
	for i, st := range it.Status().Recipients {
		if s, ok := states[i]; ok {
			st = s
		}
		wanted := env.Recipients[i].Notify&envelope.NotifyNever == 0 || env.Origin == ""
		if st.State == spool.Failed && wanted {
			return !r.notifier.Reaches(env.Origin)
		}
	}
	return false
}

// keep records a try after which something is still to do.
func (r *recorder) keep(j *job, v *Outcome, states map[int]spool.RecipientStatus, now time.Time) {
	it := j.item
	if len(states) > 0 {
		if err := it.Mark(states); err != nil {
			r.keepLocked(j, err)
			return
		}
	}
	if v.later == 0 {
		v.again = true // only a part was tried, and it is done with
	}
	after := queue.After{Now: v.again, Fault: v.stop}
	if !v.again {
		var err error
		if after.Next, err = r.postpone(j, v, now); err != nil {
			r.o.Warn(err) // it only means a try too early
		}
	}
	it.Unlock()
	r.requeue(j, after)
}

// postpone writes into the status of a message when it is tried again, and why only then.
func (r *recorder) postpone(j *job, v *Outcome, now time.Time) (next time.Time, err error) {
	it, class := j.item, queue.ClassTemporary
	switch f := v.stop; {
	case f == nil:
		next = queue.NextAttempt(it.Status().Attempts+1, now, 0, r.o.Jitter())
	case f.Class() == queue.ClassOwn && !f.Hold:
		next, class = now.Add(queue.ProbePause(it.Status().Attempts+1, r.config().ProbeInterval)), queue.ClassOwn
	case f.Scope == queue.ScopeAuthor:
		next = r.faultEnd(j, f, now)
		return next, it.Defer(next, queue.ClassSender, reasonText(v.err))
	default: // nothing is held against the message
		next = r.faultEnd(j, f, now)
		return next, it.Excuse(next, f.Class(), reasonText(v.err))
	}
	err = it.Defer(next, class, reasonText(v.err))
	r.warnDelay(j, v, now)
	return next, err
}

// faultEnd is when a message that met a fault is tried again at the earliest.
func (r *recorder) faultEnd(j *job, f *queue.Fault, now time.Time) (next time.Time) {
	if r.o.Alone == nil {
		r.queue.Do(func(l *queue.Locked) { next = j.GateNext(l, f) })
		return next
	}
	// It has no gates: a run of the queue finds out.
	if f.Scope == queue.ScopeAuthor {
		wait, _ := queue.AuthorPause(1)
		return now.Add(wait)
	}
	if p := (*PausedError)(nil); f.Scope == queue.ScopeMailbox && f.Counted() &&
		errors.As(r.paused(r.config().Account.User(j.env), now), &p) {
		return p.Stop.Next
	}
	return now.Add(queue.AccountPause(1, 0, r.o.Jitter()))
}

// requeue gives a message that stays in the spool its place in the queue. Its item is unlocked.
func (r *recorder) requeue(j *job, after queue.After) {
	id, ok := spool.ParseKey(j.item.ID())
	if ok {
		m := r.message(queue.ID(id), j.item.Meta(), j.item.Envelope())
		r.queue.Do(func(l *queue.Locked) { j.Return(l, m, after) })
	}
	signal(r.quiet)
}

func (r *recorder) quarantine(j *job, v *Outcome) {
	err := j.item.Quarantine(v.errs[0].Error())
	r.log.Log(maillog.Err, j.id, "status", "failed", "", v.errs[0])
	r.rememberDamaged(j, v.errs[0])
	if err != nil {
		j.item.Unlock()
		r.o.Warn(err)
		r.requeue(j, queue.After{Next: r.clock.Now().Add(troublePause)})
		return
	}
	r.counters.add(func(c *Counters) { c.Damaged++ })
	r.queue.Do(j.Drop)
	signal(r.quiet)
}

func reasonText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
