package rfc822

import (
	"bytes"
	"io"
	"slices"
	"strings"
)

const (
	maxDepth      = 50      // multiparts and messages around a part
	maxPartHeader = 1 << 20 // bytes
	maxDelimiter  = 1000    // bytes of a delimiter line with its CRLF
)

// walker goes through a body once and plans what must change for it to be sent. It follows
// the MIME structure (RFC 2046 5.1), makes the labels of its parts true, and changes the content of those
// leaves only that can't go as they are.
//
// What is below a multipart/signed or multipart/encrypted (RFC 1847) stays as it is, wrong labels
// and all. It keeps lines that are too long: relays are known to pass them, while a new encoding would break the
// signature for sure. What can't be carried at all, NUL or 8-bit text to a server without 8BITMIME,
// breaks the signature if the signed part has it, and the walker says so.
type walker struct {
	plan     *plan
	sevenBit bool   // bytes over 127 can't go
	charset  string // of the first text that names one
	// encodeParts encodes 8-bit text in parts of a multipart; covered is set in a message within the
	// message that bears a signature in its header.
	encodeParts, covered bool

	frames []frame
	opened []container
	depth  int // multiparts and messages around the current part
	leaf   leaf

	inHead bool   // in the header of a part
	inner  bool   // which is that of a message
	head   []byte // that header so far
	headAt int64
	digest bool // the part is a message unless it says otherwise

	body            io.ReaderAt
	err             error // of reading it
	brokenSignature bool  // one that may not break
	brokenInside    bool  // one of a message within the message
	anySigned       bool  // there is a multipart/signed
}

// frame is an open multipart.
type frame struct {
	delimiter string // two hyphens and the boundary
	digest    bool
	signed    bool
	sealed    bool // signed or encrypted
	covered   bool // the walker's, around it
	parts     int
	depth     int // around it
}

// leaf is a run of bytes without structure: the content of a part, or the text before or
// after the parts of a multipart.
type leaf struct {
	header  *Header // nil for text beside parts
	headAt  int64   // where the header begins; -1 for the message itself
	at      int64   // where the content begins
	badHead bool    // the header can't go as it is
	rawHigh bool    // it has bytes over 127 and goes as it is all the same
	sealed  bool
	message bool // its header is that of a message within the message
	media   string
	charset string // that it names
	relabel bool   // it says it is a multipart or message, but can't be read as one
	coding  transferEncoding
	base64  base64Check
	facts   facts
	high    highBytes // of what is not UTF-8
}

// walk plans the body of a message with the header top, which it edits. Sections whose facts are known are not read.
func (w *walker) walk(top *Header, size int64, known outline) error {
	w.leaf = leaf{header: top, headAt: -1}
	w.enter()
	lines := newLineReader(w.body, size)
	for !w.plan.full() {
		if s := known.at(lines.pos()); s != nil && !w.inHead {
			w.section(s)
			lines.seek(s.to)
			continue
		}
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
		return w.err
	}
	w.close(size, true)
	w.plan.copyTo(size)
	return w.err
}

// section follows text whose facts are known.
func (w *walker) section(s *section) {
	w.leaf.facts.merge(&s.facts)
	if w.leaf.coding == encodingBase64 {
		w.each(s.from, min(s.to, s.from+2*enough), w.leaf.base64.add)
	}
}

// each gives lines of the body to a function once more.
func (w *walker) each(from, to int64, do func(piece)) {
	lines := &lineReader{r: w.body, off: from, end: to, buf: make([]byte, min(to-from, pieceSize))}
	for w.err == nil {
		p, err := lines.next()
		if err == io.EOF {
			return
		}
		if w.err = err; err == nil {
			do(p)
		}
	}
}

// delimiter reports whether the line is a delimiter of an open multipart, and follows it.
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
		w.covered = f.covered
		if rest == "--" {
			w.leave(f.depth)
			w.frames = w.frames[:i]
			w.leaf = leaf{at: after}
			return true
		}
		f.parts++
		w.leave(f.depth + 1)
		w.frames = w.frames[:i+1]
		w.openHead(after, f.digest)
		return true
	}
	return false
}

// text follows a line, or a part of one, that is not a delimiter.
func (w *walker) text(p piece) {
	if !w.inHead {
		if w.leaf.coding == encodingBase64 {
			w.leaf.base64.add(p)
		}
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
	w.inHead, w.inner, w.headAt, w.digest = true, false, at, digest
	w.head = w.head[:0]
}

// openPart begins the content of the part whose header was read.
func (w *walker) openPart(at int64) {
	w.inHead = false
	sealed := w.sealed()
	high := hasEightBit(w.head)
	w.leaf = leaf{
		header: ParseHeader(w.head),
		headAt: w.headAt,
		at:     at,
		sealed: sealed, message: w.inner,
		badHead: high && (w.sevenBit || !sealed) || bytes.IndexByte(w.head, 0) >= 0 ||
			!w.signed() && longestLine(w.head) > maxLine,
	}
	w.covered = w.covered || covered(w.leaf.header)
	w.leaf.rawHigh = high && !w.leaf.badHead
	if w.leaf.badHead && w.signed() {
		w.brokenSignature = true
	}
	w.enter()
}

// signed reports whether a signature covers the current part.
func (w *walker) signed() bool {
	return slices.ContainsFunc(w.frames, func(f frame) bool { return f.signed && f.parts == 1 })
}

// sealed reports whether the current part is below one that is signed or encrypted.
func (w *walker) sealed() bool {
	return slices.ContainsFunc(w.frames, func(f frame) bool { return f.sealed })
}

// enter looks at the header of the leaf, which may turn out to be no leaf.
func (w *walker) enter() {
	l := &w.leaf
	value, _ := l.header.Get("Content-Type")
	ct := parseContentType(value)
	value, _ = l.header.Get("Content-Transfer-Encoding")
	l.coding = parseTransferEncoding(value)
	l.media, l.charset = ct.media, ct.charset
	if l.media == "" { // RFC 2045 5.2, RFC 2046 5.1.5
		l.media = "text/plain"
		if w.digest {
			l.media = "message/rfc822"
		}
	}
	if w.charset == "" && strings.HasPrefix(l.media, "text/") && kindOf(l.charset) != charsetUnknown {
		w.charset = l.charset
	}
	multipart := strings.HasPrefix(l.media, "multipart/")
	message := l.media == "message/rfc822" && l.coding == encodingIdentity
	switch {
	case multipart && ct.hasBoundary() && w.depth < maxDepth:
		w.container()
		w.anySigned = w.anySigned || l.media == "multipart/signed"
		w.frames = append(w.frames, frame{
			delimiter: "--" + strings.TrimRight(ct.boundary, " \t"),
			digest:    l.media == "multipart/digest",
			signed:    l.media == "multipart/signed",
			sealed:    l.media == "multipart/signed" || l.media == "multipart/encrypted",
			covered:   w.covered,
			depth:     w.depth,
		})
		w.depth++
		w.leaf = leaf{at: l.at}
	case message && w.depth < maxDepth:
		w.container()
		w.depth++
		w.openHead(l.at, false)
		w.inner = true
	default:
		l.relabel = multipart || message
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
	if l.header == nil {
		if bad {
			w.plan.copyTo(l.at)
			w.plan.crude(l.at, end)
		}
		w.eightBit(l.facts.eightBit > 0 && !w.sevenBit)
		return
	}
	if bad && w.signed() {
		w.brokenSignature = true
	}
	if !l.sealed {
		if l.facts.notUTF8 && (l.relabel || strings.HasPrefix(l.media, "text/")) {
			w.each(l.at, end, func(p piece) { l.high |= highInBytes(p.text) })
			l.high |= highNotValid
		}
		bad = l.fix(w.charset) || bad
	}
	stays := !bad || l.folds() && !w.sevenBit
	w.eightBit(stays && (l.rawHigh || l.facts.eightBit > 0))
	w.brokenInside = w.brokenInside || w.covered && (bad || l.badHead && l.headAt >= 0)
	switch {
	case bad && l.folds():
		w.plan.fold(l, end, w.charset)
	case bad:
		w.plan.encode(l, end, last, w.charset)
	case l.badHead:
		w.plan.header(l, w.charset)
	}
}

// encodes reports whether the leaf is 8-bit text that is encoded though it could go.
func (w *walker) encodes(l *leaf) bool {
	return w.encodeParts && l.facts.eightBit > 0 && l.header != nil && l.headAt >= 0 && l.coding == encodingIdentity &&
		strings.HasPrefix(l.media, "text/") && !w.covered && !l.sealed
}

// broken says which signatures below the header do not hold any more. altered: the body may be none that was signed.
func (w *walker) broken(altered bool) (texts []string) {
	if w.anySigned && altered {
		texts = append(texts, "the signature of a part may not hold: a bare CR became a line end, or binary "+
			"content base64")
	}
	if w.brokenInside {
		texts = append(texts, "the signature of a message within the message does not hold after a change of its text")
	}
	return texts
}
