package intake

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/rfc822"
)

// senderLimits is what Rule.Allow says of one caller.
type senderLimits struct {
	mailbox  string
	narrowed bool     // else any sender is allowed
	patterns []string // beside the mailbox
}

// limitsOf looks a caller up: by name, by id, and last as one of all others.
func (r *senderRule) limitsOf(c User) senderLimits {
	l := senderLimits{mailbox: r.Mailbox}
	if len(r.Allow) == 0 {
		return l
	}
	if strings.HasPrefix(c.UID, "-") {
		c.UID = ""
	}
	for _, who := range [...]string{c.Name, c.UID, "*"} {
		if patterns, ok := r.Allow[who]; ok && who != "" {
			l.narrowed, l.patterns = true, patterns
			return l
		}
	}
	l.narrowed = c.UID == "" // another host, by its certificate or not known
	return l
}

// allow reports whether the caller may use an address. The mailbox and the null sender are
// allowed to everybody; a local part with another address in it, quoted or encoded, is to nobody.
func (l *senderLimits) allow(addr string) bool {
	switch {
	case !l.narrowed, addr == "", same(addr, l.mailbox):
		return true
	case strings.Contains(addr, "=?"), strings.Count(addr, "@") > 1:
		return false
	}
	return matchesAny(l.patterns, addr)
}

// judge is the one place that looks at what goes out, whatever the policy made of it: each author,
// the envelope's sender and the mailbox that signs in. What the caller may not use becomes the mailbox.
func (r *senderRule) judge(env *envelope.Envelope, h *rfc822.Header, l senderLimits) {
	if !l.narrowed {
		return
	}
	if !l.allow(env.Sender) {
		env.Sender = r.Mailbox
	}
	if !l.allow(env.SignIn) {
		env.SignIn = "" // the mailbox
	}
	for _, name := range [...]string{"From", "Sender"} {
		if values := h.All(name); len(values) > 1 {
			h.Set(name, values[0])
		}
	}
	h.Edit("From", func(v string) string {
		judged, replaced := r.judgeField(v, l)
		if replaced != nil {
			r.replyTo(h, *replaced)
		}
		return judged
	})
	for _, name := range [...]string{"Sender", "Resent-From", "Resent-Sender"} {
		h.Edit(name, func(v string) string {
			judged, _ := r.judgeField(v, l)
			return judged
		})
	}
	v, _ := h.Get("From")
	if authors, _ := parseAuthors(v); len(authors) > 1 && !h.Has("Sender") {
		h.Append("Sender", authors[0].String())
	}
}

// judgeField returns the value of an address field with nobody in it whom the caller may not use,
// and the first author who was replaced. It is written as it was understood: of what came, another
// reader might understand more.
func (r *senderRule) judgeField(v string, l senderLimits) (judged string, replaced *rfc822.Address) {
	authors, _ := parseAuthors(v)
	var kept []rfc822.Address
	for i, a := range authors {
		switch {
		case l.allow(a.Addr()):
			kept = append(kept, a)
		case replaced == nil:
			replaced = &authors[i]
			kept = append(kept, r.inName([]rfc822.Address{a}, r.Mailbox))
		}
	}
	if len(kept) == 0 {
		return r.Mailbox, nil
	}
	return formatAuthors(kept), replaced
}

// parseAuthors parses the value of an address field. It is plain when there is nothing in it
// that another reader could take for one more address: no item that does not parse, and no
// at sign in a name, a comment or a quoted local part.
func parseAuthors(v string) (authors []rfc822.Address, plain bool) {
	authors, errs := rfc822.ParseAddressList(v)
	return authors, len(errs) == 0 && strings.Count(v, "@") == len(authors)
}

// formatAuthors writes the value of an address field.
func formatAuthors(authors []rfc822.Address) string {
	all := make([]string, len(authors))
	for i, a := range authors {
		if strings.ContainsAny(a.Display, `@<>()[]:;,"\`) {
			// A name whose charset is not known would be written as it came.
			a = rfc822.Address{Display: a.Display, Local: a.Local, Domain: a.Domain}
		}
		all[i] = a.String()
	}
	return strings.Join(all, ", ")
}

// same reports whether two addresses differ in the case of letters at most.
func same(a, b string) bool { return fold(a) == fold(b) }

// fold makes letters small, but makes no ASCII letter of another: the Kelvin sign is not a k.
func fold(s string) string {
	return strings.Map(func(c rune) rune {
		if small := unicode.ToLower(c); small < utf8.RuneSelf == (c < utf8.RuneSelf) {
			return small
		}
		return c
	}, s)
}
