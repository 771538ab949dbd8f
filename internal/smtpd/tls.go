package smtpd

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/emersion/go-smtp"

	"o365-sendmail/internal/printable"
)

// TLS is how a connection is encrypted.
type TLS struct {
	Config *tls.Config
	// Implicit begins with TLS; otherwise STARTTLS asks for it (RFC 3207).
	Implicit bool
	// Required refuses mail that comes without.
	Required bool
	// Peer judges whom the handshake let in. Its error is told to the client, and ends the session.
	Peer func(tls.ConnectionState) error
	// Still judges before each message whether it would be let in now; its error is treated likewise. nil does not.
	Still func(tls.ConnectionState) error
	// Failed hears once why a client came to nothing before Peer was asked.
	Failed func(error)
}

func (c *Conn) encrypted() bool {
	_, ok := c.stream.(*tls.Conn)
	return ok
}

// offersTLS reports whether STARTTLS may come.
func (s *session) offersTLS() bool {
	return s.o.TLS != nil && !s.o.TLS.Implicit && !s.conn.encrypted()
}

// plain refuses a message that needs TLS and comes without (RFC 3207 4), and reports whether it did.
func (s *session) plain() bool {
	c, t := s.conn, s.o.TLS
	if t == nil || !t.Required || c.encrypted() {
		return false
	}
	if !s.told {
		s.told = true
		t.Failed(errors.New("it sends mail without TLS"))
	}
	c.errors++
	c.say(530, smtp.EnhancedCode{5, 7, 0}, "mail is taken by TLS only: STARTTLS must come first")
	return true
}

// outlawed ends the session of a client that would not be let in any more, and reports whether it did.
func (s *session) outlawed() bool {
	conn, ok := s.conn.stream.(*tls.Conn)
	if !ok || s.o.TLS == nil || s.o.TLS.Still == nil {
		return false
	}
	err := s.o.TLS.Still(conn.ConnectionState())
	if err != nil {
		s.conn.giveUp("4.7.0 " + printable.OneLine(err.Error()))
	}
	return err != nil
}

// startTLS begins TLS. What came behind the command could be anybody's, so that it ends the session unread (RFC 3207 6).
func (s *session) startTLS(command) {
	c := s.conn
	switch {
	case s.o.TLS != nil && c.encrypted():
		c.say(503, order, "TLS is there already")
	case !s.offersTLS():
		c.say(502, order, "command not implemented")
	case c.in.Buffered() > 0:
		s.o.TLS.Failed(errors.New("it sent something behind STARTTLS that was not encrypted"))
		c.giveUp("4.7.0 nothing may follow STARTTLS before TLS begins")
	default:
		s.Reset()
		c.say(220, done, "ready for TLS")
		if c.flush() == nil {
			s.encrypt()
		}
	}
}

// encrypt makes the handshake, and reports whether the session goes on. A client that is not let in after STARTTLS
// hears why in answer to its next command, which it may have sent already: a connection that is closed with something
// unread loses what was written last.
func (s *session) encrypt() bool {
	c, t := s.conn, s.o.TLS
	err := c.handshake(t.Config)
	if err != nil {
		s.noTLS(err)
		return false
	}
	if err = t.Peer(c.stream.(*tls.Conn).ConnectionState()); err == nil {
		return true
	}
	c.refused = "4.7.0 " + printable.OneLine(err.Error())
	if t.Implicit {
		c.giveUp(c.refused)
	}
	return false
}

// handshake has the time of a pause inside a message in all.
func (c *Conn) handshake(config *tls.Config) error {
	c.heard = false
	c.until = time.Now().Add(c.timeouts.Data)
	_ = c.limitWrites(c.timeouts.Data)
	conn := tls.Server(c.stream, config)
	err := conn.Handshake()
	if err == nil {
		c.stream = conn
	}
	return err
}

// noTLS ends a session without TLS. Who speaks in the clear, or waits for a greeting, is told in the clear; others have
// got an alert. Of a connection that says nothing and ends, as a load balancer's look at the port, nobody hears.
func (s *session) noTLS(err error) {
	c, header := s.conn, tls.RecordHeaderError{}
	late := errors.Is(err, os.ErrDeadlineExceeded)
	switch {
	case !c.heard && !late:
	case !c.heard && c.givesWay():
		_ = c.lost(err)
	case !c.heard || errors.As(err, &header) && header.Conn != nil:
		c.giveUp("4.7.0 TLS must begin here, and what came is not TLS")
		s.o.TLS.Failed(errors.New("it does not speak TLS where TLS begins"))
	default:
		s.o.TLS.Failed(fmt.Errorf("the TLS handshake failed: %w", err))
	}
	c.over, c.gone = true, true
}

// givesWay reports whether the server ends the connection on its own account.
func (c *Conn) givesWay() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.evicted != "" || c.draining
}
