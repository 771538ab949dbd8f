package rfc822

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxAddress is the longest addr-spec in bytes: 64 for the local part, an at sign, 255 for the domain
// (RFC 5321 4.5.3.1).
const maxAddress = 320

// Address is a mailbox (RFC 5322 3.4).
type Address struct {
	// Display is the display name, "" when there is none. It is decoded, but for encoded words in
	// a charset that this package does not know: they stay as they are.
	Display string
	Local   string // local part without quotes
	Domain  string // "" for a bare local name such as root
}

// IsZero reports whether there is no address at all.
func (a Address) IsZero() bool { return a.Local == "" && a.Domain == "" }

// ASCII reports whether the addr-spec can be sent without SMTPUTF8 (RFC 6531).
func (a Address) ASCII() bool { return isASCII(a.Local) && isASCII(a.Domain) }

// Addr returns the addr-spec, its local part quoted where RFC 5321 4.1.2 needs it. Of
// an Address made by hand, control characters become "_".
func (a Address) Addr() string {
	if a.IsZero() {
		return ""
	}
	local := quoteLocal(a.Local)
	if a.Domain == "" {
		return local
	}
	return local + "@" + strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`<>()",;@\`, r) {
			return '_'
		}
		return r
	}, a.Domain)
}

// String returns the mailbox as it stands in a header: the display name is quoted or
// encoded (RFC 2047) where needed. CR, LF and NUL become spaces.
func (a Address) String() string {
	if a.Display == "" {
		return a.Addr()
	}
	return FormatPhrase(a.Display) + " <" + a.Addr() + ">"
}

// AppendName puts sep and the display name of b behind a's own name.
func (a Address) AppendName(sep string, b Address) Address {
	a.Display += sep + b.Display
	return a
}

// quoteLocal returns a local part as a dot-atom, or else as a quoted string.
func quoteLocal(local string) string {
	if isDotAtom(local) {
		return local
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(local) {
		c := local[i]
		switch {
		case c < ' ' || c == 0x7f:
			c = '_'
		case c == '"' || c == '\\':
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	b.WriteByte('"')
	return b.String()
}

func isDotAtom(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		if !isAtext(s[i]) && s[i] != '.' {
			return false
		}
	}
	return true
}

// isAtext follows RFC 5322 3.2.3 and RFC 6532 3.2.
func isAtext(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c >= 0x80:
		return true
	}
	return c != 0 && strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// Unquote returns what a quoted string (RFC 5322 3.2.4) means; s without quotes around it
// comes back as it is.
func Unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// parseAddrSpec parses an addr-spec without comments or white space around it. On
// failure it returns what is wrong.
func parseAddrSpec(s string) (local, domain, problem string) {
	switch {
	case s == "":
		return "", "", "it is empty"
	case !utf8.ValidString(s):
		return "", "", "it is not UTF-8"
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "", "", "it has a control character"
	}
	local, rest, problem := parseLocal(s)
	switch {
	case problem != "":
		return "", "", problem
	case local == "":
		return "", "", "it has no local part"
	case rest == "":
		return local, "", ""
	}
	domain, problem = parseDomain(rest[1:])
	if problem != "" {
		return "", "", problem
	}
	return local, domain, ""
}

// parseLocal returns the local part and what follows it, which begins with an at sign.
// Dots may stand anywhere: such addresses exist, and Addr quotes them.
func parseLocal(s string) (local, rest, problem string) {
	var b []byte
	i := 0
	for i < len(s) && s[i] != '@' {
		switch c := s[i]; {
		case c == '"':
			end := quotedEnd(s, i)
			if end == 0 {
				return "", "", "a quote is not closed"
			}
			if i > 0 && s[i-1] != '.' || end < len(s) && s[end] != '.' && s[end] != '@' {
				return "", "", "it has quotes around a part of a word"
			}
			b = append(b, Unquote(s[i:end])...)
			i = end
		case c == '.' || isAtext(c):
			b = append(b, c)
			i++
		case c == ' ':
			return "", "", "it has a space outside quotes"
		default:
			return "", "", "character " + string(c) + " must be quoted"
		}
	}
	return string(b), s[i:], ""
}

func parseDomain(s string) (domain, problem string) {
	if strings.HasPrefix(s, "[") {
		inner := strings.TrimSuffix(s[1:], "]")
		if inner == "" || len(inner)+2 != len(s) || !isAddressLiteral(inner) {
			return "", "its domain literal is wrong"
		}
		return s, ""
	}
	s = strings.TrimSuffix(s, ".")
	switch {
	case s == "":
		return "", "it has no domain"
	case len(s) > 255:
		return "", "its domain is too long"
	case s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, ".."):
		return "", "its domain has an empty label"
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-' || c == '.' || c == '_' || c >= 0x80:
		default:
			return "", "character " + string(c) + " can't be in a domain"
		}
	}
	return s, ""
}

// isAddressLiteral reports whether s is made of what IP addresses are made of (RFC 5321 4.1.3).
func isAddressLiteral(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == ':', c == '-':
		default:
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
