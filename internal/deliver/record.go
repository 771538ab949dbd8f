package deliver

import (
	"errors"
	"fmt"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/schedule"
	"o365-sendmail/internal/spool"
)

// record writes the outcome into the spool and the log, and gives the message its place.
func (e *Engine) record(j *job, v *Outcome, s session) {
	it := j.item
	switch {
	case v.lost:
		it.Unlock()
		e.requeue(j, it, func(en *entry) { en.lane.push(en, true) })
		return
	case v.damaged:
		e.quarantine(j, v)
		return
	}
	now := e.clock.Now()
	v.told = toldByMail
	e.expire(it, v, now)
	if err := e.report(j, v, notify.Failed, fateRefused, now, time.Time{}); err != nil {
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
	if e.unreported(it, states) {
		v.told = toldNobody
	}
	e.reportSuccess(j, v, s, now)
	e.tellTry(e.log, j, v, s.server, now)
	e.conclude(j, v, states, now, e.log)
}

// note does for a message that was taken for all recipients what record does up to its log.
func (e *Engine) note(j *job, v *Outcome, s session, log eventLog) map[int]spool.RecipientStatus {
	now := e.clock.Now()
	e.reportSuccess(j, v, s, now)
	e.tellTry(log, j, v, s.server, now)
	return v.states(j.todo)
}

// conclude gives a message whose try is noted its place.
func (e *Engine) conclude(j *job, v *Outcome, states map[int]spool.RecipientStatus, now time.Time, log eventLog) {
	if len(states) == countTodo(j.item) {
		e.close(j, states, log)
		return
	}
	e.keep(j, v, states, now)
}

func countTodo(it *spool.Item) int {
	st := it.Status()
	return st.Count(spool.Todo)
}

// expire gives up what is too old.
func (e *Engine) expire(it *spool.Item, v *Outcome, now time.Time) {
	if v.later == 0 || v.again || v.stop != nil && (v.stop.class() != classOwn || v.stop.hold) {
		return
	}
	e.mu.Lock()
	lifetime := e.config.Lifetime
	e.mu.Unlock()
	arrived := it.Meta().Arrived
	if !schedule.Expired(it.Status().Attempts+1, arrived, now, lifetime) {
		return
	}
	v.expired = true
	v.refuseLater(func(err error) error { return &notify.ExpiredError{Age: now.Sub(arrived), Err: err} })
}

// close ends a message of which nothing is to do. Its file is removed without a mark before: the
// removal says the same, with one sync less. A message that failed and of which
// nobody could be told stays in failed/.
func (e *Engine) close(j *job, states map[int]spool.RecipientStatus, log eventLog) {
	it := j.item
	var err error
	last := "removed"
	if e.unreported(it, states) {
		last = "moved to failed/"
		if err = it.Mark(states); err == nil {
			err = it.Fail("refused for good, and nobody can be told: " + lastReason(it, states))
			e.countFailed()
		}
	} else {
		err = it.Delete()
	}
	if err != nil {
		e.strand(j, states, err)
		return
	}
	e.unsyncedRemoval()
	log.Log(maillog.Info, j.id, "", last)
	if j.entry != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.drop(j.entry)
	}
}

func (e *Engine) countFailed() {
	e.mu.Lock()
	e.counters.Failed++
	e.mu.Unlock()
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

// unreported reports whether somebody should have been told of a refusal, and nobody could be.
func (e *Engine) unreported(it *spool.Item, states map[int]spool.RecipientStatus) bool {
	env := it.Envelope()
	for i, r := range it.Status().Recipients {
		if s, ok := states[i]; ok {
			r = s
		}
		wanted := env.Recipients[i].Notify&envelope.NotifyNever == 0 || env.Origin == ""
		if r.State == spool.Failed && wanted {
			return !e.notifier.Reaches(env.Origin)
		}
	}
	return false
}

// keep records a try after which something is still to do.
func (e *Engine) keep(j *job, v *Outcome, states map[int]spool.RecipientStatus, now time.Time) {
	it := j.item
	if len(states) > 0 {
		if err := it.Mark(states); err != nil {
			e.strandOpen(j, err)
			return
		}
	}
	if v.later == 0 {
		v.again = true // only a part was tried, and it is done with
	}
	next := now
	e.mu.Lock()
	probe := e.config.ProbeInterval
	e.mu.Unlock()
	var err error
	switch {
	case v.again:
	case v.stop != nil && v.stop.class() == classOwn && !v.stop.hold:
		next = now.Add(schedule.ProbePause(it.Status().Attempts+1, probe))
		err = it.Defer(next, classOwn, reasonText(v.err))
		e.warnDelay(j, v, now)
	case v.stop != nil && v.stop.scope == scopeAuthor:
		next = e.stopEnd(j, v.stop, now)
		err = it.Defer(next, classSender, reasonText(v.err))
	case v.stop != nil:
		next = e.stopEnd(j, v.stop, now)
		err = it.Postpone(next, v.stop.class(), reasonText(v.err))
	default:
		next = schedule.NextAttempt(it.Status().Attempts+1, now, 0, e.o.Jitter())
		err = it.Defer(next, classTemporary, reasonText(v.err))
		e.warnDelay(j, v, now)
		if j.entry != nil {
			j.entry.retried = false
		}
	}
	if err != nil {
		e.o.Warn(err) // it only means a try too early
	}
	it.Unlock()
	e.requeue(j, it, func(en *entry) {
		switch {
		case v.again:
			en.lane.push(en, true)
		case v.stop != nil && v.stop.scope == scopeAuthor:
			e.park(en.lane.user.box.authorGate(j.author), en, now)
		case v.stop != nil && v.stop.scope == scopeOutside:
			e.park(&en.lane.user.box.outside, en, now)
		case v.stop != nil && v.stop.scope != scopeMessage:
			en.lane.push(en, false) // its gate says when
		default:
			e.wait(en, next)
		}
	})
}

// stopEnd says when a message that met a fault is tried again at the earliest.
func (e *Engine) stopEnd(j *job, s *stop, now time.Time) time.Time {
	if e.o.Alone != nil { // it has no gates: a run of the queue finds out
		if s.scope == scopeAuthor {
			wait, _ := schedule.AuthorPause(1)
			return now.Add(wait)
		}
		if p := (*PausedError)(nil); s.scope == scopeBox && s.counted() &&
			errors.As(e.paused(e.config.Account.User(j.env), now), &p) {
			return p.Stop.Next
		}
		return now.Add(schedule.AccountPause(1, 0, e.o.Jitter()))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var g *gate
	switch s.scope {
	case scopeApp:
		g = &e.app
	case scopeBox:
		g = &j.box.gate
	case scopeSender:
		g = j.box.senderGate(j.env.Sender)
	case scopeAuthor:
		return parkedUntil(j.box.authorGate(j.author), now)
	case scopeOutside:
		return parkedUntil(&j.box.outside, now)
	}
	switch {
	case s.key == keyPace, s.key == keyShare:
		return now.Add(s.after)
	case g != nil && g.shut:
		return g.next
	}
	id, _ := spool.ParseKey(j.id)
	return now.Add(schedule.ProbePause(j.box.faulted[id].times, e.config.ProbeInterval))
}

// requeue gives a message that stays in the queue its place in the index.
func (e *Engine) requeue(j *job, it *spool.Item, place func(*entry)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	en := j.entry
	if en == nil {
		id, ok := spool.ParseKey(it.ID())
		if !ok || e.index[id] != nil {
			return
		}
		env := it.Envelope()
		en = &entry{id: id, place: placeOut, retried: j.retried}
		en.lane = e.laneOf(it.Meta(), env)
		en.lane.entries++
		e.index[id] = en
	}
	en.forced = false
	if e.stopping {
		en.place = placeReady // nobody takes it any more
		poke(e.quiet)
		return
	}
	place(en)
	e.kick(en.lane.user.box)
	poke(e.quiet)
}

func (e *Engine) quarantine(j *job, v *Outcome) {
	err := j.item.Quarantine(v.errs[0].Error())
	e.log.Log(maillog.Err, j.id, "status", "failed", "", v.errs[0])
	if err != nil {
		j.item.Unlock()
		e.o.Warn(err)
		e.requeue(j, j.item, func(en *entry) { e.wait(en, e.clock.Now().Add(troublePause)) })
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counters.Damaged++
	if j.entry != nil {
		e.drop(j.entry)
	}
	poke(e.quiet)
}

func reasonText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
