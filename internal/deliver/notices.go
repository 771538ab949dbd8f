package deliver

import (
	"context"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
)

// What people are told is package notify's: it gets the conditions in force and the fates of recipients.

// tellGate logs that a gate has shut or opened.
func (e *core) tellGate(n queue.Notice) {
	e.news.Store(true)
	signal(e.chore)
	status, p := "paused", maillog.Warning
	switch {
	case n.Again:
		return
	case n.Open:
		e.log.Log(maillog.Notice, "", "status", "resumed", "what", n.Subject,
			"after", e.clock.Now().Sub(n.Since), "", "it was: "+n.Key)
		return
	case n.Held:
		status, p = "held", maillog.Alert
	}
	e.log.Log(p, "", "status", status, "what", n.Subject, "next", n.Next.UTC().Format(time.RFC3339), "", n.Reason)
}

// report tells the sender by mail of the recipients that have a fate. An error means that no report could be kept.
func (r *recorder) report(j *job, v *Outcome, action notify.Action, of fate, now, until time.Time) error {
	var fates []notify.Fate
	for k, f := range v.fate {
		if f == of {
			fates = append(fates, notify.Fate{To: j.env.Recipients[k], Err: v.errs[k], Status: v.enhanced,
				Reply: v.reply})
		}
	}
	it := j.item
	return r.notifier.Report(&notify.Report{Action: action, QueueID: it.ID(), Arrived: it.Meta().Arrived, Now: now,
		Until: until, Envelope: it.Envelope(), Message: it.Message()}, fates)
}

// reportSuccess sends the reports that senders ask for when the relay sends none.
func (r *recorder) reportSuccess(j *job, v *Outcome, s session, now time.Time) {
	if s.dsn {
		return
	}
	if err := r.report(j, v, notify.Relayed, fateTaken, now, time.Time{}); err != nil {
		r.o.Warn(err)
	}
}

// warnDelay tells the sender once that the message is late.
func (r *recorder) warnDelay(j *job, v *Outcome, now time.Time) {
	after, lifetime := r.config().DelayWarning, r.config().Lifetime
	st, arrived := j.item.Status(), j.item.Meta().Arrived
	if !queue.DelayWarningDue(st.Attempts, arrived, now, after, st.Warned) {
		return
	}
	var until time.Time
	if lifetime > 0 {
		until = arrived.Add(lifetime)
	}
	err := r.report(j, v, notify.Delayed, fateLater, now, until)
	if err == nil {
		err = j.item.SetWarned()
	}
	if err != nil {
		r.o.Warn(err)
	}
}

// putOwn puts a message of this program into the queue.
func (e *core) putOwn(origin string, env *envelope.Envelope, msg envelope.Message, about string) error {
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
	if info, err := e.spool.Get(id); err == nil {
		e.add(&info, false)
	}
	return nil
}
