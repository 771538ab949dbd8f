package deliver

import (
	"context"
	"fmt"
	"strings"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/schedule"
	"o365-sendmail/internal/spool"
)

// What people are told is package notify's: it gets the conditions in force and the fates of recipients.

// subjectOf says what a fault stops, in words.
func (e *Engine) subjectOf(sc scope, b *box, sender string) string {
	switch sc {
	case scopeApp:
		return "all mail"
	case scopeBox:
		return "mail of " + e.mailbox(b)
	case scopeOutside:
		return "mail of " + e.mailbox(b) + " to recipients outside the organization"
	}
	return fmt.Sprintf("mail from <%s>, signed in as %s", sender, e.mailbox(b))
}

// noteShut tells the log of a new fault.
func (e *Engine) noteShut(g *gate, changed bool) {
	poke(e.chore)
	if !changed {
		return
	}
	status, p := "paused", maillog.Warning
	if g.cause.hold {
		status, p = "held", maillog.Alert
	}
	e.log.Log(p, "", "status", status, "what", e.subjectOf(g.scope, g.box, g.sender),
		"next", g.next.UTC().Format(time.RFC3339), "", g.cause.reason)
}

// noteOpen tells the log that a fault is over.
func (e *Engine) noteOpen(g *gate, now time.Time) {
	poke(e.chore)
	e.log.Log(maillog.Notice, "", "status", "resumed", "what", e.subjectOf(g.scope, g.box, g.sender),
		"after", now.Sub(g.since), "", "it was: "+g.cause.key)
	e.counters.Paused += now.Sub(g.since)
}

// noteOwn notes a fault for which an administrator has to act, and which stops one message only. The mutex is held.
func (e *Engine) noteOwn(j *job, s *stop, now time.Time) {
	id, ok := spool.ParseKey(j.id)
	if !ok {
		return
	}
	f := j.box.faulted[id]
	if f.own == nil {
		f.since = now
	}
	f.own = s
	j.box.faulted[id] = f
	poke(e.chore)
}

// conditions lists what the administrator should know for as long as it lasts.
func (e *Engine) conditions() (all []notify.Condition) {
	e.mu.Lock()
	defer e.mu.Unlock()
	held := func(sc scope, b *box, sender string, s *stop, since time.Time, single bool) {
		if !s.hold {
			return
		}
		// Senders share a name: a thousand of them with the same fault are one thing to fix.
		c := notify.Condition{Name: fmt.Sprint(sc) + "|", Key: s.key, What: e.subjectOf(sc, b, sender), Since: since,
			Reason: s.reason, Remedy: s.remedy, Single: single}
		if b != nil {
			c.Name += strings.ToLower(b.name) + "|"
		}
		c.Name += s.key
		all = append(all, c)
	}
	e.gates(func(g *gate) {
		if g.shut {
			held(g.scope, g.box, g.sender, &g.cause, g.since, false)
		}
	})
	for _, b := range e.boxes {
		for id, f := range b.faulted {
			if en := e.index[id]; en != nil && f.own != nil {
				held(scopeSender, b, en.lane.sender, f.own, f.since, true)
			}
		}
	}
	for _, x := range e.config.Expiries {
		if step, due := schedule.ExpiryWarning(x.Begins, x.Ends, e.clock.Now(), 0); due {
			all = append(all, notify.Condition{Name: x.What + "|" + x.Ends.UTC().Format(time.RFC3339), What: x.What,
				Ends: x.Ends, Step: step})
		}
	}
	return all
}

// report tells the sender by mail of the recipients that have a fate. An error means that no report could be kept.
func (e *Engine) report(j *job, v *Outcome, action notify.Action, of fate, now, until time.Time) error {
	var fates []notify.Fate
	for k, f := range v.fate {
		if f == of {
			fates = append(fates, notify.Fate{To: j.env.Recipients[k], Err: v.errs[k], Status: v.enhanced, Reply: v.reply})
		}
	}
	it := j.item
	return e.notifier.Report(&notify.Report{Action: action, QueueID: it.ID(), Arrived: it.Meta().Arrived, Now: now,
		Until: until, Envelope: it.Envelope(), Message: it.Message()}, fates)
}

// reportSuccess sends the reports that senders ask for when the relay sends none.
func (e *Engine) reportSuccess(j *job, v *Outcome, s session, now time.Time) {
	if s.dsn {
		return
	}
	if err := e.report(j, v, notify.Relayed, fateTaken, now, time.Time{}); err != nil {
		e.o.Warn(err)
	}
}

// warnDelay tells the sender once that the message is late.
func (e *Engine) warnDelay(j *job, v *Outcome, now time.Time) {
	e.mu.Lock()
	after, lifetime := e.config.DelayWarning, e.config.Lifetime
	e.mu.Unlock()
	st, arrived := j.item.Status(), j.item.Meta().Arrived
	if !schedule.DelayWarningDue(st.Attempts, arrived, now, after, st.Warned) {
		return
	}
	var until time.Time
	if lifetime > 0 {
		until = arrived.Add(lifetime)
	}
	err := e.report(j, v, notify.Delayed, fateLater, now, until)
	if err == nil {
		err = j.item.SetWarned()
	}
	if err != nil {
		e.o.Warn(err)
	}
}

// putOwn puts a message of this program into the queue.
func (e *Engine) putOwn(origin string, env *envelope.Envelope, msg envelope.Message, about string) error {
	env.Caller = envelope.Caller{UID: -1, User: origin}
	id, err := e.spool.Put(context.Background(), spool.Meta{UID: -1, Origin: origin, Internal: true}, env, msg)
	if err != nil {
		return err
	}
	if about != "" {
		e.log.Log(maillog.Info, about, "", "sender notification: "+id)
	}
	env.ID = id
	logArrival(e.log, env, msg.Size(), len(env.Recipients))
	e.logQueued(e.log, id)
	e.Wake(id)
	return nil
}
