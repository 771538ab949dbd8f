package smtpd

import (
	"fmt"
	"runtime/debug"

	"github.com/emersion/go-smtp"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/printable"
)

// do answers a command, or leaves it to the library.
func (s *session) do(cmd command) {
	defer s.recover()
	c := s.conn
	switch cmd.verb {
	case "EHLO", "HELO":
		s.hello(cmd)
	case "RSET", "QUIT":
		s.bare(cmd, s.pass)
	case "MAIL":
		s.mail(cmd)
	case "RCPT":
		s.rcpt(cmd)
	case "DATA":
		s.bare(cmd, s.data)
	case "BDAT":
		s.bdat(cmd)
	case "NOOP", "VERB", "ONEX", "XUSR": // the last three are Sendmail's own: old callers of sendmail -bs begin so
		c.say(250, done, "ok")
	case "HELP":
		c.say(214, done, "commands: EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT", "see sendmail(8)")
	case "VRFY":
		if cmd.arg == "" {
			c.say(501, arguments, "VRFY needs an address")
			return
		}
		c.say(252, done, "send a message to find out")
	case "STARTTLS":
		s.bare(cmd, s.startTLS)
	case "EXPN", "AUTH", "ETRN", "TURN", "SEND", "SOML", "SAML":
		c.say(502, order, "command not implemented")
	default:
		c.say(500, syntax, "command not recognized")
	}
}

// recover ends the session after a fault of the program.
func (s *session) recover() {
	if v := recover(); v != nil {
		s.o.Log(&FaultError{fmt.Sprintf("panic: %v\n%s", v, debug.Stack())})
		s.conn.giveUp("4.3.0 fault of the program")
	}
}

// pass leaves a command to the library. Each that it gets ends the transaction, also before EHLO, when the library
// has no session that it could reset.
func (s *session) pass(cmd command) {
	s.Reset()
	line := cmd.verb
	if cmd.arg != "" {
		line += " " + cmd.arg
	}
	s.conn.command = []byte(line + "\r\n")
}

// bare does a command that takes no argument, and refuses it with one (RFC 5321 4.3.2).
func (s *session) bare(cmd command, do func(command)) {
	if cmd.arg != "" {
		s.conn.say(501, arguments, cmd.verb+" takes no argument")
		return
	}
	do(cmd)
}

// maxDomain is how many bytes a domain may have (RFC 5321 4.5.3.1.2).
const maxDomain = 255

func (s *session) hello(cmd command) {
	if cmd.arg == "" || len(cmd.arg) > maxDomain || printable.HasControl(cmd.arg) {
		s.conn.say(501, arguments, cmd.verb+" needs a domain")
		return
	}
	s.conn.keyword = ""
	switch {
	case cmd.verb != "EHLO":
	case s.o.MaxOwnRecipients > 0:
		s.conn.keyword = fmt.Sprintf("250-%s %d\r\n", envelope.RecipientsKeyword, s.o.MaxOwnRecipients)
	case s.offersTLS():
		s.conn.keyword = "250-STARTTLS\r\n"
	}
	s.pass(cmd)
}

// mail begins a transaction. A client that has not said HELO may, too.
func (s *session) mail(cmd command) {
	if s.tx != nil {
		s.conn.say(503, order, "a transaction is open; RSET ends it")
		return
	}
	if s.plain() || s.outlawed() {
		return
	}
	from, o, own, err := s.sender(cmd.arg)
	if err == nil {
		err = s.Mail(from, o)
	}
	if err == nil {
		s.tx.own = own
	}
	s.answer(err, smtp.EnhancedCode{2, 1, 0}, "sender ok")
}

func (s *session) rcpt(cmd command) {
	if s.tx == nil || s.tx.coming {
		s.conn.say(503, order, "RCPT must follow MAIL")
		return
	}
	s.size = cmd.size
	to, o, err := recipient(cmd.arg)
	if err == nil {
		err = s.Rcpt(to, o)
	}
	s.answer(err, smtp.EnhancedCode{2, 1, 5}, "recipient ok")
}

// ready reports whether a message may come, and refuses it if not.
func (s *session) ready() bool {
	if s.tx == nil || s.tx.coming || len(s.tx.env.Recipients) == 0 {
		s.conn.say(503, order, "a message must follow MAIL and an accepted RCPT")
		return false
	}
	return true
}

func (s *session) data(cmd command) {
	if s.ready() {
		s.conn.say(354, smtp.NoEnhancedCode, "end the message with <CRLF>.<CRLF>")
		s.take(&dotted{c: s.conn, lf: cmd.lf, start: true})
	}
}

func (s *session) bdat(cmd command) {
	b := &chunks{s: s}
	if !b.chunk(cmd.arg) {
		return
	}
	if !s.ready() {
		b.skip()
		return
	}
	s.tx.coming = true
	s.take(b)
	if b.breaker.verb != "" {
		s.do(b.breaker)
	}
}
