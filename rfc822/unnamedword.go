package rfc822

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// nameWords returns the field with encoded words whose charset can't be true as words of UTF-8, if their bytes are
// that. Mutt writes "unknown-8bit" (RFC 1428) in the C locale, which cron has, and others "us-ascii": no reader shows
// such a text.
func (f Field) nameWords() Field {
	if !bytes.Contains(f.raw, []byte("=?")) || !f.isAddress() && f.isStructured() {
		return f
	}
	s, changed := string(f.raw), false
	var b strings.Builder
	at := 0
	for {
		w, ok := nextWord(s, at)
		if !ok {
			break
		}
		to := w.to
		if w.misnamed() {
			to = w.joinMisnamed(s)
			if text := w.joined(s, to); utf8.ValidString(text) {
				b.WriteString(s[at:w.from] + strings.ReplaceAll(encodeWordsIn("utf-8", text), " ", "\r\n "))
				at, changed = to, true
				continue
			}
		}
		b.WriteString(s[at:to])
		at = to
	}
	if !changed {
		return f
	}
	b.WriteString(s[at:])
	return Field{raw: []byte(b.String()), name: f.name}
}

// misnamed reports whether the word has bytes that its charset has not, or one that says that nobody knows it.
func (w encodedWord) misnamed() bool {
	if isASCII(w.data) {
		return false
	}
	switch strings.ToLower(w.charset) {
	case "unknown-8bit", "x-unknown", "unknown":
		return true
	}
	return kindOf(w.charset) == charsetSevenBit
}

// joinMisnamed returns where the last of the misnamed words ends that stand behind one another, w the first: the end of
// a word may cut a character.
func (w encodedWord) joinMisnamed(s string) (to int) {
	for {
		next, ok := nextWord(s, w.to)
		if !ok || !next.misnamed() || strings.Trim(s[w.to:next.from], " \t\r\n") != "" {
			return w.to
		}
		w = next
	}
}

// joined returns the text of the words from w to a place in s.
func (w encodedWord) joined(s string, to int) string {
	text := w.data
	for w.to < to {
		w, _ = nextWord(s, w.to)
		text += w.data
	}
	return text
}
