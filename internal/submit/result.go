package submit

import (
	"context"
	"errors"
	"fmt"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/smtpreply"
)

// Result is what became of a message.
type Result struct {
	// Recipients has one entry for each of the envelope's, in its order.
	Recipients []RecipientResult
	// Reply is the server's to the whole message; Code is 0 if the message was not taken.
	Reply smtpreply.Reply
}

// RecipientResult is what became of one recipient.
type RecipientResult struct {
	Address string
	// Err is nil when the server took the message for this recipient.
	Err *Error
}

// Accepted counts the recipients for whom the server took the message.
func (r *Result) Accepted() int {
	n := 0
	for i := range r.Recipients {
		if r.Recipients[i].Err == nil {
			n++
		}
	}
	return n
}

// plan checks a message against what SMTP and this server allow, before anything is
// sent. Recipients that can't be named get their error here.
func (s *Session) plan(env *envelope.Envelope, msg envelope.Message) *transaction {
	t := &transaction{s: s, env: env, size: msg.Size(), done: make(chan struct{}),
		res: &Result{Recipients: make([]RecipientResult, len(env.Recipients))}}
	for i := range env.Recipients {
		t.res.Recipients[i].Address = env.Recipients[i].Address
	}
	if t.err = s.checkMessage(env, t.size); t.err != nil {
		return t
	}
	limit := lesser(s.cfg.MaxRecipients, s.ext.MaxRecipients)
	t.utf8 = env.SMTPUTF8 || !printable.IsASCII(env.Sender)
	t.named = make([]int, 0, len(env.Recipients))
	for i := range env.Recipients {
		r := &t.res.Recipients[i]
		if r.Err = s.checkRecipient(r.Address); r.Err != nil {
			continue
		}
		if limit > 0 && len(t.named) >= limit {
			r.Err = s.tooMany(r.Address, limit)
			continue
		}
		t.named = append(t.named, i)
		t.utf8 = t.utf8 || !printable.IsASCII(r.Address)
	}
	if len(env.Recipients) == 0 {
		t.err = s.cfg.fault(PhaseRcpt, diagnose.FaultAddress, errors.New("the message has no recipient"))
	}
	return t
}

func (s *Session) checkMessage(env *envelope.Envelope, size int64) *Error {
	if s.ext.Size > 0 && size > s.ext.Size {
		return s.cfg.fault(PhaseMail, diagnose.FaultTooLarge, &TooLargeError{Size: size, Limit: s.ext.Size})
	}
	if env.Sender != "" {
		if err := checkAddress(env.Sender); err != nil {
			return s.cfg.addressError(PhaseMail, diagnose.FaultAddress, env.Sender, err)
		}
	}
	if !s.ext.SMTPUTF8 {
		if !printable.IsASCII(env.Sender) {
			return s.cfg.addressError(PhaseMail, diagnose.FaultNoSMTPUTF8, env.Sender, nil)
		}
		if env.SMTPUTF8 && allASCII(env.Recipients) {
			return s.cfg.fault(PhaseMail, diagnose.FaultNoSMTPUTF8, errors.New("a header field is not ASCII"))
		}
	}
	if env.EightBit && !s.ext.EightBitMIME {
		return s.cfg.fault(PhaseMail, diagnose.FaultNo8BITMIME, nil)
	}
	return nil
}

func allASCII(rcpts []envelope.Recipient) bool {
	for i := range rcpts {
		if !printable.IsASCII(rcpts[i].Address) {
			return false
		}
	}
	return true
}

func (s *Session) checkRecipient(address string) *Error {
	if err := checkAddress(address); err != nil {
		return s.cfg.addressError(PhaseRcpt, diagnose.FaultAddress, address, err)
	}
	if !s.ext.SMTPUTF8 && !printable.IsASCII(address) {
		return s.cfg.addressError(PhaseRcpt, diagnose.FaultNoSMTPUTF8, address, nil)
	}
	return nil
}

func (c *Config) addressError(phase Phase, f diagnose.Fault, address string, err error) *Error {
	e := c.fault(phase, f, err)
	e.Address = address
	return e
}

// tooMany is what the server would have said to one recipient too many.
func (s *Session) tooMany(address string, limit int) *Error {
	d := diagnose.Reply(string(PhaseRcpt), 452, "4.5.3", "")
	return &Error{Phase: PhaseRcpt, Server: s.cfg.Host, Mailbox: s.cfg.User, Way: s.cfg.Way, Address: address,
		Class: d.Class, Diagnosis: d,
		Err: fmt.Errorf("%d at once", limit)}
}

// lesser returns the smaller of two limits, of which 0 is none.
func lesser(a, b int) int {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// Send sends a message and waits for the outcome. The Result is never nil and has an entry
// for each recipient; the error, always an *Error, is not nil when the message as a whole
// was refused or lost. If all recipients were refused one by one, the error is nil
// and Result.Accepted is 0. When the context ends the session does, too.
func (s *Session) Send(ctx context.Context, env *envelope.Envelope, msg envelope.Message) (*Result, error) {
	return s.Begin(ctx, env, msg)()
}

// Begin sends a message and returns a function that waits for its outcome, as Send
// gives it. Where the server offers PIPELINING and CHUNKING, the next message may be begun
// before: its commands then travel behind this one's, and a queue drains without waiting
// for replies. Begin must not be called twice at once; wait may be called from another
// goroutine, in any order, any number of times, and has to be called once at least.
func (s *Session) Begin(ctx context.Context, env *envelope.Envelope,
	msg envelope.Message) (wait func() (*Result, error)) {
	wait = s.Gather(ctx, env, msg)
	s.Flush()
	return wait
}

// Gather is Begin, but a small message may stay here until Flush, so that several leave in one
// write: half of what it costs to send one is the packet. Flush has to be called before any wait.
func (s *Session) Gather(ctx context.Context, env *envelope.Envelope,
	msg envelope.Message) (wait func() (*Result, error)) {
	t := s.plan(env, msg)
	if t.err == nil && len(t.named) > 0 {
		t.start(ctx, msg)
	} else {
		t.skip()
	}
	return t.wait
}
