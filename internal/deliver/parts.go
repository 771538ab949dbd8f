package deliver

import (
	"context"
	"slices"
	"time"

	"o365-sendmail/internal/envelope"
)

// A message with more recipients than one transaction takes. A spool keeps it whole from the start: each
// transaction is noted there, so that a crash costs the one that is under way a second copy and no more.

// splits reports whether a message takes more than one transaction.
func (a *Account) splits(env *envelope.Envelope) bool {
	return a != nil && a.Submit.MaxRecipients > 0 && len(env.Recipients) > a.Submit.MaxRecipients
}

// submitParts is Submit for a message that takes several transactions.
func (d *Direct) submitParts(ctx context.Context, env *envelope.Envelope, msg envelope.Message) (envelope.Receipt, error) {
	switch {
	case d.Spool == nil:
		return d.sendParts(ctx, env, msg)
	case d.Run == nil:
		return d.enqueue(ctx, env, msg)
	}
	ctx, stop := context.WithTimeout(ctx, d.wait())
	defer stop()
	return d.leave(ctx, env, msg)
}

// sendParts sends one transaction after the other, each with the usual time. The first one that fails as a whole is
// the last: what is wrong with it is wrong with the message or the account. Who is left gets its error.
func (d *Direct) sendParts(ctx context.Context, env *envelope.Envelope, msg envelope.Message) (envelope.Receipt, error) {
	var all envelope.Receipt
	left := env.Recipients
	for some := range slices.Chunk(env.Recipients, d.Account.Submit.MaxRecipients) {
		part := *env
		part.Recipients = some
		r, err := d.sendNow(ctx, &part, msg)
		if err != nil && len(r.Refused) == 0 {
			rest := *env
			rest.Recipients = left[len(some):]
			logFailure(d.Log, "", &rest, 0, err)
			return giveUp(all, left, err)
		}
		all.Accepted, all.Refused = append(all.Accepted, r.Accepted...), append(all.Refused, r.Refused...)
		if r.Reply != "" {
			all.Reply = r.Reply
		}
		left = left[len(some):]
	}
	if len(all.Accepted) == 0 {
		return all, all.Refused[0].Err
	}
	return all, nil
}

// giveUp answers for a message that some got and those who are left will not.
func giveUp(all envelope.Receipt, left []envelope.Recipient, err error) (envelope.Receipt, error) {
	if len(all.Accepted) == 0 {
		return all, err
	}
	for _, rc := range left {
		all.Refused = append(all.Refused, envelope.Refusal{Address: rc.Address, Err: err})
	}
	return all, nil
}

// sendNow delivers one transaction with nothing to fall back on.
func (d *Direct) sendNow(ctx context.Context, env *envelope.Envelope, msg envelope.Message) (envelope.Receipt, error) {
	ctx, stop := context.WithTimeout(ctx, d.timeout())
	defer stop()
	start := time.Now()
	res, err := d.Account.deliver(ctx, ctx, ctx, env, msg)
	if err != nil {
		err = d.Account.callersFault(env, msg, err)
		logFailure(d.Log, "", env, time.Since(start), err)
		return envelope.Receipt{}, err
	}
	logResult(d.Log, "", env, d.Account.Submit.Host, time.Since(start), res)
	return receipt(res)
}

func (d *Direct) timeout() time.Duration {
	if d.Timeout <= 0 {
		return defaultTimeout
	}
	return d.Timeout
}

func (d *Direct) wait() time.Duration {
	if d.Wait <= 0 {
		return defaultWait
	}
	return d.Wait
}
