package emulator

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// data answers DATA, reads up to the dot and judges (RFC 5321 4.1.1.4).
func (s *session) data(arg string) error {
	ready := false
	err := s.answer("data", "DATA", func() string {
		reply := s.dataRefusal(arg)
		if reply == "" {
			ready = true
			return "354 Start mail input; end with <CRLF>.<CRLF>"
		}
		return reply
	})
	if err != nil || !ready {
		return err
	}
	s.mail.content = s.e.newContent(s.e.current().Limits.HeaderSize)
	if err := s.flush(); err != nil {
		return err
	}
	if err := s.readDotted(s.mail.content); err != nil {
		return err
	}
	return s.endOfData()
}

func (s *session) dataRefusal(arg string) string {
	switch {
	case strings.TrimSpace(arg) != "":
		return "501 5.5.4 Invalid arguments " + s.tag()
	case s.helo == "":
		return "503 5.5.2 Send hello first " + s.tag()
	case s.mail == nil:
		return "503 5.5.2 Need mail command " + s.tag()
	case s.mail.chunked, s.mail.env.Body == "BINARYMIME":
		return "503 5.5.2 DATA after BDAT or with BINARYMIME " + s.tag() // assumed; RFC 3030 2, 3
	case len(s.mail.env.To) == 0:
		return "503 5.5.2 Need rcpt command " + s.tag()
	}
	return ""
}

// readDotted reads a DATA message up to its final dot, with the stuffed dots taken
// out. Only CRLF "." CRLF ends it.
func (s *session) readDotted(w io.Writer) error {
	fresh := true // the last two bytes were CRLF, or nothing came yet
	cr := false   // the last byte was CR
	for {
		_ = s.wire.SetReadDeadline(time.Now().Add(time.Duration(s.e.current().Exchange.IdleTimeout)))
		p, err := s.r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("in the message: %w", err)
		}
		if fresh && p[0] == '.' {
			if bytes.Equal(p, []byte(".\r\n")) {
				return nil
			}
			p = p[1:]
		}
		_, _ = w.Write(p) // a content keeps its own error
		fresh = bytes.HasSuffix(p, []byte("\r\n")) || cr && len(p) == 1 && p[0] == '\n'
		if len(p) > 0 {
			cr = p[len(p)-1] == '\r'
		}
	}
}

// bdat answers BDAT (RFC 3030 2): the chunk is read in any case, so that the next
// command is found.
func (s *session) bdat(arg string) error {
	size, last, ok := parseBDAT(arg)
	if !ok {
		// Where the next command begins is unknown.
		s.reply("501 5.5.4 Invalid arguments " + s.tag())
		return errEnd
	}
	var sink io.Writer = io.Discard
	refusal := s.bdatRefusal()
	if x := s.e.current().Exchange; refusal == "" && x.BDAT != "" {
		if x.BDAT == "silent" {
			return s.swallow(size)
		}
		s.mail.failed = true
		if refusal = x.BDAT + " " + s.tag(); x.BDATUnread {
			return s.conclude(refusal)
		}
	}
	if refusal == "" {
		if s.mail.content == nil {
			s.mail.content = s.e.newContent(s.e.current().Limits.HeaderSize)
		}
		s.mail.chunked = true
		s.mail.env.Chunks++
		sink = s.mail.content
	}
	if err := s.readChunk(sink, size); err != nil {
		return err
	}
	if refusal != "" {
		return s.conclude(refusal)
	}
	if last {
		return s.endOfData()
	}
	taken := false
	err := s.answer("bdat", "BDAT "+arg, func() string {
		taken = true
		if limit := s.e.current().Exchange.Size; limit > 0 && s.mail.content.size > limit {
			s.mail.failed = true
			return replySize + " " + s.tag()
		}
		return fmt.Sprintf("250 2.6.0 CHUNK received OK, %d octets", size) // assumed
	})
	if !taken && s.mail != nil {
		s.mail.failed = true
	}
	return err
}

// swallow reads a chunk and whatever follows, and never answers.
func (s *session) swallow(size int64) error {
	if err := s.readChunk(io.Discard, size); err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	_ = s.wire.SetReadDeadline(time.Time{})
	_, _ = io.Copy(io.Discard, s.r)
	return errors.New("nobody waits for an answer to BDAT any more")
}

func (s *session) bdatRefusal() string {
	switch {
	case s.helo == "":
		return "503 5.5.2 Send hello first " + s.tag()
	case s.mail == nil:
		return "503 5.5.2 Need mail command " + s.tag()
	case s.mail.failed:
		return "503 5.5.2 A chunk before was refused " + s.tag() // assumed; RFC 3030 2
	case len(s.mail.env.To) == 0:
		return "503 5.5.2 Need rcpt command " + s.tag()
	}
	return ""
}

// readChunk copies size bytes.
func (s *session) readChunk(w io.Writer, size int64) error {
	buf := make([]byte, min(size, 64<<10))
	for size > 0 {
		if s.r.Buffered() == 0 {
			// Replies to pipelined commands must not wait for the chunk.
			if err := s.push(); err != nil {
				return err
			}
		}
		_ = s.wire.SetReadDeadline(time.Now().Add(time.Duration(s.e.current().Exchange.IdleTimeout)))
		n, err := s.r.Read(buf[:min(size, int64(len(buf)))])
		_, _ = w.Write(buf[:n]) // a content keeps its own error
		size -= int64(n)
		if err != nil {
			return fmt.Errorf("in a chunk: %w", err)
		}
	}
	return nil
}

func parseBDAT(arg string) (size int64, last, ok bool) {
	words := strings.Fields(arg)
	if len(words) == 2 && strings.EqualFold(words[1], "LAST") {
		last, words = true, words[:1]
	}
	if len(words) != 1 {
		return 0, false, false
	}
	size, err := strconv.ParseInt(words[0], 10, 64)
	return size, last, err == nil && size >= 0 && words[0][0] != '+'
}

// endOfData judges the message, keeps or drops it, and ends the transaction.
func (s *session) endOfData() error {
	m := s.mail
	c := m.content
	c.finish()
	s.note(fmt.Sprintf("C: (message of %d octets)", c.size))
	defer s.abort()
	return s.answer("dot", m.env.From, func() string {
		if reply := s.verdict(c); reply != "" {
			return reply + " " + s.hostTag()
		}
		return s.accept(c)
	})
}

// accept keeps the message.
func (s *session) accept(c *content) string {
	fields := headerFields(c.header)
	if s.e.current().Exchange.Mangle8Bit && s.claims.IDType == "app" {
		c.mangle(fields)
	}
	m := Message{Envelope: s.mail.env, Octets: c.size, SHA256: c.sha256(), Data: c.data}
	if ids := values(fields, "Message-ID"); len(ids) > 0 {
		m.MessageID = ids[0]
	} else {
		m.MessageID = "<" + newGUID() + "@AM0PR00MB0001.eurprd00.prod.outlook.com>"
	}
	m.Warnings = warnings(fields, m)
	s.ordinal++
	m.Ordinal = s.ordinal
	// The reply to this message is one more round trip, still to come.
	m.Trips, s.spentTrips = s.trips()+1-s.spentTrips, s.trips()+1
	m.AtOnce, s.spentPipelined = s.pipelined-s.spentPipelined, s.pipelined
	if err := s.e.keep(m, c); err != nil {
		return "451 4.3.0 emulator: storing the message: " + printable(err.Error())
	}
	return fmt.Sprintf("250 2.0.0 OK %s %s", printable(m.MessageID), s.hostTag())
}

// warnings are what Exchange Online lets pass, but a good client does not send.
func warnings(fields []field, m Message) []string {
	var out []string
	for _, name := range []string{"Bcc", "Resent-Bcc"} {
		if values(fields, name) != nil {
			out = append(out, "has a field "+name)
		}
	}
	for _, name := range []string{"Date", "Message-ID"} {
		if n := len(values(fields, name)); n != 1 {
			out = append(out, fmt.Sprintf("has %d fields %s", n, name))
		}
	}
	for _, f := range fields {
		if f.name == "" {
			out = append(out, "has a header line that is not a field")
			break
		}
	}
	if m.Size >= 0 && m.Size < m.Octets {
		out = append(out, fmt.Sprintf("SIZE=%d is less than %d octets", m.Size, m.Octets))
	}
	return out
}
