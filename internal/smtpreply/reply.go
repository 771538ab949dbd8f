// Package smtpreply reads SMTP replies (RFC 5321 4.2): Exchange Online's, the agent's, and those of
// whatever answers in their place. It has the texts of the agent's replies, by which this program's own client gets exit
// codes, queue id and refused recipients back. It never writes a command and judges no server's reply.
package smtpreply

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"o365-sendmail/internal/printable"
)

// MaxLine is how many bytes a line may have, its end included: the size of the reader that Read is given.
// RFC 5321 4.5.3.1.5 allows 512; servers send more.
const MaxLine = 4096

// Reply is an SMTP reply. Control characters of the server's text are escaped, so that it may be logged.
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

// Positive reports whether the reply says that the command is completed.
func (r Reply) Positive() bool { return r.Code >= 250 && r.Code <= 259 }

// Negative reports whether the reply refuses the command, for now or for good.
func (r Reply) Negative() bool { return r.Code >= 400 && r.Code <= 599 }

// Extension returns the arguments of an EHLO keyword (RFC 5321 4.1.1.1), and reports whether it is offered.
func (r Reply) Extension(keyword string) (args string, ok bool) {
	for _, l := range r.Lines[min(1, len(r.Lines)):] {
		word, rest, _ := strings.Cut(l, " ")
		if strings.EqualFold(word, keyword) {
			return rest, true
		}
	}
	return "", false
}

// ProtocolError says how a peer broke SMTP.
type ProtocolError struct{ problem string }

func (e *ProtocolError) Error() string { return e.problem }

// Broken returns a *ProtocolError.
func Broken(format string, args ...any) error {
	return &ProtocolError{fmt.Sprintf(format, args...)}
}

// Read reads one reply of at most maxLines lines; a line must fit the reader's buffer. Trace, if not nil, gets
// each line. Errors are those of the reader or a *ProtocolError.
func Read(br *bufio.Reader, maxLines int, trace func(line string)) (Reply, error) {
	var r Reply
	for len(r.Lines) < maxLines {
		line, err := readLine(br)
		if err != nil {
			return Reply{}, err
		}
		code, more, text, ok := split(line)
		if !ok {
			return Reply{}, Broken("not an SMTP reply: %q", printable.Clean(string(line)))
		}
		if trace != nil {
			trace(printable.Line(string(line)))
		}
		if r.Code != 0 && code != r.Code {
			return Reply{}, Broken("a reply with two codes, %d and %d", r.Code, code)
		}
		r.Code = code
		r.add(string(text))
		if !more {
			return r, nil
		}
	}
	return Reply{}, Broken("the reply has more than %d lines", maxLines)
}

// add appends a line. Some servers repeat the enhanced code on each line, others put it on the last one alone.
func (r *Reply) add(text string) {
	enhanced, rest := CutEnhanced(text)
	if r.Enhanced == "" {
		r.Enhanced = enhanced
	}
	if enhanced == r.Enhanced {
		text = rest
	}
	r.Lines = append(r.Lines, printable.Line(text))
}

// Parse reads a reply of one line.
func Parse(line string) (r Reply, ok bool) {
	code, more, text, ok := split([]byte(line))
	if !ok || more {
		return Reply{}, false
	}
	r.Code = code
	r.add(string(text))
	return r, true
}

// Consent reads a reply of one line that is positive and that nobody wants to know more of, as most are. It
// returns 0, and has read nothing, for any other.
func Consent(br *bufio.Reader) (code int) {
	if _, err := br.Peek(1); err != nil {
		return 0 // whoever reads on meets it again
	}
	b, _ := br.Peek(br.Buffered())
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return 0
	}
	code, more, _, ok := split(bytes.TrimSuffix(b[:end], []byte{'\r'}))
	if !ok || more || !(Reply{Code: code}).Positive() {
		return 0
	}
	_, _ = br.Discard(end + 1)
	return code
}

// readLine returns a line without its end; it is valid until the next read.
func readLine(br *bufio.Reader) ([]byte, error) {
	line, err := br.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, Broken("a reply line is longer than %d bytes", br.Size())
	case err != nil:
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte{'\r'}), nil
}

// split takes "250-text" apart. RFC 5321 4.2.1 wants the text to be optional.
func split(line []byte) (code int, more bool, text []byte, ok bool) {
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

// CutEnhanced takes an RFC 3463 code ("2.1.5") off the front of text.
func CutEnhanced(text string) (enhanced, rest string) {
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
