package notify

import (
	"fmt"
	"strings"

	"o365-sendmail/internal/printable"
	"o365-sendmail/rfc822"
)

// status is the part for programs (RFC 3464 2).
func (r *Report) status() []byte {
	var b strings.Builder
	field := func(name, value string) {
		if value != "" {
			b.WriteString(name + ": " + ascii(value) + "\r\n")
		}
	}
	if r.Envelope != nil {
		field("Original-Envelope-Id", r.Envelope.EnvID)
	}
	field("Reporting-MTA", "dns; "+r.Host)
	field("X-Queue-Id", r.QueueID)
	field("Arrival-Date", rfc822.FormatDate(r.Arrived))
	for i := range r.Recipients {
		b.WriteString("\r\n")
		rc := &r.Recipients[i]
		field("Original-Recipient", typed(rc.ORcpt))
		field("Final-Recipient", typed("rfc822;"+rc.Address))
		field("Action", string(r.Action))
		field("Status", r.statusOf(rc))
		if rc.Reply != "" {
			field("Remote-MTA", "dns; "+r.Relay)
			field("Diagnostic-Code", "smtp; "+rc.Reply)
		} else if rc.Reason != "" {
			field("Diagnostic-Code", "x-o365-sendmail; "+rc.Reason)
		}
		field("Last-Attempt-Date", rfc822.FormatDate(r.Now))
		if r.Action == Delayed && !r.Until.IsZero() {
			field("Will-Retry-Until", rfc822.FormatDate(r.Until))
		}
	}
	return []byte(b.String())
}

// statusOf returns the code with the class that the action has.
func (r *Report) statusOf(rc *Recipient) string {
	class := map[Action]byte{Failed: '5', Delayed: '4', Relayed: '2'}[r.Action]
	if len(rc.Status) >= 5 && rc.Status[1] == '.' {
		return string(class) + rc.Status[1:]
	}
	return string(class) + ".0.0"
}

// typed returns "type; address" of "type;address". An address outside ASCII gets the type and
// the form of RFC 6533 3.
func typed(s string) string {
	kind, address, ok := strings.Cut(s, ";")
	if !ok || address == "" {
		return ""
	}
	if printable.IsASCII(address) {
		return kind + "; " + address
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(address, "?") {
		if r > ' ' && r < 0x7f && r != '\\' && r != '+' && r != '=' {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\x{%X}`, r)
		}
	}
	return "utf-8; " + b.String()
}

// maxField keeps a line of a report within SMTP's 998 bytes.
const maxField = 900

// ascii makes a value fit for a field of a report: printable ASCII on one line.
func ascii(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7f:
			return ' '
		case r > 0x7f:
			return '?'
		}
		return r
	}, s)
	if len(s) > maxField {
		s = s[:maxField] + "..."
	}
	return s
}
