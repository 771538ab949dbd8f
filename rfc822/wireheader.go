package rfc822

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// appendWire appends the field as it goes out: unchanged if it can go, else in ASCII and with
// lines of at most 998 octets. smtputf8 tells that an address stayed as it is because it is not ASCII.
func (f Field) appendWire(dst []byte) (out []byte, smtputf8 bool) {
	if !hasEightBit(f.raw) {
		if longestLine(f.raw) <= maxLine {
			return append(dst, f.raw...), false
		}
		return f.appendShortened(dst), false
	}
	name := bytes.Map(func(r rune) rune { // nothing can encode a name
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, f.raw[:f.name])
	value := string(f.unfolded())
	encoded := ""
	switch {
	case f.isAddress():
		encoded, smtputf8 = encodeAddresses(value)
	case f.is("Content-Type") || f.is("Content-Disposition"):
		encoded = encodeParams(value)
	case f.isStructured():
		encoded = encodeStructured(value)
	default:
		encoded = encodeUnstructured(value)
	}
	line := make([]byte, 0, len(name)+1+len(encoded))
	line = append(line, name...)
	line = append(line, ':')
	line = append(line, encoded...)
	return appendFolded(dst, line, len(name)+1), smtputf8
}

// appendShortened appends an ASCII field, its long lines folded and the others as they are.
func (f Field) appendShortened(dst []byte) []byte {
	start := len(f.raw) - len(f.content())
	for rest := f.raw; len(rest) > 0; start = 0 {
		i := bytes.IndexByte(rest, '\n') + 1
		if line := rest[:i-len("\r\n")]; len(line) > maxLine {
			dst = appendFolded(dst, line, start)
		} else {
			dst = append(dst, rest[:i]...)
		}
		rest = rest[i:]
	}
	return dst
}

// longestLine returns the octets of the longest line, without its CRLF.
func longestLine(raw []byte) int {
	longest := 0
	for len(raw) > longest {
		i := bytes.IndexByte(raw, '\n') + 1
		if i == 0 {
			return max(longest, len(raw))
		}
		longest = max(longest, i-len("\r\n"))
		raw = raw[i:]
	}
	return longest
}

func (f Field) isAddress() bool {
	return slices.ContainsFunc([]string{
		"From", "Sender", "Reply-To", "To", "Cc", "Bcc",
		"Resent-From", "Resent-Sender", "Resent-Reply-To", "Resent-To", "Resent-Cc", "Resent-Bcc",
		"Errors-To", "Return-Path", "Return-Receipt-To", "Disposition-Notification-To",
		"Delivered-To", "X-Original-To", "Mail-Followup-To", "Mail-Reply-To", "Apparently-To",
	}, f.is)
}

// isStructured tells whether encoded words may stand in the field's comments only
// (RFC 2047 5).
func (f Field) isStructured() bool {
	return slices.ContainsFunc([]string{
		"Message-ID", "In-Reply-To", "References", "Resent-Message-ID", "Content-ID",
		"Received", "Date", "Resent-Date", "MIME-Version", "Content-Transfer-Encoding", "DKIM-Signature",
	}, f.is)
}

// escapeEightBit writes octets over 127 as mark and two digits, for places where nothing can be
// declared. The mark has to be one that may stand there: "=" in an atom (RFC 5322 3.2.3), "_"
// in a token (RFC 2045 5.1).
func escapeEightBit(s []byte, mark byte) []byte {
	if !hasEightBit(s) {
		return s
	}
	var out []byte
	for _, c := range s {
		if c >= 0x80 {
			out = append(out, mark, hexDigits[c>>4], hexDigits[c&15])
		} else {
			out = append(out, c)
		}
	}
	return out
}

// encodeUnstructured encodes each run of words that are not ASCII. Space between such a run and
// an encoded word that was already there goes into the new word: readers drop
// white space between encoded words (RFC 2047 6.2).
func encodeUnstructured(value string) string {
	var b strings.Builder
	afterEncoded := false // the last word written is an encoded one
	for i := 0; i < len(value); {
		gap, word := cutWord(value[i:])
		if isASCII(word) {
			b.WriteString(gap + word)
			_, afterEncoded, _ = decodeWord(word)
			i += len(gap) + len(word)
			continue
		}
		from, to := i+len(gap), runEnd(value, i)
		if afterEncoded {
			from, gap = i, " "
		}
		next, word := cutWord(value[to:])
		if _, encoded, _ := decodeWord(word); encoded {
			i = to + len(next)
			b.WriteString(gap + encodeWords(value[from:i]) + " ")
		} else {
			i = to
			b.WriteString(gap + encodeWords(value[from:i]))
		}
		afterEncoded = true
	}
	return b.String()
}

// runEnd returns the end of the words at i that are not ASCII.
func runEnd(value string, i int) int {
	for i < len(value) {
		gap, word := cutWord(value[i:])
		if isASCII(word) {
			break
		}
		i += len(gap) + len(word)
	}
	return i
}

// cutWord returns the white space at the start of s and the word after it.
func cutWord(s string) (gap, word string) {
	rest := strings.TrimLeft(s, " \t")
	gap = s[:len(s)-len(rest)]
	if i := strings.IndexAny(rest, " \t"); i >= 0 {
		rest = rest[:i]
	}
	return gap, rest
}

// encodeStructured encodes comments, and escapes what is not ASCII outside of them.
func encodeStructured(value string) string {
	var b strings.Builder
	for i := 0; i < len(value); {
		if value[i] == '(' {
			if end := commentEnd(value, i); end > 0 {
				b.WriteString(encodeComment(value[i:end]))
				i = end
				continue
			}
		}
		b.Write(escapeEightBit([]byte{value[i]}, '_'))
		i++
	}
	return b.String()
}

// encodeComment encodes a comment as a whole if it is not ASCII.
func encodeComment(comment string) string {
	if isASCII(comment) {
		return comment
	}
	return "(" + encodeWords(Unquote(`"`+comment[1:len(comment)-1]+`"`)) + ")"
}

// encodeParams encodes parameter values by RFC 2231, and escapes the rest.
func encodeParams(value string) string {
	var b strings.Builder
	from := 0
	for _, p := range parseParams(value) {
		text := p.value(value)
		if isASCII(text) || !isASCII(p.name(value)) {
			continue
		}
		b.WriteString(encodeStructured(value[from:p.nameFrom]))
		b.WriteString(encodeParam(strings.TrimSuffix(p.name(value), "*"), Unquote(text)))
		from = p.to
	}
	b.WriteString(encodeStructured(value[from:]))
	return b.String()
}

// encodeParam writes one parameter, in pieces if it is long (RFC 2231 3, 4).
func encodeParam(name, text string) string {
	charset := "utf-8"
	if !utf8.ValidString(text) {
		charset = "iso-8859-1"
	}
	const perPiece = 60
	var pieces []string
	piece := charset + "''"
	for i := range len(text) {
		c := text[i]
		unit := string(rune(c))
		if c >= 0x80 || !isAtext(c) && c != '.' || strings.IndexByte("*'%", c) >= 0 {
			unit = "%" + hexDigits[c>>4:c>>4+1] + hexDigits[c&15:c&15+1]
		}
		if len(piece)+len(unit) > perPiece {
			pieces = append(pieces, piece)
			piece = ""
		}
		piece += unit
	}
	pieces = append(pieces, piece)
	if len(pieces) == 1 {
		return name + "*=" + piece
	}
	for i := range pieces {
		pieces[i] = name + "*" + strconv.Itoa(i) + "*=" + pieces[i]
	}
	return strings.Join(pieces, "; ")
}
