package deliver

import (
	"errors"
	"strings"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/submit"
)

// done has the queue and the spool take the outcome of a try.
func (c *courier) done(j *job, v *Outcome) {
	c.correctCharge(j, v)
	if v.stop != nil && v.stop.Scope == queue.ScopeSender && j.Author == "" {
		j.Author = c.account.strangeAuthor(j.env, j.msg)
	}
	result, again := c.result(j, v), v.lost && !j.Queued() && !j.inSpool()
	c.queue.Do(func(l *queue.Locked) {
		v.apply(j.Done(l, c.place, result), j.Author)
		again = again && j.Retry(l)
	})
	if v.stop != nil {
		signal(c.chore) // somebody may have to be told
	}
	switch {
	case again, !j.Queued() && j.end(v): // the caller records it
	case j.Queued() && v.taken == len(v.fate):
		c.taken = append(c.taken, delivery{job: j, outcome: v})
	default:
		c.recorder.record(j, v, c.sessionFacts())
	}
}

// result is what an outcome says about who goes next.
func (c *courier) result(j *job, v *Outcome) *queue.Result {
	r := &queue.Result{Taken: v.taken, Fault: v.stop,
		Refused: v.counted(j.Author != "" || !c.account.Senders.Named(j.env.Sender)),
		Alone:   j.Queued() && j.item.Status().Class == queue.ClassOwn}
	if c.hard.Err() == nil {
		r.Lost = v.lostBy()
	}
	for k, f := range v.fate {
		switch inside := c.account.Inside(j.env.Recipients[k].Address); {
		case f == fateTaken && !inside:
			r.TakenOutside = true
		case f == fateLater && inside:
			r.Inside++
		case f == fateLater:
			r.Outside++
		}
	}
	return r
}

// apply changes an outcome by what the queue makes of it.
func (o *Outcome) apply(e queue.Effect, author string) {
	o.stop, o.again = e.Fault, o.again || e.Again
	if e.Tries > 0 {
		o.refuse(&SenderError{Author: author, Tries: e.Tries, Err: o.err})
	}
}

// counted returns the refusal of a recipient, or of a sender that the caller chose, which the server counts; nil
// if there was none.
func (o *Outcome) counted(chosen bool) error {
	for k, f := range o.fate {
		var e *submit.Error
		if !errors.As(o.errs[k], &e) {
			continue
		}
		recipient := e.Phase == submit.PhaseRcpt || e.Diagnosis.Key == diagnose.KeyRecipientRefused ||
			strings.HasPrefix(e.Enhanced, "5.1.1")
		if f == fateRefused && recipient || f != fateTaken && chosen && e.Diagnosis.SenderRefused() {
			return o.errs[k]
		}
	}
	return nil
}
