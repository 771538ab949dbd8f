package deliver

import (
	"context"
	"errors"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/queue"
)

// Alone makes an engine one of a process without an agent: it is never run, and each message is tried in its
// caller's own time, over a connection of its own. What can't be delivered stays in the spool, from where a run
// of the queue sends it; without a spool the caller keeps it.
type Alone struct {
	// Timeout bounds a submission; 0 means ten minutes.
	Timeout time.Duration
	// Run starts a run of the queue that does not end with this process, and reports whether there is one
	// now; nil when none can be started.
	Run func() bool
}

const (
	defaultTimeout = 10 * time.Minute
	// slotPatience is how long a process waits for a connection of its own before it leaves its message to a
	// run of the queue, which sends many over each.
	slotPatience = 250 * time.Millisecond
	// waitStep is after what time a process first looks whether its message has left the queue. Hundreds may wait, so
	// that from then on each looks when an eighth more of the time has passed.
	waitStep = 20 * time.Millisecond
)

// alone tries a message and answers.
func (s *submission) alone(ctx context.Context) (envelope.Receipt, error) {
	e, o := s.e, s.e.o.Alone
	split := e.config().Account.splits(s.env)
	if e.spool == nil {
		return s.conclude(ctx, s.tryParts(ctx), nil)
	}
	queueing, stop := context.WithTimeout(ctx, e.config().Wait)
	defer stop()
	switch {
	case split && o.Run == nil:
		return s.commit(ctx)
	case split:
		return s.queueAndWait(queueing)
	}
	slot := queueing
	if o.Run != nil {
		slot, stop = context.WithTimeout(queueing, slotPatience)
		defer stop()
	}
	v, err := s.try(ctx, slot, queueing, s.env)
	if busy := (*busyError)(nil); errors.As(err, &busy) && queueing.Err() == nil {
		return s.queueAndWait(queueing)
	}
	if v.stop != nil && v.stop.Scope == queue.ScopeSender {
		if s.job.Author = e.config().Account.strangeAuthor(s.env, s.source); s.job.Author != "" {
			v.stop.Scope, v.stop.Hold = queue.ScopeAuthor, false
		}
	}
	return s.conclude(context.WithoutCancel(ctx), v, nil)
}

// try makes one transaction over a connection of its own. The waits for a slot, and for the rates and the token, have
// contexts of their own.
func (s *submission) try(ctx, slot, queueing context.Context, env *envelope.Envelope) (*Outcome, error) {
	timeout := s.e.o.Alone.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	ctx, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	if s.e.spool == nil {
		slot, queueing = ctx, ctx
	}
	a, began := s.e.config().Account, s.e.clock.Now()
	env = a.shared(env, func(m string) bool { return s.e.paused(m, began) != nil })
	if err := s.e.paused(a.User(env), began); err != nil {
		return judge(len(env.Recipients), nil, err), err
	}
	res, err := a.deliver(ctx, slot, queueing, env, s.source)
	if s.e.spool == nil {
		err = a.callersFault(env, s.source, err)
	}
	v := judge(len(env.Recipients), res, err)
	s.e.notePause(a.User(env), v, began)
	return v, err
}

// tryParts sends one transaction after the other where nothing can be kept, each with the usual time. The first
// that fails as a whole is the last: what is wrong with it is wrong with the message or the account. Who is left
// gets its error. For whom the server has no room in a transaction that serves others, there is another one.
func (s *submission) tryParts(ctx context.Context) *Outcome {
	to := s.env.Recipients
	o := untried(len(to), nil)
	most := s.e.config().Account.Submit.MaxRecipients
	if most <= 0 {
		most = len(to)
	}
	for todo := all(len(to)); len(todo) > 0; {
		some := todo[:min(most, len(todo))]
		v, err := s.try(ctx, ctx, ctx, s.env.To(some))
		o.whole = err != nil && o.later == len(to)
		crowdedOut := o.add(some, v)
		todo = append(crowdedOut, todo[len(some):]...)
		if err != nil {
			o.unkept = err
			for _, i := range todo {
				o.errs[i] = err
			}
			break
		}
	}
	return o
}

// splits reports whether a message takes more than one transaction. A spool keeps it whole from the start: each
// transaction is noted there, so that a crash costs the one that is under way a second copy and no more.
func (a *Account) splits(env *envelope.Envelope) bool {
	return a != nil && a.Submit.MaxRecipients > 0 && len(env.Recipients) > a.Submit.MaxRecipients
}

// queueAndWait queues a message for which no connection got free, and waits while a run of the queue
// delivers it. A caller may be all that keeps a container alive: it is not told before the
// message has left, or the time is up.
func (s *submission) queueAndWait(ctx context.Context) (envelope.Receipt, error) {
	r, err := s.commit(context.WithoutCancel(ctx))
	if err != nil || !s.e.o.Alone.Run() {
		return r, err
	}
	began := s.e.clock.Now()
	for s.e.spool.Waits(r.QueueID) && s.e.wait(ctx, max(waitStep, s.e.clock.Now().Sub(began)/8), nil) {
	}
	return r, nil
}
