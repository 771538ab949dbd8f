package smtpd

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// Timeouts bound what a client can make the server wait.
type Timeouts struct {
	// Command is how long the next command may take (RFC 5321 4.5.3.2.7: 5 minutes).
	Command time.Duration
	// Data is how long a pause inside a message may be, or a reply that is not read.
	Data time.Duration
	// Transaction is how long it may take from MAIL to the end of the message.
	Transaction time.Duration
}

// DefaultTimeouts are those of the agent.
var DefaultTimeouts = Timeouts{Command: 5 * time.Minute, Data: time.Minute, Transaction: 15 * time.Minute}

// Bounds of command lines, in bytes: what is longer than maxCommand is refused, what
// goes on beyond maxWaste ends the connection.
const (
	maxCommand = 4 << 10
	maxWaste   = 1 << 20
)

// maxErrors is how many wrong commands end a session.
const maxErrors = 20

// Conn is a client's connection. The library reads from it the commands that it answers; those of the mail
// transaction are done in between. Drain, Evict and Abort may be called at any time, the other methods by the
// goroutine that serves.
type Conn struct {
	net.Conn
	stream   net.Conn // what is read and written: below, or TLS above it
	timeouts Timeouts
	session  *session
	in       *bufio.Reader
	command  []byte    // what the library has yet to read of a command
	out      []byte    // replies that wait to be sent
	keyword  string    // a line for EHLO's reply that the library does not know; "" for none
	until    time.Time // when the next command must have come; zero inside a message
	ends     time.Time // when the transaction must be over; zero outside of one
	errors   int       // wrong commands so far
	over     bool      // nothing more is read
	gone     bool      // the session is given up: nothing more is written either
	turn     turn
	heard    bool   // something came
	refused  string // what the next command is answered with, and the session ends; "" for none

	end func() // ends Serve

	mu       sync.Mutex // guards the three below and the read deadline
	idle     bool       // in a read between transactions
	evicted  string     // why the connection is given up
	draining bool
}

// NewConn makes a Conn of c. Zero timeouts are DefaultTimeouts.
func NewConn(c net.Conn, t Timeouts) *Conn {
	if t == (Timeouts{}) {
		t = DefaultTimeouts
	}
	conn := &Conn{Conn: c, timeouts: t}
	conn.stream = below{c, conn}
	conn.in = bufio.NewReaderSize(input{conn}, maxCommand)
	return conn
}

// Read gives the library its next command.
func (c *Conn) Read(p []byte) (int, error) {
	for len(c.command) == 0 {
		cmd, err := c.next()
		if err != nil {
			return 0, io.EOF
		}
		c.session.do(cmd)
	}
	n := copy(p, c.command)
	c.command = c.command[n:]
	return n, nil
}

// command is one of the client's.
type command struct {
	verb string // in upper case
	arg  string // without blanks around it
	lf   bool   // the line ended in LF alone
	size int    // of the line, in bytes
}

// next waits for a command. An error is the end of the session.
func (c *Conn) next() (command, error) {
	if c.errors >= maxErrors {
		c.giveUp("4.7.0 too many errors")
	}
	if c.over {
		return command{}, io.EOF
	}
	c.until = time.Now().Add(c.timeouts.Command)
	line, err := c.readLine()
	c.until = time.Time{}
	if err != nil {
		return command{}, c.lost(err)
	}
	if c.refused != "" {
		c.giveUp(c.refused)
		return command{}, io.EOF
	}
	cmd := command{size: len(line), lf: !bytes.HasSuffix(line, []byte("\r\n"))}
	// Blanks at the end are to be tolerated (RFC 5321 4.1.1).
	text := strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r")
	cmd.verb, cmd.arg, _ = strings.Cut(strings.TrimRight(text, " \t"), " ")
	cmd.verb, cmd.arg = strings.ToUpper(cmd.verb), strings.TrimLeft(cmd.arg, " \t")
	return cmd, nil
}

// readLine returns a line with its end, which is valid until the next read. It refuses those that are too long.
func (c *Conn) readLine() ([]byte, error) {
	for waste := 0; ; {
		line, err := c.in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if waste += len(line); waste > maxWaste {
				c.giveUp("4.7.0 this is not SMTP")
				return nil, io.EOF
			}
		case err != nil:
			return nil, err
		case waste == 0:
			return line, nil
		default:
			waste = 0
			c.say(500, syntax, "the line is too long")
			if c.errors >= maxErrors {
				return nil, io.EOF
			}
		}
	}
}

// lost ends the session after a read that failed, and tells a client that still listens why. It returns the
// error for whoever reads a message.
func (c *Conn) lost(err error) error {
	c.mu.Lock()
	evicted, stopping := c.evicted, c.draining && c.ends.IsZero()
	c.mu.Unlock()
	switch {
	case c.over:
	case c.errors >= maxErrors:
		c.giveUp("4.7.0 too many errors")
	case evicted != "":
		c.giveUp("4.3.2 " + evicted + ", and this connection has made no progress for longest; try again")
	case errors.Is(err, os.ErrDeadlineExceeded) && stopping:
		c.giveUp("4.3.2 the mail service is stopping; try again")
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.giveUp("4.4.2 timeout: nothing came for too long")
	}
	c.over = true
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// input is what commands and messages are read from. Replies are sent before, so that those to commands that came
// together go together (RFC 2920 3.2).
type input struct{ c *Conn }

func (r input) Read(p []byte) (int, error) {
	if r.c.over {
		return 0, io.EOF
	}
	if err := r.c.flush(); err != nil {
		return 0, err
	}
	return r.c.stream.Read(p)
}

// below is the connection without TLS. A read waits for the client, and others may work meanwhile.
type below struct {
	net.Conn
	c *Conn
}

func (b below) Read(p []byte) (int, error) {
	c := b.c
	c.turn.give()
	if err := c.wait(); err != nil {
		return 0, err
	}
	n, err := b.Conn.Read(p)
	c.mu.Lock()
	c.idle = false
	c.mu.Unlock()
	if n > 0 {
		c.heard = true
		if late := c.turn.take(); late != nil {
			return 0, late
		}
	}
	return n, err
}

// wait sets the deadline of a read.
func (c *Conn) wait() error {
	deadline := c.until
	if deadline.IsZero() {
		deadline = time.Now().Add(c.timeouts.Data)
	}
	if !c.ends.IsZero() && c.ends.Before(deadline) {
		deadline = c.ends
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = c.ends.IsZero()
	if c.evicted != "" || c.draining && c.idle {
		deadline = past
	}
	return c.Conn.SetReadDeadline(deadline)
}

// past ends a read at once.
var past = time.Unix(1, 0)

// Drain ends the connection as soon as it is between transactions.
func (c *Conn) Drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	if c.idle {
		_ = c.Conn.SetReadDeadline(past)
	}
}

// evictionWait is how long an evicted client may take to read why.
const evictionWait = 100 * time.Millisecond

// Evict ends the connection where it is, and tells the client why with a 421. It does not wait for that. A
// message that the handler has is finished first, and its client hears of it.
func (c *Conn) Evict(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evicted = why
	_ = c.Conn.SetReadDeadline(past)
	_ = c.Conn.SetWriteDeadline(time.Now().Add(evictionWait))
}

// isEvicted reports whether the connection is given up for others.
func (c *Conn) isEvicted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.evicted != ""
}

// GivenUp reports whether the server ended the session before its client did. It is for when Serve has returned.
func (c *Conn) GivenUp() bool { return c.gone }

// Close sends what waits and ends the connection.
func (c *Conn) Close() error {
	c.over = true
	_ = c.flush()
	if t, ok := c.stream.(*tls.Conn); ok {
		_ = c.limitWrites(evictionWait)
		_ = t.CloseWrite()
	}
	c.end()
	return c.Conn.Close()
}

// Abort ends the connection whatever it is doing.
func (c *Conn) Abort() { _ = c.Conn.Close() }
