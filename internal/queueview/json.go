package queueview

import (
	"encoding/json"
	"strconv"
	"time"
)

// A queue of 100,000 messages goes from the agent to mailq as lines of JSON. Package
// encoding/json takes most of that time. Nearly all messages have nothing in them that must
// be escaped: these are written here, octet for octet as encoding/json writes them, and read
// by the same order of fields. All others, and whatever another program writes, go through that package.

// AppendJSON appends the message as encoding/json writes it without escaping for HTML.
func (m *Message) AppendJSON(b []byte) ([]byte, error) {
	if !m.simple() {
		return m.appendAny(b)
	}
	b = appendString(append(b, `{"id":`...), m.ID)
	b = appendString(append(b, `,"state":`...), string(m.State))
	b = strconv.AppendInt(append(b, `,"size":`...), m.Size, 10)
	b = appendTime(append(b, `,"arrived":`...), m.Arrived)
	b = strconv.AppendInt(append(b, `,"uid":`...), int64(m.UID), 10)
	b = appendText(b, `,"origin":`, m.Origin)
	b = appendString(append(b, `,"sender":`...), m.Sender)
	b = appendText(b, `,"mailbox":`, m.Mailbox)
	b = strconv.AppendInt(append(b, `,"attempts":`...), int64(m.Attempts), 10)
	if !m.Last.IsZero() {
		b = appendTime(append(b, `,"last":`...), m.Last)
	}
	if !m.Next.IsZero() {
		b = appendTime(append(b, `,"next":`...), m.Next)
	}
	b = appendText(b, `,"class":`, m.Class)
	b = appendText(b, `,"reason":`, m.Reason)
	b = append(b, `,"recipients":[`...)
	for i := range m.Recipients {
		r := &m.Recipients[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"address":`...), r.Address)
		b = appendString(append(b, `,"state":`...), r.State)
		if r.Code != 0 {
			b = strconv.AppendInt(append(b, `,"code":`...), int64(r.Code), 10)
		}
		b = append(appendText(b, `,"enhanced":`, r.Enhanced), '}')
	}
	b = append(b, ']')
	if m.InFailed {
		b = append(b, `,"in_failed":true`...)
	}
	return append(appendText(b, `,"waiting":`, m.Waiting), '}'), nil
}

// simple tells whether the message has nothing to escape, and no part that is rare.
func (m *Message) simple() bool {
	if m.Stop != nil || m.Recipients == nil || !simpleTime(m.Arrived) || !simpleTime(m.Last) || !simpleTime(m.Next) {
		return false
	}
	for _, s := range [...]string{m.ID, string(m.State), m.Origin, m.Sender, m.Mailbox, m.Class, m.Reason, m.Waiting} {
		if !simpleText(s) {
			return false
		}
	}
	for i := range m.Recipients {
		if r := &m.Recipients[i]; !simpleText(r.Address) || !simpleText(r.State) || !simpleText(r.Enhanced) {
			return false
		}
	}
	return true
}

func simpleText(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func simpleTime(t time.Time) bool {
	return t.Location() == time.UTC && (t.IsZero() || t.Year() >= 1 && t.Year() <= 9999)
}

func appendString(b []byte, s string) []byte {
	return append(append(append(b, '"'), s...), '"')
}

// appendText appends what is left out when it is empty.
func appendText(b []byte, name, s string) []byte {
	if s == "" {
		return b
	}
	return appendString(append(b, name...), s)
}

func appendTime(b []byte, t time.Time) []byte {
	return append(t.AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
}

// sliceWriter appends to a slice.
type sliceWriter struct{ b []byte }

func (w *sliceWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

func (m *Message) appendAny(b []byte) ([]byte, error) {
	w := sliceWriter{b}
	enc := json.NewEncoder(&w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return b, err
	}
	return w.b[:len(w.b)-1], nil // without the line end
}

// ParseJSON reads a line as AppendJSON writes simple messages, using the recipients' room. False means
// that it is another line, and nothing is known of m then.
func (m *Message) ParseJSON(line []byte) bool {
	p := lineParser{rest: line}
	*m = Message{Recipients: m.Recipients[:0]}
	m.ID = p.text(`{"id":`)
	m.State = p.state(`,"state":`)
	m.Size = p.number(`,"size":`)
	m.Arrived = p.time(`,"arrived":`)
	m.UID = int(p.number(`,"uid":`))
	m.Origin = p.optional(`,"origin":`)
	m.Sender = p.text(`,"sender":`)
	m.Mailbox = p.optional(`,"mailbox":`)
	m.Attempts = int(p.number(`,"attempts":`))
	if p.has(`,"last":`) {
		m.Last = p.time(`,"last":`)
	}
	if p.has(`,"next":`) {
		m.Next = p.time(`,"next":`)
	}
	m.Class = p.optional(`,"class":`)
	m.Reason = p.optional(`,"reason":`)
	for p.skip(`,"recipients":[`); p.has(`{"address":`); {
		r := Recipient{Address: p.text(`{"address":`), State: string(p.state(`,"state":`))}
		if p.has(`,"code":`) {
			r.Code = int(p.number(`,"code":`))
		}
		r.Enhanced = p.optional(`,"enhanced":`)
		p.skip(`}`)
		m.Recipients = append(m.Recipients, r)
		if !p.has(`,`) {
			break
		}
		if p.skip(`,`); !p.has(`{"address":`) {
			return false
		}
	}
	p.skip(`]`)
	if p.has(`,"in_failed":true`) {
		p.skip(`,"in_failed":true`)
		m.InFailed = true
	}
	m.Waiting = p.optional(`,"waiting":`)
	p.skip(`}`)
	return !p.bad && len(p.rest) == 0
}
