package spool

import (
	"strconv"
	"strings"

	"o365-sendmail/internal/envelope"
)

// parser reads the lines of a head in their fixed order. After a failure it
// reads nothing more. Its texts are parts of the head's, so that a head is one allocation.
type parser struct {
	rest   string
	number int // of the last line read
	failed bool
}

// line returns the value of the next line, which must have the given name.
func (p *parser) line(name string) string {
	if p.failed {
		return ""
	}
	p.number++
	end := strings.IndexByte(p.rest, '\n')
	if end <= len(name) || p.rest[:len(name)] != name || p.rest[len(name)] != ' ' {
		p.failed = true
		return ""
	}
	value := p.rest[len(name)+1 : end]
	p.rest = p.rest[end+1:]
	return value
}

func (p *parser) quoted(name string) string {
	s, rest, ok := cutQuoted(p.line(name))
	if !ok || len(rest) > 0 {
		p.failed = true
	}
	return s
}

func (p *parser) flags(e *envelope.Envelope) {
	switch p.line("flags") {
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
		r, ok := parseRecipient(p.line("to"))
		if !ok {
			p.failed = true
			return
		}
		h.env.Recipients[i] = r
	}
}

func parseRecipient(s string) (r envelope.Recipient, ok bool) {
	if r.Address, s, ok = cutQuoted(s); !ok {
		return r, false
	}
	if value, found := strings.CutPrefix(s, " notify="); found {
		value, s = cutBefore(value, ' ')
		if r.Notify, ok = parseNotify(value); !ok {
			return r, false
		}
	}
	if value, found := strings.CutPrefix(s, " orcpt="); found {
		if r.ORcpt, s, ok = cutQuoted(value); !ok {
			return r, false
		}
	}
	return r, s == ""
}

// cutBefore splits s before the first c, which stays with the rest.
func cutBefore(s string, c byte) (before, rest string) {
	if i := strings.IndexByte(s, c); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

func parseNotify(s string) (n envelope.Notify, ok bool) {
	for word := range strings.SplitSeq(s, ",") {
		switch word {
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
