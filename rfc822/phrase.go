package rfc822

import (
	"strings"
	"unicode/utf8"
)

// FormatPhrase returns a display name as it stands in a header before an address:
// as it is, quoted, or as encoded words when it is not ASCII or a word of it is too long for a line.
// A header folds the others at their spaces. CR, LF and NUL become spaces, other control characters too.
func FormatPhrase(name string) string {
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, toUTF8(name)))
	switch {
	case !isASCII(name) || longestWord(name) > 64 || strings.Contains(name, "=?"):
		return encodeWords(name)
	case isAtoms(name):
		return name
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(name) {
		if name[i] == '"' || name[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(name[i])
	}
	b.WriteByte('"')
	return b.String()
}

// longestWord returns the octets of the longest run without a space.
func longestWord(s string) int {
	longest := 0
	for word := range strings.SplitSeq(s, " ") {
		longest = max(longest, len(word))
	}
	return longest
}

// isAtoms tells whether s is atoms with single spaces between them.
func isAtoms(s string) bool {
	for i := range len(s) {
		if !isAtext(s[i]) && (s[i] != ' ' || i == 0 || s[i-1] == ' ') {
			return false
		}
	}
	return s != ""
}

// toUTF8 returns s, taken for ISO 8859-1 if it is not UTF-8.
func toUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return latin1(s)
}

// phrase returns what the words of a display name mean. When a word is encoded in a
// charset that can't be decoded, the phrase comes back as it is written, twice.
func phrase(s string, words []token) (name, encoded string) {
	var b, raw strings.Builder
	afterEncoded, opaque := false, false
	for _, t := range words {
		if t.kind == tokComment {
			continue
		}
		text := unfold(s[t.from:t.to])
		decoded, isEncoded, ok := text, false, true
		switch t.kind {
		case tokQuoted:
			decoded = toUTF8(Unquote(text))
		case tokWord:
			decoded, isEncoded, ok = decodeWord(text)
		}
		// White space between two encoded words is not part of the text (RFC 2047 6.2).
		if t.space && b.Len() > 0 && !(isEncoded && afterEncoded) {
			b.WriteByte(' ')
		}
		if t.space && raw.Len() > 0 {
			raw.WriteByte(' ')
		}
		b.WriteString(decoded)
		raw.WriteString(text)
		afterEncoded = isEncoded
		opaque = opaque || !ok
	}
	if opaque && isASCII(raw.String()) {
		return raw.String(), raw.String()
	}
	return b.String(), ""
}

// unfold drops the line ends of a folded text.
func unfold(s string) string {
	if strings.IndexByte(s, '\n') < 0 {
		return s
	}
	return strings.NewReplacer("\r", "", "\n", "").Replace(s)
}
