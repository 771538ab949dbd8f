package rfc822

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// maxEncodedWord is the longest encoded word (RFC 2047 2).
const maxEncodedWord = 75

// encodeWords returns text as encoded words with a space between them, in
// UTF-8, or in ISO 8859-1 if it is not UTF-8.
func encodeWords(text string) string {
	charset := "utf-8"
	if !utf8.ValidString(text) {
		charset = "iso-8859-1"
	}
	q := 0
	for i := range len(text) {
		q += qWidth(text[i])
	}
	encode := qWord
	if q > (len(text)+2)/3*4 {
		encode = bWord
	}
	var b strings.Builder
	for len(text) > 0 {
		n := encode(&b, charset, text)
		text = text[n:]
		if len(text) > 0 {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// runeLen returns the octets of the character at the start of text.
func runeLen(charset, text string) int {
	if charset != "utf-8" {
		return 1
	}
	_, n := utf8.DecodeRuneInString(text)
	return n
}

// qWord writes one word in the Q encoding and returns how much of text it holds.
func qWord(b *strings.Builder, charset, text string) int {
	const hex = "0123456789ABCDEF"
	room := maxEncodedWord - len("=??Q??=") - len(charset)
	b.WriteString("=?" + charset + "?Q?")
	n := 0
	for n < len(text) {
		size, width := runeLen(charset, text[n:]), 0
		for i := range size {
			width += qWidth(text[n+i])
		}
		if width > room {
			break
		}
		room -= width
		for i := range size {
			switch c := text[n+i]; {
			case c == ' ':
				b.WriteByte('_')
			case qWidth(c) == 1:
				b.WriteByte(c)
			default:
				b.WriteByte('=')
				b.WriteByte(hex[c>>4])
				b.WriteByte(hex[c&15])
			}
		}
		n += size
	}
	b.WriteString("?=")
	return n
}

// qWidth returns the octets that c takes in the Q encoding, safe in a phrase (RFC 2047 5).
func qWidth(c byte) int {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == ' ':
		return 1
	case c != 0 && strings.IndexByte("!*+-/", c) >= 0:
		return 1
	}
	return 3
}

// bWord writes one word in the B encoding and returns how much of text it holds.
func bWord(b *strings.Builder, charset, text string) int {
	room := (maxEncodedWord - len("=??B??=") - len(charset)) / 4 * 3
	n := 0
	for n < len(text) {
		size := runeLen(charset, text[n:])
		if n+size > room {
			break
		}
		n += size
	}
	b.WriteString("=?" + charset + "?B?" + base64.StdEncoding.EncodeToString([]byte(text[:n])) + "?=")
	return n
}

// decodeWord decodes an encoded word. encoded tells whether word is one; ok is false when it is one in
// a charset that is not known, and comes back as it is. Other text comes back
// in UTF-8.
func decodeWord(word string) (text string, encoded, ok bool) {
	rest, found := strings.CutPrefix(word, "=?")
	if !found || !strings.HasSuffix(rest, "?=") || len(rest) < 2 {
		return toUTF8(word), false, true
	}
	parts := strings.Split(rest[:len(rest)-2], "?")
	if len(parts) != 3 || !isASCII(word) {
		return toUTF8(word), false, true
	}
	data, fine := decodeQB(parts[1], parts[2])
	if !fine {
		return word, false, true
	}
	charset, _, _ := strings.Cut(parts[0], "*") // RFC 2231 5: a language may follow
	switch {
	case strings.EqualFold(charset, "utf-8") && utf8.ValidString(data), strings.EqualFold(charset, "us-ascii") && isASCII(data):
		return data, true, true
	case strings.EqualFold(charset, "iso-8859-1"):
		return latin1(data), true, true
	}
	return word, true, false
}

func decodeQB(encoding, text string) (data string, ok bool) {
	switch encoding {
	case "b", "B":
		b, err := base64.StdEncoding.DecodeString(text)
		return string(b), err == nil
	case "q", "Q":
		return decodeQ(text)
	}
	return "", false
}

func decodeQ(text string) (data string, ok bool) {
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '_':
			b = append(b, ' ')
		case c != '=':
			b = append(b, c)
		case i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2]):
			b = append(b, unhex(text[i+1])<<4|unhex(text[i+2]))
			i += 2
		default:
			return "", false
		}
	}
	return string(b), true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return lower(c) - 'a' + 10
}

// latin1 returns ISO 8859-1 text in UTF-8.
func latin1(s string) string {
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}

// decodeText decodes the encoded words of a text that may have any.
func decodeText(s string) string {
	if !strings.Contains(s, "=?") {
		return toUTF8(s)
	}
	var b strings.Builder
	afterEncoded := false
	for len(s) > 0 {
		n := len(s) - len(strings.TrimLeft(s, " \t"))
		end := strings.IndexAny(s[n:], " \t")
		if end < 0 {
			end = len(s)
		} else {
			end += n
		}
		text, encoded, _ := decodeWord(s[n:end])
		if !encoded || !afterEncoded {
			b.WriteString(s[:n])
		}
		b.WriteString(text)
		afterEncoded = encoded
		s = s[end:]
	}
	return b.String()
}
