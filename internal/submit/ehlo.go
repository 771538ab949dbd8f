package submit

import (
	"net"
	"os"
	"strings"

	"o365-sendmail/internal/host"
	"o365-sendmail/internal/printable"
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
	if strings.HasPrefix(s, "[") {
		return len(s) <= 255 && validLiteral(s)
	}
	return host.IsDomain(s) && printable.IsASCII(s) && !strings.Contains(s, "_")
}
