package smtpd

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"o365-sendmail/internal/agentproto"
)

// maxReplies is how much the filter holds back before it sends.
const maxReplies = 16 << 10

// Write takes what the library answers.
func (c *Conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.gone {
		return len(p), nil
	}
	if c.atStart && len(p) >= len(c.code) {
		copy(c.code[:], p)
		c.countError(p)
	}
	if c.atStart {
		var plain string
		if plain, c.reword = plainReply(p); !c.reword {
			plain, c.reword = c.sizeLine(p)
		}
		if !c.reword {
			plain, c.reword = c.limitsLine(p)
		}
		c.out = append(c.out, plain...)
	}
	c.atStart = bytes.HasSuffix(p, []byte{'\n'})
	if !c.reword {
		c.out = append(c.out, p...)
	}
	if len(c.out) >= maxReplies {
		return len(p), c.flush()
	}
	return len(p), nil
}

// plainReplies are the library's answers that have the wrong enhanced code (RFC 3463 3.2) and words
// of its own, and what is sent in their place.
var plainReplies = [...]struct{ library, plain string }{
	{"250 2.0.0 Roger, accepting mail from <", "250 2.1.0 sender ok\r\n"},
	{"250 2.0.0 I'll make sure <", "250 2.1.5 recipient ok\r\n"},
	{"250 2.0.0 I have successfully done nothing", "250 2.0.0 ok\r\n"},
}

func plainReply(line []byte) (string, bool) {
	for _, r := range &plainReplies {
		if bytes.HasPrefix(line, []byte(r.library)) {
			return r.plain, true
		}
	}
	return "", false
}

// sizeLine puts the limit into the line of EHLO's reply that the library, which knows of none, leaves
// without it (RFC 1870 3).
func (c *Conn) sizeLine(line []byte) (string, bool) {
	mark, isSize := bytes.CutPrefix(line, []byte("250"))
	if c.maxSize <= 0 || !isSize || string(mark) != "-SIZE\r\n" && string(mark) != " SIZE\r\n" {
		return "", false
	}
	return "250" + string(mark[:1]) + "SIZE " + strconv.FormatInt(c.maxSize, 10) + "\r\n", true
}

// limitsLine tells every client its own limit of recipients: the library knows but one (RFC 9422).
func (c *Conn) limitsLine(line []byte) (string, bool) {
	if c.maxOwnRcpt == 0 || len(line) < 4 || !bytes.HasPrefix(line, []byte("250")) ||
		!bytes.HasPrefix(line[4:], []byte("LIMITS RCPTMAX=")) {
		return "", false
	}
	return fmt.Sprintf("250-%s %d\r\n250%cLIMITS RCPTMAX=%d\r\n", agentproto.RecipientsKeyword, c.maxOwnRcpt, line[3],
		c.maxRcpt), true
}

// countError counts the replies to wrong commands: 500 to 504 (RFC 5321 4.2.1).
func (c *Conn) countError(line []byte) {
	if len(line) > 3 && line[3] == ' ' && line[0] == '5' && line[1] == '0' && line[2] <= '4' {
		c.errors++
	}
}

func (c *Conn) reply(text string) { _, _ = c.Write([]byte(text)) }

func (c *Conn) lastCode() string {
	c.writing.Lock()
	defer c.writing.Unlock()
	return string(c.code[:])
}

// Flush sends what was answered so far.
func (c *Conn) Flush() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.flush()
}

func (c *Conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	wait := c.timeouts.Data
	c.waiting.Lock()
	if c.evicted != "" {
		wait = evictionWait
	}
	err := c.Conn.SetWriteDeadline(time.Now().Add(wait))
	c.waiting.Unlock()
	if err != nil {
		return err
	}
	c.turn.give() // the client may not read
	_, err = c.Conn.Write(c.out)
	c.out = c.out[:0]
	return err
}
