package rfc822

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// maxEncodedWord is the longest encoded word (RFC 2047 2).
const maxEncodedWord = 75

// encodeWords returns text as encoded words with a space between them. Text that is not ASCII is in the charset
// that fieldCharset names.
func encodeWords(text, own string) string {
	charset := "utf-8"
	if !isASCII(text) {
		charset = fieldCharset(text, own)
	}
	return encodeWordsIn(charset, text)
}

func encodeWordsIn(charset, text string) string {
	q := 0
	for i := range len(text) {
		q += qWidth(text[i])
	}
	encode := qWord
	if q > (len(text)+2)/3*4 {
		encode = bWord
	}
	kind := kindOf(charset)
	var b strings.Builder
	for len(text) > 0 {
		n := encode(&b, charset, kind, text)
		text = text[n:]
		if len(text) > 0 {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// qWord writes one word in the Q encoding and returns how much of text it holds.
func qWord(b *strings.Builder, charset string, kind charsetKind, text string) int {
	room := maxEncodedWord - len("=??Q??=") - len(charset)
	b.WriteString("=?" + charset + "?Q?")
	n := 0
	for n < len(text) {
		size, width := charLen(kind, text[n:]), 0
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
				b.WriteByte(hexDigits[c>>4])
				b.WriteByte(hexDigits[c&15])
			}
		}
		n += size
	}
	b.WriteString("?=")
	return n
}

// qWidth returns the bytes that c takes in the Q encoding, safe in a phrase (RFC 2047 5).
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
func bWord(b *strings.Builder, charset string, kind charsetKind, text string) int {
	room := (maxEncodedWord - len("=??B??=") - len(charset)) / 4 * 3
	n := 0
	for n < len(text) {
		size := charLen(kind, text[n:])
		if n+size > room {
			break
		}
		n += size
	}
	b.WriteString("=?" + charset + "?B?" + base64.StdEncoding.EncodeToString([]byte(text[:n])) + "?=")
	return n
}

// encodedWord is an encoded word within a text, text[from:to].
type encodedWord struct {
	from, to      int
	charset, data string
}

// nextWord finds the first encoded word at or behind i whose encoding can be undone. As readers do, it takes
// one that has blanks or bytes over 127 in it, one that touches other text, and base64 without
// its padding.
func nextWord(s string, i int) (w encodedWord, ok bool) {
	for {
		at := strings.Index(s[i:], "=?")
		if at < 0 {
			return w, false
		}
		w.from = i + at
		i = w.from + len("=?")
		charset, rest, ok := strings.Cut(s[i:], "?")
		if !ok || len(rest) < 2 || rest[1] != '?' {
			continue
		}
		charset, _, _ = strings.Cut(charset, "*") // RFC 2231 5: a language may follow
		text, end, ok := strings.Cut(rest[2:], "?")
		if !ok || !strings.HasPrefix(end, "=") || !isToken(charset) {
			continue
		}
		if w.data, ok = decodeQB(rest[0], text); !ok {
			continue
		}
		w.charset = charset
		w.to = len(s) - len(rest) + len("Q?") + len(text) + len("?=")
		return w, true
	}
}

// utf8 returns what the word means; ok is false if its charset is not known here.
func (w encodedWord) utf8() (text string, ok bool) {
	name := w.charset
	switch kindOf(name) {
	case charsetUTF8, charsetSevenBit:
		if !utf8.ValidString(w.data) || strings.ContainsAny(w.data, "\x1b~+") && kindOf(name) == charsetSevenBit {
			return "", false
		}
		return w.data, true
	}
	if strings.EqualFold(name, "iso-8859-1") {
		return latin1(w.data), true
	}
	return "", false
}

// decodeQB undoes the encodings B and Q of encoded words.
func decodeQB(encoding byte, text string) (data string, ok bool) {
	switch encoding {
	case 'b', 'B':
		text = strings.TrimRight(strings.ReplaceAll(text, " ", ""), "=")
		b, err := base64.RawStdEncoding.DecodeString(text)
		return string(b), err == nil
	case 'q', 'Q':
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

// decodeText decodes the encoded words of a text that may have any. Those in charsets that are not known here
// stay as they are.
func decodeText(s string) string {
	var b strings.Builder
	at := 0
	for {
		w, ok := nextWord(s, at)
		if !ok {
			b.WriteString(toUTF8(s[at:]))
			return b.String()
		}
		// White space between two encoded words is not part of the text (RFC 2047 6.2).
		gap := s[at:w.from]
		between := at > 0 && strings.Trim(gap, " \t") == ""
		if !between {
			b.WriteString(toUTF8(gap))
		}
		text, known := w.utf8()
		switch {
		case known:
			b.WriteString(text)
		case between:
			b.WriteString(" " + w.plain(s))
		default:
			b.WriteString(w.plain(s))
		}
		at = w.to
	}
}

// plain returns the word as it stands in s, or written once more if it has what no encoded word of a display name
// may have (RFC 2047 5): some readers would take it for an address.
func (w encodedWord) plain(s string) string {
	word := s[w.from:w.to]
	if len(word) <= maxLine/2 && isSafeWord(word) {
		return word
	}
	charset := w.charset
	if h := highIn(w.data); h != 0 {
		charset = h.charset(charset)
	}
	return encodeWordsIn(charset, w.data)
}

// isSafeWord reports whether the encoded word has only what one may have anywhere.
func isSafeWord(word string) bool {
	for i := range len(word) {
		if c := word[i]; qWidth(c) != 1 && c != '=' && c != '_' && c != '?' || c == ' ' {
			charset, _, _ := strings.Cut(word[len("=?"):], "?")
			if i >= len("=?")+len(charset) {
				return false
			}
		}
	}
	return true
}

// withoutWords returns what stands beside the encoded words of a text.
func withoutWords(s string) string {
	var b strings.Builder
	at := 0
	for {
		w, ok := nextWord(s, at)
		if !ok {
			return b.String() + s[at:]
		}
		b.WriteString(s[at:w.from])
		at = w.to
	}
}

// knownWords reports whether the charsets of all encoded words of a text are known here.
func knownWords(s string) bool {
	at := 0
	for {
		w, ok := nextWord(s, at)
		if !ok {
			return true
		}
		if _, known := w.utf8(); !known {
			return false
		}
		at = w.to
	}
}
