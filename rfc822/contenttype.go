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
// 70 octets.
func (ct contentType) hasBoundary() bool {
	const longest = 250
	return ct.boundary != "" && len(ct.boundary) <= longest && isASCII(ct.boundary)
}

// parseContentType reads a Content-Type as leniently as readers do.
func parseContentType(value string) contentType {
	head, _, _ := strings.Cut(value, ";")
	head, _, _ = strings.Cut(head, "(")
	media := strings.ToLower(strings.Join(strings.Fields(head), ""))
	if strings.Count(media, "/") != 1 {
		return contentType{}
	}
	ct := contentType{media: media}
	for _, p := range parseParams(value) {
		switch name, text := p.name(value), Unquote(p.value(value)); {
		case strings.EqualFold(name, "boundary") && ct.boundary == "":
			ct.boundary = text
		case strings.EqualFold(name, "charset") && ct.charset == "":
			ct.charset = strings.Trim(text, " '")
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

// param is a parameter within a field value: name [nameFrom:nameTo], value [from:to].
type param struct{ nameFrom, nameTo, from, to int }

func (p param) name(s string) string  { return s[p.nameFrom:p.nameTo] }
func (p param) value(s string) string { return s[p.from:p.to] }

// parseParams finds the parameters of a structured field. A value without quotes goes up to the
// next semicolon, white space around it left out.
func parseParams(s string) []param {
	var params []param
	i := skipToSemicolon(s, 0)
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
	end := strings.IndexAny(value, " \t(;")
	if end < 0 {
		end = len(value)
	}
	switch strings.ToLower(strings.Trim(value[:end], `"`)) {
	case "quoted-printable":
		return encodingQP
	case "base64":
		return encodingBase64
	}
	return encodingIdentity
}
