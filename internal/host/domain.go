package host

import "strings"

// IsDomain reports whether s is a domain name (RFC 1123 2.1): labels of 1 to 63 letters, digits and hyphens, which
// neither begin nor end with a hyphen, 253 bytes in all. Letters outside ASCII (RFC 5890) count as letters, and so
// does the underscore, which hosts and DNS are seen to use.
func IsDomain(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, notInLabel) {
			return false
		}
	}
	return true
}

func notInLabel(r rune) bool {
	return r < 0x80 && r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') ||
		r == '\uFFFD'
}
