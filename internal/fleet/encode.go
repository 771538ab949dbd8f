package fleet

import (
	"fmt"
	"strings"
)

// encode makes a name fit for streams, keys and subjects, which hold no @, no colon and no dot of their own: what is no
// letter, digit or hyphen becomes =XX, as in quoted-printable. Case does not matter in names of mailboxes and hosts.
func encode(name string) string {
	var b strings.Builder
	for _, c := range []byte(strings.ToLower(name)) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "=%02X", c)
	}
	return b.String()
}

// decode is the name that was encoded; what is not of that form stays as it is.
func decode(s string) string {
	var b strings.Builder
	for rest := s; rest != ""; {
		var c byte
		if n, err := fmt.Sscanf(rest, "=%02X", &c); n == 1 && err == nil && len(rest) >= 3 {
			b.WriteByte(c)
			rest = rest[3:]
			continue
		}
		b.WriteByte(rest[0])
		rest = rest[1:]
	}
	return b.String()
}
