package intake

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// asciiDomain returns the A-labels of a domain (RFC 5891 5): Exchange and DNS know no other form.
func asciiDomain(domain string) (string, error) {
	if printable.IsASCII(domain) {
		return domain, nil
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err == nil {
		domain, err = idna.Lookup.ToUnicode(ascii)
	}
	if err != nil || strings.ContainsFunc(domain, isForeignMark) {
		return "",
			sysexits.With(sysexits.DataErr, fmt.Errorf("%.128q is no internationalized domain name (RFC 5890)", domain))
	}
	return ascii, nil
}

// isForeignMark reports whether no domain has the character: a quotation mark or bracket, say, which belongs to the
// text around an address. Of such characters RFC 5892 2.6 has five; package idna takes others.
func isForeignMark(r rune) bool {
	const has = "\u00b7\u0375\u05f3\u05f4\u30fb"
	return r >= 0x80 && unicode.IsPunct(r) && !strings.ContainsRune(has, r)
}

// ASCIIAddress returns an address with the A-labels of its domain, or an error. An address of a
// local name comes back as it is.
func ASCIIAddress(addr string) (string, error) {
	if printable.IsASCII(addr) {
		return addr, nil
	}
	a, err := rfc822.ParseAddress(addr)
	if err != nil {
		return "", sysexits.With(sysexits.DataErr, err)
	}
	if a.Domain, err = asciiDomain(a.Domain); err != nil {
		return "", err
	}
	return a.Addr(), nil
}

// ASCIIPattern does the same to an address or a part of one, as in the configuration or a search. One that is none in
// the form of a mailbox stays.
func ASCIIPattern(pattern string) string {
	at := strings.LastIndexByte(pattern, '@')
	if domain, err := asciiDomain(pattern[at+1:]); at >= 0 && err == nil {
		return pattern[:at+1] + domain
	}
	return pattern
}

func asciiPatterns(patterns []string) []string {
	out := make([]string, len(patterns))
	for i, p := range patterns {
		out[i] = ASCIIPattern(p)
	}
	return out
}
