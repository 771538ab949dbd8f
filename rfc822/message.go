package rfc822

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// ReadOptions says how to read a message.
type ReadOptions struct {
	NeedsTo   bool   // the recipients are in its header: it has one, and blank lines before it go (sendmail -t)
	DotEnds   bool   // a line of a single dot ends the message (sendmail without -i)
	MaxSize   int64  // bytes in wire form; 0 means no limit
	MaxHeader int64  // bytes; 0 means 8 MiB
	Memory    int    // bytes of the body kept in memory; 0 means 256 KiB
	TempDir   string // where the rest is kept; "" means os.TempDir
	// InPlace leaves a body that would not stay in memory unread where it is, if r is a regular file: for a Wire AsIs.
	InPlace bool
	Budget  Budget // asked for memory; nil means that there is enough
	// Keep is asked for a place for what stands behind the header and the first bytes of the body, "before" in number,
	// in place of TempDir; it must not keep the header. It may be nil, and so may what it returns.
	Keep func(h *Header, before int64) Rest
}

// Budget is memory that messages share which are read at the same time. Whoever owns it knows when a
// message is closed, and takes back what it got.
type Budget interface {
	// Header takes n more bytes for a header, or says why there are none, which ends the reading.
	Header(n int64) error
	// Body reports whether there are n bytes for the buffers of a body, and takes them. Without them
	// the body is read in small pieces and kept in a file.
	Body(n int64) bool
}

// Message is a header that can be changed and a body that can't.
type Message struct {
	Header *Header

	body    io.ReaderAt // wire form
	info    BodyInfo
	outline outline
	signed  []Field // as they came, if a signature in the header covers some of them
	close   func() error
}

// Body returns what was seen of the body while it came in.
func (m *Message) Body() BodyInfo { return m.info }

// MarkAltered says that the body was altered before it was read here.
func (m *Message) MarkAltered() { m.info.Altered = true }

// Size returns the size of the message in wire form, as its header is now, in bytes.
func (m *Message) Size() int64 { return int64(m.Header.size()+len("\r\n")) + m.info.Size }

// Close gives back what the body needs. No Wire of the message can be read afterwards.
func (m *Message) Close() error { return m.close() }

// Read reads a message from r, up to its end or the line of a single dot that ends it.
//
// It never refuses odd input; input without a byte is a message without header and body. A "From " or ">From " line of
// an mbox at the very beginning is dropped. The header ends with a blank line, or before a line that can be no part of
// one. NUL is removed from the header and kept in the body. Line ends of any kind become CRLF, and a last line without
// one gets it. In a header whose lines end in LF, a bare CR is a space.
//
// Errors are *TooLargeError, and what reading r, keeping the body or asking the Budget met.
func Read(r io.Reader, o ReadOptions) (*Message, error) {
	if o.MaxSize <= 0 {
		o.MaxSize = math.MaxInt64
	}
	if o.MaxHeader <= 0 {
		o.MaxHeader = defaultMaxHeader
	}
	if o.Memory <= 0 {
		o.Memory = defaultMemory
	}
	in := plainInput(newInput(r, o.Budget != nil))
	s := headerScanner{in: in, dotEnds: o.DotEnds, begins: o.NeedsTo, max: min(o.MaxHeader, o.MaxSize),
		budget: o.Budget, cost: freeHeader}
	if err := s.scan(); err != nil {
		if large, ok := err.(*TooLargeError); ok {
			if o.MaxSize <= o.MaxHeader {
				large.What = "message"
			}
			return nil, err
		}
		return nil, readError(err)
	}
	return readBody(&s, o)
}

func readError(err error) error { return fmt.Errorf("reading the message: %w", err) }

// readBody reads what stands behind the header.
func readBody(s *headerScanner, o ReadOptions) (*Message, error) {
	b := &bodyReader{
		keep:    &store{memory: o.Memory, piece: pieceSize, dir: o.TempDir},
		budget:  o.Budget,
		dotEnds: o.DotEnds,
		ended:   s.dot,
	}
	b.watch.hints = &b.info.hints
	header := s.header()
	var signed []Field
	if covered(header) {
		signed = header.Fields()
	}
	in, wide := s.in, false
	if !b.ended {
		in, wide = plainBody(in, header)
	}
	room := o.MaxSize - int64(len(s.raw)) - int64(len("\r\n"))
	if o.InPlace && !b.ended && !wide {
		if rest := placed(in, int64(o.Memory), room, o.DotEnds); rest != nil {
			return &Message{Header: header, body: rest, close: b.keep.Close,
				info: BodyInfo{Size: rest.Size(), EightBit: true, Unread: true}}, nil
		}
	}
	b.info.Altered = wide
	b.begin(header)
	if o.Keep != nil {
		b.keep.keep = func(before int64) Rest { return o.Keep(header, before) }
	}
	if err := b.readAll(in, room); err != nil {
		if large, ok := err.(*TooLargeError); ok {
			large.Limit = o.MaxSize
		}
		return nil, errors.Join(err, b.keep.Close())
	}
	return &Message{Header: header, body: b.keep, info: b.info, outline: b.outline, signed: signed,
		close: b.keep.Close}, nil
}

// begin looks at the header, which may declare the body binary.
func (b *bodyReader) begin(h *Header) {
	value, _ := h.Get("Content-Type")
	b.binary.declare(parseContentType(value).media)
	b.binary.off = b.binary.off || b.dotEnds // a dot counts wherever it stands
	label, _ := h.Get("Content-Transfer-Encoding")
	if strings.EqualFold(label, "binary") && !b.binary.lines && !b.binary.off && !b.ended {
		b.binary.active = true
		b.info.Altered = true
		h.Set("Content-Transfer-Encoding", "base64")
	}
}

// readAll reads up to the end, or until the body passes room bytes.
func (b *bodyReader) readAll(in *input, room int64) error {
	final := false // nothing can be read behind what is pending
	for !b.ended && (len(in.pending()) > 0 || in.more()) {
		b.ask(in)
		used := b.feed(in.pending(), final)
		in.take(used)
		if used == 0 {
			final = !in.more()
		}
		if err := b.flush(room, false); err != nil {
			return err
		}
	}
	b.info.CutAtDot = b.info.CutAtDot || b.ended && len(in.pending()) > 0
	if !b.ended {
		if err := in.failure(); err != nil {
			return readError(err)
		}
		b.finish()
	}
	b.info.Altered = b.info.Altered || b.bareCR && !in.onlyCR
	b.endSection()
	return b.flush(room, true)
}

// ask asks for the buffers of a body that is not small.
func (b *bodyReader) ask(in *input) {
	if b.budget == nil || b.keep.size < smallPiece {
		return
	}
	if b.budget.Body(2*pieceSize + int64(b.keep.memory)) {
		in.enlarge()
	} else {
		b.keep.memory, b.keep.piece = len(b.keep.mem), smallPiece
	}
	b.budget = nil
}

// flush hands out to the store.
func (b *bodyReader) flush(room int64, final bool) error {
	b.scan()
	if b.keep.size+int64(len(b.out)) > room {
		return &TooLargeError{What: "message"}
	}
	n, err := b.keep.write(b.out, final)
	if err != nil {
		return err
	}
	b.out = append(b.out[:0], b.out[n:]...)
	b.scanned = len(b.out)
	b.info.Size = b.keep.size
	return nil
}

// ParseHeader parses a header that stands alone, with line ends of any kind. It never fails; what
// follows a blank line, or a line that can't belong to a header, is left out.
func ParseHeader(b []byte) *Header {
	s := headerScanner{in: newBytesInput(append([]byte(nil), b...)), max: math.MaxInt64}
	_ = s.scan() // neither the input nor the limit can fail
	return s.header()
}
