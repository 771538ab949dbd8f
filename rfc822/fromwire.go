package rfc822

import (
	"bytes"
	"errors"
	"io"
)

// ErrNotWire is returned for a stored message that is not in wire form.
var ErrNotWire = errors.New("the stored message is not in wire form: it was damaged or changed")

// FromWire takes a stored message in wire form, such as a Wire wrote, in order to send it again
// under other conditions. The body is read once and not copied: r must stay
// open as long as the message is used. Closing the message does not close r.
func FromWire(r io.ReaderAt, size int64) (*Message, error) {
	counted := &countingReader{r: io.NewSectionReader(r, 0, size)}
	in := newInput(counted, false)
	s := headerScanner{in: in, max: defaultMaxHeader}
	if err := s.scan(); err != nil {
		if _, large := err.(*TooLargeError); large {
			return nil, err
		}
		return nil, bodyError(err)
	}
	at := counted.n - int64(len(in.pending()))
	if at != int64(len(s.raw)+len("\r\n")) {
		return nil, ErrNotWire
	}
	body := io.NewSectionReader(r, at, size-at)
	info, err := inspect(body, size-at)
	if err != nil {
		return nil, err
	}
	return &Message{Header: s.header(), body: body, info: info, close: func() error { return nil }}, nil
}

// countingReader counts what was read.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// inspect gathers the facts of a stored body and checks that it is in wire form.
func inspect(r io.ReaderAt, size int64) (BodyInfo, error) {
	var f facts
	var h hints
	w := watch{hints: &h}
	whole := true
	for lines := newLineReader(r, size); ; {
		p, err := lines.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return BodyInfo{}, bodyError(err)
		}
		text, ended := bytes.CutSuffix(p.text, []byte("\r\n"))
		if ended != p.eol || bytes.IndexByte(text, '\r') >= 0 {
			return BodyInfo{}, ErrNotWire
		}
		whole = p.eol
		if p.eol {
			w.line(text)
		} else {
			w.begin(text)
		}
		f.add(p)
	}
	if !whole {
		return BodyInfo{}, ErrNotWire
	}
	return BodyInfo{
		Size: size, Lines: f.lines, LongestLine: f.longest, EightBit: f.eightBit > 0, NUL: f.nul > 0, hints: h,
	}, nil
}
