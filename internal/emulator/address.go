package emulator

import (
	"crypto/tls"
	"net"
	"strings"
)

// validAddress checks the form of a mailbox, local part and domain (RFC 5321 4.1.2).
// Bytes over 127 need SMTPUTF8.
func validAddress(a string, utf8 bool) bool {
	at := strings.LastIndexByte(a, '@')
	if at <= 0 || len(a) > 254 {
		return false
	}
	local, domain := a[:at], a[at+1:]
	if !utf8 {
		for _, c := range []byte(a) {
			if c >= 0x80 {
				return false
			}
		}
	}
	return validLocal(local) && validDomain(domain)
}

func validLocal(s string) bool {
	if len(s) > 64 {
		return false
	}
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return validQuoted(s[1 : len(s)-1])
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsAny(atom, "()<>[]:;@\\,\" ") || strings.ContainsFunc(atom, isControl) {
			return false
		}
	}
	return true
}

func validQuoted(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
		case c == '\\', c == '"', c < ' ', c == 0x7f:
			return false
		}
	}
	return true
}

func validDomain(s string) bool {
	if rest, ok := strings.CutPrefix(s, "["); ok {
		literal, ok := strings.CutSuffix(rest, "]")
		return ok && net.ParseIP(strings.TrimPrefix(literal, "IPv6:")) != nil
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.ContainsAny(label, "()<>[]:;@\\,\" _") ||
			strings.ContainsFunc(label, isControl) {
			return false
		}
	}
	return len(s) <= 255
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func (s *session) tlsVersion() string { return tls.VersionName(s.tls.ConnectionState().Version) }
