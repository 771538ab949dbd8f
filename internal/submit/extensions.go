package submit

import (
	"strconv"
	"strings"
)

// Extensions are what a server offers in its reply to EHLO, after TLS.
type Extensions struct {
	// Size is the largest message in bytes (RFC 1870); 0 when no limit is declared.
	Size int64
	// SizeParam reports whether MAIL takes SIZE=.
	SizeParam           bool
	Pipelining          bool // RFC 2920
	Chunking            bool // RFC 3030
	EightBitMIME        bool // RFC 6152
	SMTPUTF8            bool // RFC 6531
	DSN                 bool // RFC 3461
	EnhancedStatusCodes bool // RFC 2034
	StartTLS            bool // RFC 3207
	// Auth are the SASL mechanisms, in upper case.
	Auth []string
	// MaxRecipients and MaxMessages are RCPTMAX and MAILMAX of RFC 9422; 0 when not declared.
	MaxRecipients, MaxMessages int
}

// parseExtensions reads the lines that follow the first of a reply to EHLO. Keywords
// are taken in any case; what is not known is skipped.
func parseExtensions(lines []string) Extensions {
	var x Extensions
	for _, line := range lines {
		keyword, params, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
		switch keyword {
		case "SIZE":
			x.SizeParam = true
			if n, err := strconv.ParseInt(strings.TrimSpace(params), 10, 64); err == nil && n > 0 {
				x.Size = n
			}
		case "PIPELINING":
			x.Pipelining = true
		case "CHUNKING":
			x.Chunking = true
		case "8BITMIME":
			x.EightBitMIME = true
		case "SMTPUTF8":
			x.SMTPUTF8 = true
		case "DSN":
			x.DSN = true
		case "ENHANCEDSTATUSCODES":
			x.EnhancedStatusCodes = true
		case "STARTTLS":
			x.StartTLS = true
		case "AUTH":
			x.Auth = append(x.Auth, strings.Fields(params)...)
		case "LIMITS":
			x.limits(params)
		}
	}
	return x
}

func (x *Extensions) limits(params string) {
	for p := range strings.FieldsSeq(params) {
		name, value, _ := strings.Cut(p, "=")
		n, err := strconv.Atoi(value)
		if err != nil || n <= 0 {
			continue
		}
		switch name {
		case "RCPTMAX":
			x.MaxRecipients = n
		case "MAILMAX":
			x.MaxMessages = n
		}
	}
}

func (x *Extensions) offersAuth(mechanism string) bool {
	for _, m := range x.Auth {
		if m == mechanism {
			return true
		}
	}
	return false
}
