package submit

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// maxAddress is the longest addr-spec: 64 bytes, an "@", and 255 (RFC 5321 4.5.3.1).
const maxAddress = 320

// checkAddress reports whether an addr-spec may stand between the angle brackets of MAIL
// or RCPT without the server reading anything else into it. Angle brackets are refused
// even inside quotes, where the RFC allows them and some parsers stumble.
func checkAddress(a string) error {
	switch {
	case a == "":
		return errors.New("it is empty")
	case len(a) > maxAddress:
		return errors.New("it is too long")
	case !utf8.ValidString(a):
		return errors.New("it is not valid UTF-8")
	case strings.ContainsFunc(a, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }):
		return errors.New("it holds a control character")
	case strings.ContainsAny(a, "<>"):
		return errors.New("it holds an angle bracket")
	}
	domain, err := cutLocalPart(a)
	if err != nil {
		return err
	}
	return checkDomain(domain)
}

func cutLocalPart(a string) (domain string, err error) {
	if a[0] == '"' {
		return cutQuoted(a)
	}
	local, domain, found := strings.Cut(a, "@")
	switch {
	case !found:
		return "", errors.New("it has no domain")
	case local == "":
		return "", errors.New("it has no local part")
	case strings.ContainsAny(local, " \"(),:;[\\]"):
		return "", errors.New("its local part needs quotes")
	}
	return domain, nil
}

func cutQuoted(a string) (domain string, err error) {
	for i := 1; i < len(a); i++ {
		switch a[i] {
		case '\\':
			i++
		case '"':
			rest, found := strings.CutPrefix(a[i+1:], "@")
			if !found {
				return "", errors.New("its quotes do not end before the @")
			}
			return rest, nil
		}
	}
	return "", errors.New("its quotes do not end")
}

func checkDomain(domain string) error {
	if strings.HasPrefix(domain, "[") {
		if validLiteral(domain) {
			return nil
		}
		return errors.New("its address literal is not valid")
	}
	if domain == "" {
		return errors.New("it has no domain")
	}
	for i := 0; i < len(domain); i++ {
		if c := domain[i]; !letterOrDigit(c) && c != '-' && c != '_' && c != '.' && c < utf8.RuneSelf {
			return errors.New("its domain is not valid")
		}
	}
	return nil
}

// validLiteral takes what may stand in an address literal (RFC 5321 4.1.3).
func validLiteral(s string) bool {
	if len(s) < 3 || s[0] != '[' || s[len(s)-1] != ']' {
		return false
	}
	for i := 1; i < len(s)-1; i++ {
		if c := s[i]; !letterOrDigit(c) && c != '.' && c != ':' && c != '-' {
			return false
		}
	}
	return true
}

func letterOrDigit(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
