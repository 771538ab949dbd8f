package xoauth

import (
	"net/url"
	"strings"

	"o365-sendmail/internal/printable"
)

// clean makes foreign text fit for one line of a log or a terminal: whatever is not printable becomes a space, runs
// of spaces one, and the result holds at most max bytes.
func clean(s string, max int) string {
	return printable.Cut(strings.Join(strings.Fields(printable.OneLine(s)), " "), max)
}

// minSecret is the length below which a secret is not looked for: shorter text
// turns up by chance.
const minSecret = 4

// redact removes each secret from s, plain and form-encoded, and whatever looks
// like a JWT, whoever's it is.
func redact(s string, secrets []string) string {
	for _, secret := range secrets {
		if len(secret) < minSecret {
			continue
		}
		s = strings.ReplaceAll(s, secret, redacted)
		s = strings.ReplaceAll(s, url.QueryEscape(secret), redacted)
	}
	return redactJWT(s)
}

// redactJWT replaces each run of token characters that begins like a JWT.
func redactJWT(s string) string {
	const head = "eyJ" // base64url of `{"`
	var b strings.Builder
	for {
		i := strings.Index(s, head)
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		end := i
		for end < len(s) && isTokenByte(s[end]) {
			end++
		}
		b.WriteString(s[:i])
		if end-i < 20 {
			b.WriteString(s[i:end])
		} else {
			b.WriteString(redacted)
		}
		s = s[end:]
	}
}

func isTokenByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || strings.IndexByte("-_.+/=", c) >= 0
}

// word returns s when it is a plain word of at most max bytes, as error codes and
// ids are; else "".
func word(s string, max int) string {
	if len(s) > max {
		return ""
	}
	for i := range len(s) {
		if c := s[i]; !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '_' ||
			c == '.') {
			return ""
		}
	}
	return s
}
