package rfc822

import (
	"strings"
	"unicode/utf8"
)

// FormatPhrase returns a display name as it stands in a header before an address:
// as it is, quoted, or as encoded words when it is not ASCII or a word of it is too long for a line. Encoded
// words in it stay as they are, since their charset may be none that this package knows.
// A header folds the others at their spaces. CR, LF and NUL become spaces, other control characters too.
func FormatPhrase(name string) string {
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, toUTF8(name)))
	if _, ok := nextWord(name, 0); ok {
		return encodePhrase(name, "")
	}
	switch {
	case !isASCII(name) || longestWord(name) > 64 || strings.Contains(name, "=?"):
		return encodeWords(name, "")
	case isAtoms(name):
		return name
	}
	return quote(name)
}

// quote returns text as a quoted string (RFC 5322 3.2.4).
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		if text[i] == '"' || text[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(text[i])
	}
	b.WriteByte('"')
	return b.String()
}

// longestWord returns the bytes of the longest run without a space.
func longestWord(s string) int {
	longest := 0
	for word := range strings.SplitSeq(s, " ") {
		longest = max(longest, len(word))
	}
	return longest
}

// isAtoms reports whether s is atoms with single spaces between them.
func isAtoms(s string) bool {
	for i := range len(s) {
		if !isAtext(s[i]) && (s[i] != ' ' || i == 0 || s[i-1] == ' ') {
			return false
		}
	}
	return s != ""
}

// toUTF8 returns s in UTF-8, taken for what the rule for charsets says if it is not.
func toUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	if highIn(s).charset("") == "windows-1252" {
		return windows1252(s)
	}
	return latin1(s)
}

// phrase returns the words of a display name as they mean a text: quotes and comments are gone, and encoded
// words decoded if their charset is known here.
func phrase(s string, words []token) string { return decodeText(rawPhrase(s, words)) }

// rawPhrase returns the words of a display name with one space where white space stands.
func rawPhrase(s string, words []token) string {
	var b strings.Builder
	for _, t := range words {
		if t.kind == tokComment {
			continue
		}
		text := unfold(s[t.from:t.to])
		if t.kind == tokQuoted {
			text = Unquote(text)
		}
		if t.space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(text)
	}
	return b.String()
}

// unfold drops the line ends of a folded text.
func unfold(s string) string {
	if strings.IndexByte(s, '\n') < 0 {
		return s
	}
	return strings.NewReplacer("\r", "", "\n", "").Replace(s)
}
