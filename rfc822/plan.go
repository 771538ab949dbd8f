package rfc822

import (
	"io"
	"slices"
	"strings"
)

// maxChanges bounds the parts of a message that are changed, and so the memory of a plan. What
// follows the last of them is made to fit by the cruder.
const maxChanges = 20_000

// plan is how to send a body: stored bytes as they are, stored bytes through an
// encoder, and new text such as the changed headers of parts.
type plan struct {
	segments []segment
	literals []byte
	copied   int64 // the stored body is planned up to here
	changes  int
	sevenBit bool
	topEdit  bool // the message's own header was changed
	eightBit bool // bytes over 127 are among those that go as they are
}

type segmentKind uint8

const (
	segCopy segmentKind = iota
	segLiteral
	segQP
	segSoften
	segBase64
	segRewrap
	segCrude
)

// segment is the bytes from:to of the stored body, or of the literals.
type segment struct {
	from, to int64
	kind     segmentKind
}

func (p *plan) full() bool { return p.changes >= maxChanges }

func (p *plan) copyTo(end int64) {
	if end > p.copied {
		p.segments = append(p.segments, segment{p.copied, end, segCopy})
		p.copied = end
	}
}

func (p *plan) literal(text []byte) {
	from := int64(len(p.literals))
	p.literals = append(p.literals, text...)
	p.segments = append(p.segments, segment{from, int64(len(p.literals)), segLiteral})
}

// change plans the stored bytes from:to through an encoder.
func (p *plan) change(kind segmentKind, from, to int64) {
	p.changes++
	p.segments = append(p.segments, segment{from, to, kind})
	p.copied = to
}

func (p *plan) crude(from, to int64) { p.change(segCrude, from, to) }

// header plans the leaf's header as it is now. charset is the message's.
func (p *plan) header(l *leaf, charset string) {
	if l.headAt < 0 {
		p.topEdit = true
		return
	}
	p.changes++
	p.copyTo(l.headAt)
	p.literal(l.headText(charset))
	p.copied = l.at
}

// insertHeader does so for a header that may be planned already, as bytes that go as they are.
func (p *plan) insertHeader(l *leaf, charset string) {
	if l.headAt < 0 || l.headAt >= p.copied {
		p.header(l, charset)
		return
	}
	i := len(p.segments) - 1
	for i >= 0 && (p.segments[i].kind != segCopy || p.segments[i].from > l.headAt) {
		i--
	}
	if i < 0 || p.segments[i].to < l.at {
		return // it was made to fit by the cruder
	}
	p.changes++
	s := p.segments[i]
	tail := slices.Clone(p.segments[i+1:])
	p.segments = p.segments[:i]
	for _, part := range [...]segment{{s.from, l.headAt, segCopy}, {}, {l.at, s.to, segCopy}} {
		if part == (segment{}) {
			p.literal(l.headText(charset))
		} else if part.to > part.from {
			p.segments = append(p.segments, part)
		}
	}
	p.segments = append(p.segments, tail...)
}

// headText returns the leaf's header as it goes out.
func (l *leaf) headText(charset string) []byte {
	if l.charset != "" {
		charset = l.charset
	}
	if l.message {
		l.header.supplyMIMEVersion()
	}
	var text []byte
	for _, f := range l.header.fields {
		text, _ = f.appendWire(text, charset)
	}
	return append(text, '\r', '\n')
}

// fold plans the leaf with its lines folded.
func (p *plan) fold(l *leaf, end int64, charset string) {
	if l.badHead {
		p.header(l, charset)
	}
	p.copyTo(l.at)
	p.crude(l.at, end)
}

// encode plans the leaf in an encoding, and its header to say so.
func (p *plan) encode(l *leaf, end int64, last bool, charset string) {
	kind := segRewrap
	switch l.coding {
	case encodingQP:
		kind = segSoften
		l.redeclare("quoted-printable")
	case encodingIdentity:
		kind = p.label(l)
	default:
		l.redeclare("base64")
	}
	p.header(l, charset)
	p.copyTo(l.at)
	p.change(kind, l.at, end)
	if last && end > l.at && (kind == segBase64 || kind == segRewrap) {
		p.literal([]byte("\r\n")) // no delimiter follows to bring it
	}
}

// redeclare says the encoding once more in the plain form if blanks stand between its name and
// the colon. The old syntax is to be read like the plain one (RFC 5322 4.5), and so is what its
// author meant, but some readers pass over it. Where nothing has to change, it goes
// as it came. A changed content is sent for one reading, so all have to find it.
func (l *leaf) redeclare(encoding string) {
	const name = "Content-Transfer-Encoding"
	for _, f := range l.header.fields {
		if f.is(name) && len(f.raw) > f.name && f.raw[f.name] != ':' {
			l.header.Set(name, encoding)
			return
		}
	}
}

// label chooses an encoding and declares it.
func (p *plan) label(l *leaf) segmentKind {
	h, f := l.header, &l.facts
	text := strings.HasPrefix(l.media, "text/") || strings.HasPrefix(l.media, "message/") || l.relabel
	if text && !f.dense() {
		h.Set("Content-Transfer-Encoding", "quoted-printable")
		return segQP
	}
	h.Set("Content-Transfer-Encoding", "base64")
	return segBase64
}

// encoder returns the encoder of a segment, nil for bytes that go as they are.
func (p *plan) encoder(kind segmentKind) encoder {
	switch kind {
	case segQP:
		return &qpEncoder{}
	case segSoften:
		return &qpSoftener{}
	case segBase64:
		return &base64Encoder{}
	case segRewrap:
		return &base64Wrapper{}
	case segCrude:
		return &cruder{sevenOnly: p.sevenBit}
	}
	return nil
}

// measure returns what the plan gives: its bytes, and whether any is over 127. It does not read what goes as it is.
func (p *plan) measure(body io.ReaderAt) (size int64, eightBit bool, err error) {
	r := planReader{plan: p, body: body}
	eightBit = p.eightBit
	for {
		if s, ok := r.atCopy(); ok {
			size += s.to - s.from
			r.skip()
			continue
		}
		b, err := r.next()
		if err == io.EOF {
			return size, eightBit, nil
		}
		if err != nil {
			return 0, false, err
		}
		size += int64(len(b))
		eightBit = eightBit || hasEightBit(b)
	}
}
