package deliver

import (
	"context"
	"errors"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/submit"
)

// Direct is the submitter of a process without an agent: it delivers before it answers.
type Direct struct {
	Account *Account
	Log     *maillog.Logger
	// Timeout bounds a submission; 0 means ten minutes.
	Timeout time.Duration

	// Spool keeps what can't be delivered now; nil gives it back to the caller.
	Spool *spool.Spool
	// Mode is for messages that ask for none; "" is interactive.
	Mode string
	// Wait bounds the wait for a connection and for the rates when there is a spool to
	// put the message into; 0 means ten seconds.
	Wait time.Duration
	// Run starts a run of the queue that does not end with this process, and reports whether
	// there is one now; nil when none can be started.
	Run func() bool
}

// slotPatience is how long a process waits for a connection of its own before it leaves
// its message to a run of the queue, which sends many over each.
const slotPatience = 250 * time.Millisecond

const defaultTimeout = 10 * time.Minute

// Submit delivers msg now. Recipients that the relay refused for good are in the
// receipt; an error means that no recipient got the message. With a spool, recipients
// that can't be reached now are queued, and so is everything in the modes "background" and
// "queue"; whoever runs an Engine over the spool sends it.
func (d *Direct) Submit(ctx context.Context, env *envelope.Envelope, msg envelope.Message) (envelope.Receipt, error) {
	if d.Spool != nil && d.ModeOf(env) != ModeInteractive {
		return d.enqueue(ctx, env, msg)
	}
	if d.Account.splits(env) {
		return d.submitParts(ctx, env, msg)
	}
	if d.Spool == nil {
		return d.sendNow(ctx, env, msg)
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout())
	defer cancel()
	queueing, stop := context.WithTimeout(ctx, d.wait())
	defer stop()
	slot := queueing
	if d.Run != nil {
		slot, stop = context.WithTimeout(queueing, slotPatience)
		defer stop()
	}
	start := time.Now()
	res, err := d.Account.deliver(ctx, slot, queueing, env, msg)
	took := time.Since(start)
	if busy := (*busyError)(nil); errors.As(err, &busy) && queueing.Err() == nil {
		return d.leave(queueing, env, msg)
	}
	return d.keepRest(ctx, env, msg, took, res, err)
}

// ModeOf is how a message is delivered: as it asks, else as configured.
func (d *Direct) ModeOf(env *envelope.Envelope) string {
	switch {
	case env.Mode != "":
		return env.Mode
	case d.Mode != "":
		return d.Mode
	}
	return ModeInteractive
}

// receipt sorts a result's recipients. When none was accepted the first refusal is the
// error, so that a caller can't take it for a success.
func receipt(res *submit.Result) (envelope.Receipt, error) {
	var r envelope.Receipt
	for _, rr := range res.Recipients {
		if rr.Err == nil {
			r.Accepted = append(r.Accepted, rr.Address)
		} else {
			r.Refused = append(r.Refused, envelope.Refusal{Address: rr.Address, Err: rr.Err})
		}
	}
	if len(r.Accepted) > 0 {
		r.Reply = res.Reply.String()
		return r, nil
	}
	if len(r.Refused) == 0 {
		return r, errors.New("the server answered for no recipient")
	}
	return r, r.Refused[0].Err
}

// logResult writes a line for each recipient of a message that went out.
func logResult(l *maillog.Logger, id string, env *envelope.Envelope, relay string, took time.Duration, res *submit.Result) {
	for _, rr := range res.Recipients {
		if rr.Err != nil {
			logRecipient(l, maillog.Notice, id, rr.Address, relay, took, rr.Err)
			continue
		}
		l.Log(maillog.Info, id, "from", "<"+env.Sender+">", "to", "<"+rr.Address+">", "relay", relay, "delay", took,
			"dsn", enhanced(res.Reply.Enhanced, "2.0.0"), "status", "sent", "", res.Reply.String())
	}
}

// logFailure writes a line for each recipient of a message that did not go out.
func logFailure(l *maillog.Logger, id string, env *envelope.Envelope, took time.Duration, err error) {
	for _, r := range env.Recipients {
		logRecipient(l, maillog.Warning, id, r.Address, "none", took, err)
	}
}

func logRecipient(l *maillog.Logger, p maillog.Priority, id, to, relay string, took time.Duration, err error) {
	status, dsn := "deferred", "4.0.0"
	if Permanent(err) {
		status, dsn = "bounced", "5.0.0"
	}
	if e := new(submit.Error); errors.As(err, &e) {
		dsn = enhanced(e.Enhanced, dsn)
	}
	l.Log(p, id, "to", "<"+to+">", "relay", relay, "delay", took, "dsn", dsn, "status", status, "", err)
}

func enhanced(code, otherwise string) string {
	if code == "" {
		return otherwise
	}
	return code
}
