package deliver

import (
	"context"
	"sync"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/submit"
	"o365-sendmail/rfc822"
)

// fitted returns the message as the server takes it: its 8-bit text is encoded for one without 8BITMIME (RFC 6152 3),
// which smtp.host may not have been when the message was queued. What can't be encoded, because a signature covers it,
// stays as it is, and the session refuses it. close is to be called when the outcome is known.
func fitted(s *submit.Session, env *envelope.Envelope, msg envelope.Message) (*envelope.Envelope,
	envelope.Message, func()) {
	if !env.EightBit || s.Extensions().EightBitMIME {
		return env, msg, func() {}
	}
	m, wire := sevenBit(msg)
	if m == nil {
		return env, msg, func() {}
	}
	e := *env
	e.EightBit = false
	return &e, wire, sync.OnceFunc(func() { _ = m.Close() }) // only what was read again is closed
}

// sevenBit reads a message again and returns it in ASCII, nil if that can't be.
func sevenBit(msg envelope.Message) (*rfc822.Message, *rfc822.Wire) {
	r, err := msg.Open()
	if err != nil {
		return nil, nil
	}
	defer r.Close()
	m, err := rfc822.Read(r, rfc822.ReadOptions{})
	if err != nil {
		return nil, nil
	}
	wire, err := m.Wire(rfc822.WireOptions{})
	if err != nil {
		_ = m.Close()
		return nil, nil
	}
	return m, wire
}

// sendFitted is submit.Session.Send of the message as the server takes it.
func sendFitted(ctx context.Context, s *submit.Session, env *envelope.Envelope,
	msg envelope.Message) (*submit.Result, error) {
	env, msg, done := fitted(s, env, msg)
	defer done()
	return s.Send(ctx, env, msg)
}
