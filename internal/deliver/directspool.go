package deliver

import (
	"context"
	"io"
	"math/rand/v2"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/schedule"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/submit"
)

// A process without an agent that has a spool: what can't be delivered now stays there, and a
// later call or sendmail -q sends it.

func (d *Direct) enqueue(ctx context.Context, env *envelope.Envelope, msg envelope.Message) (envelope.Receipt, error) {
	id, err := d.Spool.Put(ctx, metaOf(env), env, msg)
	if err != nil {
		return envelope.Receipt{}, notKept(err)
	}
	logQueued(d.Log, id, env, msg.Size())
	return queued(id, env.Recipients), nil
}

// leave queues a message for which no connection got free, and waits while a run of the queue
// delivers it. A caller may be all that keeps a container alive: it is not told before the
// message has left, or the time is up.
func (d *Direct) leave(ctx context.Context, env *envelope.Envelope, msg envelope.Message) (envelope.Receipt, error) {
	r, err := d.enqueue(context.WithoutCancel(ctx), env, msg)
	if err != nil || !d.Run() {
		return r, err
	}
	tick := time.NewTicker(leavePause)
	defer tick.Stop()
	for d.Spool.Waits(r.QueueID) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return r, nil
		}
	}
	return r, nil
}

// leavePause is how often a process looks whether its message has left the queue.
const leavePause = 20 * time.Millisecond

// keepRest answers a try, and queues what it left to do.
func (d *Direct) keepRest(ctx context.Context, env *envelope.Envelope, msg envelope.Message, took time.Duration, res *submit.Result, err error) (envelope.Receipt, error) {
	res = orNone(res, len(env.Recipients))
	v := judge(res, err)
	if err == nil {
		logResult(d.Log, "", env, d.Account.Submit.Host, took, res)
	} else {
		logFailure(d.Log, "", env, took, err)
	}
	var r envelope.Receipt
	rest := *env
	rest.Recipients = nil
	for k, f := range v.fate {
		rc := env.Recipients[k]
		switch f {
		case fateTaken:
			r.Accepted = append(r.Accepted, rc.Address)
		case fateRefused:
			r.Refused = append(r.Refused, envelope.Refusal{Address: rc.Address, Err: v.errs[k]})
		default:
			rest.Recipients = append(rest.Recipients, rc)
		}
	}
	if v.taken > 0 {
		r.Reply = v.reply
	}
	if len(rest.Recipients) == 0 {
		if v.taken == 0 {
			return r, r.Refused[0].Err
		}
		return r, nil
	}
	return d.queueRest(ctx, &rest, msg, v, r)
}

func (d *Direct) queueRest(ctx context.Context, rest *envelope.Envelope, msg envelope.Message, v *verdict, r envelope.Receipt) (envelope.Receipt, error) {
	it, err := d.put(context.WithoutCancel(ctx), rest, msg)
	if err != nil {
		if v.taken == 0 {
			return r, err
		}
		for _, rc := range rest.Recipients {
			r.Refused = append(r.Refused, envelope.Refusal{Address: rc.Address, Err: err})
		}
		return r, nil
	}
	defer it.Unlock()
	now := time.Now()
	switch s := v.stop; {
	case s != nil && s.scope == scopeSender && d.Account.strangeAuthor(rest, msg) != "":
		wait, _ := schedule.AuthorPause(1)
		err = it.Defer(now.Add(wait), classSender, reasonText(v.err))
	case s != nil || v.again:
		class := classAccount
		if s != nil {
			class = s.class()
		}
		err = it.Postpone(now.Add(schedule.AccountPause(1, 0, rand.Float64())), class, reasonText(v.err))
	default:
		err = it.Defer(schedule.NextAttempt(1, now, 0, rand.Float64()), classTemporary, reasonText(v.err))
	}
	_ = err // it is queued, only its reason is not recorded
	logQueued(d.Log, it.ID(), rest, msg.Size())
	kept := queued(it.ID(), rest.Recipients)
	r.QueueID, r.Queued, r.Accepted = kept.QueueID, true, append(r.Accepted, kept.Accepted...)
	return r, nil
}

// put commits a message and keeps its lock.
func (d *Direct) put(ctx context.Context, env *envelope.Envelope, msg envelope.Message) (*spool.Item, error) {
	p, err := d.Spool.Begin(metaOf(env), env)
	if err != nil {
		return nil, notKept(err)
	}
	defer p.Abort() // does nothing after the commit
	in, err := msg.Open()
	if err != nil {
		return nil, notKept(err)
	}
	defer in.Close()
	if _, err := io.Copy(p, in); err != nil {
		return nil, notKept(err)
	}
	it, err := p.CommitClaimed(ctx)
	if err != nil {
		return nil, notKept(err)
	}
	return it, nil
}
