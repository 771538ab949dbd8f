package deliver

import (
	"context"
	"slices"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

// submission is a message whose caller waits.
type submission struct {
	e       *Engine
	hand    HandIn
	env     *envelope.Envelope
	pending *spool.Pending // nil before begin
	source  *handoff
	job     *job
	started time.Time
	subject subject
	log     *batch // what is not written before it is known whether the message is accepted
}

// submission gives a message its queue id.
func (e *Engine) submission(env *envelope.Envelope, h HandIn) *submission {
	s := &submission{e: e, hand: h, env: env, started: e.clock.Now(), log: e.log.Batch()}
	if env.ID == "" {
		env.ID = spool.NewID(s.started)
	}
	return s
}

// submit tries a message, or queues it, and answers.
func (s *submission) submit(ctx context.Context, msg envelope.Message) (envelope.Receipt, error) {
	e := s.e
	s.source = newHandoff(msg)
	s.job = &job{id: s.env.ID, env: s.env, todo: all(len(s.env.Recipients)), msg: s.source,
		finished: make(chan struct{})}
	id, _ := spool.ParseKey(s.env.ID)
	s.job.Job = &queue.Job{ID: queue.ID(id), Sender: s.env.Sender, Of: s.job}
	mode := s.e.ModeOf(s.env)
	if mode == ModeInteractive && e.o.Alone == nil && e.config().Account.splits(s.env) {
		mode = ModeBackground // what one transaction has delivered must not be forgotten before the last one ends
	}
	if mode != ModeInteractive && e.spool != nil {
		return s.enqueue(ctx, msg, mode == ModeBackground)
	}
	defer s.abort()
	if e.o.Alone != nil {
		return s.alone(ctx)
	}
	return s.interactive(ctx)
}

// enqueue commits a message without a try.
func (s *submission) enqueue(ctx context.Context, msg envelope.Message, wake bool) (envelope.Receipt, error) {
	id, err := s.e.spool.Put(ctx, metaOf(s.env), s.env, msg)
	if err != nil {
		return s.refuse(notKept(err))
	}
	s.queued()
	if wake {
		s.e.addNew(id, s.env, spool.Status{})
	}
	return queued(id, s.env.Recipients), nil
}

// interactive has the couriers try a message at once.
func (s *submission) interactive(ctx context.Context) (envelope.Receipt, error) {
	e := s.e
	err := s.begin()
	if err != nil {
		return s.refuse(err)
	}
	if s.job.Author, err = e.authorRefused(s.env, s.source); err != nil {
		return s.refuse(err)
	}
	if !s.admit() {
		return s.commit(ctx)
	}
	tick, stop := e.clock.After(e.config().Wait)
	defer stop()
	select {
	case <-s.job.finished:
		return s.conclude(ctx, s.job.outcome, nil)
	case <-tick:
	case <-ctx.Done():
	}
	waits := false
	e.queue.Do(func(l *queue.Locked) { waits = s.job.Withdraw(l) })
	if waits {
		return s.commit(ctx)
	}
	return s.commitUnderWay(ctx)
}

// admit lets the message go ahead of the queue, unless it is known that it would only wait.
func (s *submission) admit() (ok bool) {
	a, by := s.e.config().Account, s.e.user(metaOf(s.env))
	inside := a != nil && !slices.ContainsFunc(s.env.Recipients, func(r envelope.Recipient) bool {
		return !a.Inside(r.Address)
	})
	s.e.queue.Do(func(l *queue.Locked) { ok = s.job.Admit(l, s.env.SignIn, by, inside) })
	return ok
}

// begin makes a place in the spool, of which nothing is written yet.
func (s *submission) begin() (err error) {
	if s.pending == nil {
		s.pending, err = s.e.spool.Begin(metaOf(s.env), s.env)
	}
	return err
}

// abort gives the place up, unless the message was committed there.
func (s *submission) abort() {
	if s.pending != nil {
		s.pending.Abort()
	}
}

// claimed commits the message and keeps its lock.
func (s *submission) claimed(ctx context.Context) (*spool.Item, error) {
	if err := s.begin(); err != nil {
		return nil, notKept(err)
	}
	if err := s.pending.Fill(ctx, s.source); err != nil {
		return nil, notKept(err)
	}
	it, err := s.pending.CommitClaimed(ctx)
	if err != nil {
		return nil, notKept(err)
	}
	s.queued()
	return it, nil
}

// commit queues a message that was not tried.
func (s *submission) commit(ctx context.Context) (envelope.Receipt, error) {
	it, err := s.claimed(ctx)
	if err != nil {
		return s.refuse(err)
	}
	return s.goesOn(it), nil
}

// goesOn leaves a message of the queue to the couriers, as if it had not been tried.
func (s *submission) goesOn(it *spool.Item) envelope.Receipt {
	st := it.Status()
	it.Unlock()
	s.e.addNew(it.ID(), s.env, st)
	return queued(it.ID(), s.env.Recipients)
}

// commitUnderWay queues a message while a courier has it. What becomes of the try then
// goes into the spool, so that no second one is made beside it.
func (s *submission) commitUnderWay(ctx context.Context) (envelope.Receipt, error) {
	it, err := s.claimed(context.WithoutCancel(ctx))
	if err != nil {
		// It can't be kept. The try is the only hope, and it must not be given up
		// without its outcome: the caller would send again what was delivered.
		<-s.job.finished
		return s.conclude(ctx, s.job.outcome, err)
	}
	s.source.change(it.Message())
	o := s.job.adopt(it)
	switch {
	case o == nil:
		return queued(it.ID(), s.env.Recipients), nil
	case o.later > 0:
		s.job.item = it
		return s.answerKept(s, o, o), nil
	}
	r, refusal := o.receipt(s.env.Recipients)
	s.tell(o)
	if err := it.Delete(); err != nil {
		s.job.item = it
		s.e.recorder.deliveredButKept(s.job, o.states(s.job.todo), err)
	}
	s.e.recorder.removed()
	return r, refusal
}

// conclude answers by an outcome. Nothing is in the spool; unkept says why, if that was tried.
func (s *submission) conclude(ctx context.Context, o *Outcome, unkept error) (envelope.Receipt, error) {
	switch {
	case o.later == 0:
	case o.damaged:
		unkept = sysexits.With(sysexits.IOErr, o.errs[0])
	case unkept == nil && s.e.spool != nil:
		var r envelope.Receipt
		if r, unkept = s.keepRest(ctx, o); unkept == nil {
			return r, nil
		}
	}
	if o.later > 0 {
		o.giveBack(unkept)
	}
	s.tell(o)
	return o.receipt(s.env.Recipients)
}

// refuse answers for a message that is neither tried nor kept.
func (s *submission) refuse(err error) (envelope.Receipt, error) {
	s.tell(unkept(s.env.Recipients, err))
	return envelope.Receipt{}, err
}

// keepRest queues what an outcome leaves to do, under the id that the whole has in the log.
func (s *submission) keepRest(ctx context.Context, o *Outcome) (envelope.Receipt, error) {
	rest, part := s, o
	if o.later < len(o.fate) {
		var places []int
		part, places = o.rest()
		env := s.env.To(places)
		rest = &submission{e: s.e, env: env, source: s.source, started: s.started, log: s.log}
		rest.job = &job{Job: s.job.Job, id: env.ID, env: env, todo: all(o.later), msg: s.source}
		defer rest.abort()
	}
	it, err := rest.claimed(ctx)
	if err != nil {
		return envelope.Receipt{}, err
	}
	rest.job.item = it
	return s.answerKept(rest, o, part), nil
}

// answerKept records the part of an outcome that concerns the rest of the message, which is in the spool. Refused
// recipients are told to the caller, who still waits, and so they get no report.
func (s *submission) answerKept(rest *submission, o, part *Outcome) envelope.Receipt {
	if o.lost {
		return rest.goesOn(rest.job.item)
	}
	r, _ := o.receipt(s.env.Recipients)
	r.QueueID = rest.job.item.ID()
	s.tell(o)
	s.e.recorder.keep(rest.job, part, part.states(rest.job.todo), s.e.clock.Now())
	return r
}

// queued notes that the message is in the spool.
func (s *submission) queued() {
	s.e.logQueued(s.log, s.env.ID)
	s.log.Flush()
}

// tell logs what the caller is told. Of one who is refused message after message the log has not each.
func (s *submission) tell(o *Outcome) {
	e := s.e
	delay := e.clock.Now().Sub(s.started)
	e.tell(s.log, s.env.ID, s.env.Recipients, o, e.relay(), delay, s.source)
	e.remember(s.log, s.env.ID, s.env, s.subject, o, delay)
	if o.later == 0 {
		s.log.Log(maillog.Info, s.env.ID, "", "removed")
	}
	if o.taken == 0 && o.later == 0 && s.hand.MayLog != nil {
		ok, left := s.hand.MayLog()
		if !ok {
			s.log = e.log.Batch()
			return
		}
		if left > 0 {
			s.log.Log(maillog.Notice, s.env.ID, "left-out", left)
		}
	}
	s.log.Flush()
}
