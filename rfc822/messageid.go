package rfc822

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// fixMessageID returns the identifier that a value holds in the syntax that readers and Exchange take
// (RFC 5322 3.6.4), by the least change; "" if it holds none. host stands in for a right side that is missing.
func fixMessageID(value, host string) string {
	value = strings.TrimSpace(value)
	if isMessageID(value) {
		return value
	}
	s := withoutComments(value)
	if i := strings.IndexByte(s, '<'); i >= 0 {
		s, _, _ = strings.Cut(s[i+1:], ">")
	} else if words := strings.Fields(s); len(words) > 0 && strings.Contains(words[0], "@") {
		s = words[0]
	}
	s = strings.Trim(s, "<> \t")
	if bare, found := strings.CutPrefix(s, "["); found && strings.HasSuffix(bare, "]") && !strings.Contains(bare, "[") {
		s = strings.TrimSuffix(bare, "]")
	}
	left, right := s, ""
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		left, right = s[:i], s[i+1:]
	}
	left, right = fixDotAtom(Unquote(left)), fixDotAtom(right)
	if left == "" {
		return ""
	}
	if right == "" {
		right = host
	}
	return "<" + left + "@" + right + ">"
}

// isMessageID reports whether s is one identifier, without blanks or comments around it.
func isMessageID(s string) bool {
	inner, ok := strings.CutPrefix(s, "<")
	inner, closed := strings.CutSuffix(inner, ">")
	i := strings.LastIndexByte(inner, '@')
	if !ok || !closed || i < 0 || !isASCII(s) || strings.ContainsAny(inner, " \t<>") {
		return false
	}
	left, right := inner[:i], inner[i+1:]
	quoted := len(left) > 2 && left[0] == '"' && quotedEnd(left, 0) == len(left)
	literal := len(right) > 2 && right[0] == '[' && strings.IndexByte(right, ']') == len(right)-1
	return (quoted || isDotAtom(left)) && (literal || isDotAtom(right))
}

// fixDotAtom drops blanks and dots that are too many, and escapes what may not stand in an atom.
func fixDotAtom(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case isBlank(c):
		case c == '.':
			if b.Len() > 0 && !strings.HasSuffix(b.String(), ".") {
				b.WriteByte(c)
			}
		case isAtext(c) && c < 0x80:
			b.WriteByte(c)
		default:
			b.Write([]byte{'_', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return strings.TrimRight(b.String(), ".")
}

// digestID returns an identifier that the same message gets each time.
func (m *Message) digestID(host string) string {
	h := fnv.New128a()
	for _, f := range m.Header.fields {
		h.Write(f.raw)
	}
	fmt.Fprint(h, m.info.Size, m.info.Lines)
	return fmt.Sprintf("<%x@%s>", h.Sum(nil), host)
}
