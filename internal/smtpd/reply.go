package smtpd

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-smtp"

	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/smtpreply"
)

// maxReplies is how many bytes of replies wait until they are sent.
const maxReplies = 16 << 10

// Enhanced codes (RFC 3463 3).
var (
	done      = smtp.EnhancedCode{2, 0, 0}
	order     = smtp.EnhancedCode{5, 5, 1} // of a command that can't come now, or never
	syntax    = smtp.EnhancedCode{5, 5, 2}
	arguments = smtp.EnhancedCode{5, 5, 4}
	tooLarge  = smtp.EnhancedCode(smtpreply.TooLarge.Enhanced)
)

// say writes a reply. Each of its lines has the enhanced code (RFC 2034 4).
func (c *Conn) say(code int, enhanced smtp.EnhancedCode, lines ...string) {
	if c.gone {
		return
	}
	for i, line := range lines {
		more := '-'
		if i == len(lines)-1 {
			more = ' '
		}
		c.out = fmt.Appendf(c.out, "%d%c", code, more)
		if enhanced != smtp.NoEnhancedCode {
			c.out = fmt.Appendf(c.out, "%d.%d.%d ", enhanced[0], enhanced[1], enhanced[2])
		}
		c.out = append(append(c.out, line...), "\r\n"...)
	}
	if code >= 500 && code <= 504 || code == 555 { // RFC 5321 4.2.1
		c.errors++
	}
	c.limit()
}

// limit sends the replies when they are many.
func (c *Conn) limit() {
	if len(c.out) >= maxReplies {
		_ = c.flush()
	}
}

// answer says that a command was done, in words, or why not.
func (s *session) answer(err error, enhanced smtp.EnhancedCode, words ...string) {
	e := (*smtp.SMTPError)(nil)
	switch {
	case err == nil:
		s.conn.say(250, enhanced, words...)
	case errors.As(err, &e):
		s.conn.say(e.Code, e.EnhancedCode, strings.Split(e.Message, "\n")...)
	default:
		s.answer(s.negative(err), enhanced)
	}
}

// giveUp says the last word, and ends the session.
func (c *Conn) giveUp(text string) {
	c.out = append(append(append(c.out, "421 "...), text...), "\r\n"...)
	c.over, c.gone = true, true
}

// Write takes a reply of the library, a line at a time.
func (c *Conn) Write(p []byte) (int, error) {
	if c.gone {
		return len(p), nil
	}
	c.out = append(c.out, p...)
	if c.keyword != "" && bytes.HasPrefix(p, []byte("250-")) {
		c.out, c.keyword = append(c.out, c.keyword...), ""
	}
	c.limit()
	return len(p), nil
}

// flush sends the replies.
func (c *Conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	err := c.limitWrites(c.timeouts.Data)
	c.turn.give() // the client may not read
	if err == nil {
		_, err = c.stream.Write(c.out)
	}
	if c.out = c.out[:0]; cap(c.out) > maxCommand {
		c.out = nil
	}
	if err != nil {
		c.over = true
	}
	return err
}

// limitWrites bounds the writes that follow; to a client that is given up there is little time left.
func (c *Conn) limitWrites(wait time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.evicted != "" {
		wait = evictionWait
	}
	return c.Conn.SetWriteDeadline(time.Now().Add(wait))
}

// maxLine is how many bytes of text go on one line of a reply (RFC 5321 4.5.3.1.5).
const maxLine = 480

// refusal makes a negative reply of text of any length.
func refusal(code int, enhanced smtp.EnhancedCode, text string) error {
	return reply(code, enhanced, wrap(text))
}

func reply(code int, enhanced smtp.EnhancedCode, lines []string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: strings.Join(lines, "\n")}
}

// wrap breaks text into the lines of a reply.
func wrap(text string) (lines []string) {
	text = strings.TrimSpace(printable.OneLine(text))
	for len(text) > maxLine {
		cut := strings.LastIndexByte(text[:maxLine], ' ')
		if cut < maxLine/2 {
			for cut = maxLine; cut > maxLine-utf8.UTFMax && !utf8.RuneStart(text[cut]); cut-- {
			}
		}
		lines = append(lines, text[:cut])
		text = strings.TrimPrefix(text[cut:], " ")
	}
	return append(lines, text)
}
