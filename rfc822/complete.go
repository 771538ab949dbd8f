package rfc822

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
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
}

// Complete adds Date, Message-ID and From (RFC 5322 3.6) where they are missing or empty, and
// "To: undisclosed-recipients:;" when there is no To, Cc or Bcc; so it is to be called before
// RemoveBcc and after Recipients. Bare local names in address fields get MailDomain; no other octet of
// such a field changes.
func (m *Message) Complete(o CompleteOptions) {
	h := m.Header
	if o.SenderDomain == "" {
		o.SenderDomain = o.MailDomain
	}
	h.qualify(o.MailDomain, "To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc")
	h.qualify(o.SenderDomain, "From", "Sender", "Reply-To", "Resent-From", "Resent-Sender")
	if !o.From.IsZero() {
		h.supply("From", o.From.String())
	}
	if !h.Has("To") && !h.Has("Cc") && !h.Has("Bcc") {
		h.Append("To", "undisclosed-recipients:;")
	}
	h.supply("Date", FormatDate(o.Now))
	h.supply("Message-ID", newMessageID(o.Host, o.Now))
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
	return fmt.Sprintf("<%016x%08x.%x@%s>", rand.Uint64(), rand.Uint32(), now.UnixMilli(), host)
}

// qualify puts "@" and the domain behind the bare local names of address fields. It does
// nothing if the domain is none.
func (h *Header) qualify(domain string, names ...string) {
	if _, problem := parseDomain(domain); problem != "" {
		return
	}
	for i, f := range h.fields {
		if slices.ContainsFunc(names, f.is) {
			h.fields[i] = f.qualified(domain)
		}
	}
}

// qualified returns the field with its bare local names completed.
func (f Field) qualified(domain string) Field {
	value := f.content()
	begin := len(f.raw) - len(value)
	s := string(value[:len(value)-len("\r\n")])
	var at []int // where a domain belongs
	l := newLexer(s)
	var toks []token
	for len(at) < maxAddresses {
		it, ok := l.item(toks)
		if !ok {
			break
		}
		toks = it.toks
		if end, bare := it.bareName(s); bare {
			at = append(at, end)
		}
	}
	if len(at) == 0 {
		return f
	}
	raw := make([]byte, 0, len(f.raw)+len(at)*(len(domain)+1))
	raw = append(raw, f.raw[:begin]...)
	from := 0
	for _, end := range at {
		raw = append(raw, s[from:end]...)
		raw = append(raw, '@')
		raw = append(raw, domain...)
		from = end
	}
	raw = append(raw, s[from:]...)
	return Field{raw: append(raw, '\r', '\n'), name: f.name}
}

// bareName tells whether the item is a good address without a domain, and where it ends.
func (it item) bareName(s string) (end int, bare bool) {
	if it.group || len(it.toks) == 0 || it.onlyComments() {
		return 0, false
	}
	a, err := it.address(s)
	if err != nil || a.Domain != "" {
		return 0, false
	}
	_, end, err = it.spec(s)
	return end, err == nil
}
