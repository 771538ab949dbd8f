package spool

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// State says what became of one recipient.
type State byte

// The states of a recipient, as they stand in the file.
const (
	Todo   State = 'T'
	Done   State = 'D'
	Failed State = 'F'
)

// RecipientStatus is the state of one recipient with the reply that led to it.
type RecipientStatus struct {
	State State
	// Code is the SMTP reply code, 0 when there was none.
	Code int
	// Enhanced is the RFC 3463 code such as "5.1.10", or "".
	Enhanced string
}

// Status is what changes about a message while it is in the spool.
type Status struct {
	// Attempts counts the tries that ended in a failure of this message's own.
	Attempts int
	// Others counts the tries that ended in a failure of something else: the connection, the account, a sender.
	Others int
	// Last is when the last try ended, Next when the next is due; to the second. Zero Next means now.
	Last, Next time.Time
	// Held is set while an administrator keeps the message back.
	Held bool
	// Warned is set when the sender was told about the delay.
	Warned bool
	// Class names the kind of the last failure, in up to 16 letters.
	Class string
	// Reason is the start of the last failure's text; the whole is in the log file.
	Reason string
	// Recipients are in the order of the envelope.
	Recipients []RecipientStatus
	// Lost is set when the record on disk could not be read, and so the message counts as new.
	Lost bool
}

// Tries returns how many tries of the message failed.
func (s *Status) Tries() int { return s.Attempts + s.Others }

// Count returns how many recipients are in the state.
func (s *Status) Count(state State) int {
	n := 0
	for _, r := range s.Recipients {
		if r.State == state {
			n++
		}
	}
	return n
}

// The status area is one record and then one for each recipient. A record never
// crosses the border of a sector, so that a power loss leaves the old or the new one.
const (
	recordSize    = 384
	recipientSize = 16
	enhancedSize  = 9
	classSize     = 16
	reasonSize    = recordSize - len("attempts 00000 last 0000-00-00T00:00:00Z next 0000-00-00T00:00:00Z hold - "+
		"warned - class  reason  sum 00000000\n") - classSize
	maxAttempts = 99999
)

func statusSize(recipients int) int { return roundUp(recordSize + recipients*recipientSize) }

// encodeStatus returns the whole area.
func encodeStatus(s *Status) []byte {
	b := make([]byte, 0, statusSize(len(s.Recipients)))
	others, room := s.others()
	b = fmt.Appendf(b, "attempts %05d%s last %s next %s hold %s warned %s class %-*.*s reason %-*s",
		min(s.Attempts, maxAttempts), others, timestamp(s.Last), timestamp(s.Next), mark(s.Held), mark(s.Warned),
		classSize, classSize, word(s.Class), room, reasonField(s.Reason, room))
	b = fmt.Appendf(b, " sum %08x\n", checksum(0, b))
	for _, r := range s.Recipients {
		b = fmt.Appendf(b, "%c %03d %-*.*s\n", r.State, smtpCode(r.Code), enhancedSize, enhancedSize, word(r.Enhanced))
	}
	for len(b) < cap(b) {
		b = append(b, '\n')
	}
	return b
}

// others is the column that a record has only when there is something to count in it, and the room that it leaves
// the reason.
func (s *Status) others() (column string, room int) {
	if s.Others == 0 {
		return "", reasonSize
	}
	column = fmt.Sprintf(" others %05d", min(s.Others, maxAttempts))
	return column, reasonSize - len(column)
}

const timestampFormat = "2006-01-02T15:04:05Z"

func timestamp(t time.Time) string {
	if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 {
		t = time.Time{}
	}
	return t.Format(timestampFormat)
}

func mark(on bool) string {
	if on {
		return "+"
	}
	return "-"
}

// word keeps what may stand in a bare field: letters, digits, dot and hyphen.
func word(s string) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		c := s[i]
		if '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '.' || c == '-' {
			b = append(b, c)
		}
	}
	return string(b)
}

func smtpCode(code int) int {
	if code < 0 || code > 999 {
		return 0
	}
	return code
}

// reasonField quotes as much of s as a field of that size holds.
func reasonField(s string, size int) string {
	const dots = "..."
	b := append(make([]byte, 0, size), '"')
	for i := range len(s) {
		next := appendQuotedOctet(b, s[i])
		if len(next) > size-1 {
			b = b[:min(len(b), size-1-len(dots))]
			if space := bytes.LastIndexByte(b, ' '); space > 0 {
				b = b[:space]
			} else if slash := bytes.LastIndexByte(b, '\\'); slash >= 0 {
				b = b[:slash] // no half of an escape
			}
			b = append(b, dots...)
			break
		}
		b = next
	}
	return string(append(b, '"'))
}

// reasonFits reports whether the status record holds all of a reason.
func (s *Status) reasonFits(reason string) bool {
	_, room := s.others()
	return len(appendQuoted(nil, reason)) <= room
}

// decodeStatus reads an area of statusSize(n) bytes. It never fails: a record that
// can't be read leaves the message as if it were new, for trying it once too often
// is better than losing it.
func decodeStatus(b []byte, n int) Status {
	s, ok := decodeRecord(b[:recordSize])
	if !ok {
		s = Status{Lost: true}
	}
	s.Recipients = make([]RecipientStatus, n)
	for i := range s.Recipients {
		r := &s.Recipients[i]
		if *r, ok = decodeRecipient(b[recordSize+i*recipientSize:][:recipientSize]); !ok {
			*r, s.Lost = RecipientStatus{State: Todo}, true
		}
	}
	return s
}

// freshRecord is the record of a message that was never tried, as most are when they are read.
var freshRecord = sync.OnceValue(func() []byte { return encodeStatus(&Status{})[:recordSize] })

func decodeRecord(b []byte) (s Status, ok bool) {
	if bytes.Equal(b, freshRecord()) {
		return Status{}, true
	}
	sum := recordSize - len(" sum 00000000\n")
	var errs [4]error
	c := columns{b: b}
	c.skip("attempts ")
	s.Attempts, errs[0] = strconv.Atoi(c.take(5))
	if bytes.HasPrefix(c.b, []byte(" others ")) {
		c.skip(" others ")
		s.Others, errs[3] = strconv.Atoi(c.take(5))
	}
	_, room := s.others()
	c.skip(" last ")
	s.Last, errs[1] = time.Parse(timestampFormat, c.take(len(timestampFormat)))
	c.skip(" next ")
	s.Next, errs[2] = time.Parse(timestampFormat, c.take(len(timestampFormat)))
	c.skip(" hold ")
	s.Held = c.take(1) == "+"
	c.skip(" warned ")
	s.Warned = c.take(1) == "+"
	c.skip(" class ")
	s.Class = word(c.take(classSize))
	c.skip(" reason ")
	reason, rest, quoted := cutQuoted(c.take(room))
	s.Reason = reason
	c.skip(" sum ")
	c.failed = c.failed || !sumIs(c.take(8), b[:sum])
	return s, quoted && strings.TrimLeft(rest, " ") == "" && !c.failed && errs == [4]error{} && s.Attempts >= 0 &&
		s.Others >= 0 && c.b[0] == '\n'
}

func decodeRecipient(b []byte) (r RecipientStatus, ok bool) {
	code, err := strconv.Atoi(string(b[2:5]))
	r = RecipientStatus{State: State(b[0]), Code: smtpCode(code), Enhanced: word(string(b[6:15]))}
	known := r.State == Todo || r.State == Done || r.State == Failed
	return r, known && err == nil && b[1] == ' ' && b[5] == ' ' && b[15] == '\n'
}

// columns reads a record of fixed columns.
type columns struct {
	b      []byte
	failed bool
}

func (c *columns) take(n int) string {
	s := string(c.b[:n])
	c.b = c.b[n:]
	return s
}

func (c *columns) skip(want string) {
	if c.take(len(want)) != want {
		c.failed = true
	}
}
