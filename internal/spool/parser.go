package spool

import (
	"bytes"
	"strconv"

	"o365-sendmail/internal/envelope"
)

// parser reads the lines of a head in their fixed order. After a failure it
// reads nothing more.
type parser struct {
	rest   []byte
	number int // of the last line read
	failed bool
}

// raw returns the value of the next line, which must have the given name.
func (p *parser) raw(name string) []byte {
	if p.failed {
		return nil
	}
	p.number++
	line, rest, ok := bytes.Cut(p.rest, []byte{'\n'})
	if !ok || len(line) <= len(name) || string(line[:len(name)]) != name || line[len(name)] != ' ' {
		p.failed = true
		return nil
	}
	p.rest = rest
	return line[len(name)+1:]
}

func (p *parser) line(name string) string { return string(p.raw(name)) }

func (p *parser) quoted(name string) string {
	s, rest, ok := cutQuoted(p.raw(name))
	if !ok || len(rest) > 0 {
		p.failed = true
	}
	return s
}

func (p *parser) flags(e *envelope.Envelope) {
	switch string(p.raw("flags")) {
	case "-":
	case "8bitmime":
		e.EightBit = true
	case "smtputf8":
		e.SMTPUTF8 = true
	case "8bitmime smtputf8":
		e.EightBit, e.SMTPUTF8 = true, true
	default:
		p.failed = true
	}
}

func (p *parser) recipients(h *head) {
	n, err := strconv.Atoi(p.line("recipients"))
	// The status area has a record for each, which bounds n by the size of the file.
	if err != nil || n < 1 || n > maxHead/recipientSize || h.statusSize != statusSize(n) {
		p.failed = true
	}
	if p.failed {
		return
	}
	h.env.Recipients = make([]envelope.Recipient, n)
	for i := range h.env.Recipients {
		r, ok := parseRecipient(p.raw("to"))
		if !ok {
			p.failed = true
			return
		}
		h.env.Recipients[i] = r
	}
}

func parseRecipient(b []byte) (r envelope.Recipient, ok bool) {
	if r.Address, b, ok = cutQuoted(b); !ok {
		return r, false
	}
	if value, found := bytes.CutPrefix(b, []byte(" notify=")); found {
		value, b = cutBefore(value, ' ')
		if r.Notify, ok = parseNotify(value); !ok {
			return r, false
		}
	}
	if value, found := bytes.CutPrefix(b, []byte(" orcpt=")); found {
		if r.ORcpt, b, ok = cutQuoted(value); !ok {
			return r, false
		}
	}
	return r, len(b) == 0
}

// cutBefore splits b before the first c, which stays with the rest.
func cutBefore(b []byte, c byte) (before, rest []byte) {
	if i := bytes.IndexByte(b, c); i >= 0 {
		return b[:i], b[i:]
	}
	return b, nil
}

func parseNotify(b []byte) (n envelope.Notify, ok bool) {
	for word := range bytes.SplitSeq(b, []byte{','}) {
		switch string(word) {
		case "NEVER":
			n |= envelope.NotifyNever
		case "SUCCESS":
			n |= envelope.NotifySuccess
		case "FAILURE":
			n |= envelope.NotifyFailure
		case "DELAY":
			n |= envelope.NotifyDelay
		default:
			return 0, false
		}
	}
	return n, true
}
