package rfc822

import (
	"bytes"
	"math"
)

const (
	// maxLine is the longest line without its CRLF (RFC 5322 2.1.1).
	maxLine = 998
	// classifyLen is how much of a line is looked at to tell what it is.
	classifyLen = 2 * maxLine
	// defaultMaxHeader bounds a header, in bytes.
	defaultMaxHeader = 8 << 20
	// freeHeader is what any header may take without asking its Budget, and fieldCost what a field
	// takes besides its text, in bytes.
	freeHeader = 16 << 10
	fieldCost  = 64
)

// headerScanner takes a header off an input, field by field.
type headerScanner struct {
	in      *input
	dotEnds bool
	begins  bool  // blank lines before the header go
	max     int64 // bytes
	budget  Budget
	cost    int64 // what the budget knows of
	full    error // why it gives no more

	raw    []byte // the fields, lines ending in CRLF
	starts []int  // where each field begins in raw
	names  []int  // the length of its name
	dot    bool   // a dot ended the whole message
}

type lineKind uint8

const (
	lineBody  lineKind = iota // the header ends before this line
	lineEnd                   // the input ends
	lineBlank                 // the header ends with this line
	lineDot                   // the message ends with this line
	lineFrom                  // mbox separator, to be dropped
	lineField
	lineMore // continues the field
)

// scan reads up to and including the blank line, or up to the first line that can't
// belong to a header.
func (s *headerScanner) scan() error {
	s.in.adoptBareCR()
	s.dropByteOrderMark()
	first := true
	for {
		kind, name := s.classify(first)
		switch kind {
		case lineBody, lineEnd:
			return s.in.failure()
		case lineBlank:
			s.consume(nil)
			if s.begins && len(s.starts) == 0 {
				continue
			}
			return s.in.failure()
		case lineDot:
			s.dot = true
			s.consume(nil)
			return s.in.failure()
		case lineFrom:
			s.consume(nil)
			first = false
			continue
		case lineField:
			s.starts = append(s.starts, len(s.raw))
			s.names = append(s.names, name)
		}
		first = false
		s.consume(&s.raw)
		if s.full != nil || !s.grow(len("\r\n")) {
			return s.full
		}
		s.raw = append(s.raw, '\r', '\n')
		if int64(len(s.raw)) > s.max {
			return &TooLargeError{What: "header", Limit: s.max}
		}
	}
}

// dropByteOrderMark takes the mark that editors of other systems put before a text off the
// header, where it would be part of the first field's name. A body keeps it.
func (s *headerScanner) dropByteOrderMark() {
	const mark = "\xef\xbb\xbf"
	line, _ := s.peekLine()
	if text, found := bytes.CutPrefix(line, []byte(mark)); found && (fieldName(text) > 0 ||
		bytes.HasPrefix(text, []byte("From ")) || s.begins && len(text) == 0) {
		s.in.take(len(mark))
	}
}

// classify looks at the next line without taking it. For a field it returns the
// length of the name too.
func (s *headerScanner) classify(first bool) (lineKind, int) {
	line, whole := s.peekLine()
	if !whole && len(line) == 0 {
		return lineEnd, 0
	}
	text := line
	if bytes.IndexByte(line, 0) >= 0 || bytes.IndexByte(line, '\r') >= 0 {
		text = cleanHeaderLine(nil, line)
	}
	name := fieldName(text)
	switch {
	case whole && (len(text) == 0 || s.begins && len(s.starts) == 0 && len(bytes.TrimSpace(text)) == 0):
		return lineBlank, 0
	case len(text) == 0:
		return lineBody, 0
	case s.dotEnds && whole && len(line) == 1 && line[0] == '.':
		return lineDot, 0
	case isBlank(text[0]) && len(s.starts) > 0:
		return lineMore, 0
	case name > 0 && (len(s.starts) > 0 || isASCII(string(text[:name]))):
		return lineField, name
	case first && bytes.HasPrefix(bytes.TrimLeft(text, ">"), []byte("From ")):
		return lineFrom, 0
	}
	return lineBody, 0
}

// peekLine returns the next line without its end, or the first classifyLen bytes of a
// longer one, however much of it was read. whole tells which.
func (s *headerScanner) peekLine() (line []byte, whole bool) {
	for {
		p := s.in.pending()
		if i := bytes.IndexByte(p[:min(len(p), classifyLen+1)], '\n'); i >= 0 {
			return bytes.TrimRight(p[:i], "\r"), true
		}
		if len(p) > classifyLen {
			return p[:classifyLen], false
		}
		if !s.in.more() {
			p = s.in.pending()
			return bytes.TrimRight(p, "\r"), len(p) > 0
		}
	}
}

// consume takes the rest of the line and its end off the input, and appends it,
// cleaned, to dst if there is one. Past the size limit it stops in mid-line.
func (s *headerScanner) consume(dst *[]byte) {
	held := false // CRs were seen whose meaning the next byte decides
	begin := 0
	if dst != nil {
		begin = len(*dst)
	}
	for {
		p := s.in.pending()
		i := bytes.IndexByte(p, '\n')
		text := p
		if i >= 0 {
			text = p[:i]
		}
		body := bytes.TrimRight(text, "\r")
		if dst != nil {
			if !s.grow(len(body) + 1) {
				return
			}
			if held && len(body) > 0 && len(*dst) > begin {
				*dst = append(*dst, ' ')
			}
			*dst = appendHeaderText(*dst, body, len(*dst) == begin)
			if int64(len(*dst)) > s.max {
				return
			}
		}
		if i >= 0 {
			s.in.take(i + 1)
			return
		}
		held = (held && len(body) == 0) || len(body) < len(text)
		s.in.take(len(p))
		if !s.in.more() {
			return
		}
	}
}

// grow makes room for n more bytes of text, if the budget allows it.
func (s *headerScanner) grow(n int) bool {
	want, need := cap(s.raw), len(s.raw)+n
	if need > want {
		want = max(need, min(2*want, int(min(s.max, math.MaxInt32))+smallPiece), 2<<10)
	}
	if more := int64(want+fieldCost*len(s.starts)) - s.cost; more > 0 && s.budget != nil {
		more = max(more, freeHeader)
		if s.full = s.budget.Header(more); s.full != nil {
			return false
		}
		s.cost += more
	}
	if want > cap(s.raw) {
		s.raw = append(make([]byte, 0, want), s.raw...)
	}
	return true
}

// cleanHeaderLine returns a line as the header keeps it.
func cleanHeaderLine(dst, line []byte) []byte { return appendHeaderText(dst, line, true) }

// appendHeaderText appends text without NUL and with a space for each bare CR; at
// the start of a line a bare CR is dropped, so that it makes no continuation line.
func appendHeaderText(dst, text []byte, start bool) []byte {
	if bytes.IndexByte(text, 0) < 0 && bytes.IndexByte(text, '\r') < 0 {
		return append(dst, text...)
	}
	for _, c := range text {
		switch {
		case c == 0, c == '\r' && start:
			continue
		case c == '\r':
			c = ' '
		}
		start = false
		dst = append(dst, c)
	}
	return dst
}

// fieldName returns the length of the name of the field that begins with line, 0 if none does.
// As in Sendmail, blanks may stand before the colon, and a line that begins with two
// hyphens is a MIME delimiter. Bytes over 127 are tolerated.
func fieldName(line []byte) int {
	if bytes.HasPrefix(line, []byte("--")) {
		return 0
	}
	n := 0
	for n < len(line) && line[n] > ' ' && line[n] != 0x7f && line[n] != ':' {
		n++
	}
	colon := n
	for colon < len(line) && isBlank(line[colon]) {
		colon++
	}
	if colon >= len(line) || line[colon] != ':' || colon >= maxLine {
		return 0
	}
	return n
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// header makes the Header of what was scanned.
func (s *headerScanner) header() *Header {
	h := &Header{fields: make([]Field, len(s.starts))}
	for i, from := range s.starts {
		to := len(s.raw)
		if i+1 < len(s.starts) {
			to = s.starts[i+1]
		}
		h.fields[i] = Field{raw: s.raw[from:to:to], name: s.names[i]}
	}
	return h
}
