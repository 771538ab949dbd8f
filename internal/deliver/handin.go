package deliver

import (
	"context"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/rfc822"
)

// HandIn is how a caller hands a message in.
type HandIn struct {
	// Accept applies the rules to envelope and message. It returns the message to send, the recipients without a
	// way, which it has taken out of the envelope, and an error for the message as a whole. note gets lines for
	// the log.
	Accept func(note func(text string)) (envelope.Message, []envelope.Refusal, error)
	// Tag is what the caller wants to be called in the log (sendmail -L), Client who is connected, for one
	// of another host or of no known user; "" for nothing.
	Tag, Client string
	// Note is what the log is to say of the message besides; "" for nothing.
	Note string
	// MayLog reports whether the log may have another message that was refused, and how many were left out
	// since the last; nil for all.
	MayLog func() (ok bool, left int)
}

// HandIn takes a message from its caller: it gets its queue id, the rules are applied to it, the log says who
// hands it in, and it is submitted. Recipients that the rules refuse are in the receipt, too.
func (e *Engine) HandIn(ctx context.Context, env *envelope.Envelope, msg *rfc822.Message,
	h HandIn) (envelope.Receipt, error) {
	s := e.submission(env, h)
	notes := []string{h.Note}
	wire, refused, err := h.Accept(func(text string) { notes = append(notes, text) })
	size := int64(0)
	if err == nil {
		size = wire.Size()
	}
	s.arrived(msg, size, refused, notes...)
	if err != nil {
		s.tell(unkept(env.Recipients, err))
		return envelope.Receipt{Refused: refused}, err
	}
	receipt, err := s.submit(ctx, wire)
	receipt.Refused = append(refused, receipt.Refused...)
	return receipt, err
}

// Tail is a place for the end of a message, behind so many bytes of it, which HandIn need not copy it from when env has
// become what it is here; nil if there is none.
func (e *Engine) Tail(env *envelope.Envelope, before int64) rfc822.Rest {
	if r := e.spool.Tail(metaOf(env), env, before); r != nil {
		return r
	}
	return nil
}

// Keep is HandIn for a message that no rules can be applied to: keep puts it into the spool as it came, under
// the id of its envelope.
func (e *Engine) Keep(env *envelope.Envelope, msg *rfc822.Message, h HandIn,
	keep func() error) (envelope.Receipt, error) {
	s := e.submission(env, h)
	s.arrived(msg, 0, nil, h.Note)
	if err := keep(); err != nil {
		return s.refuse(err)
	}
	s.queued()
	return queued(env.ID, env.Recipients), nil
}

// arrived logs who hands the message in, and whom the rules refuse.
func (s *submission) arrived(msg *rfc822.Message, size int64, refused []envelope.Refusal, notes ...string) {
	id, _ := msg.Header.Get("Message-ID")
	s.subject = subject{s.env.Caller.UID, size, id}
	logArrival(s.log, s.env, size, len(s.env.Recipients)+len(refused),
		"message-id", id, "tag", s.hand.Tag, "client", s.hand.Client)
	for _, text := range notes {
		if text != "" {
			s.log.Log(maillog.Notice, s.env.ID, "", text)
		}
	}
	for _, f := range refused {
		one := *s.env
		one.Recipients = []envelope.Recipient{{Address: f.Address}}
		o := unkept(one.Recipients, f.Err)
		s.e.tell(s.log, one.ID, one.Recipients, o, "none", 0, nil)
		s.e.remember(s.log, one.ID, &one, s.subject, o, 0)
	}
}
