package smtpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/smtpreply"
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
	Message(ctx context.Context, env *envelope.Envelope, msg *rfc822.Message,
		o envelope.Options) (envelope.Receipt, error)
}

// session is one client's dialogue.
type session struct {
	ctx     context.Context
	o       *Options
	conn    *Conn
	tx      *transaction // nil outside of one
	size    int          // of the last RCPT command, in bytes
	receipt []string     // the lines of the reply to a message that was taken
	told    bool         // TLS.Failed has heard that mail came without TLS
}

// transaction is what came since MAIL.
type transaction struct {
	env    envelope.Envelope
	own    bool // the client is this program's own
	coming bool // the message has begun
}

// Reset forgets the transaction.
func (s *session) Reset() { s.begin(nil) }

// Logout does nothing: Serve forgets the transaction.
func (s *session) Logout() error { return nil }

func (s *session) begin(tx *transaction) {
	if s.o.Envelope != nil {
		s.o.Envelope.Drop()
	}
	s.tx, s.conn.ends = tx, time.Time{}
	if tx != nil {
		s.conn.ends = time.Now().Add(s.conn.timeouts.Transaction)
	}
}

// Mail begins a transaction.
func (s *session) Mail(from string, o *smtp.MailOptions) error {
	if err := s.o.Handler.Begin(); err != nil {
		return s.negative(err)
	}
	s.begin(&transaction{env: envelope.Envelope{Sender: from, Ret: string(o.Return), EnvID: o.EnvelopeID}})
	return nil
}

// Rcpt adds a recipient that can get mail.
func (s *session) Rcpt(to string, o *smtp.RcptOptions) error {
	most := s.o.MaxRecipients
	if s.tx.own {
		most = s.o.MaxOwnRecipients
	}
	if most > 0 && len(s.tx.env.Recipients) >= most {
		return refusal(452, smtp.EnhancedCode{4, 5, 3}, fmt.Sprintf("a message can have %d recipients", most))
	}
	if err := s.o.Handler.Recipient(to); err != nil {
		return s.negative(err)
	}
	if s.o.Envelope != nil {
		if err := s.o.Envelope.Take(s.recipientMemory(o)); err != nil {
			return s.noRoom(err)
		}
	}
	r := envelope.Recipient{Address: to}
	for _, n := range o.Notify {
		r.Notify |= condition(n)
	}
	if o.OriginalRecipient != "" {
		r.ORcpt = strings.ToLower(string(o.OriginalRecipientType)) + ";" + o.OriginalRecipient
	}
	s.tx.env.Recipients = append(s.tx.env.Recipients, r)
	return nil
}

// recipientMemory is about how many bytes a recipient takes: the command, of which an address is a part, the original
// recipient, and their places in lists.
func (s *session) recipientMemory(o *smtp.RcptOptions) int64 {
	const places = 100
	return int64(s.size + len(o.OriginalRecipient) + places)
}

// noRoom answers a recipient for whom there is no memory. This program's own client then has the whole message to
// send later; others send what was taken and keep the rest (RFC 5321 4.5.3.1.10).
func (s *session) noRoom(err error) error {
	if s.tx.own || s.conn.isEvicted() {
		s.conn.giveUp("4.3.2 " + printable.OneLine(err.Error()))
	}
	return refusal(452, smtp.EnhancedCode{4, 3, 1}, err.Error())
}

// condition returns one of a delivery report, 0 for any other word.
func condition(word smtp.DSNNotify) envelope.Notify {
	switch word {
	case smtp.DSNNotifyNever:
		return envelope.NotifyNever
	case smtp.DSNNotifySuccess:
		return envelope.NotifySuccess
	case smtp.DSNNotifyFailure:
		return envelope.NotifyFailure
	case smtp.DSNNotifyDelayed:
		return envelope.NotifyDelay
	}
	return 0
}

// Data reads the message and hands it on.
func (s *session) Data(r io.Reader) error {
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
	if s.o.Tail != nil {
		read.Keep = func(h *rfc822.Header, before int64) rfc822.Rest {
			msg := h.Message()
			options, _ := takeOptions(msg.Header, s.o.Local)
			return s.o.Tail(&s.tx.env, msg, options, before)
		}
	}
	msg, err := rfc822.Read(r, read)
	if err != nil {
		return s.readError(err)
	}
	defer msg.Close()
	options, own := takeOptions(msg.Header, s.o.Local)
	if s.o.MaxSize > 0 && (!own || options.Unread) && msg.Size() > s.o.MaxSize {
		return s.tooLarge()
	}
	s.conn.turn.give() // the handler may wait for the disk and for Exchange
	receipt, err := s.o.Handler.Message(s.ctx, &s.tx.env, msg, options)
	if err != nil {
		return s.refusal(receipt, err, options)
	}
	s.receipt = s.positive(receipt, options)
	return nil
}

// tooLarge refuses a message for its size.
func (s *session) tooLarge() error {
	return refusal(552, tooLarge, (&rfc822.TooLargeError{What: "message", Limit: s.o.MaxSize}).Error())
}

// readError is for a message that did not come whole.
func (s *session) readError(err error) error {
	var large *rfc822.TooLargeError
	switch {
	case errors.Is(err, smtp.ErrDataReset):
		return smtp.ErrDataReset
	case errors.As(err, &large) && large.What == "message":
		return s.tooLarge()
	case large != nil:
		return refusal(552, tooLarge, large.Error())
	}
	return s.negative(sysexits.With(sysexits.TempFail, err))
}

// takeOptions removes the private field and returns what it says, and true, if it stands where this
// program's client puts it.
func takeOptions(h *rfc822.Header, local bool) (o envelope.Options, own bool) {
	fields := h.Fields()
	if local && len(fields) > 0 && strings.EqualFold(fields[0].Name(), envelope.OptionsField) {
		o, own = envelope.ParseOptions(fields[0].Value()), true
	}
	h.Remove(envelope.OptionsField)
	return o, own
}

// negative turns an error into a reply.
func (s *session) negative(err error) error {
	status := smtpreply.StatusOf(s.o.ExitCode(err))
	if status.Code/100 == 4 && s.conn.isEvicted() { // the connection ends; the client tries again
		status = smtpreply.Status{Code: 421, Enhanced: [3]int{4, 3, 2}}
	}
	return refusal(status.Code, status.Enhanced, err.Error())
}

// refusal turns an error into a reply. Where recipients were refused one by one, a client that can read it is
// told why each was.
func (s *session) refusal(r envelope.Receipt, err error, o envelope.Options) error {
	if !o.Partial || len(r.Refused) < 2 {
		return s.negative(err)
	}
	status := smtpreply.StatusOf(s.o.ExitCode(err))
	return reply(status.Code, status.Enhanced, append(s.refusedLines(r), wrap(err.Error())...))
}

func (s *session) refusedLines(r envelope.Receipt) []string {
	lines := make([]string, 0, len(r.Refused)+1)
	for _, one := range r.Refused {
		lines = append(lines, smtpreply.RefusedLine(one.Address, s.o.ExitCode(one.Err), one.Err))
	}
	return lines
}

// positive makes the lines of a reply of a receipt. A client that can't read who was refused is told how many were,
// for people.
func (s *session) positive(r envelope.Receipt, o envelope.Options) []string {
	words := smtpreply.ReceiptLine(r)
	if len(r.Refused) > 0 && !o.Partial {
		return wrap(fmt.Sprintf("%s (%d recipients refused, the first: %v)", words, len(r.Refused), r.Refused[0].Err))
	}
	return append(s.refusedLines(r), words)
}
