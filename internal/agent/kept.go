package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"o365-sendmail/internal/agent/protocol"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// Without a configuration nobody knows the mailbox, the aliases or the sender rule. A
// message that comes then is kept in the queue as it came: on hold, with a mark in its
// origin, and its options in the private field. When the configuration is mended it is
// processed as if it came that moment, and the new message takes the old one's place. A
// crash between the two leaves both, and the message is sent twice.

// keep commits a message as it came.
func (a *Agent) keep(ctx context.Context, r *rules, env *envelope.Envelope, msg *rfc822.Message, o protocol.Options) (envelope.Receipt, error) {
	o.Partial = false
	if v := o.Value(); v != "" {
		msg.Header.Prepend(protocol.OptionsField, v)
	}
	wire, err := msg.Wire(rfc822.WireOptions{AllowEightBit: true})
	if err != nil {
		return envelope.Receipt{}, sysexits.With(sysexits.IOErr, err)
	}
	env.EightBit, env.SMTPUTF8, env.Origin = wire.EightBit(), wire.SMTPUTF8(), env.Sender
	p, err := a.spool.Begin(spool.Meta{UID: env.Caller.UID, Origin: queueview.Unprocessed + env.Caller.Via}, env)
	if err != nil {
		return envelope.Receipt{}, err
	}
	defer p.Abort()
	if err := copyTo(p, wire); err != nil {
		return envelope.Receipt{}, err
	}
	it, err := p.CommitClaimed(ctx)
	if err != nil {
		return envelope.Receipt{}, err
	}
	// From here on the message is safe, held or not.
	defer it.Unlock()
	if err := it.Hold(notProcessed + ": " + r.reason()); err != nil {
		a.warn(err)
	}
	receipt := envelope.Receipt{Queued: true, QueueID: it.ID()}
	for _, rcpt := range env.Recipients {
		receipt.Accepted = append(receipt.Accepted, rcpt.Address)
	}
	return receipt, nil
}

func copyTo(p *spool.Pending, w *rfc822.Wire) error {
	r, err := w.Open()
	if err != nil {
		return sysexits.With(sysexits.IOErr, err)
	}
	defer r.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if _, writeErr := p.Write(buf[:n]); writeErr != nil {
			return writeErr
		}
		if err != nil {
			if p.Size() == w.Size() {
				return nil
			}
			return sysexits.With(sysexits.IOErr, fmt.Errorf("the message can't be read again: %w", err))
		}
	}
}

// eachKept calls fn for the messages that were kept without a configuration.
func (a *Agent) eachKept(ctx context.Context, fn func(i spool.Info)) {
	var kept []spool.Info
	err := a.spool.List(ctx, func(i spool.Info) bool {
		if i.Err == nil && strings.HasPrefix(i.Meta.Origin, queueview.Unprocessed) {
			kept = append(kept, i)
		}
		return true
	})
	if err != nil {
		a.warn(err)
	}
	for _, i := range kept {
		if ctx.Err() != nil {
			return
		}
		fn(i)
	}
}

// holdKept makes sure that none of them is delivered as it is: an agent may have died
// before it had put the hold on.
func (a *Agent) holdKept(ctx context.Context) {
	a.eachKept(ctx, func(i spool.Info) {
		if i.Status.Held {
			return
		}
		it, err := a.spool.Claim(i.ID)
		if err != nil {
			return
		}
		defer it.Unlock()
		if err := it.Hold(notProcessed); err != nil {
			a.warn(err)
		}
	})
}

const notProcessed = "not processed yet, since the configuration could not be used"

// processKept processes what was kept.
func (a *Agent) processKept(ctx context.Context, r *rules) {
	a.eachKept(ctx, func(i spool.Info) {
		if err := a.processOne(ctx, r, i.ID); err != nil {
			a.log.Log(maillog.Err, i.ID, "", fmt.Errorf("a message that was kept while the configuration was broken can't be processed: %w", err))
		}
	})
}

func (a *Agent) processOne(ctx context.Context, r *rules, id string) error {
	it, err := a.spool.Claim(id)
	if errors.Is(err, spool.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer it.Unlock()
	env, msg, options, err := a.unpack(it)
	if err != nil {
		return err
	}
	defer msg.Close()
	receipt, err := a.process(ctx, r, env, msg, options)
	switch {
	case err != nil && a.mayPass(err):
		return err // it stays and is tried at the next reading
	case err != nil:
		return it.Fail(err.Error())
	case len(receipt.Refused) > 0:
		// Those who get it have it; the rest is for an administrator to see.
		return it.Fail(receipt.Refused[0].Err.Error())
	}
	a.log.Log(maillog.Info, id, "status", "processed", "as", receipt.QueueID)
	return it.Delete()
}

// mayPass tells whether an error may pass without anybody touching the message.
func (a *Agent) mayPass(err error) bool { return protocol.StatusOf(a.exitCode(err)).Code < 500 }

// unpack makes of a kept message what a session would have handed in.
func (a *Agent) unpack(it *spool.Item) (*envelope.Envelope, *rfc822.Message, protocol.Options, error) {
	f, err := it.Message().Open()
	if err != nil {
		return nil, nil, protocol.Options{}, err
	}
	defer f.Close()
	msg, err := rfc822.Read(f, rfc822.ReadOptions{Memory: memory, TempDir: a.rules.Load().config.Spool.Dir})
	if err != nil {
		return nil, nil, protocol.Options{}, err
	}
	var options protocol.Options
	if v, ok := msg.Header.Get(protocol.OptionsField); ok {
		options = protocol.ParseOptions(v)
		msg.Header.Remove(protocol.OptionsField)
	}
	env := *it.Envelope()
	uid := it.Meta().UID
	env.Caller = envelope.Caller{UID: uid, Via: strings.TrimPrefix(it.Meta().Origin, queueview.Unprocessed)}
	if uid >= 0 {
		env.Caller.User = a.users.name(uid)
	}
	// Nobody waits for it.
	if env.Mode = deliver.ModeBackground; options.Mode == deliver.ModeQueue {
		env.Mode = deliver.ModeQueue
	}
	return &env, msg, options, nil
}
