package deliver

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"o365-sendmail/internal/envelope"
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
// commits it and wakes the engine; "queue" leaves it to the next look at the spool. Without a spool there
// is no mode but "interactive", and what can't be delivered is refused.
func (q *Queue) Submit(ctx context.Context, env *envelope.Envelope, msg envelope.Message) (envelope.Receipt, error) {
	return q.submission(env, HandIn{}).submit(ctx, msg)
}

// ModeOf is how a message is delivered: as it asks, else as configured.
func (q *Queue) ModeOf(env *envelope.Envelope) string {
	q.engine.mu.Lock()
	defer q.engine.mu.Unlock()
	return cmp.Or(env.Mode, q.engine.config.Mode, ModeInteractive)
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
			v := untried(len(j.env.Recipients), errors.New("the agent is being stopped"))
			if v.lost = !g.shut; g.shut {
				cause := g.cause
				v = untried(len(j.env.Recipients), cmp.Or(cause.err, errors.New(cause.reason)))
				v.stop = &cause
			}
			if !j.end(v) {
				e.couriers.Go(func() { e.record(j, v, session{dsn: true}) })
			}
		}
	}
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
