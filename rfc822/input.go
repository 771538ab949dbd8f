package rfc822

import (
	"bytes"
	"io"
)

// pieceSize is how much is read from the caller, and written to a file, at once.
const pieceSize = 64 << 10

// smallPiece is as much where memory is counted, until it is known that a message needs more.
const smallPiece = 4 << 10

// input reads in pieces and lets the header scanner look ahead.
type input struct {
	r        io.Reader
	buf      []byte
	pos, end int
	err      error // sticky; io.EOF at the end
	onlyCR   bool  // its first lines end in a bare CR
}

func newInput(r io.Reader, small bool) *input {
	size := pieceSize
	if small {
		size = smallPiece
	}
	return &input{r: r, buf: make([]byte, size)}
}

// enlarge makes the pieces large. What is pending stays.
func (in *input) enlarge() {
	buf := make([]byte, pieceSize)
	in.end = copy(buf, in.pending())
	in.buf, in.pos = buf, 0
}

// newBytesInput reads from b alone, which it may change.
func newBytesInput(b []byte) *input {
	return &input{buf: b, end: len(b), err: io.EOF}
}

// pending returns what was read and not yet taken.
func (in *input) pending() []byte { return in.buf[in.pos:in.end] }

func (in *input) take(n int) { in.pos += n }

// more reads at least one byte behind the pending ones. It returns false at the
// end, after an error, and when the buffer is full.
func (in *input) more() bool {
	if in.pos > 0 && in.err == nil {
		in.end = copy(in.buf, in.pending())
		in.pos = 0
	}
	if in.err != nil || in.end == len(in.buf) {
		return false
	}
	for range 100 {
		n, err := in.r.Read(in.buf[in.end:])
		in.end += n
		in.err = err
		if n > 0 {
			return true
		}
		if err != nil {
			return false
		}
	}
	in.err = io.ErrNoProgress
	return false
}

// failure returns the error that ended the input, nil for a proper end.
func (in *input) failure() error {
	if in.err == io.EOF {
		return nil
	}
	return in.err
}

// adoptBareCR turns CR into LF when the first piece of input has line ends of
// that kind only. Elsewhere a bare CR in a header is data: taken for a line end it
// would let a header value that was checked for LF alone start a new field.
func (in *input) adoptBareCR() {
	for {
		p := in.pending()
		if bytes.IndexByte(p, '\n') >= 0 || len(p) >= classifyLen && bytes.IndexByte(p[:classifyLen], '\r') < 0 {
			return
		}
		if !in.more() {
			break
		}
	}
	p := in.pending()
	if len(p) > 0 && in.err == nil {
		p = p[:len(p)-1] // a LF may follow the last CR
	}
	for i, c := range p {
		if c == '\r' {
			in.onlyCR = true
			p[i] = '\n'
		}
	}
}
