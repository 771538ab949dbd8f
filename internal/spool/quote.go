package spool

// appendQuoted adds s in double quotes. Everything but printable ASCII becomes
// \xHH, so that no CR, LF, NUL or terminal control can stand in a spool file's head.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		b = appendQuotedOctet(b, s[i])
	}
	return append(b, '"')
}

func appendQuotedOctet(b []byte, c byte) []byte {
	const digits = "0123456789abcdef"
	switch {
	case c == '"' || c == '\\':
		return append(b, '\\', c)
	case c < ' ' || c > '~':
		return append(b, '\\', 'x', digits[c>>4], digits[c&15])
	}
	return append(b, c)
}

// cutQuoted reads a quoted text at the start of s and returns what follows it.
func cutQuoted(s string) (text, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", "", false
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[1:i], s[i+1:], true
		case c == '\\':
			return cutEscaped(s, i)
		case c < ' ' || c > '~':
			return "", "", false
		}
	}
	return "", "", false
}

// cutEscaped goes on where the first escape stands, at s[i].
func cutEscaped(s string, i int) (text, rest string, ok bool) {
	out := []byte(s[1:i])
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"':
			return string(out), s[i+1:], true
		case c < ' ' || c > '~':
			return "", "", false
		case c != '\\':
			out = append(out, c)
			continue
		}
		switch rest := s[i+1:]; {
		case len(rest) >= 1 && (rest[0] == '"' || rest[0] == '\\'):
			out = append(out, rest[0])
			i++
		case len(rest) >= 3 && rest[0] == 'x' && hexDigit(rest[1]) >= 0 && hexDigit(rest[2]) >= 0:
			out = append(out, byte(hexDigit(rest[1])<<4|hexDigit(rest[2])))
			i += 3
		default:
			return "", "", false
		}
	}
	return "", "", false
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
