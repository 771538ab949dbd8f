package rfc822

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// Blanks of other scripts and characters without a width come into addresses with what is copied
// from a web page or a document. They are never part of one.

// invisible reports whether r can't be seen at the end of a word.
func invisible(r rune) bool {
	switch {
	case r == 0x85, r == 0xa0, r == 0xad, r == 0x34f, r == 0x61c, r == 0x1680, r == 0x180e, r == 0x3000, r == 0x3164,
		r == 0xfeff, 0x2000 <= r && r <= 0x200f, 0x2028 <= r && r <= 0x202f, 0x205f <= r && r <= 0x206f:
		return true
	}
	return false
}

// joiner reports whether r means something between letters: internationalized domain names
// have it in some scripts (RFC 5892 A.1, A.2).
func joiner(r rune) bool { return r == 0x200c || r == 0x200d }

// splits reports whether r ends a word wherever it stands.
func splits(r rune) bool { return invisible(r) && !joiner(r) }

// runeAt is DecodeRuneInString, with the blank of ISO 8859-1 for its byte.
func runeAt(s string) (rune, int) {
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n == 1 && s[0] == 0xa0 {
		r = 0xa0
	}
	return r, n
}

// isInvisible reports whether nothing of s can be seen.
func isInvisible(s string) bool {
	for len(s) > 0 {
		r, n := runeAt(s)
		if !invisible(r) {
			return false
		}
		s = s[n:]
	}
	return true
}

// trimInvisible returns s, which is UTF-8, without what can't be seen around it.
func trimInvisible(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r == ' ' || invisible(r) })
}

// visibleParts cuts a token of an addr-spec at the blanks of other scripts, and yields each part
// with the blank that stands before it, 0 if there is none. The text of a quoted string stays whole.
func visibleParts(text string, kind tokenKind) iter.Seq2[string, rune] {
	return func(yield func(string, rune) bool) {
		if kind == tokQuoted || isASCII(text) {
			yield(text, 0)
			return
		}
		var blank rune
		from := 0
		for i := 0; i < len(text); {
			r, n := runeAt(text[i:])
			if invisible(r) && (!joiner(r) || i == 0 || i+n == len(text)) {
				if i > from || blank == 0 {
					if !yield(text[from:i], blank) {
						return
					}
				}
				blank, from = r, i+n
			}
			i += n
		}
		yield(text[from:], blank)
	}
}
