package rfc822

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// What shifts to two bytes for each character in ISO-2022-JP, and back (RFC 1468).
const (
	toKanji = "\x1b$"
	toASCII = "\x1b("
)

// japanese returns the field with raw ISO-2022-JP as encoded words. Its bytes are those of ASCII, so that it would be
// read as such, with quotes and backslashes in it.
func (f Field) japanese() Field {
	if !bytes.Contains(f.raw, []byte(toKanji)) || !f.isAddress() && f.isStructured() {
		return f
	}
	var b strings.Builder
	rest := string(f.raw)
	for {
		before, run, found := strings.Cut(rest, toKanji)
		text, after, closed := strings.Cut(run, toASCII)
		whole := found && closed && after != "" && !strings.Contains(text, "\r\n")
		if !whole || text == "" || strings.IndexByte("@B", text[0]) < 0 {
			b.WriteString(rest)
			return Field{raw: []byte(b.String()), name: f.name}
		}
		b.WriteString(before)
		if strings.LastIndexAny(before, " \t\"(") != len(before)-1 {
			b.WriteByte(' ')
		}
		b.WriteString(japaneseWords(text[:1], text[1:]))
		rest = after[1:] // the letter of the set
		if strings.IndexAny(rest, " \t\")\r") != 0 {
			b.WriteByte(' ')
		}
	}
}

// japaneseWords writes text of the set that a letter names.
func japaneseWords(letter, text string) string {
	const perWord = 36 // bytes: words of 75 characters at most, of whole characters
	var words []string
	for len(text) > 0 {
		n := min(perWord, len(text))
		data := toKanji + letter + text[:n] + toASCII + "B"
		words = append(words, "=?iso-2022-jp?B?"+base64.StdEncoding.EncodeToString([]byte(data))+"?=")
		text = text[n:]
	}
	return strings.Join(words, " ")
}
