package smtpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/emersion/go-smtp"

	"o365-sendmail/internal/agentproto"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// Handler is what stands behind the server. Its errors carry exit codes.
type Handler interface {
	// Begin is asked at MAIL whether another message may come.
	Begin() error
	// Recipient tells at once why mail can't go to an address.
	Recipient(addr string) error
	// Message takes responsibility for a message, or says why not. The envelope is the
	// client's, msg still has the header as it came, without the private field.
	Message(ctx context.Context, env *envelope.Envelope, msg *rfc822.Message, o agentproto.Options) (envelope.Receipt, error)
}

// session is one client's dialogue. The library may still read a chunked message in a
// goroutine of its own when the next transaction begins: each has a transaction of its own.
type session struct {
	ctx  context.Context
	o    *Options
	conn *Conn

	mu sync.Mutex
	tx *transaction
}

type transaction struct{ env envelope.Envelope }

// Reset forgets the transaction.
func (s *session) Reset() { s.begin(nil) }

// Logout forgets the transaction.
func (s *session) Logout() error {
	s.begin(nil)
	return nil
}

func (s *session) begin(tx *transaction) {
	if s.o.Envelope != nil {
		s.o.Envelope.Drop()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tx = tx
}

func (s *session) current() *transaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tx
}

// Mail begins a transaction.
func (s *session) Mail(from string, o *smtp.MailOptions) error {
	if err := s.o.Handler.Begin(); err != nil {
		return s.negative(err)
	}
	tx := &transaction{env: envelope.Envelope{Sender: from, Ret: string(o.Return), EnvID: o.EnvelopeID}}
	s.begin(tx)
	return nil
}

// Rcpt adds a recipient that can get mail.
func (s *session) Rcpt(to string, o *smtp.RcptOptions) error {
	tx := s.current()
	if most := s.conn.maxRcpt; most > 0 && !s.conn.own && len(tx.env.Recipients) >= most {
		return reply(agentproto.Status{Code: 452, Enhanced: [3]int{4, 5, 3}},
			[]string{fmt.Sprintf("Maximum limit of %d recipients reached", most)})
	}
	if err := s.o.Handler.Recipient(to); err != nil {
		return s.negative(err)
	}
	if s.o.Envelope != nil {
		if err := s.o.Envelope.Take(s.conn.recipientMemory(len(o.OriginalRecipient))); err != nil {
			return s.noRoom(err)
		}
	}
	r := envelope.Recipient{Address: to, Notify: notify(o.Notify)}
	if o.OriginalRecipient != "" {
		r.ORcpt = strings.ToLower(string(o.OriginalRecipientType)) + ";" + o.OriginalRecipient
	}
	tx.env.Recipients = append(tx.env.Recipients, r)
	return nil
}

// noRoom answers a recipient for whom there is no memory. This program's own client then has the whole message to
// send later; others send what was taken and keep the rest (RFC 5321 4.5.3.1.10).
func (s *session) noRoom(err error) error {
	if s.conn.own || s.conn.isEvicted() {
		s.conn.giveUp("421 4.3.2 " + agentproto.OneLine(err.Error()) + "\r\n")
		return failure(closing, err.Error())
	}
	return failure(agentproto.Status{Code: 452, Enhanced: [3]int{4, 3, 1}}, err.Error())
}

// closing goes with the end of a connection. Nothing was taken: the client tries again.
var closing = agentproto.Status{Code: 421, Enhanced: [3]int{4, 3, 2}}

func notify(values []smtp.DSNNotify) envelope.Notify {
	var n envelope.Notify
	for _, v := range values {
		switch v {
		case smtp.DSNNotifyNever:
			n |= envelope.NotifyNever
		case smtp.DSNNotifySuccess:
			n |= envelope.NotifySuccess
		case smtp.DSNNotifyFailure:
			n |= envelope.NotifyFailure
		case smtp.DSNNotifyDelayed:
			n |= envelope.NotifyDelay
		}
	}
	return n
}

// Data reads the message and hands it on. The library knows no other success than its
// own words, so that ours is an error with a positive code.
func (s *session) Data(r io.Reader) error {
	tx := s.current()
	if tx == nil {
		return smtp.ErrDataReset
	}
	read := rfc822.ReadOptions{Memory: s.o.Memory, TempDir: s.o.TempDir, MaxHeader: s.o.MaxHeader}
	if s.o.Meter != nil {
		metered, done := s.o.Meter(r)
		defer done()
		r = metered
		read.Budget, _ = metered.(rfc822.Budget)
	}
	if s.o.MaxSize > 0 {
		read.MaxSize = s.o.MaxSize + slack
	}
	msg, err := rfc822.Read(r, read)
	if err != nil {
		return s.readError(err)
	}
	defer msg.Close()
	options, own := takeOptions(msg.Header, s.o.Local)
	if s.o.MaxSize > 0 && !own && msg.Size() > s.o.MaxSize {
		return failure(agentproto.TooLarge, (&rfc822.TooLargeError{What: "message", Limit: s.o.MaxSize}).Error())
	}
	s.conn.turn.give() // the handler may wait for the disk and for Exchange
	receipt, err := s.o.Handler.Message(s.ctx, &tx.env, msg, options)
	if err != nil {
		return s.refusal(receipt, err, options)
	}
	return s.positive(receipt, options)
}

// readError is for a message that did not come whole.
func (s *session) readError(err error) error {
	var large *rfc822.TooLargeError
	var reply *smtp.SMTPError
	switch {
	case errors.As(err, &large):
		if large.What == "message" {
			large.Limit = s.o.MaxSize
		}
		return failure(agentproto.TooLarge, large.Error())
	case errors.As(err, &reply):
		return reply
	}
	return s.negative(sysexits.With(sysexits.TempFail, err))
}

// takeOptions removes the private field and returns what it says, and true, if it stands where this
// program's client puts it.
func takeOptions(h *rfc822.Header, local bool) (o agentproto.Options, own bool) {
	fields := h.Fields()
	if local && len(fields) > 0 && strings.EqualFold(fields[0].Name(), agentproto.OptionsField) {
		o, own = agentproto.ParseOptions(fields[0].Value()), true
	}
	h.Remove(agentproto.OptionsField)
	return o, own
}

// negative turns an error into a reply.
func (s *session) negative(err error) error {
	status := agentproto.StatusOf(s.o.ExitCode(err))
	if status.Code/100 == 4 && s.conn.isEvicted() {
		status = closing
	}
	return failure(status, err.Error())
}

// refusal turns an error into a reply. Where recipients were refused one by one, a client that can read it is
// told why each was.
func (s *session) refusal(r envelope.Receipt, err error, o agentproto.Options) error {
	if !o.Partial || len(r.Refused) < 2 {
		return s.negative(err)
	}
	return reply(agentproto.StatusOf(s.o.ExitCode(err)), append(s.refusedLines(r), wrap(err.Error())...))
}

func (s *session) refusedLines(r envelope.Receipt) []string {
	lines := make([]string, 0, len(r.Refused)+1)
	for _, one := range r.Refused {
		lines = append(lines, agentproto.RefusedLine(one.Address, s.o.ExitCode(one.Err), one.Err))
	}
	return lines
}

// positive turns a receipt into a reply. A client that can't read who was refused is told
// how many were, for people.
func (s *session) positive(r envelope.Receipt, o agentproto.Options) error {
	status := agentproto.Status{Code: 250, Enhanced: [3]int{2, 0, 0}}
	words := agentproto.Words(r)
	if len(r.Refused) > 0 && !o.Partial {
		words = fmt.Sprintf("%s (%d recipients refused, the first: %v)", words, len(r.Refused), r.Refused[0].Err)
		return failure(status, words)
	}
	return reply(status, append(s.refusedLines(r), words))
}

// maxLine is how much text goes on one line of a reply, in octets (RFC 5321 4.5.3.1.5).
const maxLine = 480

// failure makes a reply of text of any length.
func failure(status agentproto.Status, text string) *smtp.SMTPError { return reply(status, wrap(text)) }

// wrap breaks text into the lines of a reply.
func wrap(text string) (lines []string) {
	text = agentproto.OneLine(text)
	for len(text) > maxLine {
		cut := strings.LastIndexByte(text[:maxLine], ' ')
		if cut < maxLine/2 {
			if cut = maxLine; text[cut]&0xC0 == 0x80 {
				cut = len(strings.ToValidUTF8(text[:cut], ""))
			}
		}
		if cut <= 0 {
			cut = maxLine
		}
		lines = append(lines, text[:cut])
		text = strings.TrimPrefix(text[cut:], " ")
	}
	return append(lines, text)
}

// reply gives every line the enhanced code (RFC 2034 4); the library does it for the last.
func reply(status agentproto.Status, lines []string) *smtp.SMTPError {
	for i := range len(lines) - 1 {
		lines[i] = status.EnhancedText() + " " + lines[i]
	}
	return &smtp.SMTPError{Code: status.Code, EnhancedCode: status.Enhanced, Message: strings.Join(lines, "\n")}
}
