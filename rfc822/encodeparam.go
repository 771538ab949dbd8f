package rfc822

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// encodeStructured encodes comments, and escapes what is not ASCII outside of them.
func encodeStructured(value, own string) string {
	var b strings.Builder
	for i := 0; i < len(value); {
		if value[i] == '(' {
			if end := commentEnd(value, i); end > 0 {
				b.WriteString(encodeComment(value[i:end], own))
				i = end
				continue
			}
		}
		b.Write(escapeEightBit([]byte{value[i]}, '_'))
		i++
	}
	return b.String()
}

// encodeComment encodes a comment as a whole if it is not ASCII.
func encodeComment(comment, own string) string {
	if isASCII(comment) {
		return comment
	}
	return "(" + encodeWords(Unquote(`"`+comment[1:len(comment)-1]+`"`), own) + ")"
}

// encodeParams encodes parameter values by RFC 2231, and escapes the rest.
func encodeParams(value, own string) string {
	params := parseParams(value)
	taken := make(map[string]bool, len(params))
	for _, p := range params {
		taken[strings.ToLower(p.name(value))] = true
	}
	var b strings.Builder
	from := 0
	for _, p := range params {
		text, name := p.value(value), p.name(value)
		if isASCII(text) || !isASCII(name) {
			continue
		}
		if taken[strings.ToLower(name)+"*"] { // that one says the same as it was meant, and this one can't be written
			b.WriteString(strings.TrimRight(encodeStructured(value[from:p.nameFrom], own), "; \t"))
			from = p.to
			continue
		}
		b.WriteString(encodeStructured(value[from:p.nameFrom], own))
		b.WriteString(encodeParam(name, paramText(text), own))
		from = p.to
	}
	b.WriteString(encodeStructured(value[from:], own))
	return b.String()
}

// paramText returns what a value with raw text says, which may have encoded words, too.
func paramText(value string) string {
	text := Unquote(value)
	if utf8.ValidString(text) {
		text = decodeText(text)
	}
	return text
}

// encodeParam writes one parameter, in pieces if it is long (RFC 2231 3, 4).
func encodeParam(name, text, own string) string {
	if base, extended := strings.CutSuffix(name, "*"); extended {
		name = base
		if charset, rest, ok := strings.Cut(text, "'"); ok && isToken(charset) {
			_, rest, _ = strings.Cut(rest, "'") // the language
			own, text = charset, unescapePercent(rest)
		}
	}
	charset := "utf-8" // of ASCII too, which is all that was written if it was escaped
	if !isASCII(text) {
		charset = fieldCharset(text, own)
	}
	piece := charset + "''"
	base, number, numbered := strings.Cut(name, "*")
	if numbered { // it is a piece already
		if number != "0" {
			piece = ""
		}
		for i := range len(text) {
			piece += percent(text[i])
		}
		return base + "*" + number + "*=" + piece
	}
	const perPiece = 60
	var pieces []string
	for i := range len(text) {
		unit := percent(text[i])
		if len(piece)+len(unit) > perPiece {
			pieces = append(pieces, piece)
			piece = ""
		}
		piece += unit
	}
	pieces = append(pieces, piece)
	if len(pieces) == 1 {
		return name + "*=" + piece
	}
	for i := range pieces {
		pieces[i] = name + "*" + strconv.Itoa(i) + "*=" + pieces[i]
	}
	return strings.Join(pieces, "; ")
}

// percent writes a byte of an extended parameter value.
func percent(c byte) string {
	if c >= 0x80 || !isAtext(c) && c != '.' || strings.IndexByte("*'%", c) >= 0 {
		return "%" + hexDigits[c>>4:c>>4+1] + hexDigits[c&15:c&15+1]
	}
	return string(rune(c))
}

// unescapePercent undoes percent; what is not an escape stays.
func unescapePercent(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}
