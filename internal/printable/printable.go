// Package printable makes foreign text fit for one line, of a log, a terminal, a reply or a file: escaped for people
// (Clean, Line), blanked for programs (OneLine, Tag). Nobody else has a cleaner of foreign text. It knows
// nothing of mail.
package printable

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxValue bounds what Clean returns, in bytes.
const maxValue = 512

// Clean makes foreign text fit for a line of a log or a terminal: control characters
// and broken UTF-8 are escaped, and what is too long is cut.
func Clean(s string) string {
	if !plain(s) {
		s = escape(s, 2*maxValue)
	}
	return Cut(s, maxValue)
}

// Line is Clean for text that must not be cut.
func Line(s string) string {
	if plain(s) {
		return s
	}
	return escape(s, -1)
}

// OneLine is text in which a space stands for each character that is not printable, and for each byte that is not
// UTF-8. It is for text that other programs read.
func OneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// maxWord is how much more a cut takes away so as to end behind a word, in bytes.
const maxWord = 64

// Cut shortens s to at most limit bytes, behind a word where one ends near, else at a character, and says so by
// three dots.
func Cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit - len("...")
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	if word := strings.LastIndexByte(s[:end], ' '); s[end] != ' ' && word > 0 && word >= end-maxWord {
		end = word
	}
	return strings.TrimRight(s[:end], " ") + "..."
}

// opening begins a program in a file that a web server takes for PHP. Nobody shall write one by way of a log.
const opening = "<?"

func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return !strings.Contains(s, opening)
}

// escape stops once the result has more bytes than limit, unless that is negative.
func escape(s string, limit int) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case strings.HasPrefix(s[i:], opening):
			b.WriteString(`\x3c`)
		case r >= 0x20 && r != 0x7f && strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
		if limit >= 0 && b.Len() > limit {
			break
		}
	}
	return b.String()
}

// IsASCII reports whether s has no byte above 0x7f.
func IsASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// maxTag bounds a tag, in bytes.
const maxTag = 32

// Tag keeps of a caller's tag for log lines what needs no quoting anywhere.
func Tag(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./", r) {
			return r
		}
		return -1
	}, s)
	return s[:min(len(s), maxTag)]
}

// HasControl reports whether a word has a control character, which could end a line early.
func HasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// leastRoom is how narrow a column of wrapped text may be.
const leastRoom = 20

// Wrap breaks a text between words into lines of so many bytes, behind an indent each but the first. A text with a
// command's option in it stays whole, so that it can be copied, and so does one that has too little room.
func Wrap(text string, room int, indent string) string {
	if room < leastRoom || len(text) <= room || strings.Contains(text, " -") {
		return text
	}
	var b strings.Builder
	column := 0
	for i, word := range strings.Split(text, " ") {
		switch {
		case i == 0:
		case column+1+len(word) > room && column > 0:
			b.WriteString("\n" + indent)
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
