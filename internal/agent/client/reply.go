package client

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"o365-sendmail/internal/agent/protocol"
	"o365-sendmail/internal/sysexits"
)

// Bounds of a reply, in octets and lines.
const (
	maxReplyLine  = 8 << 10
	maxReplyLines = 100000
)

// reply is an SMTP reply, enhanced codes taken off its lines.
type reply struct {
	code     int
	enhanced string
	lines    []string
}

func (r reply) text() string { return strings.Join(r.lines, " ") }

// err is what a negative reply says to the caller.
func (r reply) err() error {
	return sysexits.With(protocol.ExitCode(r.code, r.enhanced), errors.New(r.text()))
}

// reply reads one.
func (c *Conn) reply() (reply, error) {
	var r reply
	for len(r.lines) < maxReplyLines {
		line, err := c.line()
		if err != nil {
			return r, err
		}
		code, err := strconv.Atoi(line[:min(3, len(line))])
		if err != nil || len(line) < 3 || code < 200 || code > 599 || r.code != 0 && r.code != code {
			return r, fmt.Errorf("it answers %.64q, which is no SMTP", line)
		}
		more, text := false, ""
		if len(line) > 3 {
			more, text = line[3] == '-', line[4:]
		}
		enhanced, rest, _ := strings.Cut(text, " ")
		if isEnhanced(enhanced, code) {
			r.enhanced, text = enhanced, rest
		}
		r.code, r.lines = code, append(r.lines, text)
		if !more {
			return r, nil
		}
	}
	return r, errors.New("its reply does not end")
}

func isEnhanced(s string, code int) bool {
	return strings.Count(s, ".") == 2 && strings.Trim(s, "0123456789.") == "" && s[0] == byte('0'+code/100)
}

func (c *Conn) line() (string, error) {
	var long []byte
	for {
		part, err := c.r.ReadSlice('\n')
		if err == nil && long == nil {
			c.trace('<', strings.TrimRight(string(part), "\r\n"))
			return strings.TrimRight(string(part), "\r\n"), nil
		}
		long = append(long, part...)
		switch {
		case len(long) > maxReplyLine:
			return "", errors.New("its reply line is too long")
		case err == nil:
			line := strings.TrimRight(string(long), "\r\n")
			c.trace('<', line)
			return line, nil
		case len(part) < c.r.Size():
			return "", err
		}
	}
}
