package envelope

import "strconv"

// AppendXtext appends s in the form that ENVID and ORCPT have on the wire (RFC 3461 4), angle brackets encoded, too.
func AppendXtext(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '+' || c == '=' || c == '<' || c == '>' {
			b = append(b, '+', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

// ParseXtext decodes what AppendXtext made; ok is false when a plus sign has no two hexadecimal digits after it.
func ParseXtext(s string) (text string, ok bool) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' {
			n, err := strconv.ParseUint(s[i+1:min(i+3, len(s))], 16, 8)
			if err != nil || len(s) < i+3 {
				return "", false
			}
			c, i = byte(n), i+2
		}
		b = append(b, c)
	}
	return string(b), true
}
