package rfc822

import (
	"bytes"
	"io"
)

// lineReader reads the lines of a stored body. A line that does not fit its buffer comes in
// pieces.
type lineReader struct {
	r        io.ReaderAt
	off, end int64 // of what is not yet in buf
	buf      []byte
	lo, hi   int
	begun    bool // the next piece goes on with a line
}

func newLineReader(r io.ReaderAt, size int64) *lineReader {
	return &lineReader{r: r, end: size, buf: make([]byte, min(size, pieceSize))}
}

// piece is a line with its CRLF, or a part of one.
type piece struct {
	text []byte
	off  int64 // of text in the body
	bol  bool  // text begins a line
	eol  bool  // text ends a line
}

// next returns the next piece, which is valid until the next call, and io.EOF at the end.
func (l *lineReader) next() (piece, error) {
	for {
		have := l.buf[l.lo:l.hi]
		if i := bytes.IndexByte(have, '\n'); i >= 0 {
			return l.cut(i+1, true), nil
		}
		switch {
		case l.off == l.end && len(have) == 0:
			return piece{}, io.EOF
		case l.off == l.end:
			return l.cut(len(have), false), nil
		case len(have) == len(l.buf):
			n := len(have)
			if have[n-1] == '\r' {
				n-- // keep CRLF together
			}
			return l.cut(max(n, 1), false), nil
		}
		if err := l.fill(); err != nil {
			return piece{}, err
		}
	}
}

// pos returns where the next piece begins in the body.
func (l *lineReader) pos() int64 { return l.off - int64(l.hi-l.lo) }

// seek goes on with the line that begins at off, which is not before pos.
func (l *lineReader) seek(off int64) {
	l.lo += int(min(off-l.pos(), int64(l.hi-l.lo)))
	if l.lo == l.hi {
		l.off = off
	}
	l.begun = false
}

func (l *lineReader) cut(n int, eol bool) piece {
	p := piece{
		text: l.buf[l.lo : l.lo+n],
		off:  l.pos(),
		bol:  !l.begun,
		eol:  eol,
	}
	l.lo += n
	l.begun = !eol
	return p
}

func (l *lineReader) fill() error {
	l.hi = copy(l.buf, l.buf[l.lo:l.hi])
	l.lo = 0
	room := l.buf[l.hi:]
	if rest := l.end - l.off; int64(len(room)) > rest {
		room = room[:rest]
	}
	if err := readFull(l.r, room, l.off); err != nil {
		return err
	}
	l.hi += len(room)
	l.off += int64(len(room))
	return nil
}

// readFull fills p from off.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return err
}
