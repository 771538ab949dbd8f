package rfc822

import (
	"bytes"
	"io"
	"strings"
)

const (
	maxDepth      = 50      // multiparts and messages around a part
	maxPartHeader = 1 << 20 // octets
	maxDelimiter  = 1000    // octets of a delimiter line with its CRLF
)

// walker goes through a body once and plans what must change for it to be sent. It follows
// the MIME structure (RFC 2046 5.1) and changes only the leaves that can't go as they are.
//
// The first part of a multipart/signed (RFC 1847) is what the signature covers. It keeps lines
// that are too long: relays are known to pass them, while a new encoding would break the signature for
// sure. What can't be carried at all, NUL or 8-bit text to a server without 8BITMIME,
// is encoded there too.
type walker struct {
	plan     *plan
	sevenBit bool // octets over 127 can't go
	// encodeParts encodes 8-bit text in parts of a multipart; sealed is set in a message within the
	// message that bears a signature.
	encodeParts, sealed bool

	frames []frame
	depth  int // multiparts and messages around the current part
	leaf   leaf

	inHead bool   // in the header of a part
	head   []byte // that header so far
	headAt int64
	digest bool // the part is a message unless it says otherwise
}

// frame is an open multipart.
type frame struct {
	delimiter string // two hyphens and the boundary
	digest    bool
	signed    bool
	sealed    bool // the walker's, around it
	parts     int
	depth     int // around it
}

// leaf is a run of octets without structure: the content of a part, or the text before or
// after the parts of a multipart.
type leaf struct {
	header  *Header // nil for text beside parts
	headAt  int64   // where the header begins; -1 for the message itself
	at      int64   // where the content begins
	badHead bool    // the header can't go as it is
	media   string
	relabel bool // it says it is a multipart or message, but can't be read as one
	coding  transferEncoding
	facts   facts
}

// walk plans the body of a message with the header top, which it edits.
func (w *walker) walk(top *Header, r io.ReaderAt, size int64) error {
	w.leaf = leaf{header: top, headAt: -1}
	w.enter()
	lines := newLineReader(r, size)
	for !w.plan.full() {
		p, err := lines.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if !w.delimiter(p) {
			w.text(p)
		}
	}
	if w.plan.full() {
		w.plan.crude(w.plan.copied, size)
		return nil
	}
	w.close(size, true)
	w.plan.copyTo(size)
	return nil
}

// delimiter tells whether the line is a delimiter of an open multipart, and follows it.
func (w *walker) delimiter(p piece) bool {
	if !p.bol || !p.eol || len(p.text) > maxDelimiter || !bytes.HasPrefix(p.text, []byte("--")) {
		return false
	}
	line := strings.TrimRight(string(p.text), " \t\r\n")
	for i := len(w.frames) - 1; i >= 0; i-- {
		rest, ok := strings.CutPrefix(line, w.frames[i].delimiter)
		if !ok || rest != "" && rest != "--" {
			continue
		}
		w.close(p.off-int64(len("\r\n")), false) // the line end before it belongs to it
		f := &w.frames[i]
		after := p.off + int64(len(p.text))
		w.sealed = f.sealed
		if rest == "--" {
			w.depth = f.depth
			w.frames = w.frames[:i]
			w.leaf = leaf{at: after}
			return true
		}
		f.parts++
		w.depth = f.depth + 1
		w.frames = w.frames[:i+1]
		w.openHead(after, f.digest)
		return true
	}
	return false
}

// text follows a line, or a part of one, that is no delimiter.
func (w *walker) text(p piece) {
	if !w.inHead {
		w.leaf.facts.add(p)
		return
	}
	line := bytes.TrimRight(p.text, "\r\n")
	switch {
	case p.bol && p.eol && len(line) == 0:
		w.openPart(p.off + int64(len(p.text)))
	case p.bol && !w.isHeadLine(line), len(w.head) > maxPartHeader:
		w.openPart(p.off)
		w.text(p)
	default:
		w.head = append(w.head, p.text...)
	}
}

func (w *walker) isHeadLine(line []byte) bool {
	return len(w.head) > 0 && len(line) > 0 && isBlank(line[0]) || fieldName(line) > 0
}

// openHead begins the header of a part, or of a message within a message.
func (w *walker) openHead(at int64, digest bool) {
	w.inHead, w.headAt, w.digest = true, at, digest
	w.head = w.head[:0]
}

// openPart begins the content of the part whose header was read.
func (w *walker) openPart(at int64) {
	w.inHead = false
	w.leaf = leaf{
		header: ParseHeader(w.head),
		headAt: w.headAt,
		at:     at,
		badHead: w.sevenBit && hasEightBit(w.head) || bytes.IndexByte(w.head, 0) >= 0 ||
			!w.signed() && longestLine(w.head) > maxLine,
	}
	w.sealed = w.sealed || sealed(w.leaf.header)
	w.enter()
}

// signed tells whether a signature covers the current part.
func (w *walker) signed() bool {
	for _, f := range w.frames {
		if f.signed && f.parts == 1 {
			return true
		}
	}
	return false
}

// enter looks at the header of the leaf, which may turn out to be no leaf.
func (w *walker) enter() {
	l := &w.leaf
	value, _ := l.header.Get("Content-Type")
	ct := parseContentType(value)
	value, _ = l.header.Get("Content-Transfer-Encoding")
	l.coding = parseTransferEncoding(value)
	l.media = ct.media
	if l.media == "" { // RFC 2045 5.2, RFC 2046 5.1.5
		l.media = "text/plain"
		if w.digest {
			l.media = "message/rfc822"
		}
	}
	multipart := strings.HasPrefix(l.media, "multipart/")
	message := l.media == "message/rfc822" && l.coding == encodingIdentity
	const longest = 250 // RFC 2046 allows 70
	switch {
	case multipart && ct.boundary != "" && len(ct.boundary) <= longest && isASCII(ct.boundary) && w.depth < maxDepth:
		w.container()
		w.frames = append(w.frames, frame{
			delimiter: "--" + strings.TrimRight(ct.boundary, " \t"),
			digest:    l.media == "multipart/digest",
			signed:    l.media == "multipart/signed",
			sealed:    w.sealed,
			depth:     w.depth,
		})
		w.depth++
		w.leaf = leaf{at: l.at}
	case message && w.depth < maxDepth:
		w.container()
		w.depth++
		w.openHead(l.at, false)
	default:
		l.relabel = multipart || message
	}
}

// container mends the header of a multipart or message. These have no encoding of their
// own, but their label must not promise more than is sent (RFC 2045 6.4).
func (w *walker) container() {
	l := &w.leaf
	label, _ := l.header.Get("Content-Transfer-Encoding")
	fit := "8bit"
	if w.sevenBit {
		fit = "7bit"
	}
	wrong := strings.EqualFold(label, "binary") || w.sevenBit && strings.EqualFold(label, "8bit")
	if wrong && !w.signed() {
		l.header.Set("Content-Transfer-Encoding", fit)
		l.badHead = true
	}
	if l.badHead {
		w.plan.header(l)
	}
}

// close ends the leaf, whose content goes up to end.
func (w *walker) close(end int64, last bool) {
	for w.inHead { // the part ends with its header
		at := end
		if !last {
			at += int64(len("\r\n"))
		}
		w.openPart(at)
	}
	l := &w.leaf
	end = max(end, l.at)
	bad := l.facts.nul > 0 || w.sevenBit && l.facts.eightBit > 0 ||
		l.facts.longest > maxLine && !w.signed() || w.encodes(l)
	switch {
	case l.header == nil:
		if bad {
			w.plan.copyTo(l.at)
			w.plan.crude(l.at, end)
		}
	case bad:
		w.plan.encode(l, end, last)
	case l.badHead:
		w.plan.header(l)
	}
}

// encodes reports whether the leaf is 8-bit text that is encoded though it could go.
func (w *walker) encodes(l *leaf) bool {
	return w.encodeParts && l.facts.eightBit > 0 && l.header != nil && l.headAt >= 0 && l.coding == encodingIdentity &&
		strings.HasPrefix(l.media, "text/") && !w.sealed && !w.signed()
}
