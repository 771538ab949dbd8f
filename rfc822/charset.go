package rfc822

import (
	"strings"
	"unicode/utf8"
)

// charsetKind is what has to be known of a charset to see whether text can be in it.
type charsetKind uint8

const (
	charsetUnknown  charsetKind = iota // no name, or none that a reader knows
	charsetSevenBit                    // has no bytes over 127
	charsetWide                        // two or four bytes for each character
	charsetUTF8
	charsetSingle // one byte for each character
	charsetGB     // one, two or four bytes (GB 18030)
	charsetDouble // one or two bytes, the first over 127
	charsetSJIS
	charsetEUCJP
)

// kindOf knows the charsets of mail by their IANA names and the common aliases.
func kindOf(name string) charsetKind {
	name = strings.ToLower(name)
	switch name {
	case "us-ascii", "ascii", "ansi_x3.4-1968", "iso646-us", "utf-7", "unicode-1-1-utf-7", "hz-gb-2312":
		return charsetSevenBit
	case "utf-8", "utf8":
		return charsetUTF8
	case "gb18030", "gbk", "x-gbk", "cp936", "windows-936", "gb2312", "gb_2312-80", "euc-cn":
		return charsetGB
	case "big5", "big5-hkscs", "x-big5", "cp950", "euc-kr", "ks_c_5601-1987", "ks_c_5601-1989", "cp949", "windows-949",
		"uhc", "euc-tw":
		return charsetDouble
	case "shift_jis", "shift-jis", "sjis", "x-sjis", "cp932", "windows-31j", "ms_kanji":
		return charsetSJIS
	case "euc-jp", "x-euc-jp":
		return charsetEUCJP
	case "macintosh", "tis-620", "windows-874", "viscii", "armscii-8":
		return charsetSingle
	}
	for _, p := range [...]string{"utf-16", "utf-32", "ucs-2", "ucs-4", "iso-10646-ucs-"} {
		if strings.HasPrefix(name, p) {
			return charsetWide
		}
	}
	for _, p := range [...]string{"iso-8859-", "iso8859-", "iso_8859-", "latin", "windows-125", "cp", "ibm", "koi8-",
		"x-mac-", "mac-"} {
		if rest, ok := strings.CutPrefix(name, p); ok && rest != "" && isToken(rest) {
			return charsetSingle
		}
	}
	if strings.HasPrefix(name, "iso-2022-") {
		return charsetSevenBit
	}
	return charsetUnknown
}

// highBytes is which bytes over 127 a text has.
type highBytes uint8

const (
	highText     highBytes = 1 << iota // A0 to FF
	highC1                             // 80 to 9F, which ISO 8859 has no characters for
	highNot1252                        // five of those, which windows-1252 has none for either
	highNotValid                       // it is not UTF-8
)

func highOf(c byte) highBytes {
	switch {
	case c < 0x80:
		return 0
	case c >= 0xa0:
		return highText
	case c == 0x81, c == 0x8d, c == 0x8f, c == 0x90, c == 0x9d:
		return highC1 | highNot1252
	}
	return highC1
}

// highTable is highOf as a table, for texts of many megabytes.
var highTable = func() (t [256]highBytes) {
	for c := range len(t) {
		t[c] = highOf(byte(c))
	}
	return t
}()

func highInBytes[T string | []byte](s T) (h highBytes) {
	for i := range len(s) {
		h |= highTable[s[i]]
	}
	return h
}

func highIn(s string) highBytes {
	h := highInBytes(s)
	if !utf8.ValidString(s) {
		h |= highNotValid
	}
	return h
}

// canBe reports whether text with these bytes over 127 can be in a charset of that kind.
func (h highBytes) canBe(kind charsetKind) bool {
	switch kind {
	case charsetUnknown, charsetSevenBit, charsetWide:
		return false
	case charsetUTF8:
		return h&highNotValid == 0
	}
	return true
}

// charset names the charset of a text that has bytes over 127. It is one rule for all texts: their own, if
// they can be in it; UTF-8 if they are; windows-1252 if they have bytes 80 to 9F; else ISO 8859-1, which has
// a character for any byte (RFC 2046 4.1.2).
func (h highBytes) charset(own string) string {
	switch {
	case h.canBe(kindOf(own)):
		return own
	case h&highNotValid == 0:
		return "utf-8"
	case h&highC1 != 0 && h&highNot1252 == 0:
		return "windows-1252"
	}
	return "iso-8859-1"
}

// fieldCharset names the charset of a raw text in a header, which has no label of its own. The label
// of the body counts there too (RFC 2047 2), but not that of one byte for each character where the text is UTF-8:
// no text in such a charset reads as UTF-8 by chance. Nor does ISO 8859 where its gap is used.
func fieldCharset(text, own string) string {
	h := highIn(text)
	if k := kindOf(own); k == charsetSingle &&
		(h&highNotValid == 0 || h&highC1 != 0 && strings.EqualFold(own, "iso-8859-1")) {
		own = ""
	}
	return h.charset(own)
}

// charLen returns the bytes of the character at the start of text, which is not empty.
func charLen(kind charsetKind, text string) int {
	c, n := text[0], 1
	switch kind {
	case charsetUTF8:
		_, n = utf8.DecodeRuneInString(text)
	case charsetGB:
		switch {
		case c > 0x80 && len(text) > 1 && '0' <= text[1] && text[1] <= '9':
			n = 4
		case c > 0x80:
			n = 2
		}
	case charsetDouble:
		if c > 0x80 {
			n = 2
		}
	case charsetSJIS:
		if 0x80 < c && c < 0xa0 || c >= 0xe0 {
			n = 2
		}
	case charsetEUCJP:
		switch {
		case c == 0x8f:
			n = 3
		case c >= 0x80:
			n = 2
		}
	}
	return min(n, len(text))
}

// isToken reports whether s is a token (RFC 2045 5.1).
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// windows1252 returns windows-1252 text in UTF-8.
func windows1252(s string) string {
	const c1 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ" // 80 to 9F
	table := []rune(c1)
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
		if 0x80 <= s[i] && s[i] < 0xa0 {
			r[i] = table[s[i]-0x80]
		}
	}
	return string(r)
}
