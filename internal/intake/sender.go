package intake

import (
	"slices"
	"strings"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/rfc822"
)

// The policies of from.policy.
const (
	PolicyRewrite = "rewrite" // any other sender becomes the mailbox
	PolicyKeep    = "keep"    // the From header stays; Exchange has the last word
	PolicyMap     = "map"     // patterns choose the sender, what matches none is rewritten
)

// senderRule is the configured rule of as whom a message is sent. Exchange Online refuses a sender that the
// signed-in mailbox may not use (5.2.252 SendAsDenied), so that cron's root@web1 must become the mailbox before it
// leaves. The rule changes header fields and the envelope; it looks nothing up.
type senderRule struct {
	Policy string
	// Mailbox signs in and sends.
	Mailbox string
	// SendAs are addresses, or patterns with *, that may stand in From unchanged.
	SendAs []string
	// SignInAsSender signs in as the From mailbox when it is in SendAs.
	SignInAsSender bool
	// Mappings are tried in order (policy map).
	Mappings []mapping
	// SignAs names the mailbox to sign in as by sender address or pattern; it goes before
	// SignInAsSender.
	SignAs map[string]string
	// Allow names the senders, or patterns with *, that a caller may use beside the mailbox: by
	// user name, user id, or "*" for all others. A caller
	// whom it does not name may use any; to an unknown caller only "*" applies, without which there is none.
	Allow map[string][]string
	// KeepOriginal puts the replaced address into Reply-To when it can get mail.
	KeepOriginal bool
	// IsLocal reports whether a domain is this host.
	IsLocal func(domain string) bool
}

// mapping sends as To when the From address matches Match (* stands for any text).
type mapping struct{ Match, To string }

// User is who sends, as the kernel told it. The zero value is nobody known.
type User struct {
	Name string
	UID  string // in decimal; negative when it is not known
	// NoSender says that the call named no envelope sender: what stands there was made of its
	// user's name.
	NoSender bool
}

// apply sets the sender of env and h by the rule. The header must have its From field.
func (r *senderRule) apply(env *envelope.Envelope, h *rfc822.Header, c User) {
	h.Remove("Return-Path")
	if env.Origin == "" && r.Policy != PolicyKeep && !h.Has("Auto-Submitted") && !h.Has("Received") {
		// The null sender can't be submitted; this keeps auto-responders quiet instead. A message
		// that came from elsewhere is forwarded: who wrote it wants an answer.
		h.Append("Auto-Submitted", "auto-generated")
	}
	l := r.limitsOf(c)
	if r.Policy == PolicyKeep {
		r.keep(env, h, c, l)
	} else {
		r.choose(env, h, l)
	}
	r.judge(env, h, l)
}

// keep changes nothing but what the caller did not give: for a sender of this host's making, the
// author or else the mailbox sends.
func (r *senderRule) keep(env *envelope.Envelope, h *rfc822.Header, c User, l senderLimits) {
	v, _ := h.Get("From")
	authors, plain := parseAuthors(v)
	env.Sender = r.Mailbox
	if len(authors) > 0 && r.mayUse(authors[0].Addr(), l) {
		r.keepFrom(env, h, authors, plain)
	}
	if !c.NoSender && l.allow(env.Origin) {
		env.Sender = env.Origin
	}
}

// choose applies the policies that may change the author.
func (r *senderRule) choose(env *envelope.Envelope, h *rfc822.Header, l senderLimits) {
	v, _ := h.Get("From")
	authors, plain := parseAuthors(v)
	from := rfc822.Address{}
	if len(authors) > 0 {
		from = authors[0]
	}
	switch {
	case len(authors) > 0 && r.mayUse(from.Addr(), l):
		usable, others := r.split(authors, l)
		if len(others) > 0 &&
			!slices.ContainsFunc(usable, func(a rfc822.Address) bool { return same(a.Addr(), r.Mailbox) }) {
			usable = append(usable, r.inName(others, r.Mailbox))
		}
		r.keepFrom(env, h, usable, plain && len(others) == 0)
		r.replyTo(h, others...)
	default:
		usable, others := r.split(authors[min(1, len(authors)):], l)
		r.replaceFrom(env, h, append([]rfc822.Address{from}, others...), r.target(from.Addr(), l))
		r.keepOthers(env, h, usable)
	}
}

// split tells the authors who may send from the others. For any of these Exchange refuses the message, and
// what it refuses holds up all mail of the same sender.
func (r *senderRule) split(authors []rfc822.Address, l senderLimits) (usable, others []rfc822.Address) {
	for _, a := range authors {
		if r.mayUse(a.Addr(), l) {
			usable = append(usable, a)
		} else {
			others = append(others, a)
		}
	}
	return usable, others
}

// target is the address that sends in the place of one that may not.
func (r *senderRule) target(addr string, l senderLimits) string {
	if r.Policy == PolicyMap {
		if to, ok := r.mapped(addr); ok && l.allow(to) {
			return to
		}
	}
	return r.Mailbox
}

func (r *senderRule) mayUse(addr string, l senderLimits) bool {
	return same(addr, r.Mailbox) || matchesAny(r.SendAs, addr) && l.allow(addr)
}

func matchesAny(patterns []string, addr string) bool {
	for _, p := range patterns {
		if Match(p, addr) {
			return true
		}
	}
	return false
}

func (r *senderRule) mapped(addr string) (string, bool) {
	for _, m := range r.Mappings {
		if Match(m.Match, addr) {
			return m.To, true
		}
	}
	return "", false
}

// keepFrom sends as the authors. What another reader might take for more than them is not kept
// as it was written, but by the policy "keep".
func (r *senderRule) keepFrom(env *envelope.Envelope, h *rfc822.Header, authors []rfc822.Address, plain bool) {
	h.Remove("Sender")
	if !plain && r.Policy != PolicyKeep || len(h.All("From")) > 1 {
		h.Set("From", formatAuthors(authors))
	}
	r.sendAs(env, h, authors)
}

// keepOthers leaves beside a replaced author the others, who may send.
func (r *senderRule) keepOthers(env *envelope.Envelope, h *rfc822.Header, others []rfc822.Address) {
	if len(others) == 0 {
		return
	}
	v, _ := h.Get("From")
	list, _ := parseAuthors(v)
	list = append(list, others...)
	h.Set("From", formatAuthors(list))
	r.sendAs(env, h, list)
}

// sendAs makes one of the authors the sender, for Exchange wants one address in From, or a Sender. It is one
// who is not the mailbox, if there is one: when Exchange refuses that user, only the user's mail is held.
func (r *senderRule) sendAs(env *envelope.Envelope, h *rfc822.Header, authors []rfc822.Address) {
	from := authors[0]
	for _, a := range authors {
		if !same(a.Addr(), r.Mailbox) {
			from = a
			break
		}
	}
	env.Sender, env.SignIn = from.Addr(), ""
	r.signIn(env, from.Addr())
	if len(authors) > 1 {
		h.Append("Sender", from.String())
	}
}

// replaceFrom sends as to, and keeps who wrote the message in the display name and, of these, the
// addresses that can get mail in Reply-To.
func (r *senderRule) replaceFrom(env *envelope.Envelope, h *rfc822.Header, from []rfc822.Address, to string) {
	env.Sender = to
	r.signIn(env, to)
	h.Remove("Sender")
	h.Set("From", r.inName(from, to).String())
	r.replyTo(h, from...)
}

// inName is the address to with who wrote the message in the display name.
func (r *senderRule) inName(from []rfc822.Address, to string) rfc822.Address {
	name := r.shown(from[0])
	for _, a := range from[1:] {
		name = name.AppendName(", ", r.shown(a))
	}
	a, err := rfc822.ParseAddress(to)
	if err != nil {
		a = rfc822.Address{Local: to}
	}
	name.Local, name.Domain = a.Local, a.Domain
	return name
}

// shown is an author with the address in the name, unless the name stands for it.
func (r *senderRule) shown(a rfc822.Address) rfc822.Address {
	addr := a.Addr()
	switch {
	case a.Display == "":
		a.Display = addr
	case addr != "" && !r.canReply(addr):
		a = a.AppendName(" ", rfc822.Address{Display: "(" + addr + ")"})
	}
	return a
}

// replyTo names the authors who were replaced to whoever answers.
func (r *senderRule) replyTo(h *rfc822.Header, from ...rfc822.Address) {
	from = slices.DeleteFunc(slices.Clone(from), func(a rfc822.Address) bool { return !r.canReply(a.Addr()) })
	if r.KeepOriginal && len(from) > 0 && !h.Has("Reply-To") {
		h.Append("Reply-To", formatAuthors(from))
	}
}

// canReply reports whether somebody reads what is sent to addr: programs that report failures call
// themselves MAILER-DAEMON, and have no mailbox of that name.
func (r *senderRule) canReply(addr string) bool {
	local, _, _ := strings.Cut(addr, "@")
	return r.routable(addr) && !strings.EqualFold(local, "MAILER-DAEMON")
}

func (r *senderRule) signIn(env *envelope.Envelope, addr string) {
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
	if r.SignInAsSender && !same(addr, r.Mailbox) {
		env.SignIn = addr
	}
}

// routable reports whether mail to addr can get anywhere but this host: a domain with a
// dot that is neither ours nor reserved for private use.
func (r *senderRule) routable(addr string) bool {
	at := strings.LastIndexByte(addr, '@')
	if at < 1 {
		return false
	}
	domain := strings.ToLower(strings.TrimSuffix(addr[at+1:], "."))
	if strings.IndexByte(domain, '.') < 1 || r.IsLocal != nil && r.IsLocal(domain) {
		return false
	}
	for _, private := range [...]string{".local", ".localdomain", ".localhost", ".internal", ".intranet", ".lan",
		".home", ".invalid", ".test"} {
		if strings.HasSuffix(domain, private) {
			return false
		}
	}
	return true
}

// Match reports whether s matches pattern, where * stands for any text and letters match
// without regard to case.
func Match(pattern, s string) bool {
	pattern, s = fold(pattern), fold(s)
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
