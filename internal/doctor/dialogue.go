package doctor

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// dialogue is an SMTP session, one command at a time, so that each step can be judged by
// itself. It is for probing only: messages go by package submit.
type dialogue struct {
	conn    net.Conn
	br      *bufio.Reader
	timeout time.Duration
}

func newDialogue(conn net.Conn, timeout time.Duration) *dialogue {
	return &dialogue{conn: conn, br: bufio.NewReaderSize(conn, 4096), timeout: timeout}
}

// reply is an SMTP reply (RFC 5321 4.2).
type reply struct {
	code     int
	enhanced string
	lines    []string // without codes
}

func (r reply) text() string { return strings.Join(r.lines, " ") }

func (r reply) String() string {
	parts := []string{strconv.Itoa(r.code)}
	if r.enhanced != "" {
		parts = append(parts, r.enhanced)
	}
	return clean(strings.Join(append(parts, r.lines...), " "))
}

// errNotSMTP is about a peer that speaks something else.
var errNotSMTP = errors.New("the peer does not speak SMTP")

// maxReplyLines bounds a reply, and bufio's buffer bounds a line.
const maxReplyLines = 100

// cmd sends a line and reads the reply.
func (d *dialogue) cmd(line string) (reply, error) {
	_ = d.conn.SetDeadline(time.Now().Add(d.timeout))
	if _, err := io.WriteString(d.conn, line+"\r\n"); err != nil {
		return reply{}, err
	}
	return d.read()
}

func (d *dialogue) read() (reply, error) {
	_ = d.conn.SetDeadline(time.Now().Add(d.timeout))
	var r reply
	for range maxReplyLines {
		raw, err := d.br.ReadSlice('\n')
		if err != nil {
			return r, err
		}
		code, more, text, ok := parseLine(string(raw))
		if !ok || r.code != 0 && code != r.code {
			return r, fmt.Errorf("%w: %q", errNotSMTP, shorten(string(raw)))
		}
		r.code = code
		if e, rest, found := enhancedCode(code, text); found {
			r.enhanced, text = e, rest
		}
		r.lines = append(r.lines, text)
		if !more {
			return r, nil
		}
	}
	return r, errNotSMTP
}

func shorten(s string) string { return s[:min(len(s), 80)] }

// parseLine takes "250-text" or "250 text" apart.
func parseLine(line string) (code int, more bool, text string, ok bool) {
	line = strings.TrimRight(line, "\r\n")
	if len(line) < 3 {
		return 0, false, "", false
	}
	for i := range 3 {
		if line[i] < '0' || line[i] > '9' {
			return 0, false, "", false
		}
		code = code*10 + int(line[i]-'0')
	}
	if len(line) == 3 {
		return code, false, "", code >= 200
	}
	if line[3] != ' ' && line[3] != '-' {
		return 0, false, "", false
	}
	return code, line[3] == '-', line[4:], code >= 200
}

// enhancedCode takes a leading status code of RFC 3463 off; its class is the reply's, as a
// rule, but Exchange has replies where it is not.
func enhancedCode(code int, text string) (enhanced, rest string, ok bool) {
	word, rest, _ := strings.Cut(text, " ")
	parts := strings.Split(word, ".")
	if len(parts) != 3 || code < 200 || !strings.Contains("245", parts[0]) || parts[0] == "" {
		return "", text, false
	}
	for _, p := range parts[1:] {
		if n, err := strconv.Atoi(p); err != nil || n < 0 || n > 999 {
			return "", text, false
		}
	}
	return word, rest, true
}

// extension returns the arguments of an EHLO keyword.
func (r reply) extension(keyword string) (args string, ok bool) {
	for _, l := range r.lines[min(1, len(r.lines)):] {
		word, rest, _ := strings.Cut(l, " ")
		if strings.EqualFold(word, keyword) {
			return rest, true
		}
	}
	return "", false
}

// quit ends the session without waiting for the answer.
func (d *dialogue) quit() {
	_ = d.conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(d.conn, "QUIT\r\n")
	_ = d.conn.Close()
}
