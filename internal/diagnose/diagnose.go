// Package diagnose knows what Exchange Online's SMTP replies mean: what is at fault,
// whether waiting helps, and what an administrator does next. Exchange's first digit
// often misleads (a missing mailbox permission is a 430, a used-up daily quota a 554),
// so replies are told apart by enhanced code and words as well.
// It only looks at replies: it opens no connection, keeps no state and decides no retry.
package diagnose

import (
	"cmp"
	"strings"
)

// Class says who has to act on a failure. The zero value is Temporary, so that what
// nobody has thought of never costs a message.
type Class int

const (
	// Temporary failures pass by themselves; this message is tried again later.
	Temporary Class = iota
	// Permanent failures concern this message or recipient and will not pass.
	Permanent
	// Configuration failures concern every message until an administrator acts: hold the queue.
	Configuration
	// AccountTemporary failures concern every message of the mailbox for a while (quota,
	// too many connections, sending blocked): pause the account, not the message.
	AccountTemporary
)

// String returns a lower-case word for logs.
func (c Class) String() string {
	switch c {
	case Temporary:
		return "temporary"
	case Permanent:
		return "permanent"
	case Configuration:
		return "configuration"
	case AccountTemporary:
		return "account"
	}
	return "unknown"
}

// Diagnosis is what a failure means.
type Diagnosis struct {
	Class Class
	// Key is a stable identifier, for logs, metrics and tests.
	Key string
	// Cause says in one clause what is wrong; "" when the reply itself says all that is known.
	Cause string
	// Remedy says what to do: a PowerShell command or where to click. It may hold the
	// placeholder <mailbox>; Advice fills it. "" when there is nothing to do but wait.
	Remedy string
	// Repeated names, for KeyThrottled, the error for whose repetition the mailbox is throttled, in
	// Microsoft's words ("mailbox full", "invalid recipients"); "" when the reply doesn't say.
	Repeated string
	// RefreshToken is set when a token from a cache may be to blame: drop it, get a new
	// one and try once more on a new connection before believing the reply.
	RefreshToken bool
}

// The keys that decide more than a class does: what is put off, and how it is tried again.
const (
	// KeyThrottled: the whole mailbox waits, because one error came too often (Diagnosis.Repeated).
	KeyThrottled = "mailbox-throttled"
	// KeyMessageRate: the mailbox has sent its messages of the minute.
	KeyMessageRate = "message-rate"
	// KeyUnknownLimit: a refusal that no row knows and that speaks of a limit. It may be the
	// account's or the message's; another message shows which.
	KeyUnknownLimit = "unknown-limit"
	// KeyOutsideQuota: recipients outside the organization wait for a day, others don't.
	KeyOutsideQuota = "outside-recipient-quota"
	// KeySendAsDenied, KeyHVEMailFrom and KeyHVEFrom: the sender's address is refused, others are not.
	KeySendAsDenied = "send-as-denied"
	KeyHVEMailFrom  = "hve-mail-from"
	KeyHVEFrom      = "hve-from"
	// KeyMailboxFull and KeyLicence: Exchange counts these; a probe adds to the count.
	KeyMailboxFull = "mailbox-full"
	KeyLicence     = "licence-invalid"
	// KeyRecipientRefused: a recipient is refused for good; Exchange counts these, too.
	KeyRecipientRefused = "recipient-refused"
	// KeyClientCertificate: the relay refuses the host by its certificate.
	KeyClientCertificate = "client-certificate"
	// KeyTokenExpired: the session has outlasted its token; a new session gets a new one.
	KeyTokenExpired = "token-expired"
	// KeyChunkingRefused: the same message goes by DATA, over another connection.
	KeyChunkingRefused = "chunking-refused"
)

// SenderRefused reports whether only messages of this sender are refused.
func (d Diagnosis) SenderRefused() bool {
	switch d.Key {
	case KeySendAsDenied, KeyHVEMailFrom, KeyHVEFrom, "domain-not-registered":
		return true
	}
	return false
}

// The phases of a session that Reply tells apart. Others are allowed.
const (
	phaseGreeting = "greeting"
	phaseEHLO     = "ehlo"
	phaseStartTLS = "starttls"
	phaseAuth     = "auth"
	phaseMail     = "mail"
	phaseRcpt     = "rcpt"
)

// Reply says what a negative reply means. Phase is the command it answers, in lower
// case ("greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "bdat", "body");
// enhanced is the RFC 3463 code without blanks, "" if none; text is the rest of the reply.
func Reply(phase string, code int, enhanced, text string) Diagnosis {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	if enhanced == "" {
		enhanced = leadingCode(text)
	}
	if d, ok := throttled(code, enhanced, text); ok {
		return d
	}
	limited := code >= 500 && speaksOfLimits(text)
	for i := range replies {
		r := &replies[i]
		if r.matches(phase, code, enhanced, text) && !(limited && r.yields()) {
			return r.means
		}
	}
	if limited {
		return unknownLimit(phase, enhanced)
	}
	return byFirstDigit(phase, code)
}

// byFirstDigit judges a reply that no row knows (RFC 5321 4.2.1).
func byFirstDigit(phase string, code int) Diagnosis {
	if code < 500 {
		return Diagnosis{Class: Temporary, Key: "other-temporary"}
	}
	switch phase {
	case phaseGreeting, phaseEHLO, phaseStartTLS, phaseAuth:
		// No message has been named yet, so no message can be at fault.
		return Diagnosis{Class: Configuration, Key: "session-refused", RefreshToken: phase == phaseAuth && code == 535,
			Cause:  "the server refuses the session before it has seen a message",
			Remedy: "check smtp.host and smtp.port, and whether this machine's address may connect"}
	case phaseRcpt:
		return Diagnosis{Class: Permanent, Key: KeyRecipientRefused}
	}
	return Diagnosis{Class: Permanent, Key: "other-permanent"}
}

// row is one line of the table of replies; the first that matches wins.
type row struct {
	phase    string // "" any
	code     int    // 0 any, 4 or 5 any with that first digit
	enhanced string // "" any; several are separated by blanks
	text     string // lower-case words that the reply must contain, "" any; alternatives are separated by |
	means    Diagnosis
}

// yields reports whether words about a limit count more than the row: it refuses a message for good, or
// holds the queue on the strength of a number, and Microsoft gives numbers new meanings.
func (r *row) yields() bool {
	return r.means.Class == Permanent || r.means.Class == Configuration && r.text == ""
}

func (r *row) matches(phase string, code int, enhanced, text string) bool {
	switch {
	case r.phase != "" && r.phase != phase:
		return false
	case r.code > 0 && r.code < 10 && r.code != code/100:
		return false
	case r.code >= 10 && r.code != code:
		return false
	case r.enhanced != "" && !hasWord(r.enhanced, enhanced):
		return false
	}
	return r.text == "" || containsAny(text, r.text)
}

func hasWord(list, word string) bool {
	for w := range strings.SplitSeq(list, " ") {
		if w == word {
			return true
		}
	}
	return false
}

func containsAny(text, alternatives string) bool {
	for a := range strings.SplitSeq(alternatives, "|") {
		if strings.Contains(text, a) {
			return true
		}
	}
	return false
}

// leadingCode finds an enhanced code that opens the text, as in "5.7.57 SMTP; Client ...".
func leadingCode(text string) string {
	word, _, _ := strings.Cut(text, " ")
	if len(word) < 5 || strings.Count(word, ".") != 2 || strings.Trim(word, "0123456789.") != "" {
		return ""
	}
	return word
}

// The ways in which an application may have been given leave to send, as the key way names them.
const (
	WayScoped = "scoped" // Exchange's role "Application SMTP.SendAsApp" with a management scope
	WayAPI    = "api"    // Entra's permission SMTP.SendAsApp with admin consent, and permissions on the mailbox
	// WayHVE is the one way to an account of High Volume Email: Entra's permission Mail.Send with admin consent, and
	// the account's list of applications. The key kind stands for it.
	WayHVE = "hve"
)

// byWay picks the part of a remedy that concerns a way; "" is none that is known.
func (d Diagnosis) byWay(way string) string {
	switch {
	case way == WayHVE:
		return d.forHVE()
	case way == WayScoped && d.Remedy == registerApp:
		return registerScoped
	case way == WayAPI && d.Remedy == registerApp:
		return registerAPI
	case way == WayScoped && d.Remedy == grantMailbox:
		return removeConsent
	case way == WayAPI && d.Remedy == grantMailbox:
		return grantAPI
	}
	return d.Remedy
}

// forHVE is the remedy for an account of High Volume Email. What is set on mailboxes does not touch it.
func (d Diagnosis) forHVE() string {
	switch {
	case d.Remedy == registerApp, d.Remedy == grantMailbox, strings.HasPrefix(d.Remedy, enableSMTPAuth):
		return registerHVE
	case d.Remedy == waitADay, d.Remedy == assignLicence:
		return billHVE
	case d.Remedy == allowSender:
		return "send as <mailbox>"
	}
	return d.Remedy
}

// Advice returns the remedy for an application that may send by that way, with the mailbox filled in.
// Either may be "".
func (d Diagnosis) Advice(mailbox, way string) string {
	if personal(mailbox) && (d.Key == "smtp-auth-disabled-mailbox" || d.Key == "smtp-auth-disabled-tenant") {
		return "new personal mailboxes can't send by SMTP and have no switch for it: use a mailbox of a Microsoft " +
			"365 organization"
	}
	if mailbox == "" {
		return d.byWay(way)
	}
	return strings.ReplaceAll(d.byWay(way), "<mailbox>", cmp.Or(Quote(mailbox), "<mailbox>"))
}

// personal reports whether an address is below one of Microsoft's domains for personal mailboxes, as
// outlook.com, hotmail.co.uk or live.nl.
func personal(mailbox string) bool {
	_, domain, _ := strings.Cut(strings.ToLower(mailbox), "@")
	brand, rest, _ := strings.Cut(domain, ".")
	switch brand {
	case "outlook", "hotmail", "live", "msn":
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, "com."), "co.")
		return rest != "" && !strings.Contains(rest, ".")
	}
	return false
}

// Quote makes a value safe to paste into PowerShell. It is "" for one that can't be.
func Quote(s string) string {
	plain := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			i > 0 && (c == '.' || c == '-' || c == '_' || c == '@' || c == '+'):
		case c < ' ', c >= 0x7f: // PowerShell takes typographic quotes for quotes
			return ""
		default:
			plain = false
		}
	}
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
