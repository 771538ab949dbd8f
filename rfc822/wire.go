package rfc822

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// WireOptions says what the next server can take.
type WireOptions struct {
	AllowEightBit bool // it offers 8BITMIME (RFC 6152)
	// EncodeParts gives 8-bit text in the parts of a multipart an encoding nevertheless, where no signature
	// covers it (RFC 1847, DKIM, ARC): Exchange Online has been seen to damage it.
	EncodeParts bool
	// AsIs leaves the body as it is: the server is one of ours, and looks at it itself.
	AsIs bool
}

// Wire is a message as it goes out, fixed when it was made. It can be read any number of
// times, also at the same time, until its Message is closed.
type Wire struct {
	head     []byte // with the blank line
	plan     plan
	body     io.ReaderAt
	size     int64
	eightBit bool
	smtputf8 bool
	broken   []string
}

// Size returns the bytes of the message.
func (w *Wire) Size() int64 { return w.size }

// EightBit reports whether the body has bytes over 127, and so needs BODY=8BITMIME.
func (w *Wire) EightBit() bool { return w.eightBit }

// SMTPUTF8 reports whether the header has an address that is not ASCII, and so needs the
// extension of that name (RFC 6531).
func (w *Wire) SMTPUTF8() bool { return w.smtputf8 }

// Broken says which signatures of the message do not hold any more, in a sentence for each: it changed what they
// cover. There are none where an error says so.
func (w *Wire) Broken() []string { return w.broken }

// Open returns a reader of the message, which is an io.WriterTo too.
func (w *Wire) Open() (io.ReadCloser, error) {
	return &wireReader{pending: w.head, plan: planReader{plan: &w.plan, body: w.body}}, nil
}

// Kept returns the place of the message's end that ReadOptions.Keep gave, and how many bytes stand before it; nil if
// there is none, or if what lies there does not go as it is.
func (w *Wire) Kept() (end io.ReaderAt, before int64) {
	s, ok := w.body.(*store)
	if !ok || s.file == nil || !slices.Equal(w.plan.segments, []segment{{0, s.size, segCopy}}) {
		return nil, 0
	}
	return s.file, int64(len(w.head) + len(s.mem))
}

// Wire returns the message as it goes out. The body is read for it only if it may not go as it is:
// because of NUL, a line over 998 bytes, 8-bit text, or a label that may not be true. Then the
// parts concerned get true labels, or a transfer encoding (RFC 2045 6). Later changes of the Header do not
// show in it. The error is ErrSignature if a signature would break.
func (m *Message) Wire(o WireOptions) (*Wire, error) {
	w := &Wire{body: m.body, plan: plan{sevenBit: !o.AllowEightBit}}
	top := &Header{fields: m.Header.Fields()}
	charset := m.charset()
	encodeParts := o.EncodeParts && m.info.EightBit && encodable(top)
	changed := m.info.Altered
	if m.mustWalk(o) {
		walk := walker{body: m.body, plan: &w.plan, sevenBit: w.plan.sevenBit, charset: charset,
			encodeParts: encodeParts}
		if err := walk.walk(top, m.info.Size, m.outline); err != nil {
			return nil, bodyError(err)
		}
		if walk.brokenSignature {
			return nil, ErrSignature
		}
		var err error
		if w.size, w.eightBit, err = w.plan.measure(m.body); err != nil {
			return nil, bodyError(err)
		}
		if w.plan.topEdit || w.plan.changes > 0 || w.eightBit {
			top.supplyMIMEVersion()
		}
		charset = walk.charset
		changed = changed || w.plan.changes > 0
		w.broken = walk.broken(m.info.Altered)
	} else {
		w.plan.copyTo(m.info.Size)
		w.size, w.eightBit = m.info.Size, m.info.EightBit
	}
	w.head = make([]byte, 0, top.size()+len("\r\n"))
	for _, f := range top.fields {
		var intl bool
		w.head, intl = f.appendWire(w.head, charset)
		w.smtputf8 = w.smtputf8 || intl
	}
	w.head = append(w.head, '\r', '\n')
	if m.signed != nil {
		w.broken = append(w.broken, brokenSignatures(m.signed, ParseHeader(w.head).fields, changed)...)
	}
	w.size += int64(len(w.head))
	return w, nil
}

// supplyMIMEVersion says 1.0 where labels count that no other version gives a meaning (RFC 2045 4).
func (h *Header) supplyMIMEVersion() {
	value, _ := h.Get("MIME-Version")
	value, _, _ = strings.Cut(value, "(")
	switch {
	case strings.TrimSpace(value) == "1.0":
	case h.Has("MIME-Version"):
		h.Set("MIME-Version", "1.0")
	default:
		h.Append("MIME-Version", "1.0")
	}
}

// encodable reports whether WireOptions.EncodeParts may change the message.
func encodable(top *Header) bool {
	value, _ := top.Get("Content-Type")
	return strings.HasPrefix(parseContentType(value).media, "multipart/") && !covered(top)
}

// charset returns the charset that the header names, "" if it names none.
func (m *Message) charset() string {
	value, _ := m.Header.Get("Content-Type")
	if ct := parseContentType(value); kindOf(ct.charset) != charsetUnknown {
		return ct.charset
	}
	return ""
}

// mustWalk reports whether the body has to be looked at before it can go.
func (m *Message) mustWalk(o WireOptions) bool {
	i := &m.info
	if o.AsIs {
		return false
	}
	if i.NUL || i.Altered || i.LongestLine > maxLine || i.EightBit && !o.AllowEightBit {
		return true
	}
	return i.EightBit || i.hints.odd || m.oddHeader()
}

// oddHeader reports whether the header says something of the body that may not be so, or has raw
// text whose charset the parts may name.
func (m *Message) oddHeader() bool {
	value, typed := m.Header.Get("Content-Type")
	ct := parseContentType(value)
	multipart := strings.HasPrefix(ct.media, "multipart/")
	if multipart && !ct.hasBoundary() || plainType(value) != value {
		return true
	}
	switch label, has := m.Header.encodingLabel(); label {
	case "7bit", "8bit":
	case "quoted-printable":
		if multipart {
			return true
		}
	default:
		if has {
			return true
		}
	}
	if !typed || !multipart {
		return false
	}
	for _, f := range m.Header.fields {
		if hasEightBit(f.raw) && !utf8.Valid(f.raw) {
			return true
		}
	}
	return false
}

func bodyError(err error) error { return fmt.Errorf("reading the kept message: %w", err) }

// wireReader reads a Wire.
type wireReader struct {
	pending []byte
	plan    planReader
	err     error // sticky
}

func (r *wireReader) advance() {
	if r.err != nil {
		return
	}
	r.pending, r.err = r.plan.next()
	if r.err != nil && r.err != io.EOF {
		r.err = bodyError(r.err)
	}
}

// Read implements io.Reader.
func (r *wireReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.pending) == 0 {
		r.advance()
		if r.err != nil {
			return 0, r.err
		}
	}
	n := copy(p, r.pending)
	r.pending = r.pending[n:]
	return n, nil
}

// WriteTo implements io.WriterTo.
func (r *wireReader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for r.err == nil {
		if len(r.pending) > 0 {
			n, err := w.Write(r.pending)
			total += int64(n)
			r.pending = r.pending[n:]
			if err != nil {
				return total, err
			}
		}
		r.advance()
	}
	if r.err == io.EOF {
		return total, nil
	}
	return total, r.err
}

// Close ends the reading.
func (r *wireReader) Close() error {
	r.pending = nil
	r.err = errClosed
	return nil
}

var errClosed = errors.New("the message reader is closed")
