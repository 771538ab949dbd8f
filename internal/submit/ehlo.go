package submit

import (
	"net"
	"os"
	"strings"
)

// ehloName returns what EHLO says: the name asked for, else the host's, else an address
// literal (RFC 5321 4.1.3).
func ehloName(asked string, local net.Addr) string {
	if validEHLOName(asked) {
		return asked
	}
	if name, err := os.Hostname(); err == nil && strings.Contains(name, ".") && validEHLOName(name) {
		return name
	}
	return ehloLiteral(local)
}

// ehloLiteral returns an address as RFC 5321 4.1.3 writes it.
func ehloLiteral(local net.Addr) string {
	if tcp, ok := local.(*net.TCPAddr); ok {
		switch ip := tcp.AddrPort().Addr().Unmap().WithZone(""); {
		case ip.Is4():
			return "[" + ip.String() + "]"
		case ip.Is6():
			return "[IPv6:" + ip.String() + "]"
		}
	}
	return "[127.0.0.1]"
}

// validEHLOName takes domains of letters, digits and hyphens, and address literals.
func validEHLOName(s string) bool {
	if len(s) > 255 || s == "" {
		return false
	}
	if s[0] == '[' {
		return validLiteral(s)
	}
	label := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '.':
			if label == 0 || s[i-1] == '-' {
				return false
			}
			label = 0
			continue
		case c == '-' && label == 0, !letterOrDigit(c) && c != '-':
			return false
		}
		if label++; label > 63 {
			return false
		}
	}
	return label > 0 && s[len(s)-1] != '-'
}

func letterOrDigit(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
