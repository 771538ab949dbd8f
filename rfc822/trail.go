package rfc822

import (
	"strings"
	"unicode/utf8"
)

// escapeTrails returns a raw structured text in which a byte of a character of two bytes is not taken for syntax: the
// second byte may be any of @ [ \ ] in Shift JIS, Big5 and GBK. In a quoted string or comment such a backslash
// becomes a quoted pair; words outside become a quoted string if phrases may stand there.
func escapeTrails(value, own string, phrases bool) string {
	kind := kindOf(own)
	if kind != charsetSJIS && kind != charsetDouble && kind != charsetGB || utf8.ValidString(value) {
		return value
	}
	var b strings.Builder
	quoted, depth := false, 0
	for i := 0; i < len(value); {
		n := charLen(kind, value[i:])
		switch c := value[i]; {
		case n > 1 && !quoted && depth == 0 && phrases:
			end := wordsEnd(kind, value, i)
			b.WriteString(quote(value[i:end]))
			i = end
			continue
		case n == 2 && value[i+1] == '\\' && (quoted || depth > 0):
			b.WriteString(value[i:i+1] + `\\`)
			i += n
			continue
		case n > 1:
		case c == '\\' && i+1 < len(value):
			n = 2
		case c == '"' && depth == 0:
			quoted = !quoted
		case c == '(' && !quoted:
			depth++
		case c == ')' && depth > 0:
			depth--
		}
		b.WriteString(value[i : i+n])
		i += n
	}
	return b.String()
}

// wordsEnd returns where the words that begin at i end: before what is syntax in an address list, and blanks.
func wordsEnd(kind charsetKind, value string, i int) int {
	end := i
	for i < len(value) {
		n := charLen(kind, value[i:])
		if n == 1 && strings.IndexByte("<>,;:()\"\r\n", value[i]) >= 0 {
			break
		}
		i += n
		if n > 1 || !isBlank(value[i-1]) {
			end = i
		}
	}
	return end
}
