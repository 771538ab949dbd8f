// Package intake turns what a caller hands over into what Exchange Online accepts: it
// completes the header, sends local names through the aliases and applies the sender
// rule. The agent and a process that delivers by itself use the same intake. It opens
// the alias file and nothing else; it neither stores nor sends, and delivers no local mail.
package intake

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// maxHops is the number of Received fields at which a message counts as looping
// (RFC 5321 6.3 asks for at least 100 to be allowed; this is the first hop of all).
const maxHops = 100

// Caller is who hands a message over.
type Caller struct {
	// User is the local user, as the kernel told it.
	User User
	// Via is how the message came, for its Received field, such as "userid 33".
	Via string
	// ID is the queue id, "" when there is none.
	ID string
	// NoAliases sends every local name to the catch-all (sendmail -n).
	NoAliases bool
	// Hops is what the caller says it counted (sendmail -h).
	Hops int
	// Note gets a line for the log about what was guessed in the message; nil drops it.
	Note func(text string)
}

// Intake holds the rules of one configuration. It is safe for concurrent use.
type Intake struct {
	book       aliasBook
	rule       senderRule
	machine    string // what the host calls itself
	host       string // what it is to be called
	mailDomain string
	senderHost string // domain of a sender that is a bare name
	isLocal    func(string) bool
	maxRcpt    int
	wire       rfc822.WireOptions
	now        func() time.Time
}

// New takes the rules from a configuration. hostName is this host's; warn gets a line
// for each alias that is skipped.
func New(c *config.Config, hostName string, now func() time.Time, warn func(string)) *Intake {
	_, tenantDomain, _ := strings.Cut(c.Mailbox, "@")
	machine := hostName
	isLocal := host.Local(hostName, host.Mailname(), tenantDomain)
	if c.From.HostName != "" {
		// Callers go on to write the host's own name.
		own := isLocal
		hostName = strings.ToLower(c.From.HostName)
		named := host.Local(hostName, "", tenantDomain)
		isLocal = func(domain string) bool { return own(domain) || named(domain) }
	}
	in := &Intake{
		machine:    machine,
		host:       hostName,
		mailDomain: c.From.Domain,
		isLocal:    isLocal,
		maxRcpt:    c.Delivery.MaxRecipientsPerCall,
		wire:       rfc822.WireOptions{AllowEightBit: c.SMTP.EightBit != "off", EncodeParts: c.SMTP.EightBit == "auto"},
		now:        now,
		rule: senderRule{
			Policy:         c.From.Policy,
			Mailbox:        ASCIIPattern(c.Mailbox),
			SendAs:         asciiPatterns(c.From.SendAs),
			SignInAsSender: c.From.SignIn == "sender",
			SignAs:         make(map[string]string, len(c.From.SignAs)),
			Allow:          make(map[string][]string, len(c.From.AllowedSenders)),
			KeepOriginal:   c.From.ReplyTo != "keep",
			IsLocal:        isLocal,
		},
	}
	if in.mailDomain == "" {
		in.mailDomain = hostName
	}
	in.senderHost = senderHost(c, hostName)
	for _, m := range c.From.Map {
		in.rule.Mappings = append(in.rule.Mappings, mapping{Match: ASCIIPattern(m.Match),
			To: ASCIIPattern(m.To)})
	}
	for pattern, mailbox := range c.From.SignAs {
		in.rule.SignAs[ASCIIPattern(pattern)] = ASCIIPattern(mailbox)
	}
	for user, patterns := range c.From.AllowedSenders {
		in.rule.Allow[user] = asciiPatterns(patterns)
	}
	in.book = aliasBook{
		Config:   c.Aliases,
		CatchAll: c.RootTo,
		IsLocal:  isLocal,
		File:     sync.OnceValues(func() (*AliasTable, error) { return loadAliases(c.AliasesFile, warn) }),
	}
	return in
}

// senderHost is the domain of a sender that is a bare name. Who is kept as the author has to
// have one that exists; who is replaced is shown with the name that people know the host by.
func senderHost(c *config.Config, hostName string) string {
	if c.From.Policy != PolicyKeep {
		return hostName
	}
	if c.IsSet("from.domain") {
		return c.From.Domain
	}
	if full := host.FullName(hostName); strings.Contains(full, ".") || c.From.Domain == "" {
		return full
	}
	return c.From.Domain
}

func loadAliases(path string, warn func(string)) (*AliasTable, error) {
	if path == "" {
		return nil, nil
	}
	t, err := LoadAliases(path)
	if err == nil && warn != nil {
		for _, w := range t.Warnings {
			warn(path + ": " + w.String())
		}
	}
	return t, err
}

// Host returns the name that the intake uses for this host.
func (in *Intake) Host() string { return in.host }

// Accept makes env and m ready to send. Recipients without a way are returned and taken
// out of env; the error is for the message as a whole, and carries an exit code.
func (in *Intake) Accept(env *envelope.Envelope, m *rfc822.Message, c Caller) ([]envelope.Refusal, error) {
	c.User.NoSender = c.User.Name != "" && (env.Sender == c.User.Name || env.Sender == c.User.Name+"@"+in.machine)
	if err := in.qualifySender(env); err != nil {
		return nil, err
	}
	if hops := m.Header.Received() + c.Hops; hops > maxHops {
		return nil, sysexits.With(sysexits.DataErr,
			fmt.Errorf("the message has passed %d hosts and loops (5.4.6); look for an alias or a forward that "+
				"leads back here", hops))
	}
	author := in.author(env, c)
	if guess := m.RepairFrom(author); guess != "" && c.Note != nil {
		c.Note("the From field: " + guess)
	}
	m.Complete(rfc822.CompleteOptions{
		Now: in.now(), Host: in.host, From: author,
		MailDomain: in.mailDomain, SenderDomain: in.senderHost, ASCIIDomain: asciiDomain,
	})
	m.Header.RemoveBcc()
	refused, err := in.expand(env, c.NoAliases)
	if err != nil {
		return refused, err
	}
	in.rule.apply(env, m.Header, c.User)
	m.Header.Prepend("Received", in.received(c))
	return refused, nil
}

// Prepare is Accept and Wire: it returns the message as it goes out.
func (in *Intake) Prepare(env *envelope.Envelope, m *rfc822.Message, c Caller) (envelope.Message, []envelope.Refusal,
	error) {
	refused, err := in.Accept(env, m, c)
	if err != nil {
		return nil, refused, err
	}
	wire, err := in.Wire(env, m)
	if err != nil {
		return nil, refused, err
	}
	if c.Note != nil {
		for _, text := range wire.Broken() {
			c.Note(text)
		}
	}
	return wire, refused, nil
}

// author is the From of a message that has none.
func (in *Intake) author(env *envelope.Envelope, c Caller) rfc822.Address {
	from := env.Origin
	if from == "" {
		from = in.qualify("MAILER-DAEMON")
	}
	a, err := rfc822.ParseAddress(from)
	if err != nil {
		a = rfc822.Address{Local: c.User.Name, Domain: in.senderHost}
	}
	return a
}

func (in *Intake) qualify(addr string) string {
	if strings.IndexByte(addr, '@') < 0 {
		return addr + "@" + in.host
	}
	return addr
}

// qualifySender gives a bare name a domain, and a domain its A-labels. A client of the agent has
// put the host's name behind a bare name already.
func (in *Intake) qualifySender(env *envelope.Envelope) error {
	if env.Sender != "" {
		env.Sender = in.qualify(env.Sender)
	}
	at := strings.LastIndexByte(env.Sender, '@')
	if domain := env.Sender[at+1:]; at > 0 && strings.IndexByte(domain, '.') < 0 && in.isLocal(domain) {
		env.Sender = env.Sender[:at+1] + in.senderHost
	}
	sender, err := ASCIIAddress(env.Sender)
	env.Sender, env.Origin = sender, sender
	return err
}

func (in *Intake) received(c Caller) string {
	via := ""
	if c.Via != "" {
		via = " (" + c.Via + ")"
	}
	id := ""
	if c.ID != "" {
		id = " id " + c.ID
	}
	return fmt.Sprintf("by %s%s with o365-sendmail%s; %s", in.host, via, id, rfc822.FormatDate(in.now()))
}

// expand replaces local names by their targets and drops duplicates.
func (in *Intake) expand(env *envelope.Envelope, noAliases bool) ([]envelope.Refusal, error) {
	var refused []envelope.Refusal
	seen := make(map[string]bool, len(env.Recipients))
	out := env.Recipients[:0:0]
	for _, r := range env.Recipients {
		targets, err := in.Resolve(r.Address, noAliases)
		if err != nil {
			refused = append(refused, envelope.Refusal{Address: r.Address, Err: err})
			continue
		}
		for _, t := range targets {
			key := strings.ToLower(t)
			if seen[key] {
				continue
			}
			seen[key] = true
			n := r
			if n.ORcpt == "" && !strings.EqualFold(t, r.Address) {
				n.ORcpt = "rfc822;" + in.qualify(r.Address)
			}
			n.Address = t
			out = append(out, n)
		}
	}
	env.Recipients = out
	if len(out) == 0 {
		return refused, noRecipients(refused)
	}
	if in.maxRcpt > 0 && len(out) > in.maxRcpt {
		return refused,
			sysexits.With(sysexits.DataErr,
				fmt.Errorf("%d recipients are more than delivery.max_recipients_per_call allows (%d)", len(out),
					in.maxRcpt))
	}
	return refused, nil
}

func noRecipients(refused []envelope.Refusal) error {
	if len(refused) == 1 {
		return refused[0].Err
	}
	if len(refused) > 1 {
		return sysexits.With(sysexits.Code(refused[0].Err, sysexits.NoUser),
			fmt.Errorf("none of the %d recipients can get mail; the first: %w", len(refused), refused[0].Err))
	}
	return sysexits.With(sysexits.Usage, errors.New("no recipients: name them as arguments, or use -t and a To, Cc "+
		"or Bcc field"))
}

// Resolve returns the addresses that mail for addr goes to. A local name is never given
// the tenant's domain.
func (in *Intake) Resolve(addr string, noAliases bool) ([]string, error) {
	a, err := rfc822.ParseAddress(addr)
	if err != nil {
		return nil, sysexits.With(sysexits.DataErr, fmt.Errorf("recipient %.128q: %w", addr, err))
	}
	if a.Domain, err = asciiDomain(a.Domain); err != nil {
		return nil, fmt.Errorf("recipient %.128q: %w", addr, err)
	}
	if a.Domain != "" && !in.isLocal(a.Domain) {
		return []string{a.Addr()}, nil
	}
	book := in.book
	if noAliases {
		book.Config, book.File = nil, nil
	}
	targets, err := book.resolve(a.Local)
	if err != nil {
		code := sysexits.OSFile
		if unknown := new(unknownError); errors.As(err, &unknown) {
			code = sysexits.NoUser
		}
		return nil, sysexits.With(code, err)
	}
	out := make([]string, 0, len(targets))
	for _, t := range targets {
		a, err := rfc822.ParseAddress(t)
		if err == nil {
			a.Domain, err = asciiDomain(a.Domain)
		}
		if err != nil || a.Domain == "" {
			return nil, sysexits.With(sysexits.OSFile,
				fmt.Errorf("the alias of %.128q has a target that is not an address: %.128q", addr, t))
		}
		out = append(out, a.Addr())
	}
	return out, nil
}

// Wire returns the message as it goes out, text outside ASCII as smtp.eight_bit says, and notes in env what
// it asks of a server. The error carries an exit code.
func (in *Intake) Wire(env *envelope.Envelope, msg *rfc822.Message) (*rfc822.Wire, error) {
	wire, err := msg.Wire(in.wire)
	if err != nil {
		return nil, sysexits.With(WireCode(err), err)
	}
	env.EightBit, env.SMTPUTF8 = wire.EightBit(), wire.SMTPUTF8()
	return wire, nil
}

// WireCode is the exit code of a message that can't go out: the message is to blame if a signature would break.
func WireCode(err error) int {
	if errors.Is(err, rfc822.ErrSignature) {
		return sysexits.DataErr
	}
	return sysexits.IOErr
}
