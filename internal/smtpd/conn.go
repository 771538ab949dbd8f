package smtpd

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"o365-sendmail/internal/agentproto"
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

// Bounds of command lines, in octets: what is longer than maxCommand is refused, what
// goes on beyond maxWaste ends the connection.
const (
	maxCommand = 8 << 10
	maxWaste   = 1 << 20
)

// maxErrors is how many wrong commands end a session.
const maxErrors = 20

// Conn is a connection seen through the filter. The library reads from it one command at
// a time. What the library answers is sent when it asks for more, so that the replies to
// commands that came together go together (RFC 2920 3.2).
type Conn struct {
	net.Conn
	timeouts Timeouts
	host     string // of senders without a domain
	in       *bufio.Reader
	ready    []byte // for the library
	buf      []byte // keeps ready's memory
	chunk    int64  // octets of a BDAT chunk that the library has yet to read
	last     bool   // the chunk is the message's last
	chunked  bool   // a chunk came, the last one did not
	body     *bodyFilter
	asked    *bodyFilter // the library got DATA and will answer
	began    bool        // the library got MAIL and will answer
	ends     time.Time   // when the transaction must be over; zero outside of one
	maxSize  int64       // of a message, as EHLO announces it; 0 for none
	// Recipients of a transaction, and of one of this program's own client; 0 when the library's limit is for all.
	maxRcpt, maxOwnRcpt int
	own                 bool // MAIL came from that client
	turn                turn
	lineLen             int // bytes of the last command

	writing sync.Mutex
	out     []byte
	atStart bool    // the next octet written begins a line
	reword  bool    // the line that is being written has been replaced
	code    [3]byte // of the last line written
	errors  int     // wrong commands so far
	gone    bool    // the session is given up: nothing more is read or written

	waiting  sync.Mutex // guards the four below and the read deadline
	idle     bool       // in a read between transactions
	evicted  string     // why the connection is given up
	draining bool
	closed   chan struct{}
	once     sync.Once
}

// NewConn puts the filter in front of c. Zero timeouts are DefaultTimeouts.
func NewConn(c net.Conn, t Timeouts) *Conn {
	if t == (Timeouts{}) {
		t = DefaultTimeouts
	}
	conn := &Conn{Conn: c, timeouts: t, host: "localhost", atStart: true, closed: make(chan struct{})}
	conn.in = bufio.NewReaderSize(input{conn}, maxCommand)
	return conn
}

// Read gives the library the next command, or octets of a message.
func (c *Conn) Read(p []byte) (int, error) {
	for len(c.ready) == 0 {
		if c.over() {
			return 0, io.EOF
		}
		c.noteAnswer()
		switch {
		case c.chunk > 0:
			return c.readChunk(p)
		case c.body != nil:
			if err := c.readBody(); err != nil {
				return 0, err
			}
		default:
			if err := c.readCommand(); err != nil {
				return 0, err
			}
		}
	}
	n := copy(p, c.ready)
	c.ready = c.ready[n:]
	return n, nil
}

// over reports whether the session has ended. Its input ends then, too: the library goes on reading
// after it has closed a connection.
func (c *Conn) over() bool {
	select {
	case <-c.closed:
		return true
	default:
	}
	c.writing.Lock()
	gone, many := c.gone, c.errors >= maxErrors
	c.writing.Unlock()
	if many && !gone {
		c.giveUp("421 4.7.0 too many errors\r\n")
	}
	return gone || many
}

// giveUp says the last word: what the library still answers is not sent.
func (c *Conn) giveUp(text string) {
	c.reply(text)
	c.writing.Lock()
	c.gone = true
	c.writing.Unlock()
}

// GivenUp reports whether the server ended the session before its client did.
func (c *Conn) GivenUp() bool {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.gone
}

// noteAnswer looks at how the library answered the last command.
func (c *Conn) noteAnswer() {
	if c.asked != nil && c.lastCode() == "354" {
		c.body = c.asked
	}
	if c.began && c.lastCode() != "250" {
		c.ends = time.Time{}
	}
	if c.chunked && c.chunk == 0 && c.lastCode() != "250" {
		c.chunked = false
	}
	c.asked, c.began = nil, false
}

func (c *Conn) readChunk(p []byte) (int, error) {
	if err := c.prepare(c.timeouts.Data); err != nil {
		return 0, err
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.chunk)])
	c.chunk -= int64(n)
	if c.chunk == 0 && c.last {
		c.ends = time.Time{}
	}
	return n, c.brokenOff(err)
}

// brokenOff returns the error of a read inside a message.
func (c *Conn) brokenOff(err error) error {
	if err == io.EOF || err != nil && c.sayEvicted() {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (c *Conn) readBody() error {
	if c.in.Buffered() == 0 {
		if err := c.prepare(c.timeouts.Data); err != nil {
			return err
		}
		if _, err := c.in.Peek(1); err != nil {
			return c.brokenOff(err)
		}
	}
	b, _ := c.in.Peek(c.in.Buffered())
	out, n, done := c.body.feed(c.buf[:0], b)
	_, _ = c.in.Discard(n)
	c.buf, c.ready = out, out
	if done {
		c.body, c.ends = nil, time.Time{}
	}
	return nil
}

// prepare sends what waits to be sent and sets the deadline of the next read.
func (c *Conn) prepare(wait time.Duration) error {
	if c.in.Buffered() > 0 {
		return nil // no read will be made
	}
	if err := c.Flush(); err != nil {
		return err
	}
	deadline := time.Now().Add(wait)
	if !c.ends.IsZero() {
		deadline = earlier(deadline, c.ends)
	}
	c.waiting.Lock()
	defer c.waiting.Unlock()
	return c.setReadDeadline(deadline)
}

// setReadDeadline sets a deadline, which is over for one who was evicted. The mutex is held.
func (c *Conn) setReadDeadline(t time.Time) error {
	if c.evicted != "" {
		t = time.Unix(1, 0)
	}
	return c.Conn.SetReadDeadline(t)
}

// readCommand makes ready the next command that the library shall see.
func (c *Conn) readCommand() error {
	line, lf, err := c.readLine()
	if err != nil {
		return err
	}
	c.lineLen = len(line)
	line = bytes.TrimRight(line, " \t") // RFC 5321 4.1.1
	if reply, ok := answer(line, c.maxSize); ok {
		c.reply(reply)
		return nil
	}
	switch size, last, ok := chunk(line); {
	case ok:
		c.chunk, c.last, c.chunked = size, last, !last
		if last && size == 0 {
			c.ends = time.Time{}
		}
	case verb(line, "DATA"):
		c.asked = &bodyFilter{lf: lf}
	case verb(line, "MAIL"):
		if c.own = false; c.maxOwnRcpt > 0 {
			line, c.own = bytes.CutSuffix(line, []byte(" "+agentproto.RecipientsKeyword))
		}
		if c.ends.IsZero() {
			c.began, c.ends = true, time.Now().Add(c.timeouts.Transaction)
		}
	case verb(line, "RSET"), verb(line, "EHLO"), verb(line, "HELO"), verb(line, "QUIT"):
		if c.chunked {
			// The library may take the end of this message for that of the next.
			c.giveUp("421 4.5.0 a message that is broken off ends the connection\r\n")
			return io.EOF
		}
		c.ends = time.Time{}
	}
	c.buf = append(append(c.buf[:0], rewrite(line, c.host)...), "\r\n"...)
	c.ready = c.buf
	return nil
}

// recipientMemory is about what the recipient of the last command takes: the command, which the library keeps, the
// original recipient once more, and their places in lists.
func (c *Conn) recipientMemory(original int) int64 {
	const places = 100
	return int64(c.lineLen + original + places)
}

// readLine returns a line without its end, and whether that was LF alone.
func (c *Conn) readLine() (line []byte, lf bool, err error) {
	for waste := 0; ; {
		line, err := c.readSlice()
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if waste += len(line); waste > maxWaste {
				c.giveUp("421 4.7.0 this is not SMTP\r\n")
				return nil, false, io.EOF
			}
			continue
		case err != nil:
			return nil, false, c.farewell(len(line) > 0, err)
		case waste > 0:
			waste = 0
			c.reply("500 5.5.6 the line is too long\r\n")
			if c.over() {
				return nil, false, io.EOF
			}
			continue
		}
		line = line[:len(line)-1]
		if bytes.HasSuffix(line, []byte{'\r'}) {
			return line[:len(line)-1], false, nil
		}
		return line, true, nil
	}
}

// readSlice waits for the next command. Between transactions Drain may end the wait.
func (c *Conn) readSlice() ([]byte, error) {
	if b, _ := c.in.Peek(c.in.Buffered()); bytes.IndexByte(b, '\n') >= 0 {
		return c.in.ReadSlice('\n')
	}
	if err := c.Flush(); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(c.timeouts.Command)
	c.waiting.Lock()
	switch {
	case !c.ends.IsZero():
		deadline = earlier(deadline, c.ends)
	case c.draining:
		deadline = time.Unix(1, 0)
	default:
		c.idle = true
	}
	err := c.setReadDeadline(deadline)
	c.waiting.Unlock()
	if err != nil {
		return nil, err
	}
	line, err := c.in.ReadSlice('\n')
	c.waiting.Lock()
	c.idle = false
	c.waiting.Unlock()
	return line, err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// farewell tells a client that still listens why the connection ends; unfinished is set
// when part of a command came.
func (c *Conn) farewell(unfinished bool, err error) error {
	switch {
	case c.sayEvicted():
		return io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.waiting.Lock()
		stopping := c.draining && c.ends.IsZero()
		c.waiting.Unlock()
		if stopping {
			c.giveUp("421 4.3.2 the mail service is stopping; try again\r\n")
		} else {
			c.giveUp("421 4.4.2 timeout: no command came for too long\r\n")
		}
		return io.EOF
	case err == io.EOF && unfinished:
		return io.ErrUnexpectedEOF
	}
	return err
}

// Drain ends the connection as soon as it is between transactions.
func (c *Conn) Drain() {
	c.waiting.Lock()
	defer c.waiting.Unlock()
	c.draining = true
	if c.idle {
		_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// evictionWait is how long an evicted client may take to read why.
const evictionWait = 100 * time.Millisecond

// Evict ends the connection where it is, and tells the client why with a 421. It does not wait for that. A
// message that the handler has is finished first, and its client hears of it.
func (c *Conn) Evict(why string) {
	c.waiting.Lock()
	defer c.waiting.Unlock()
	c.evicted = why
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
	_ = c.Conn.SetWriteDeadline(time.Now().Add(evictionWait))
}

// isEvicted reports whether the connection is given up.
func (c *Conn) isEvicted() bool {
	c.waiting.Lock()
	defer c.waiting.Unlock()
	return c.evicted != ""
}

// sayEvicted tells an evicted client so, and reports whether it is one.
func (c *Conn) sayEvicted() bool {
	c.waiting.Lock()
	why := c.evicted
	c.waiting.Unlock()
	if why != "" {
		c.giveUp("421 4.3.2 " + why + ", and this connection has made no progress for longest; try again\r\n")
	}
	return why != ""
}

// SetDeadline does nothing: the filter alone decides how long to wait.
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (c *Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// Close sends what waits and ends the connection.
func (c *Conn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		_ = c.Flush()
		err = c.Conn.Close()
		close(c.closed)
	})
	return err
}

// Abort ends the connection whatever it is doing.
func (c *Conn) Abort() { _ = c.Conn.Close() }
