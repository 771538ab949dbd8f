package rfc822

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// encoder turns a run of bytes of a stored body into what goes out.
type encoder interface {
	// encode appends the output for src to dst. It may leave the end of src unused when
	// the bytes after it decide; last says that none follow.
	encode(dst, src []byte, last bool) (out []byte, used int)
}

const hexDigits = "0123456789ABCDEF"

// encodedLine is the longest line of the encodings (RFC 2045 6.7, 6.8).
const encodedLine = 76

// qpLine counts the columns of a quoted-printable line.
type qpLine struct {
	col  int
	soft bool // the line began after a soft break of ours
}

// put appends one unit, which must not be torn, after a soft break if the line is full.
// A hyphen after a soft break is escaped: the new line could be taken for a MIME delimiter.
func (q *qpLine) put(dst []byte, unit ...byte) []byte {
	if q.col+len(unit) > encodedLine-1 {
		dst = append(dst, "=\r\n"...)
		q.col, q.soft = 0, true
	}
	if q.col == 0 && q.soft && len(unit) == 1 && unit[0] == '-' {
		unit = []byte("=2D")
	}
	q.col += len(unit)
	return append(dst, unit...)
}

func (q *qpLine) putEscaped(dst []byte, c byte) []byte {
	if q.col+len("=00") > encodedLine-1 {
		dst = append(dst, "=\r\n"...)
		q.col, q.soft = 0, true
	}
	q.col += len("=00")
	return append(dst, '=', hexDigits[c>>4], hexDigits[c&15])
}

func (q *qpLine) end(dst []byte) []byte {
	q.col, q.soft = 0, false
	return append(dst, '\r', '\n')
}

// qpEncoder encodes text as quoted-printable (RFC 2045 6.7).
type qpEncoder struct{ line qpLine }

func (e *qpEncoder) encode(dst, src []byte, last bool) ([]byte, int) {
	dst = slices.Grow(dst, len(src)+len(src)/2)
	i := 0
	for i < len(src) {
		if n := e.plainRun(src[i:]); n > 0 {
			dst = append(dst, src[i:i+n]...)
			e.line.col += n
			i += n
			continue
		}
		c, rest := src[i], src[i+1:]
		switch {
		case c >= utf8.RuneSelf:
			for ; i < len(src) && src[i] >= utf8.RuneSelf; i++ {
				dst = e.line.putEscaped(dst, src[i])
			}
			continue
		case (c == '\r' || isBlank(c)) && len(rest) == 0 && !last:
			return dst, i
		case c == '\r' && len(rest) > 0 && rest[0] == '\n':
			dst = e.line.end(dst)
			i++
		case isBlank(c) && len(rest) > 0 && rest[0] != '\r', isPlain(c):
			dst = e.line.put(dst, c)
		default:
			dst = e.line.putEscaped(dst, c)
		}
		i++
	}
	return dst, i
}

// plainRun returns how many bytes can be copied as they are onto the line.
func (e *qpEncoder) plainRun(src []byte) int {
	if e.line.col == 0 && e.line.soft {
		return 0
	}
	n := leadingPlain(src[:min(encodedLine-1-e.line.col, len(src))])
	for n > 0 && isBlank(src[n-1]) && (n == len(src) || src[n] == '\r') { // it may end the line
		n--
	}
	return n
}

// leadingPlain returns how many bytes at the start are plain or spaces, eight bytes at a time: in the lowest
// byte that is neither, and in none below it, the highest bit of one of the terms is set.
func leadingPlain(src []byte) int {
	n := 0
	for ; len(src)-n >= 8; n += 8 {
		x := binary.LittleEndian.Uint64(src[n:])
		not := x | (x - ' '*eachByte) | ((x ^ '='*eachByte) - eachByte) | ((x ^ 0x7f*eachByte) - eachByte)
		if not &= highBits; not != 0 {
			return n + bits.TrailingZeros64(not)/8
		}
	}
	for n < len(src) && (isPlain(src[n]) || src[n] == ' ') {
		n++
	}
	return n
}

// isPlain reports whether c stands for itself in quoted-printable anywhere on a line.
func isPlain(c byte) bool { return '!' <= c && c <= '~' && c != '=' }

// qpSoftener puts soft breaks into quoted-printable whose lines are too long, and
// escapes what should have been escaped. White space at the end of a line goes, as readers must
// drop it (RFC 2045 6.7 rule 3).
type qpSoftener struct {
	line   qpLine
	blanks []byte // white space that may turn out to end its line
	equals bool   // a "=" stands before blanks: a soft break if only white space follows it
}

// mostBlanks bounds the white space that is held back.
const mostBlanks = 4096

func (e *qpSoftener) encode(dst, src []byte, last bool) ([]byte, int) {
	i := 0
	for i < len(src) {
		c, rest := src[i], src[i+1:]
		switch {
		case c == '\r' && len(rest) == 0 && !last, c == '=' && len(rest) < 2 && !last:
			return dst, i
		case c == '\r' && len(rest) > 0 && rest[0] == '\n':
			if e.equals {
				dst = append(dst, '=')
			}
			e.blanks, e.equals = e.blanks[:0], false
			dst = e.line.end(dst)
			i += 2
		case isBlank(c) && len(e.blanks) < mostBlanks:
			e.blanks = append(e.blanks, c)
			i++
		case c == '=' && len(rest) >= 2 && isHex(rest[0]) && isHex(rest[1]):
			dst = e.release(dst)
			dst = e.line.put(dst, src[i:i+3]...)
			i += 3
		case c == '=':
			dst = e.release(dst)
			e.equals = true
			i++
		default:
			dst = e.release(dst)
			if isPlain(c) {
				dst = e.line.put(dst, c)
			} else {
				dst = e.line.putEscaped(dst, c)
			}
			i++
		}
	}
	if last && e.equals {
		dst = append(dst, '=')
	}
	return dst, i
}

// release writes what was held back, now that other text follows it.
func (e *qpSoftener) release(dst []byte) []byte {
	if e.equals {
		dst = e.line.putEscaped(dst, '=')
		e.equals = false
	}
	for _, c := range e.blanks {
		dst = e.line.put(dst, c)
	}
	e.blanks = e.blanks[:0]
	return dst
}

// base64Encoder encodes as base64 (RFC 2045 6.8), without a line end after the last line.
type base64Encoder struct{ begun bool }

func (e *base64Encoder) encode(dst, src []byte, last bool) ([]byte, int) {
	const perLine = encodedLine / 4 * 3
	i := 0
	for len(src)-i >= perLine || last && i < len(src) {
		n := min(perLine, len(src)-i)
		if e.begun {
			dst = append(dst, '\r', '\n')
		}
		e.begun = true
		dst = base64.StdEncoding.AppendEncode(dst, src[i:i+n])
		i += n
	}
	return dst, i
}

// base64Wrapper breaks the lines of base64 again, and drops what is not base64.
type base64Wrapper struct{ col int }

func (e *base64Wrapper) encode(dst, src []byte, _ bool) ([]byte, int) {
	for _, c := range src {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '+', c == '/', c == '=':
		default:
			continue
		}
		if e.col == encodedLine {
			dst = append(dst, '\r', '\n')
			e.col = 0
		}
		dst = append(dst, c)
		e.col++
	}
	return dst, len(src)
}

// cruder makes text fit where no encoding can be declared, such as fields of a message/delivery-status, or the text
// between the parts of a multipart, which nobody shows: it folds long lines before white space, or else splits them
// by CRLF SP, and puts "?" for bytes that can't go.
type cruder struct {
	col       int
	sevenOnly bool
}

func (e *cruder) encode(dst, src []byte, last bool) (_ []byte, used int) {
	for used < len(src) {
		rest := src[used:]
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 && len(rest) <= maxLine+1 && !last {
			return dst, used // where to fold depends on what follows
		}
		if end == 0 {
			end = len(rest)
		}
		n := end
		if length := len(bytes.TrimRight(rest[:end], "\r\n")); e.col+length > maxLine {
			n = e.fold(rest[:length])
		}
		for _, c := range rest[:n] {
			if c == 0 || c >= 0x80 && e.sevenOnly {
				c = '?'
			}
			dst = append(dst, c)
		}
		used += n
		e.col = 0
		if n < end {
			dst = append(dst, "\r\n"...)
			if !isBlank(src[used]) {
				dst = append(dst, ' ')
				e.col = 1
			}
		}
	}
	return dst, used
}

// fold returns how much of a line that is too long is to go on the line that is begun.
func (e *cruder) fold(line []byte) int {
	room := maxLine - e.col
	for n := min(room, len(line)-2); n > 1; n-- {
		if isBlank(line[n]) && !isBlank(line[n+1]) && len(bytes.Trim(line[:n], " \t")) > 0 {
			return n
		}
	}
	return room
}
