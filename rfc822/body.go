package rfc822

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// BodyInfo tells what was seen of a body while it came in.
type BodyInfo struct {
	Size        int64 // bytes in wire form
	Lines       int64
	LongestLine int64 // bytes without CRLF
	EightBit    bool  // bytes over 127
	NUL         bool
	Altered     bool // a bare CR became a line end, or binary content base64, which a signature may cover
	CutAtDot    bool // a line of a single dot ended the message, and more was already there
	Unread      bool // it was left where it is: Size is that of the file, and it may have bytes over 127
	hints       hints
}

// bodyReader normalises line ends and hands the text to a store. CRLF, LF and a bare CR each
// end a line; CRs right before a LF belong to that one line end, so that CR CR LF,
// which a doubled conversion makes, is one.
type bodyReader struct {
	keep    *store
	budget  Budget // still to be asked; nil for none
	info    BodyInfo
	dotEnds bool
	watch   watch
	binary  binaryPart

	out     []byte // text on its way to the store
	scanned int    // bytes of out that facts knows

	outline   outline
	facts     facts // of the section, or of the header before it
	sectionAt int64 // where that began
	inHead    bool  // it is a header
	lineLen   int64 // bytes of the unfinished line
	bareCR    bool  // a CR ended a line though other lines end in LF
	crlf      bool  // the last line ended in CRLF
	crs       int64 // CRs at the end of the last piece, whose meaning is open
	heldDot   bool  // the unfinished line is a dot that is not yet in out
	ended     bool  // the dot line was met
}

// maxOpenCRs bounds the CRs that can belong to one line end across two pieces.
const maxOpenCRs = 4096

// feed takes a piece of input and returns how much of it was used: less than all when a dot ended the message, and
// unless it is the final one where a line is not yet there as a whole.
func (b *bodyReader) feed(p []byte, final bool) int {
	if b.binary.active {
		return b.feedBinary(p, final)
	}
	rest := p
	b.out = slices.Grow(b.out, len(p)+len(p)/16)
	if b.crs > 0 {
		rest = b.settleCRs(rest)
	}
	hasCR := bytes.IndexByte(rest, '\r') >= 0
	for len(rest) > 0 && !b.ended && !b.binary.active {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			if final || len(rest) > maxDelimiter || b.lineLen > 0 {
				b.tail(rest, hasCR)
				rest = nil
			}
			break
		}
		line := rest[:i]
		if len(bytes.TrimRight(line, "\r")) == 0 && b.lineLen == 0 && !b.binary.look(rest[i+1:], final) {
			break
		}
		rest = rest[i+1:]
		b.crlf = hasCR && i > 0 && line[i-1] == '\r'
		if hasCR {
			line = b.splitCRs(bytes.TrimRight(line, "\r"))
		}
		if b.ended {
			b.info.CutAtDot = true
			break
		}
		b.line(line)
	}
	return len(p) - len(rest)
}

// feedBinary takes a piece of content that is declared binary.
func (b *bodyReader) feedBinary(p []byte, final bool) (used int) {
	from := len(b.out)
	b.out, used = b.binary.feed(b.out, p, final)
	b.info.Lines += int64(bytes.Count(b.out[from:], []byte("\n")))
	return used
}

// settleCRs decides what the CRs before p were.
func (b *bodyReader) settleCRs(p []byte) []byte {
	n := 0
	for n < len(p) && p[n] == '\r' {
		n++
	}
	b.crs += int64(n)
	p = p[n:]
	if len(p) == 0 {
		b.releaseCRs(maxOpenCRs)
		return p
	}
	if p[0] == '\n' {
		b.crs = 1
		p = p[1:]
	} else {
		b.bareCR = true
	}
	b.releaseCRs(0)
	return p
}

// releaseCRs makes a line end of each open CR, but for the last keep ones.
func (b *bodyReader) releaseCRs(keep int64) {
	for ; b.crs > keep && !b.ended; b.crs-- {
		b.line(nil)
	}
}

// splitCRs ends a line at each bare CR and returns what stands after the last one.
func (b *bodyReader) splitCRs(text []byte) []byte {
	for !b.ended {
		i := bytes.IndexByte(text, '\r')
		if i < 0 {
			break
		}
		b.bareCR = true
		b.line(text[:i])
		text = text[i+1:]
	}
	return text
}

// tail takes the beginning of a line whose end is not yet there.
func (b *bodyReader) tail(text []byte, hasCR bool) {
	if hasCR {
		trimmed := bytes.TrimRight(text, "\r")
		crs := int64(len(text) - len(trimmed))
		text = b.splitCRs(trimmed)
		b.crs = crs
	}
	if b.ended {
		b.info.CutAtDot = b.info.CutAtDot || len(text) > 0
		return
	}
	if b.dotEnds && b.lineLen == 0 && !b.heldDot && len(text) == 1 && text[0] == '.' {
		b.heldDot = true
		return
	}
	if len(text) > 0 {
		b.releaseDot()
		if b.lineLen == 0 && text[0] == '-' {
			b.delimiter() // or not: the next byte is not known yet
		}
		b.watch.begin(text)
		b.out = append(b.out, text...)
		b.lineLen += int64(len(text))
	}
}

// line adds text and ends the line.
func (b *bodyReader) line(text []byte) {
	if b.dotEnds && b.lineLen == 0 {
		if b.heldDot && len(text) == 0 || !b.heldDot && len(text) == 1 && text[0] == '.' {
			b.ended = true
			return
		}
		b.releaseDot()
	}
	if b.binary.inHead || len(text) > 1 && text[0] == '-' {
		keep, before := b.binary.header(text, b.crlf)
		b.info.Altered = b.info.Altered || b.binary.active
		if before != nil {
			b.emit(before)
		}
		if keep {
			return
		}
	}
	b.emit(text)
}

// emit writes text and ends the line.
func (b *bodyReader) emit(text []byte) {
	if b.lineLen == 0 && len(text) > 1 && text[0] == '-' && text[1] == '-' {
		b.delimiter()
	}
	b.watch.line(text)
	b.out = append(b.out, text...)
	b.out = append(b.out, '\r', '\n')
	n := b.lineLen + int64(len(text))
	b.facts.longest = max(b.facts.longest, n)
	b.info.Lines++
	b.lineLen = 0
	if n == 0 && b.inHead {
		b.blank()
	}
}

func (b *bodyReader) releaseDot() {
	if b.heldDot {
		b.heldDot = false
		b.out = append(b.out, '.')
		b.lineLen = 1
	}
}

// finish ends the last line. A dot at the very end ends the message like a dot line.
func (b *bodyReader) finish() {
	if b.binary.active { // its last byte was a line end, behind which more might have come
		b.feedBinary(nil, true)
	}
	b.bareCR = b.bareCR || b.crs > 0
	b.releaseCRs(0)
	if !b.ended && b.lineLen > 0 {
		b.line(nil)
	}
	if label := b.binary.label; label != nil {
		b.binary = binaryPart{}
		b.emit(label)
	}
}

// hasEightBit reports whether p has a byte over 127, eight bytes at a time.
func hasEightBit(p []byte) bool {
	for len(p) >= 32 {
		x := binary.LittleEndian.Uint64(p) | binary.LittleEndian.Uint64(p[8:]) |
			binary.LittleEndian.Uint64(p[16:]) | binary.LittleEndian.Uint64(p[24:])
		if x&highBits != 0 {
			return true
		}
		p = p[32:]
	}
	for _, c := range p {
		if c >= 0x80 {
			return true
		}
	}
	return false
}
