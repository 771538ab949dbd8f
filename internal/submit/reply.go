package submit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Bounds of a reply. RFC 5321 4.5.3.1.5 allows 512 octets a line; servers send more.
const (
	maxReplyLine  = 4096
	maxReplyLines = 100
	maxReplySize  = 64 << 10
)

// Reply is an SMTP reply (RFC 5321 4.2). Control characters of the server's text are
// replaced, so that it may be logged.
type Reply struct {
	// Code is the three-digit code; 0 when there was no reply.
	Code int
	// Enhanced is the RFC 3463 code, as "5.7.3"; "" if there was none.
	Enhanced string
	// Lines are the lines without codes.
	Lines []string
}

// Text returns the lines as one.
func (r Reply) Text() string { return strings.Join(r.Lines, " ") }

// String returns the reply as one line, codes included.
func (r Reply) String() string {
	s := strconv.Itoa(r.Code)
	for _, part := range [...]string{r.Enhanced, r.Text()} {
		if part != "" {
			s += " " + part
		}
	}
	return s
}

func (r Reply) positive() bool { return r.Code >= 250 && r.Code <= 259 }
func (r Reply) negative() bool { return r.Code >= 400 && r.Code <= 599 }

// protocolError says how a peer broke SMTP.
type protocolError struct{ problem string }

func (e *protocolError) Error() string { return e.problem }

func broken(format string, args ...any) error {
	return &protocolError{fmt.Sprintf(format, args...)}
}

// readReply reads one reply. Errors are I/O errors or *protocolError. Trace, if not
// nil, gets each line.
func readReply(br *bufio.Reader, trace func(line string)) (Reply, error) {
	var r Reply
	size := 0
	for {
		line, err := readLine(br)
		if err != nil {
			return Reply{}, err
		}
		code, more, text, ok := splitLine(line)
		if !ok {
			return Reply{}, broken("not a reply: %q", clip(string(line)))
		}
		if trace != nil {
			trace(printable(string(line)))
		}
		if r.Code != 0 && code != r.Code {
			return Reply{}, broken("a reply with two codes, %d and %d", r.Code, code)
		}
		r.Code = code
		if size += len(line); size > maxReplySize || len(r.Lines) == maxReplyLines {
			return Reply{}, broken("the reply is too long")
		}
		enhanced, rest := cutEnhanced(string(text))
		if len(r.Lines) == 0 {
			r.Enhanced = enhanced
		}
		if enhanced != r.Enhanced {
			rest = string(text)
		}
		r.Lines = append(r.Lines, printable(rest))
		if !more {
			return r, nil
		}
	}
}

// consent reads a reply of one line that says yes and nothing that anybody wants to know, as
// most do. It returns 0, and has read nothing, for any other.
func (s *Session) consent() (code int) {
	if s.cfg.Trace != nil {
		return 0
	}
	if _, err := s.br.Peek(1); err != nil {
		return 0 // whoever reads on meets it again
	}
	b, _ := s.br.Peek(s.br.Buffered())
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return 0
	}
	code, more, _, ok := splitLine(bytes.TrimSuffix(b[:end], []byte{'\r'}))
	if !ok || more || !(Reply{Code: code}).positive() {
		return 0
	}
	_, _ = s.br.Discard(end + 1)
	return code
}

// readLine returns a line without its end; it is valid until the next read.
func readLine(br *bufio.Reader) ([]byte, error) {
	line, err := br.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, broken("a reply line is longer than %d octets", maxReplyLine)
	case err != nil:
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte{'\r'}), nil
}

// splitLine takes "250-text" apart. RFC 5321 4.2.1 wants the text to be optional.
func splitLine(line []byte) (code int, more bool, text []byte, ok bool) {
	if len(line) < 3 {
		return 0, false, nil, false
	}
	for _, c := range line[:3] {
		if c < '0' || c > '9' {
			return 0, false, nil, false
		}
		code = 10*code + int(c-'0')
	}
	if code < 200 || code > 599 {
		return 0, false, nil, false
	}
	if len(line) == 3 {
		return code, false, nil, true
	}
	switch line[3] {
	case '-':
		more = true
	case ' ':
	default:
		return 0, false, nil, false
	}
	return code, more, line[4:], true
}

// cutEnhanced takes an RFC 3463 code ("2.1.5") off the front of text.
func cutEnhanced(text string) (enhanced, rest string) {
	if len(text) < 5 || text[1] != '.' || (text[0] != '2' && text[0] != '4' && text[0] != '5') {
		return "", text
	}
	i := 2
	for part := range 2 {
		digits := 0
		for i < len(text) && text[i] >= '0' && text[i] <= '9' {
			i++
			digits++
		}
		if digits == 0 || digits > 3 {
			return "", text
		}
		if part == 0 {
			if i == len(text) || text[i] != '.' {
				return "", text
			}
			i++
		}
	}
	if i == len(text) {
		return text, ""
	}
	if text[i] != ' ' {
		return "", text
	}
	return text[:i], text[i+1:]
}

// printable replaces what a terminal or log would take for more than text.
func printable(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r == '\uFFFD' || !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// clip bounds text of the peer's that goes into an error.
func clip(s string) string {
	const limit = 512
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}
