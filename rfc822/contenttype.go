package rfc822

import (
	"strconv"
	"strings"
)

// contentType is a parsed Content-Type (RFC 2045 5.1).
type contentType struct {
	media    string // "text/plain", in lower case; "" when there is no field or no sense in it
	boundary string // of a multipart
	charset  string // "" when none is named
}

// hasBoundary reports whether the boundary is one that parts can be told by. RFC 2046 5.1.1 allows
// 70 bytes.
func (ct contentType) hasBoundary() bool {
	const longest = 250
	return ct.boundary != "" && len(ct.boundary) <= longest && isASCII(ct.boundary)
}

// parseContentType reads a Content-Type as leniently as readers do.
func parseContentType(value string) contentType {
	media := parseMedia(value)
	if media == "" {
		return contentType{}
	}
	ct := contentType{media: media}
	for _, p := range parseParams(value) {
		switch name, text := p.name(value), Unquote(p.value(value)); {
		case strings.EqualFold(name, "boundary") && ct.boundary == "":
			if ct.boundary = text; p.value(value) == text {
				ct.boundary = bareValue(text)
			}
		case strings.EqualFold(name, "charset") && ct.charset == "":
			text, _, _ = strings.Cut(text, "(") // a comment behind a value without quotes
			ct.charset = strings.Trim(text, " \t'")
		}
	}
	if !strings.HasPrefix(media, "multipart/") {
		return ct
	}
	if ct.boundary == "" {
		ct.boundary = extendedParam(value, "boundary")
	}
	return ct
}

// extendedParam returns a parameter that comes in pieces or in extended form (RFC 2231 3, 4), whatever its charset,
// and "" if there is none. Package mime knows two charsets.
func extendedParam(value, name string) string {
	pieces := make(map[string]string)
	for _, p := range parseParams(value) {
		base, section, ok := strings.Cut(p.name(value), "*")
		if !ok || !strings.EqualFold(base, name) {
			continue
		}
		text := Unquote(p.value(value))
		section, extended := strings.CutSuffix(section, "*")
		if section == "" || extended {
			if section == "" || section == "0" {
				if _, rest, ok := strings.Cut(text, "'"); ok {
					_, text, _ = strings.Cut(rest, "'")
				}
			}
			text = unescapePercent(text)
		}
		if _, twice := pieces[section]; !twice {
			pieces[section] = text
		}
	}
	if text, ok := pieces[""]; ok {
		return text
	}
	var b strings.Builder
	for n := 0; ; n++ {
		text, ok := pieces[strconv.Itoa(n)]
		if !ok {
			return b.String()
		}
		b.WriteString(text)
	}
}

// bareValue returns a value without quotes as it is meant: a comment may stand behind it.
func bareValue(text string) string {
	if i := strings.Index(text, " ("); i > 0 && strings.HasSuffix(text, ")") {
		text = text[:i]
	}
	return strings.TrimRight(text, " \t")
}

// parseMedia returns the media type that a value begins with, in lower case; "" if there is none.
func parseMedia(value string) string {
	head, _, _ := strings.Cut(value, ";")
	head, _, _ = strings.Cut(head, "(")
	kind, rest, _ := strings.Cut(strings.ToLower(head), "/")
	words := strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' })
	if kind = strings.TrimSpace(kind); kind == "" || len(words) == 0 || strings.Contains(words[0], "/") {
		return ""
	}
	return strings.Join(strings.Fields(kind), "") + "/" + words[0]
}

// plainType returns a Content-Type without what RFC 2045 5.1 has no room for, and without the comments that some
// readers take for a part of a value.
func plainType(value string) string {
	media, params, _ := strings.Cut(value, ";")
	plain := parseMedia(value) == strings.ToLower(strings.Trim(media, " \t"))
	clean := strings.Trim(media, " \t")
	if !plain {
		clean = parseMedia(value)
	}
	end, charset := len(value)-len(params), false
	for _, p := range parseParams(value) {
		name, text := p.name(value), p.value(value)
		plain = plain && p.nameFrom >= end && strings.Trim(value[end:p.nameFrom], " \t\r\n;") == "" &&
			strings.Count(value[end:p.nameFrom], ";") <= 1 && p.from == p.nameTo+1
		end = p.to
		if strings.EqualFold(name, "charset") {
			bare := parseContentType(media + ";" + value[p.nameFrom:p.to]).charset
			if plain = plain && (text == bare || text == `"`+bare+`"`); !plain && text != bare {
				text = bare
			}
		}
		if text != "" && text[0] != '"' && isASCII(text) && !isToken(text) {
			if text, plain = bareValue(text), false; !isToken(text) {
				text = quote(text)
			}
		}
		if strings.EqualFold(name, "charset") && charset {
			plain = false // the first counts
			continue
		}
		charset = charset || strings.EqualFold(name, "charset")
		if isToken(name) && text != "" {
			clean += "; " + name + "=" + text
		}
	}
	if plain && strings.Trim(value[min(end, len(value)):], " \t\r\n") == "" || clean == "" {
		return value
	}
	return clean
}

// param is a parameter within a field value: name [nameFrom:nameTo], value [from:to].
type param struct{ nameFrom, nameTo, from, to int }

func (p param) name(s string) string  { return s[p.nameFrom:p.nameTo] }
func (p param) value(s string) string { return s[p.from:p.to] }

// parseParams finds the parameters of a structured field. A value without quotes goes up to the
// next semicolon, white space around it left out.
func parseParams(s string) []param {
	var params []param
	i := skipToSemicolon(s, 0)
	if comma := strings.IndexByte(s[:i], ','); comma > 0 &&
		strings.IndexByte(s[:comma], '(') < 0 && strings.IndexByte(s[comma:i], '=') > 0 {
		i = comma // in place of the first semicolon
	}
	for i < len(s) {
		i++
		for i < len(s) && (isBlank(s[i]) || s[i] == '\r' || s[i] == '\n') {
			i++
		}
		p := param{nameFrom: i}
		for i < len(s) && s[i] != '=' && s[i] != ';' && !isBlank(s[i]) {
			i++
		}
		p.nameTo = i
		for i < len(s) && isBlank(s[i]) {
			i++
		}
		if i < len(s) && s[i] == '=' {
			i++
			for i < len(s) && isBlank(s[i]) {
				i++
			}
			p.from = i
			if i < len(s) && s[i] == '"' {
				if end := quotedEnd(s, i); end > 0 {
					p.to = end
				}
			}
			i = skipToSemicolon(s, i)
			if p.to == 0 {
				p.to = p.from + len(strings.TrimRight(s[p.from:i], " \t"))
			}
			params = append(params, p)
			continue
		}
		i = skipToSemicolon(s, i)
	}
	return params
}

// setParam returns a field value with the parameter in place of one of that name, or behind the others.
func setParam(value, name, text string) string {
	for _, p := range parseParams(value) {
		if strings.EqualFold(p.name(value), name) {
			return value[:p.from] + text + value[p.to:]
		}
	}
	return strings.TrimRight(value, "; \t") + "; " + name + "=" + text
}

// skipToSemicolon returns the next semicolon outside quotes, or the end.
func skipToSemicolon(s string, i int) int {
	for ; i < len(s) && s[i] != ';'; i++ {
		if s[i] == '"' {
			if end := quotedEnd(s, i); end > 0 {
				i = end - 1
			}
		}
	}
	return min(i, len(s))
}

// transferEncoding is what a Content-Transfer-Encoding says (RFC 2045 6).
type transferEncoding uint8

const (
	encodingIdentity transferEncoding = iota // 7bit, 8bit, binary, none, or nothing that is known
	encodingQP
	encodingBase64
)

func parseTransferEncoding(value string) transferEncoding {
	switch plainEncoding(value) {
	case "quoted-printable":
		return encodingQP
	case "base64":
		return encodingBase64
	}
	return encodingIdentity
}

// plainEncoding returns the encoding that a Content-Transfer-Encoding means, however it is written; "" if it is none
// that RFC 2045 6.1 names.
func plainEncoding(value string) string {
	if end := strings.IndexAny(value, "(;"); end >= 0 {
		value = value[:end]
	}
	letters := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(value))
	switch letters {
	case "quotedprintable":
		return "quoted-printable"
	case "7bit", "8bit", "base64", "binary":
		return letters
	}
	return ""
}

// encodingLabel returns the Content-Transfer-Encoding in lower case. A blank at its end stays: some readers do
// not know the encoding then.
func (h *Header) encodingLabel() (label string, has bool) {
	for _, f := range h.fields {
		if f.is("Content-Transfer-Encoding") {
			return strings.ToLower(strings.TrimLeft(string(f.unfolded()), " \t")), true
		}
	}
	return "", false
}

// isUuencode reports whether a label is one of those that readers know for uuencoded content.
func isUuencode(label string) bool {
	return label == "uuencode" || label == "x-uuencode" || label == "uue" || label == "x-uue"
}
