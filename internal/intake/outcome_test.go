package intake

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-message/textproto"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/rfc822"
)

const outcomeBox = "noreply@contoso.test"

// outcomeRule is what an administrator may set.
type outcomeRule struct {
	policy string
	sendAs []string
	maps   []config.MapRule
	signAs map[string]string
	signIn string
	allow  map[string][]string
}

func (o *outcomeRule) intake() *Intake {
	return newIntake(func(c *config.Config) {
		c.Mailbox = outcomeBox
		c.From.Policy, c.From.SendAs, c.From.Map, c.From.SignAs = o.policy, o.sendAs, o.maps, o.signAs
		c.From.SignIn, c.From.AllowedSenders = o.signIn, o.allow
	})
}

// senders are those that the policy knows beside the mailbox.
func (o *outcomeRule) senders() []string {
	all := slices.Clone(o.sendAs)
	for _, m := range o.maps {
		all = append(all, m.To)
	}
	return all
}

// oracle says what a caller may use, by code of its own.
type oracle struct {
	open     bool // any sender
	patterns []string
}

func oracleFor(allow map[string][]string, c User) oracle {
	if len(allow) == 0 {
		return oracle{open: true}
	}
	known := c.Name != "" || c.UID != "-1"
	keys := []string{"*"}
	if known {
		keys = []string{c.Name, c.UID, "*"}
	}
	for _, k := range keys {
		if p, ok := allow[k]; ok {
			return oracle{patterns: p}
		}
	}
	return oracle{open: known}
}

func (o oracle) allows(addr string) bool {
	return o.open || addr == "" || addr == "<>" || oracleMatch(append(o.patterns, outcomeBox), addr)
}

// oracleMatch is the meaning of *, by regular expressions. Only ASCII letters have a case.
func oracleMatch(patterns []string, addr string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		p = "(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(small(p)), `\*`, ".*") + "$"
		return regexp.MustCompile(p).MatchString(small(addr))
	})
}

func small(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

var (
	quotedText  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	addrSpec    = regexp.MustCompile(`[^\s<>(),;:"]+@[^\s<>(),;:"]+`)
	encodedWord = regexp.MustCompile(`=\?[^?\s]*\?[^?\s]*\?[^?\s]*\?=`)
	usual       = regexp.MustCompile(`^[\w.+-]+@[\w-]+(\.[\w-]+)*$`) // others may be refused whole
	authorOf    = []string{"From", "Sender", "Resent-From", "Resent-Sender"}
)

// checkOutcome runs a message through the intake and judges what would go over the wire; with stays also that
// nobody is missing there.
func checkOutcome(t *testing.T, o outcomeRule, who User, origin, text string, stays bool) {
	t.Helper()
	m, err := rfc822.Read(strings.NewReader(text), rfc822.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	env := &envelope.Envelope{Sender: origin, Recipients: []envelope.Recipient{{Address: "someone@example.org"}}}
	if _, err := o.intake().Accept(env, m, Caller{User: who}); err != nil {
		t.Fatal(err)
	}
	wire, err := m.Wire(rfc822.WireOptions{AllowEightBit: true})
	if err != nil {
		t.Fatal(err)
	}
	r, err := wire.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	sent, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	judge := oracleFor(o.allow, who)
	report := func(format string, args ...any) {
		t.Errorf("%s\nrule %+v\ncaller %+v from %q\n--- given\n%s\n--- sent by %q, signed in as %q\n%s",
			fmt.Sprintf(format, args...), o, who, origin, text, env.Sender, env.SignIn, sent)
	}
	if !judge.allows(env.Sender) || !judge.allows(env.SignIn) {
		report("the envelope is not allowed")
	}
	h, err := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(sent)))
	if err != nil {
		report("go-message: %v", err)
		return
	}
	if !judge.open {
		for _, what := range foreign(h, judge) {
			report("%s", what)
		}
	}
	if list, err := mail.ParseAddressList(h.Get("From")); err == nil && o.policy != PolicyKeep {
		for _, a := range list {
			if !oracleMatch(append(o.senders(), outcomeBox), a.Address) {
				report("%q is no sender by the policy", a.Address)
			}
		}
	}
	if !stays {
		return
	}
	for _, what := range missing(text, h, o, judge) {
		report("%s", what)
	}
}

// foreign lists what is in the author fields and may not be there.
func foreign(h textproto.Header, judge oracle) (all []string) {
	for _, name := range authorOf {
		fields := h.FieldsByKey(name)
		n := 0
		for ; fields.Next(); n++ {
			v := fields.Value()
			// it refuses unknown charsets
			list, err := new(mail.AddressParser).ParseList(encodedWord.ReplaceAllString(v, "word"))
			if err != nil {
				all = append(all, fmt.Sprintf("net/mail can't read %s %q: %v", name, v, err))
			}
			for _, a := range list {
				if !judge.allows(a.Address) {
					all = append(all, fmt.Sprintf("%s has %q", name, a.Address))
				}
			}
			for _, a := range addrSpec.FindAllString(quotedText.ReplaceAllString(v, "quoted"), -1) {
				if !judge.allows(a) {
					all = append(all, fmt.Sprintf("%s shows %q in %q", name, a, v))
				}
			}
		}
		if n > 1 && !strings.HasPrefix(name, "Resent") || n == 0 && name == "From" {
			all = append(all, fmt.Sprintf("%d fields %s", n, name))
		}
	}
	return all
}

// missing lists the authors that were given, may send, and are gone. From fields that net/mail can't
// read have none.
func missing(text string, h textproto.Header, o outcomeRule, judge oracle) (all []string) {
	given, err := textproto.ReadHeader(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		return nil
	}
	authors, err := mail.ParseAddressList(strings.Join(given.Values("From"), ", ")) // several are one
	if err != nil {
		return nil
	}
	sent, _ := mail.ParseAddressList(h.Get("From"))
	for _, a := range authors {
		usable := o.policy == PolicyKeep || oracleMatch(append(o.sendAs, outcomeBox), a.Address)
		if !judge.allows(a.Address) || !usable || !usual.MatchString(a.Address) {
			continue
		}
		if !slices.ContainsFunc(sent, func(s *mail.Address) bool { return s.Address == a.Address }) {
			all = append(all, fmt.Sprintf("%q was allowed, and is gone from %q", a.Address, h.Get("From")))
		}
	}
	return all
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

func some[T any](r *rand.Rand, all ...T) (chosen []T) {
	for _, v := range all {
		if r.IntN(2) == 0 {
			chosen = append(chosen, v)
		}
	}
	return chosen
}

var outcomeSenders = []string{
	outcomeBox, "NoReply@Contoso.TEST", "shop@contoso.test", "ceo@contoso.test", "boss@contoso.test",
	"a@sales.contoso.test", "root@web1", "alice@example.org",
	"ceo", `"ceo@contoso.test"@sales.contoso.test`, "=?utf-8?q?ceo=40contoso.test=3e?=@sales.contoso.test",
	"boo\u212a@contoso.test", "book@contoso.test",
	"c\u00e9o@sales.contoso.test", `"c eo"@sales.contoso.test`, "ceo@contoso.test.", "ceo@[127.0.0.1]", "",
}

// outcomeForms are ways to write an author; A and B stand for addresses.
var outcomeForms = []string{
	"A", "A", "<A>", "Name <A>", "A, B", "One <A>, Two <B>", "A, B, A", "A; B", `"B" <A>`, `"The CEO, B" <A>`, "A (B)",
	"(B) A", "(<B>) <A>", "Team: A, B;", "Team: A;, B",
	"undisclosed:;", "", "<@x.example:A>", "<@x.example,@y.example:A>", "A B", "<A> <B>", "A <B>", `"unclosed <A>`,
	"(unclosed <A>, B", "A,\r\n B", "A,\r\n \r\n\tB",
	"=?utf-8?q?=42=40b?= <A>", "=?x-unknown?q?a?= B <A>", "=?x-unknown?q?a?= <A>", "=?utf-8?q?B?= <A>", "Caf\xe9 <A>",
	"<A", "A>", `\"A\" <B>`, `"x\" <A>, \"y" <B>`,
	"A,,B,", ", A", ":A", "A:B", "mailto:A", "<A,B>", "[A] <B>", "A\x00B", "A\rB", "A\x01, B", "Name <A>(B),\tB",
	`"" <A>`, `""@contoso.test <A>`, "A . B", "A@B",
}

func outcomeField(r *rand.Rand, name string) string {
	v := pick(r, outcomeForms...)
	v = strings.NewReplacer("A", pick(r, outcomeSenders...), "B", pick(r, outcomeSenders...)).Replace(v)
	return pick(r, name, name, name, strings.ToUpper(name), strings.ToLower(name), name+" ", name+"\t") + ":" + pick(r,
		" ", "", "\r\n ", "\t") + v + pick(r, "\r\n", "\n")
}

func outcomeText(r *rand.Rand) string {
	var b strings.Builder
	for _, name := range []string{"From", "From", "Sender", "Sender", "Resent-From", "Resent-From", "Resent-Sender",
		"Subject", "Reply-To", "Return-Path"} {
		if name == "From" && b.Len() == 0 || r.IntN(4) == 0 {
			b.WriteString(outcomeField(r, name))
		}
	}
	return b.String() + "X-End: 1\r\n\r\nFrom: ceo@contoso.test\r\n"
}

func outcomeOf(r *rand.Rand) (outcomeRule, User, string) {
	patterns := []string{"shop@contoso.test", "*@sales.contoso.test", "book@contoso.test", "boss@contoso.test",
		"*@web1", "s*@contoso.test"}
	o := outcomeRule{
		policy: pick(r, PolicyRewrite, PolicyKeep, PolicyMap),
		sendAs: some(r, append(patterns, "ceo@contoso.test", "*@contoso.test", "*")...),
		signIn: pick(r, "mailbox", "sender"),
		maps: some(r, config.MapRule{Match: "*@web1", To: "boss@contoso.test"}, config.MapRule{Match: "*@example.org",
			To: "ceo@contoso.test"}, config.MapRule{Match: "*", To: "shop@contoso.test"}),
		signAs: map[string]string{},
	}
	for _, s := range some(r, "shop@contoso.test", "*@sales.contoso.test", "*", outcomeBox) {
		o.signAs[s] = pick(r, "ceo@contoso.test", "shop@contoso.test", "boss@contoso.test")
	}
	if r.IntN(5) > 0 {
		o.allow = map[string][]string{}
		for _, user := range some(r, "www-data", "33", "1001", "*", "nobody") {
			o.allow[user] = some(r, patterns...)
		}
	}
	// By the socket, as a user whose name is known or not; by TCP, from nobody who is known.
	who := pick(r, User{Name: "www-data", UID: "33"}, User{Name: "alice", UID: "1001"},
		User{UID: "61200"}, User{UID: "-1"}, User{Name: "root", UID: "0"})
	return o, who, pick(r, outcomeSenders...)
}

// TestOutcome: whatever a caller writes and whatever the policy makes of it, no author is sent that
// from.allow does not allow the caller, and an allowed one stays.
func TestOutcome(t *testing.T) {
	t.Parallel()
	const rounds = 5_000
	r := rand.New(rand.NewPCG(10, 4))
	for n := range rounds {
		o, who, origin := outcomeOf(r)
		checkOutcome(t, o, who, origin, outcomeText(r), true)
		if t.Failed() {
			t.Fatalf("round %d", n)
		}
	}
}

func FuzzOutcome(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range uint64(50) {
		f.Add(n, outcomeText(r))
	}
	f.Fuzz(func(t *testing.T, seed uint64, text string) {
		if len(text) > 64<<10 {
			return
		}
		o, who, origin := outcomeOf(rand.New(rand.NewPCG(seed, 0)))
		checkOutcome(t, o, who, origin, text, false) // net/mail takes more for addresses than there are
	})
}
