package submit

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"o365-sendmail/internal/envelope"
)

// content reads a message and makes sure that it is in wire form: as many bytes as
// promised, lines that end in CRLF, and no CR or LF anywhere else. A server could take
// a bare one for a line end, and what follows for commands (SMTP smuggling).
type content struct {
	r    io.ReadCloser
	left int64
	last byte // the byte before what is read next
}

func openContent(msg envelope.Message) (*content, error) {
	r, err := msg.Open()
	if err != nil {
		return nil, err
	}
	return &content{r: r, left: msg.Size(), last: '\n'}, nil
}

var errWireForm = errors.New("the message is not in wire form: a line does not end in CRLF")

// fill fills p, which is no longer than what is left. With the last bytes it makes sure
// that the message ends there.
func (c *content) fill(p []byte) error {
	n, err := io.ReadFull(c.r, p)
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("the message ends %d bytes early", c.left-int64(n))
		}
		return err
	}
	if c.left -= int64(n); !c.clean(p) {
		return errWireForm
	}
	if c.left > 0 {
		return nil
	}
	return c.end()
}

// end makes sure that nothing follows.
func (c *content) end() error {
	if c.last != '\n' {
		return errWireForm
	}
	var b [1]byte
	if n, err := io.ReadFull(c.r, b[:]); n > 0 {
		return errors.New("the message is longer than it said")
	} else if err != io.EOF {
		return err
	}
	return nil
}

// clean reports whether CR and LF come in pairs only. It looks at each line end once and at
// no byte between them, so that it costs next to nothing beside encryption.
func (c *content) clean(p []byte) bool {
	if len(p) == 0 {
		return true
	}
	if c.last == '\r' && p[0] != '\n' {
		return false
	}
	lines, before := 0, c.last
	for rest := p; ; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		if i > 0 {
			before = rest[i-1]
		}
		if before != '\r' {
			return false
		}
		lines++
		rest, before = rest[i+1:], '\n'
	}
	returns := bytes.Count(p, []byte{'\r'})
	if c.last == '\r' {
		returns++
	}
	c.last = p[len(p)-1]
	if c.last == '\r' {
		returns--
	}
	return returns == lines
}

func (c *content) close() { _ = c.r.Close() }
