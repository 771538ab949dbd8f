package rfc822

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// CompleteOptions says what to add to a message that lacks it.
type CompleteOptions struct {
	Now        time.Time
	Host       string  // right side of a new Message-ID
	From       Address // zero: no From is added
	MailDomain string  // put behind bare local names; "" leaves them alone
	// SenderDomain takes MailDomain's place in From, Sender and Reply-To: a local user has
	// no mailbox in the mail domain. "" means MailDomain.
	SenderDomain string
	// ASCIIDomain returns the A-labels of a domain that is not ASCII (RFC 5890 2.3.2.1), or an
	// error; nil leaves such domains alone, and the message needs SMTPUTF8.
	ASCIIDomain func(domain string) (string, error)
}

// Complete makes the header one that RFC 5322 3.6 allows. It adds Date, Message-ID and From where they are missing,
// and "To: undisclosed-recipients:;" where no To or Cc names anybody; so it is to be called after Recipients. Fields
// that name nothing go. Of fields that may stand once, To, Cc, Reply-To, From and References are joined, up to what
// Exchange takes in one field; of the others the first stays. An invalid Date is replaced, and kept in
// X-Original-Date; an invalid Message-ID is fixed, or replaced by one that the same message gets each time. Bare
// local names in address fields get MailDomain, domains their A-labels, and what RFC 5322 4.4 only lets be read is
// written as section 3.4 has it; no other byte of such a field changes unless it has 8-bit text that is not UTF-8.
func (m *Message) Complete(o CompleteOptions) {
	h := m.Header
	host := idHost(o.Host)
	digest := ""
	if id, _ := h.Get("Message-ID"); id != "" && fixMessageID(id, host) == "" {
		digest = m.digestID(host)
	}
	h.tidy(m.charset())
	if o.SenderDomain == "" {
		o.SenderDomain = o.MailDomain
	}
	for i, f := range h.fields {
		if f.isAddress() {
			h.fields[i] = f.rewritten(addressRewriter{domain: o.domainFor(f), ascii: o.ASCIIDomain})
		}
	}
	if !o.From.IsZero() {
		h.supply("From", o.From.String())
	}
	if !h.Has("To") && !h.Has("Cc") {
		h.Append("To", "undisclosed-recipients:;")
	}
	h.completeDate(FormatDate(o.Now))
	if id, _ := h.Get("Message-ID"); id != "" {
		if fixed := fixMessageID(id, host); fixed == "" {
			h.Set("Message-ID", digest)
		} else if fixed != id {
			h.Set("Message-ID", fixed)
		}
	}
	h.supply("Message-ID", newMessageID(o.Host, o.Now))
}

// tidy sees to it that address fields can be read and that fields stand once. charset is that of raw text.
func (h *Header) tidy(charset string) {
	for i, f := range h.fields {
		f = f.japanese().joined().nameWords()
		h.fields[i] = f
		if f.isAddress() && hasEightBit(f.raw) && !utf8.Valid(f.raw) {
			raw, _ := f.appendWire(nil, charset)
			h.fields[i] = Field{raw: raw, name: f.name}
		}
	}
	h.dropEmpty()
	h.once()
	h.shorten()
}

// joined returns the field without blanks before its colon, which only obsolete syntax has (RFC 5322 4.5): some
// readers take such a line for the beginning of the body.
func (f Field) joined() Field {
	if f.raw[f.name] == ':' {
		return f
	}
	return Field{raw: slices.Concat(f.raw[:f.name], []byte{':'}, f.content()), name: f.name}
}

// completeDate supplies a Date. One that is not in the form of RFC 5322 is written in it if it can be read, and else
// replaced; its text is kept.
func (h *Header) completeDate(now string) {
	if old, _ := h.Get("Date"); old != "" && !isDate(old) {
		date, ok := repairDate(old)
		if !ok {
			date = now
		}
		h.Set("Date", date)
		h.Append("X-Original-Date", old)
	}
	h.supply("Date", now)
}

// supply sets a field that is missing or empty.
func (h *Header) supply(name, value string) {
	if old, _ := h.Get(name); old == "" {
		h.Set(name, value)
	}
}

// FormatDate returns t as a Date field has it (RFC 5322 3.3), in UTC, so that no zone
// file is read.
func FormatDate(t time.Time) string {
	return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700")
}

// NewMessageID returns a new message identifier with its angle brackets (RFC 5322 3.6.4).
func NewMessageID(host string) string { return newMessageID(host, time.Now()) }

// newMessageID needs numbers that do not repeat, not numbers that can't be guessed.
func newMessageID(host string, now time.Time) string {
	return fmt.Sprintf("<%016x%08x.%x@%s>", rand.Uint64(), rand.Uint32(), now.UnixMilli(), idHost(host))
}

// idHost returns a host name as it may stand in an identifier.
func idHost(host string) string {
	host = strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '.':
			return r
		}
		return '-'
	}, host), ".-")
	for strings.Contains(host, "..") {
		host = strings.ReplaceAll(host, "..", ".")
	}
	if host == "" {
		host = "localhost"
	}
	return host
}

// domainFor is the domain for the bare names of an address field, "" if they stay as they are.
func (o *CompleteOptions) domainFor(f Field) string {
	domain := ""
	switch {
	case slices.ContainsFunc([]string{"To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"}, f.is):
		domain = o.MailDomain
	case slices.ContainsFunc([]string{"From", "Sender", "Reply-To", "Resent-From", "Resent-Sender"}, f.is):
		domain = o.SenderDomain
	}
	if _, problem := parseDomain(domain); problem != "" {
		return ""
	}
	return domain
}
