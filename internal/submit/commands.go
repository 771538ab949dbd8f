package submit

import (
	"strconv"
	"strings"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/printable"
)

// Bounds of RFC 3461 (4.2, 4.4) on parameters that nobody misses when they are left out.
const (
	maxORcpt = 500
	maxEnvID = 100
)

// appendMail appends the MAIL command with the parameters that the server offers.
func (s *Session) appendMail(b []byte, env *envelope.Envelope, size int64, utf8 bool) []byte {
	b = append(b, "MAIL FROM:<"...)
	b = append(b, env.Sender...)
	b = append(b, '>')
	if s.ext.SizeParam {
		b = strconv.AppendInt(append(b, " SIZE="...), size, 10)
	}
	if env.EightBit {
		b = append(b, " BODY=8BITMIME"...)
	}
	if utf8 {
		b = append(b, " SMTPUTF8"...)
	}
	if s.ext.DSN {
		if env.Ret == "FULL" || env.Ret == "HDRS" {
			b = append(append(b, " RET="...), env.Ret...)
		}
		if env.EnvID != "" && printable.IsASCII(env.EnvID) {
			b = appendParameter(b, " ENVID=", env.EnvID, maxEnvID)
		}
	}
	return append(b, "\r\n"...)
}

// appendRcpt appends a RCPT command.
func (s *Session) appendRcpt(b []byte, rcpt *envelope.Recipient) []byte {
	b = append(b, "RCPT TO:<"...)
	b = append(b, rcpt.Address...)
	b = append(b, '>')
	if s.ext.DSN {
		if rcpt.Notify != 0 {
			b = append(append(b, " NOTIFY="...), rcpt.Notify.String()...)
		}
		b = appendORcpt(b, rcpt.ORcpt)
	}
	return append(b, "\r\n"...)
}

// appendORcpt appends ORCPT=type;xtext if the value can be one.
func appendORcpt(b []byte, value string) []byte {
	kind, address, found := strings.Cut(value, ";")
	if !found || kind == "" || address == "" || !printable.IsASCII(value) {
		return b
	}
	for i := 0; i < len(kind); i++ {
		if !letterOrDigit(kind[i]) && kind[i] != '-' {
			return b
		}
	}
	return appendParameter(b, " ORCPT="+kind+";", address, maxORcpt)
}

// appendParameter appends a parameter in xtext, or nothing when it would be too long.
func appendParameter(b []byte, name, value string, limit int) []byte {
	start := len(b)
	b = append(b, name...)
	if b = envelope.AppendXtext(b, value); len(b)-start-len(name) > limit {
		return b[:start]
	}
	return b
}
