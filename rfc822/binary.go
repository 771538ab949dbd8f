package rfc822

import (
	"bytes"
	"strings"
)

// binaryPart writes content that is declared binary as base64 while it comes in, since its bytes are exact and
// the line ends of a message are not (RFC 2045 2.9). It knows no structure but this: a header
// begins behind a line of two hyphens and ends with a blank line, and the content ends where that line comes again.
// Text, messages and multiparts are lines whatever their label says, and are left alone; but text in UTF-16 or UTF-32
// has no lines of bytes (RFC 2046 4.1.1), and is taken for binary.
type binaryPart struct {
	inHead    bool
	delimiter []byte // "" for the message as a whole
	label     []byte // the line that says binary, held back until the header ends
	lines     bool   // the content is of lines
	crlf      bool   // the lines of the header end in CRLF
	typ       []byte // the Content-Type, as far as it is there
	inType    bool   // the next line may continue it
	coded     bool   // a line that names the encoding is written
	wide      bool   // the content is text in UTF-16 or UTF-32

	off bool // something in the message is signed: it stays as it is

	active  bool // in the content
	midLine bool
	eol     string // the line end that is written if the content goes on behind it
	enc     base64Encoder
	rest    []byte // bytes that do not fill a line of base64
}

// header follows the lines of the body that are not binary content. It reports whether the line is to be kept
// back, and what has to be written before it.
func (b *binaryPart) header(line []byte, crlf bool) (keep bool, before []byte) {
	switch {
	case b.off:
	case bytes.HasPrefix(line, []byte("--")) && len(line) <= maxDelimiter:
		before = b.label
		*b = binaryPart{inHead: true, lines: true, crlf: crlf,
			delimiter: append(b.delimiter[:0], bytes.TrimRight(line, " \t")...)}
	case !b.inHead:
	case len(line) == 0:
		b.inHead = false
		if before = b.label; before != nil && !b.lines || b.wide {
			before, b.active = []byte("Content-Transfer-Encoding: base64"), true
		}
		b.label = nil
	case b.label == nil && b.holds(line):
		b.label = bytes.Clone(line)
		return true, nil
	default:
		b.contentType(line)
		if fieldName(line) == 0 && !isBlank(line[0]) { // the header ends before it
			before, b.label, b.inHead = b.label, nil, false
		}
	}
	return false, before
}

// holds reports whether a line is a label that another may have to replace.
func (b *binaryPart) holds(line []byte) bool {
	value := encodingOf(line)
	if value == "binary" || (value == "7bit" || value == "8bit") && b.charset() != "" {
		return true
	}
	b.coded = b.coded || value != ""
	return false
}

// encodingOf returns what a line says that is the field of the encoding, in lower case.
func encodingOf(line []byte) string {
	const name = "Content-Transfer-Encoding"
	if len(line) <= len(name) || !equalFold(line[:len(name)], name) {
		return ""
	}
	value, found := strings.CutPrefix(strings.TrimLeft(string(line[len(name):]), " \t"), ":")
	if !found {
		return ""
	}
	return strings.ToLower(strings.Trim(value, " \t"))
}

// charset returns the charset of a text whose characters have two or four bytes, "" if it is in another.
func (b *binaryPart) charset() string {
	ct := parseContentType(string(b.typ))
	if b.off || b.coded || !strings.HasPrefix(ct.media, "text/") || kindOf(ct.charset) != charsetWide {
		return ""
	}
	return ct.charset
}

// look looks at what follows the blank line that ends a header. It reports false if more of it is needed.
func (b *binaryPart) look(content []byte, final bool) bool {
	const enough = 512
	if !b.inHead || len(b.typ) == 0 || b.charset() == "" {
		return true
	}
	content, _, whole := bytes.Cut(content, []byte("\n--"))
	if !whole && !final && len(content) < enough {
		return false
	}
	b.wide = bytes.IndexByte(content[:min(len(content), enough)], 0) >= 0
	return true
}

// contentType looks at a line of a header that may be a Content-Type.
func (b *binaryPart) contentType(line []byte) {
	const name = "Content-Type"
	if isBlank(line[0]) && b.inType {
		b.typ = append(b.typ, line...)
		return
	}
	b.inType = len(line) > len(name) && equalFold(line[:len(name)], name)
	if !b.inType {
		return
	}
	_, value, _ := strings.Cut(string(line), ":")
	b.typ = append(b.typ[:0], value...)
	b.declare(parseContentType(value).media)
}

func (b *binaryPart) declare(media string) {
	b.lines = media == "" || strings.HasPrefix(media, "text/") || strings.HasPrefix(media, "message/") ||
		strings.HasPrefix(media, "multipart/")
	b.off = b.off || media == "multipart/signed"
}

// feed takes a piece of content and appends what can be written of it to out. It returns how much it used, which
// is less than all where a line is not yet there as a whole, and where the content ends: the delimiter is not used.
// final says that nothing follows.
func (b *binaryPart) feed(out, p []byte, final bool) (_ []byte, used int) {
	for used < len(p) {
		line, eol := p[used:], ""
		n := len(line)
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line, eol, n = line[:i], "\n", i+1
			if bytes.HasSuffix(line, []byte("\r")) {
				line, eol = line[:i-1], "\r\n"
			}
		} else if !final {
			if !b.midLine && len(line) <= maxDelimiter || len(line) < 2 {
				return out, used
			}
			n-- // a CR may belong to the line end
			line = line[:n]
		}
		if !b.midLine && b.endsAt(line) {
			if b.eol == "\r\n" && !b.crlf {
				out = b.write(out, "\r")
			}
			b.eol = ""
			return b.finish(out), used
		}
		out = b.write(out, b.eol)
		out = b.write(out, string(line))
		b.eol, b.midLine = eol, eol == "" && !final
		used += n
	}
	if final {
		out = b.finish(out)
	}
	return out, used
}

// endsAt reports whether a line is the delimiter that ends the content.
func (b *binaryPart) endsAt(line []byte) bool {
	rest, ok := bytes.CutPrefix(bytes.TrimRight(line, " \t\r"), b.delimiter)
	return ok && len(b.delimiter) > 0 && (len(rest) == 0 || string(rest) == "--")
}

func (b *binaryPart) write(out []byte, text string) []byte {
	b.rest = append(b.rest, text...)
	out, used := b.enc.encode(out, b.rest, false)
	b.rest = append(b.rest[:0], b.rest[used:]...)
	return out
}

// finish writes what is left of the content, and ends its last line.
func (b *binaryPart) finish(out []byte) []byte {
	out = b.write(out, b.eol)
	out, _ = b.enc.encode(out, b.rest, true)
	if b.enc.begun {
		out = append(out, '\r', '\n')
	}
	*b = binaryPart{}
	return out
}
