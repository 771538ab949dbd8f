package intake

import (
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

var now = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)

func newIntake(change func(*config.Config)) *Intake {
	c := &config.Config{Mailbox: "noreply@contoso.com", RootTo: "it@contoso.com"}
	c.From.Policy = PolicyRewrite
	c.Aliases = map[string][]string{"admins": {"a@contoso.com", "b@contoso.com"}, "loop": {"loop"}, "bad": {"x y@z"}}
	c.Delivery.MaxRecipientsPerCall = 3
	if change != nil {
		change(c)
	}
	return New(c, "web1", func() time.Time { return now }, nil)
}

func read(t *testing.T, text string) *rfc822.Message {
	t.Helper()
	m, err := rfc822.Read(strings.NewReader(text), rfc822.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func to(addrs ...string) *envelope.Envelope {
	env := &envelope.Envelope{Sender: "www-data"}
	for _, a := range addrs {
		env.Recipients = append(env.Recipients, envelope.Recipient{Address: a, Notify: envelope.NotifyDelay})
	}
	return env
}

// TestHostName: the configured name is shown, and mail to both names is local.
func TestHostName(t *testing.T) {
	t.Parallel()
	in := newIntake(func(c *config.Config) { c.From.HostName = "Shop.example.com"; c.From.Domain = "contoso.com" })
	for _, addr := range []string{"root@web1", "root@shop.example.com", "root@shop"} {
		if got, err := in.Resolve(addr, false); err != nil || got[0] != "it@contoso.com" {
			t.Errorf("%s: %v %v", addr, got, err)
		}
	}
	env, m := to("a@example.org"), read(t, "From: root\nTo: root\n\nbody\n")
	if _, err := in.Accept(env, m, Caller{}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"From": `"root@shop.example.com" <noreply@contoso.com>`,
		"To": "root@contoso.com", "Reply-To": ""} {
		if v, _ := m.Header.Get(name); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
}

func TestAccept(t *testing.T) {
	t.Parallel()
	in := newIntake(nil)
	env, m := to("admins", "A@contoso.com", "root@web1"), read(t, "Subject: x\n\nbody\n")
	refused, err := in.Accept(env, m, Caller{Via: "userid 33", ID: "Q1"})
	if err != nil || len(refused) != 0 {
		t.Fatal(refused, err)
	}
	if len(env.Recipients) != 3 || env.Recipients[2].Address != "it@contoso.com" ||
		env.Recipients[2].ORcpt != "rfc822;root@web1" || env.Recipients[2].Notify != envelope.NotifyDelay {
		t.Errorf("recipients %+v", env.Recipients)
	}
	if env.Origin != "www-data@web1" || env.Sender != "noreply@contoso.com" {
		t.Errorf("sender %q from %q", env.Sender, env.Origin)
	}
	if got, want := m.Header.Fields()[0].Value(), "by web1 (userid 33) with o365-sendmail id Q1; Wed, 25 Nov 2026 "+
		"09:00:00 +0000"; got != want {
		t.Errorf("Received: %q, want %q", got, want)
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	noRoot := func(c *config.Config) { c.RootTo = "" }
	for _, c := range []struct {
		name   string
		change func(*config.Config)
		env    *envelope.Envelope
		header string
		caller Caller
		code   int
		text   string
	}{
		{"unknown name", noRoot, to("pi"), "", Caller{}, sysexits.NoUser, `"pi"`},
		{"unknown name at this host", noRoot, to("pi@localhost"), "", Caller{}, sysexits.NoUser, `"pi"`},
		{"nobody is left", noRoot, to("pi", "loop"), "", Caller{}, sysexits.NoUser, "none of the 2 recipients"},
		{"alias without address", nil, to("bad"), "", Caller{}, sysexits.OSFile, "not an address"},
		{"no recipients", nil, to(), "", Caller{}, sysexits.Usage, "no recipients"},
		{"too many", nil, to("a@b.org", "b@b.org", "c@b.org", "d@b.org"), "", Caller{}, sysexits.DataErr,
			"max_recipients"},
		{"no aliases", noRoot, to("admins"), "", Caller{NoAliases: true}, sysexits.NoUser, "admins"},
		{"loop", nil, to("a@b.org"), strings.Repeat("Received: by x\n", 101), Caller{}, sysexits.DataErr, "loops"},
		{"hops", nil, to("a@b.org"), "Received: by x\n", Caller{Hops: 100}, sysexits.DataErr, "loops"},
		{"no address", nil, to("a b@c"), "", Caller{}, sysexits.DataErr, "recipient"},
	} {
		_, err := newIntake(c.change).Accept(c.env, read(t, c.header+"Subject: x\n\n"), c.caller)
		if err == nil || sysexits.Code(err, 0) != c.code || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v (code %d), want %d and %q", c.name, err, sysexits.Code(err, 0), c.code, c.text)
		}
	}
}

func TestOneBadAmongGood(t *testing.T) {
	t.Parallel()
	in := newIntake(func(c *config.Config) { c.RootTo = "" })
	env := to("pi", "a@example.org")
	refused, err := in.Accept(env, read(t, "Subject: x\n\n"), Caller{})
	if err != nil || len(refused) != 1 || refused[0].Address != "pi" || len(env.Recipients) != 1 {
		t.Errorf("%v %v %+v", refused, err, env.Recipients)
	}
}

// TestTenantDomain: a local name never gets the tenant's domain, and the tenant's own
// addresses are never taken for local ones.
func TestTenantDomain(t *testing.T) {
	t.Parallel()
	in := newIntake(func(c *config.Config) { c.From.Domain = "contoso.com"; c.From.HostName = "contoso.com" })
	for addr, want := range map[string]string{"pi": "it@contoso.com", "pi@contoso.com": "pi@contoso.com",
		"pi@localhost": "it@contoso.com"} {
		got, err := in.Resolve(addr, false)
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s goes to %q, %v, want %s", addr, got, err, want)
		}
	}
}

// TestEightBit: what smtp.eight_bit makes of 8-bit text, in a part of a multipart and alone.
func TestEightBit(t *testing.T) {
	t.Parallel()
	const (
		alone = "Subject: x\n\ngrüße an alle\n"
		part  = "Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: " +
			"text/plain; charset=utf-8\n\ngrüße\n--b--\n"
	)
	for _, c := range []struct {
		value, text string
		eightBit    bool
	}{
		{"auto", alone, true}, {"auto", part, false}, {"auto", "DKIM-Signature: v=1\n" + part, true},
		{"on", alone, true}, {"on", part, true},
		{"off", alone, false}, {"off", part, false}, {"off", "DKIM-Signature: v=1\n" + part, false},
	} {
		in := newIntake(func(cfg *config.Config) { cfg.SMTP.EightBit = c.value })
		env := to("a@example.org")
		wire, err := in.Wire(env, read(t, c.text))
		if err != nil || env.EightBit != c.eightBit || wire.EightBit() != c.eightBit {
			t.Errorf("%s: %v, 8-bit %v: %q", c.value, err, env.EightBit, c.text)
		}
	}
}
