package smtpd

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

// body is a message that comes in.
type body interface {
	io.Reader
	// skip reads what is still to come, so that the next command is found.
	skip()
}

// take has a message read and handed on, and answers.
func (s *session) take(b body) {
	err := s.Data(b)
	if err != nil {
		b.skip()
	}
	words := s.receipt
	s.Reset()
	if !errors.Is(err, smtp.ErrDataReset) { // else the command that ended the message is answered
		s.answer(err, done, words...)
	}
}

// dotted is a message that DATA began, without the dots of RFC 5321 4.5.2.
//
// The line end of the DATA command decides how lines end. A client that wrote CRLF there means CRLF everywhere
// (RFC 5321 2.3.8): a dot between other line ends is text, or mail could be smuggled in. A program that feeds
// sendmail -bs with LF alone means LF, with or without a CR in front.
type dotted struct {
	c     *Conn
	lf    bool
	start bool   // a line begins
	cr    bool   // a CR was the last byte
	rest  []byte // of the line, until the next read
	err   error
}

func (d *dotted) Read(p []byte) (n int, err error) {
	for n < len(p) && (n == 0 || len(d.rest) > 0 || d.c.in.Buffered() > 0) {
		if len(d.rest) == 0 && !d.next() {
			return n, d.err
		}
		k := copy(p[n:], d.rest)
		n, d.rest = n+k, d.rest[k:]
	}
	return n, nil
}

// next reads a line, or as much of one as there is room for, and reports whether it is of the message.
func (d *dotted) next() bool {
	if d.err != nil {
		return false
	}
	line, err := d.c.in.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		d.err = d.c.lost(err)
		return false
	}
	if d.start && line[0] == '.' {
		if line = line[1:]; string(line) == "\r\n" || d.lf && string(line) == "\n" {
			d.err = io.EOF
			return false
		}
	}
	d.start = bytes.HasSuffix(line, []byte("\r\n")) || d.cr && string(line) == "\n" || d.lf && err == nil
	d.cr = len(line) > 0 && line[len(line)-1] == '\r'
	d.rest = line
	return true
}

func (d *dotted) skip() { _, _ = io.Copy(io.Discard, d) }

// chunks are a message that comes by BDAT (RFC 3030).
type chunks struct {
	s       *session
	left    int64 // bytes of the chunk
	last    bool
	breaker command // what came in place of the next chunk and ended the message
}

// maxChunk is how many bytes of a chunk are read.
const maxChunk = 1<<31 - 1

// chunk begins a chunk by the argument of BDAT, and reports whether it is one. What follows a command that is
// refused is read all the same, so that the session stays in step.
func (b *chunks) chunk(arg string) bool {
	c := b.s.conn
	size, word, _ := strings.Cut(arg, " ")
	word = strings.TrimLeft(word, " \t")
	n, err := strconv.ParseUint(size, 10, 63)
	if n > maxChunk { // also when it is too much for a number
		c.say(552, tooLarge, "the chunk is too large")
		c.giveUp("4.7.0 the chunk is too large to be read past")
		return false
	}
	b.left, b.last = int64(n), strings.EqualFold(word, "LAST")
	if err != nil || word != "" && !b.last {
		c.say(501, arguments, "the syntax is BDAT size [LAST]")
		b.skip()
		return false
	}
	return true
}

func (b *chunks) Read(p []byte) (int, error) {
	for b.left == 0 {
		if b.last {
			return 0, io.EOF
		}
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	n, err := b.s.conn.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil {
		err = b.s.conn.lost(err)
	}
	return n, err
}

// next waits for another chunk. Commands that do not end the message are done meanwhile.
func (b *chunks) next() error {
	b.s.conn.say(250, done, "chunk taken")
	for {
		cmd, err := b.s.conn.next()
		if err != nil {
			return smtp.ErrDataReset // no command waits for an answer
		}
		switch cmd.verb {
		case "BDAT":
			if b.chunk(cmd.arg) {
				return nil
			}
		case "RSET", "QUIT", "EHLO", "HELO":
			b.breaker = cmd
			return smtp.ErrDataReset
		default:
			b.s.do(cmd)
		}
	}
}

func (b *chunks) skip() {
	c := b.s.conn
	if c.ends.IsZero() { // no transaction bounds the time
		c.ends = time.Now().Add(c.timeouts.Transaction)
		defer func() { c.ends = time.Time{} }()
	}
	if _, err := c.in.Discard(int(b.left)); err != nil {
		_ = c.lost(err)
	}
	b.left = 0
}
