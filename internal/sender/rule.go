// Package sender decides as whom a message is sent. Exchange Online refuses a sender
// that the signed-in mailbox may not use (5.2.252 SendAsDenied), so that cron's
// root@web1 must become the mailbox before it leaves. The package changes header
// fields and the envelope; it looks nothing up and sends nothing.
package sender

import (
	"strings"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/rfc822"
)

// The policies of from.policy.
const (
	Rewrite = "rewrite" // any other sender becomes the mailbox
	Keep    = "keep"    // the From header stays; Exchange has the last word
	Map     = "map"     // patterns choose the sender, what matches none is rewritten
)

// Rule is the configured sender rule.
type Rule struct {
	Policy string
	// Mailbox signs in and sends.
	Mailbox string
	// SendAs are addresses, or patterns with *, that may stand in From unchanged.
	SendAs []string
	// SignInAsSender signs in as the From mailbox when it is in SendAs.
	SignInAsSender bool
	// Mappings are tried in order (policy map).
	Mappings []Mapping
	// SignAs names the mailbox to sign in as by sender address or pattern; it goes before
	// SignInAsSender.
	SignAs map[string]string
	// Allow narrows SendAs by the caller: a user name, a user id, or "*" for all others.
	// Whom it does not name is not narrowed.
	Allow map[string][]string
	// KeepOriginal puts the replaced address into Reply-To when it can get mail.
	KeepOriginal bool
	// IsLocal tells whether a domain is this host.
	IsLocal func(domain string) bool
}

// Mapping sends as To when the From address matches Match (* stands for any text).
type Mapping struct{ Match, To string }

// Caller is who sends, as the kernel told it. The zero value is nobody known.
type Caller struct {
	Name string
	UID  string // in decimal
}

// Apply sets the sender of env and h by the rule. The header must have its From field.
func (r *Rule) Apply(env *envelope.Envelope, h *rfc822.Header, c Caller) {
	h.Remove("Return-Path")
	if env.Origin == "" && !h.Has("Auto-Submitted") {
		// The null sender can't be submitted; this keeps auto-responders quiet instead.
		h.Append("Auto-Submitted", "auto-generated")
	}
	from := fromOf(h)
	switch {
	case r.mayUse(from.Addr(), c):
		r.keepFrom(env, h, from)
	case r.Policy == Keep:
		env.Sender = r.Mailbox
		if r.routable(env.Origin) {
			env.Sender = env.Origin
		}
	default:
		to, ok := "", false
		if r.Policy == Map {
			to, ok = r.mapped(from.Addr())
		}
		if !ok {
			to = r.Mailbox
		}
		r.replaceFrom(env, h, from, to)
	}
}

// fromOf returns the first address of From.
func fromOf(h *rfc822.Header) rfc822.Address {
	v, _ := h.Get("From")
	if list, _ := rfc822.ParseAddressList(v); len(list) > 0 {
		return list[0]
	}
	return rfc822.Address{}
}

func (r *Rule) mayUse(addr string, c Caller) bool {
	if strings.EqualFold(addr, r.Mailbox) {
		return true
	}
	if !matchesAny(r.SendAs, addr) {
		return false
	}
	for _, who := range [...]string{c.Name, c.UID, "*"} {
		if allowed, narrowed := r.Allow[who]; narrowed && who != "" {
			return matchesAny(allowed, addr)
		}
	}
	return true
}

func matchesAny(patterns []string, addr string) bool {
	for _, p := range patterns {
		if Match(p, addr) {
			return true
		}
	}
	return false
}

func (r *Rule) mapped(addr string) (string, bool) {
	for _, m := range r.Mappings {
		if Match(m.Match, addr) {
			return m.To, true
		}
	}
	return "", false
}

// keepFrom sends as the address in From. Exchange wants one address there, or a Sender.
func (r *Rule) keepFrom(env *envelope.Envelope, h *rfc822.Header, from rfc822.Address) {
	env.Sender = from.Addr()
	r.signIn(env, from.Addr())
	v, _ := h.Get("From")
	if list, _ := rfc822.ParseAddressList(v); len(list) > 1 {
		h.Set("Sender", from.String())
		return
	}
	h.Remove("Sender")
	if len(h.All("From")) > 1 {
		h.Set("From", v)
	}
}

// replaceFrom sends as to, and keeps who wrote the message in the display name and,
// when that address can get mail, in Reply-To.
func (r *Rule) replaceFrom(env *envelope.Envelope, h *rfc822.Header, from rfc822.Address, to string) {
	env.Sender = to
	r.signIn(env, to)
	h.Remove("Sender")
	orig, display := from.Addr(), from.Display
	routable := r.routable(orig)
	switch {
	case display == "":
		display = orig
	case !routable && orig != "":
		display += " (" + orig + ")"
	}
	a, err := rfc822.ParseAddress(to)
	if err != nil {
		a = rfc822.Address{Local: to}
	}
	a.Display = display
	h.Set("From", a.String())
	if r.KeepOriginal && routable && !h.Has("Reply-To") {
		h.Append("Reply-To", from.String())
	}
}

func (r *Rule) signIn(env *envelope.Envelope, addr string) {
	best := ""
	for pattern, mailbox := range r.SignAs {
		// The longest pattern that matches is the most exact one.
		if Match(pattern, addr) && len(pattern) > len(best) {
			best, env.SignIn = pattern, mailbox
		}
	}
	if best != "" {
		return
	}
	if r.SignInAsSender && !strings.EqualFold(addr, r.Mailbox) {
		env.SignIn = addr
	}
}

// routable tells whether mail to addr can get anywhere but this host: a domain with a
// dot that is neither ours nor reserved for private use.
func (r *Rule) routable(addr string) bool {
	at := strings.LastIndexByte(addr, '@')
	if at < 1 {
		return false
	}
	domain := strings.ToLower(strings.TrimSuffix(addr[at+1:], "."))
	if strings.IndexByte(domain, '.') < 1 || r.IsLocal != nil && r.IsLocal(domain) {
		return false
	}
	for _, private := range [...]string{".local", ".localdomain", ".localhost", ".internal", ".intranet", ".lan", ".home", ".invalid", ".test"} {
		if strings.HasSuffix(domain, private) {
			return false
		}
	}
	return true
}

// Match tells whether s matches pattern, where * stands for any text and letters match
// without regard to case.
func Match(pattern, s string) bool {
	pattern, s = strings.ToLower(pattern), strings.ToLower(s)
	head, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == s
	}
	if !strings.HasPrefix(s, head) {
		return false
	}
	s = s[len(head):]
	for {
		part, more, again := strings.Cut(rest, "*")
		if !again {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], more
	}
}
