package control

import (
	"bufio"
	"cmp"
	"encoding/json"
	"io"
	"log"

	"o365-sendmail/internal/sysexits"
)

// Flushed is the answer to a flush.
type Flushed struct {
	Messages int `json:"messages"` // that are tried
	// Notes are lines for people: what is probed now, and what is not and why.
	Notes []string `json:"notes,omitempty"`
}

// end is the last line of a stream, and the answer when something fails.
type end struct {
	End   bool   `json:"end"`
	Error string `json:"error,omitempty"`
	Code  int    `json:"code,omitempty"`
	// Of is how many messages a filter was tried at.
	Of int `json:"of,omitempty"`
}

func endOf(err error) end {
	if err == nil {
		return end{End: true}
	}
	return end{End: true, Error: err.Error(), Code: sysexits.Code(err, sysexits.IOErr)}
}

// silent drops what net/http says of clients that break off.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }

// stream is an answer of lines of JSON. The last line is an end, so that a broken stream
// is told from a whole one.
type stream struct {
	a   *answer
	w   *bufio.Writer
	enc *json.Encoder
}

// piece is how much is written under one deadline, in bytes.
const piece = 32 << 10

func (a *answer) stream() *stream {
	a.w.Header().Set("Content-Type", "application/jsonl")
	s := &stream{a: a}
	s.w = bufio.NewWriterSize(timed{a}, piece)
	s.enc = json.NewEncoder(s.w)
	s.enc.SetEscapeHTML(false)
	return s
}

// timed gives each piece its time.
type timed struct{ a *answer }

func (t timed) Write(b []byte) (n int, err error) {
	t.a.moreTime()
	if t.a.scan.held { // whoever reads slowly keeps nobody waiting
		t.a.scan.give()
		defer func() { err = cmp.Or(err, t.a.scan.take()) }()
	}
	return t.a.w.Write(b)
}

func (s *stream) line(v any) error { return s.enc.Encode(v) }

func (s *stream) close(err error) error { return s.end(endOf(err)) }

// end writes the last line. When the reader is gone there is nobody to tell.
func (s *stream) end(e end) error {
	s.a.scan.give()
	_ = s.enc.Encode(e)
	_ = s.w.Flush()
	return nil
}
