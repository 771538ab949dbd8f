package queueview

import (
	"bytes"
	"strconv"
	"time"
)

// lineParser takes a line apart from its front. Once something is not as expected it is bad,
// and all that follows is empty.
type lineParser struct {
	rest []byte
	bad  bool
}

// has tells whether s is next.
func (p *lineParser) has(s string) bool {
	return !p.bad && len(p.rest) >= len(s) && string(p.rest[:len(s)]) == s
}

// skip takes s.
func (p *lineParser) skip(s string) {
	if p.bad = !p.has(s); !p.bad {
		p.rest = p.rest[len(s):]
	}
}

// word takes a name and the string after it; it is valid until the line changes.
func (p *lineParser) word(name string) []byte {
	if p.skip(name); p.bad || len(p.rest) == 0 || p.rest[0] != '"' {
		p.bad = true
		return nil
	}
	end := bytes.IndexByte(p.rest[1:], '"')
	if end < 0 {
		p.bad = true
		return nil
	}
	s := p.rest[1 : 1+end]
	for _, c := range s {
		if c < 0x20 || c > 0x7e || c == '\\' {
			p.bad = true
			return nil
		}
	}
	p.rest = p.rest[end+2:]
	return s
}

func (p *lineParser) text(name string) string { return string(p.word(name)) }

// optional is text that may be left out.
func (p *lineParser) optional(name string) string {
	if !p.has(name) {
		return ""
	}
	return p.text(name)
}

// state is text out of a few words, of which no copies are made.
func (p *lineParser) state(name string) State {
	s := p.word(name)
	for _, known := range [...]State{Queued, RecipientTodo, Deferred, Held, RecipientDone, RecipientFailed, Damaged} {
		if string(s) == string(known) {
			return known
		}
	}
	return State(s)
}

func (p *lineParser) number(name string) int64 {
	p.skip(name)
	end := 0
	for end < len(p.rest) && (p.rest[end] >= '0' && p.rest[end] <= '9' || end == 0 && p.rest[0] == '-') {
		end++
	}
	digits := bytes.TrimPrefix(p.rest[:end], []byte{'-'})
	n, err := strconv.ParseInt(string(p.rest[:end]), 10, 64)
	if p.bad = p.bad || err != nil || digits[0] == '0' && len(digits) > 1; p.bad {
		return 0
	}
	p.rest = p.rest[end:]
	return n
}

func (p *lineParser) time(name string) time.Time {
	s := p.word(name)
	t, err := time.Parse(time.RFC3339Nano, string(s))
	var room [len(time.RFC3339Nano)]byte
	// package time reads more than what it writes
	p.bad = p.bad || err != nil || t.Location() != time.UTC || string(t.AppendFormat(room[:0], time.RFC3339Nano)) != string(s)
	return t
}
