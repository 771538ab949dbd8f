package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

// The delivery modes.
const (
	ModeInteractive = "interactive"
	ModeBackground  = "background"
	ModeQueue       = "queue"
)

// Queue is the submitter of a process that has an engine: it answers when the server has
// taken the message or the spool has it.
type Queue struct{ engine *Engine }

// NewQueue returns the submitter of an engine.
func NewQueue(e *Engine) *Queue { return &Queue{e} }

// Submit takes responsibility for a message. In the mode "interactive" it is tried at once, and
// committed to the spool only if the server has not answered within the configured
// wait; a message that is refused for good in that time is refused to the caller. "background"
// commits it and wakes the engine; "queue" leaves it to the next look at the spool.
func (q *Queue) Submit(ctx context.Context, env *envelope.Envelope, msg envelope.Message) (envelope.Receipt, error) {
	e := q.engine
	e.mu.Lock()
	mode := env.Mode
	if mode == "" {
		mode = e.config.Mode
	}
	wait := e.config.Wait
	if mode != ModeQueue && e.config.Account.splits(env) {
		mode = ModeBackground // what one transaction has delivered must not be forgotten before the last one ends
	}
	e.mu.Unlock()
	switch mode {
	case ModeQueue:
		return e.enqueue(ctx, env, msg, false)
	case ModeBackground:
		return e.enqueue(ctx, env, msg, true)
	}
	return q.interactive(ctx, env, msg, wait)
}

// enqueue commits a message and answers.
func (e *Engine) enqueue(ctx context.Context, env *envelope.Envelope, msg envelope.Message, wake bool) (envelope.Receipt, error) {
	id, err := e.spool.Put(ctx, metaOf(env), env, msg)
	if err != nil {
		return envelope.Receipt{}, notKept(err)
	}
	e.logQueued(id, env, msg.Size())
	if wake {
		e.wakeNew(id, env, spool.Status{})
	}
	return queued(id, env.Recipients), nil
}

func notKept(err error) error {
	return sysexits.With(sysexits.Code(err, sysexits.TempFail), fmt.Errorf("the message was not queued: %w", err))
}

func queued(id string, recipients []envelope.Recipient) envelope.Receipt {
	r := envelope.Receipt{QueueID: id, Queued: true}
	for i := range recipients {
		r.Accepted = append(r.Accepted, recipients[i].Address)
	}
	return r
}

// wakeNew puts a message into the index whose data is at hand.
func (e *Engine) wakeNew(id string, env *envelope.Envelope, st spool.Status) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.add(&spool.Info{ID: id, Meta: metaOf(env), Envelope: *env, Status: st})
}

// interactive tries a message at once.
func (q *Queue) interactive(ctx context.Context, env *envelope.Envelope, msg envelope.Message, wait time.Duration) (envelope.Receipt, error) {
	e := q.engine
	p, err := e.spool.Begin(metaOf(env), env)
	if err != nil {
		return envelope.Receipt{}, err
	}
	defer p.Abort() // does nothing after a commit
	s := &submission{e: e, env: env, pending: p, source: newHandoff(msg), started: e.clock.Now()}
	s.job = &job{id: p.ID(), env: env, todo: all(len(env.Recipients)), msg: s.source, finished: make(chan struct{})}
	if s.job.author, err = e.authorRefused(env, msg); err != nil {
		return envelope.Receipt{}, err
	}
	if !e.admit(s.job) {
		return s.commit(ctx, nil)
	}
	tick, stop := e.clock.After(wait)
	defer stop()
	select {
	case <-s.job.finished:
		return s.conclude(ctx, s.job.verdict, nil)
	case <-tick:
	case <-ctx.Done():
	}
	if e.withdraw(s.job) {
		return s.commit(ctx, nil)
	}
	return s.commitUnderWay(ctx)
}

func all(n int) []int {
	todo := make([]int, n)
	for i := range todo {
		todo[i] = i
	}
	return todo
}

// maxExpress is how many interactive submissions may wait for a courier; more than that
// is a backlog, which the spool is for.
const maxExpress = 32

// crowded reports whether somebody has as many submissions waiting as he may: one is always allowed, and
// more than a quarter only while nobody else has any.
func (b *box) crowded(p *person) bool {
	return p.express > 0 && (b.express.len() >= maxExpress || p.express >= maxExpress/4 && p.express < b.express.len())
}

// admit lets a submission go ahead of the queue, unless it is known that it would only wait.
func (e *Engine) admit(j *job) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.running || e.stopping || e.config.Account == nil {
		return false
	}
	now := e.clock.Now()
	b := e.box(j.env.SignIn)
	sender := b.senders[j.env.Sender]
	j.by = e.personOf(b, metaOf(j.env))
	author := b.authors[j.author]
	if author != nil && author.shut || b.outside.shut && !e.allInside(j.env) || b.slowed(j.by.id) {
		return false
	}
	if e.app.shut || b.gate.shut || sender != nil && sender.shut || e.pacedOut(b, j.by, now) || b.crowded(j.by) {
		return false
	}
	j.box = b
	j.by.express++
	b.express.push(j)
	e.kick(b)
	return true
}

// withdraw takes a submission back that no courier has taken.
func (e *Engine) withdraw(j *job) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !j.box.express.remove(func(o *job) bool { return o == j }) {
		return false
	}
	j.by.express--
	return true
}

// flushExpress gives back the submissions that a shut gate keeps from going, or all
// of them when the engine stops. The mutex is held.
func (e *Engine) flushExpress(g *gate) {
	for _, b := range e.boxes {
		if !e.stopping && g.box != nil && g.box != b {
			continue
		}
		for n := b.express.len(); n > 0; n-- {
			j := b.express.pop()
			if !e.stopping && g.scope == scopeSender && j.env.Sender != g.sender {
				b.express.push(j)
				continue
			}
			j.by.express--
			v := &verdict{fate: make([]fate, len(j.env.Recipients)), errs: make([]error, len(j.env.Recipients)), later: len(j.env.Recipients)}
			if g.shut {
				cause := g.cause
				v.stop, v.err = &cause, errors.New(cause.reason)
			} else {
				v.lost, v.err = true, errors.New("the agent is being stopped")
			}
			for i := range v.errs {
				v.errs[i] = v.err
			}
			if !j.end(v) {
				e.couriers.Go(func() { e.record(j, v, session{dsn: true}) })
			}
		}
	}
}

// submission is a message whose caller waits.
type submission struct {
	e       *Engine
	env     *envelope.Envelope
	pending *spool.Pending
	source  *handoff
	job     *job
	started time.Time
}

// write copies the message into the pending spool file.
func (s *submission) write() error {
	r, err := s.source.Open()
	if err != nil {
		return sysexits.With(sysexits.IOErr, fmt.Errorf("can't read the message: %w", err))
	}
	defer r.Close()
	n, err := io.Copy(s.pending, r)
	if err == nil && n != s.source.Size() {
		err = fmt.Errorf("the message has %d octets, but %d were expected", n, s.source.Size())
	}
	return err
}

// claimed commits the message and keeps its lock.
func (s *submission) claimed(ctx context.Context) (*spool.Item, error) {
	if err := s.write(); err != nil {
		return nil, notKept(err)
	}
	it, err := s.pending.CommitClaimed(ctx)
	if err != nil {
		return nil, notKept(err)
	}
	s.e.logQueued(it.ID(), s.env, s.source.Size())
	return it, nil
}

// commit queues a message that no courier has; v is the verdict of its try, if there was one.
func (s *submission) commit(ctx context.Context, v *verdict) (envelope.Receipt, error) {
	it, err := s.claimed(ctx)
	if err != nil {
		return envelope.Receipt{}, err
	}
	if v == nil {
		st := it.Status()
		it.Unlock()
		s.e.wakeNew(it.ID(), s.env, st)
		return queued(it.ID(), s.env.Recipients), nil
	}
	return s.settled(it, v)
}

// commitUnderWay queues a message while a courier has it. What becomes of the try then
// goes into the spool, so that no second one is made beside it.
func (s *submission) commitUnderWay(ctx context.Context) (envelope.Receipt, error) {
	it, err := s.claimed(context.WithoutCancel(ctx))
	if err != nil {
		// It can't be kept. The try is the only hope, and it must not be given up
		// without its outcome: the caller would send again what was delivered.
		<-s.job.finished
		return s.conclude(ctx, s.job.verdict, err)
	}
	s.source.change(it.Message())
	if v := s.job.adopt(it); v != nil {
		return s.settled(it, v)
	}
	return queued(it.ID(), s.env.Recipients), nil
}

// conclude answers by a verdict. Nothing is in the spool; keepErr says why, if that was tried.
func (s *submission) conclude(ctx context.Context, v *verdict, keepErr error) (envelope.Receipt, error) {
	r, refusal := s.receipt(v)
	if v.later == 0 {
		s.e.logInteractive(s, v)
		return r, refusal
	}
	if v.damaged {
		return r, sysexits.With(sysexits.IOErr, v.errs[0])
	}
	if keepErr != nil {
		return r, keepErr
	}
	if v.taken == 0 && len(r.Refused) == 0 {
		return s.commit(ctx, v)
	}
	return s.commitRest(ctx, v, r)
}

// receipt sorts the recipients of a verdict. When none is accepted or still to do,
// the first refusal is the error.
func (s *submission) receipt(v *verdict) (r envelope.Receipt, err error) {
	for k, f := range v.fate {
		switch f {
		case fateTaken:
			r.Accepted = append(r.Accepted, s.env.Recipients[k].Address)
		case fateRefused:
			r.Refused = append(r.Refused, envelope.Refusal{Address: s.env.Recipients[k].Address, Err: v.errs[k]})
		}
	}
	if v.taken > 0 {
		r.Reply = v.reply
	} else if v.later == 0 && len(r.Refused) > 0 {
		err = r.Refused[0].Err
	}
	return r, err
}

// settled records a verdict on an item that was committed meanwhile. Refused recipients are told
// to the caller, who still waits, and so they get no report.
func (s *submission) settled(it *spool.Item, v *verdict) (envelope.Receipt, error) {
	e := s.e
	r, refusal := s.receipt(v)
	if v.later == 0 {
		e.logInteractive(s, v)
		if err := it.Delete(); err != nil {
			s.job.item = it
			e.strand(s.job, doneStates(v), err)
		}
		e.unsyncedRemoval()
		return r, refusal
	}
	s.job.item = it
	r.QueueID, r.Queued = it.ID(), true
	for k, f := range v.fate {
		if f == fateLater {
			r.Accepted = append(r.Accepted, s.env.Recipients[k].Address)
		}
	}
	if v.lost {
		it.Unlock()
		e.wakeNew(it.ID(), s.env, spool.Status{})
		return r, nil
	}
	now := e.clock.Now()
	e.logFates(e.log, s.job.id, s.env, v, e.relay(), max(now.Sub(s.started), 0), false)
	e.keep(s.job, v, doneStates(v), now)
	return r, nil
}

// doneStates are the recipients of a verdict that are done with, refused ones too.
func doneStates(v *verdict) map[int]spool.RecipientStatus {
	states := map[int]spool.RecipientStatus{}
	for k, f := range v.fate {
		switch f {
		case fateTaken:
			states[k] = spool.RecipientStatus{State: spool.Done, Code: 250, Enhanced: v.enhanced}
		case fateRefused:
			code, enh := replyOf(v.errs[k])
			states[k] = spool.RecipientStatus{State: spool.Done, Code: code, Enhanced: enh}
		}
	}
	return states
}

// commitRest queues the recipients that are still to do, as a message of their own.
func (s *submission) commitRest(ctx context.Context, v *verdict, r envelope.Receipt) (envelope.Receipt, error) {
	rest := *s.env
	rest.Recipients = nil
	var errs []error
	for k, f := range v.fate {
		if f == fateLater {
			rest.Recipients = append(rest.Recipients, s.env.Recipients[k])
			errs = append(errs, v.errs[k])
		}
	}
	done := *v
	done.later = 0
	s.e.logInteractive(s, &done)
	p, err := s.e.spool.Begin(metaOf(&rest), &rest)
	if err == nil {
		defer p.Abort()
		n := len(rest.Recipients)
		again := &submission{e: s.e, env: &rest, pending: p, source: s.source, started: s.started}
		again.job = &job{id: p.ID(), box: s.job.box, env: &rest, todo: all(n), msg: s.source}
		part := &verdict{fate: make([]fate, n), errs: errs, later: n, again: v.again, stop: v.stop, err: v.err}
		var kept envelope.Receipt
		if kept, err = again.commit(ctx, part); err == nil {
			r.QueueID, r.Queued = kept.QueueID, true
			r.Accepted = append(r.Accepted, kept.Accepted...)
			return r, nil
		}
	}
	// What was taken can't be called back; the rest is told as refused for now.
	for k, f := range v.fate {
		if f == fateLater {
			r.Refused = append(r.Refused, envelope.Refusal{Address: s.env.Recipients[k].Address, Err: err})
		}
	}
	if len(r.Accepted) == 0 {
		return r, err
	}
	return r, nil
}

// logInteractive logs recipients that are done with while the caller waits.
func (e *Engine) logInteractive(s *submission, v *verdict) {
	e.log.Log(maillog.Info, s.job.id, "from", "<"+s.env.Sender+">", "size", s.source.Size(), "nrcpt", fmt.Sprintf("%d (delivering)", len(s.env.Recipients)))
	delay := max(e.clock.Now().Sub(s.started), 0)
	refused := 0
	for k, f := range v.fate {
		to := s.env.Recipients[k].Address
		switch f {
		case fateTaken:
			e.log.Log(maillog.Info, s.job.id, "to", "<"+to+">", "relay", e.relay(), "delay", delay, "dsn", v.enhanced, "status", "sent", "", v.reply)
		case fateRefused:
			refused++
			logStatus(e.log, maillog.Notice, s.job.id, to, e.relay(), delay, "refused", "5.0.0", v.errs[k])
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counters.Sent += v.taken
	e.counters.Refused += refused
}

func (e *Engine) relay() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.config.Account == nil {
		return "none"
	}
	return e.config.Account.Submit.Host
}

var _ envelope.Submitter = (*Queue)(nil)
