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

// cutQuoted reads a quoted text at the start of b and returns what follows it.
func cutQuoted(b []byte) (s string, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return "", nil, false
	}
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return string(b[1:i]), b[i+1:], true
		case c == '\\':
			return cutEscaped(b, i)
		case c < ' ' || c > '~':
			return "", nil, false
		}
	}
	return "", nil, false
}

// cutEscaped goes on where the first escape stands, at b[i].
func cutEscaped(b []byte, i int) (s string, rest []byte, ok bool) {
	out := append([]byte(nil), b[1:i]...)
	for ; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '"':
			return string(out), b[i+1:], true
		case c < ' ' || c > '~':
			return "", nil, false
		case c != '\\':
			out = append(out, c)
			continue
		}
		switch rest := b[i+1:]; {
		case len(rest) >= 1 && (rest[0] == '"' || rest[0] == '\\'):
			out = append(out, rest[0])
			i++
		case len(rest) >= 3 && rest[0] == 'x' && hexDigit(rest[1]) >= 0 && hexDigit(rest[2]) >= 0:
			out = append(out, byte(hexDigit(rest[1])<<4|hexDigit(rest[2])))
			i += 3
		default:
			return "", nil, false
		}
	}
	return "", nil, false
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
