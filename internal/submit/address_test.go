package submit

import (
	"strings"
	"testing"
	"testing/synctest"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/envelope"
)

var (
	goodAddresses = []string{"a@b", "first.last+tag@example.org", `"john doe"@example.org`, `"a\"b"@x.org`,
		`"a@b"@x.org`, "a@[192.0.2.1]", "a@[IPv6:2001:db8::1]",
		"o'neil!#$%&*/=?^_`{|}~-@x.org", "a..b@x.org", "root@web_1.local", "-X@x.org", strings.Repeat("a", 64) + "@" +
			strings.Repeat("b", 255)}
	utf8Addresses = []string{"jürgen@x.org", "a@münchen.de", `"jürgen m"@x.org`}
	badAddresses  = []string{"", "root", "@x.org", "a@", "a b@x.org", "a@x org", "a@x.org> ORCPT=a", "<a@x.org>",
		`"foo@x> ORCPT=a"@y.org`, "a@x.org\r\nRCPT TO:<evil@x.org>",
		"a@x.org\n", "a\x00@x.org", "a@x\x7f.org", "a@x.org,b@x.org", "a;b@x.org", `"a@x.org`, `"a"b@x.org`,
		`a"b"@x.org`, `"a\`, "a@[x y]", "a@[", "a@b@c", "a\u0085@x.org", "\xff@x.org",
		"a\x1b[31m@x.org", `a\b@x.org`, "a(c)@x.org", strings.Repeat("a", 400) + "@x.org"}
)

func TestCheckAddress(t *testing.T) {
	t.Parallel()
	for _, a := range append(goodAddresses, utf8Addresses...) {
		if err := checkAddress(a); err != nil {
			t.Errorf("%q: %v", a, err)
		}
	}
	for _, a := range badAddresses {
		if err := checkAddress(a); err == nil {
			t.Errorf("%q was taken", a)
		}
	}
}

// TestAddressesOnTheWire makes sure that no address becomes more than an address.
func TestAddressesOnTheWire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		defer p.end()
		s := dial(t, p.config())
		env := to(badAddresses...)
		env.Recipients = append(env.Recipients, to(goodAddresses...).Recipients...)
		env.Recipients = append(env.Recipients, to(utf8Addresses...).Recipients...)
		res, err := s.Send(t.Context(), env, hello)
		if err != nil || len(p.messages) != 1 || len(p.messages[0].rcpts) != len(goodAddresses)+len(utf8Addresses) {
			t.Fatalf("%v, %+v", err, p.messages)
		}
		for i, r := range res.Recipients {
			if bad := i < len(badAddresses); bad != (r.Err != nil) {
				t.Errorf("%q: %v", r.Address, r.Err)
			} else if bad {
				checkText(t, p, r.Err)
				if r.Err.Class != diagnose.Permanent || r.Err.Phase != PhaseRcpt {
					t.Errorf("%q: %+v", r.Address, r.Err)
				}
			}
		}
		if got := p.messages[0].mail; got != "FROM:<noreply@contoso.com> SIZE=37 SMTPUTF8" {
			t.Errorf("MAIL %s", got)
		}
		for _, sender := range badAddresses[1:] {
			env := to("a@x.org")
			env.Sender = sender
			before := len(p.said())
			if _, err := s.Send(t.Context(), env, hello); err == nil || len(p.said()) != before || !s.Usable() {
				t.Errorf("sender %q: %v", sender, err)
			} else {
				checkText(t, p, err.(*Error))
			}
		}
		s.Close()
	})
}

// TestParameters shows what MAIL and RCPT say, and that nothing is asked of a server that
// it does not offer.
func TestParameters(t *testing.T) {
	t.Parallel()
	full := &envelope.Envelope{Sender: "", Ret: "HDRS", EnvID: "QQ 314+159=x", EightBit: true,
		Recipients: []envelope.Recipient{
			{Address: "a@x.org", Notify: envelope.NotifySuccess | envelope.NotifyDelay, ORcpt: "rfc822;a+b=c@x.org"},
			{Address: "b@x.org", Notify: envelope.NotifyNever},
			{Address: "c@x.org", ORcpt: "rfc822;evil>\r\nRSET"},
			{Address: "d@x.org", ORcpt: "no type"},
			{Address: "e@x.org", ORcpt: "r f;x@y"},
			{Address: "f@x.org", ORcpt: "rfc822;" + strings.Repeat("x", 501)},
			{Address: "g@x.org", ORcpt: "utf-8;jürgen@x.org"},
		}}
	tests := []struct {
		lines []string
		mail  string
		rcpts []string
	}{
		{exchangeLines, "FROM:<> SIZE=37 BODY=8BITMIME RET=HDRS ENVID=QQ+20314+2B159+3Dx", []string{
			"TO:<a@x.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb+3Dc@x.org", "TO:<b@x.org> NOTIFY=NEVER",
			"TO:<c@x.org> ORCPT=rfc822;evil+3E+0D+0ARSET",
			"TO:<d@x.org>", "TO:<e@x.org>", "TO:<f@x.org>", "TO:<g@x.org>"}},
		{[]string{"8bitmime", "pipelining", "chunking"}, "FROM:<> BODY=8BITMIME", []string{
			"TO:<a@x.org>", "TO:<b@x.org>", "TO:<c@x.org>", "TO:<d@x.org>", "TO:<e@x.org>", "TO:<f@x.org>",
			"TO:<g@x.org>"}},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t)
			defer p.end()
			p.lines = tt.lines
			s := dial(t, p.config())
			if _, err := s.Send(t.Context(), full, hello); err != nil || len(p.messages) != 1 {
				t.Fatal(err)
			}
			m := p.messages[0]
			if m.mail != tt.mail || strings.Join(m.rcpts, "\n") != strings.Join(tt.rcpts, "\n") {
				t.Errorf("got %q %q, want %q %q", m.mail, m.rcpts, tt.mail, tt.rcpts)
			}
			s.Close()
		})
	}
}

// TestNotOffered has messages that the server can't take, which is found out without it.
func TestNotOffered(t *testing.T) {
	t.Parallel()
	type env = envelope.Envelope
	tests := []struct {
		name  string
		lines []string
		env   func(*env)
		key   string
		says  string
	}{
		{"size", []string{"SIZE 36"}, func(*env) {}, "message-too-large", "it has 37 bytes, the limit is 36"},
		{"8-bit", []string{"SIZE 0"}, func(e *env) { e.EightBit = true }, "8bitmime-not-offered", ""},
		{"UTF-8 sender", nil, func(e *env) { e.Sender = "jürgen@x.org" }, "smtputf8-not-offered", `"jürgen@x.org"`},
		{"UTF-8 header", nil, func(e *env) { e.SMTPUTF8 = true }, "smtputf8-not-offered", "header"},
		{"nobody", nil, func(e *env) { e.Recipients = nil }, "address-not-valid", "no recipient"},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t)
			defer p.end()
			p.lines = append([]string{"PIPELINING"}, tt.lines...)
			s := dial(t, p.config())
			e := to("a@x.org")
			tt.env(e)
			_, err := s.Send(t.Context(), e, hello)
			if err == nil || err.(*Error).Diagnosis.Key != tt.key || !strings.Contains(err.Error(), tt.says) ||
				p.counts["mail"] > 0 || !s.Usable() {
				t.Errorf("%s: %v", tt.name, err)
			}
			s.Close()
		})
	}
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		defer p.end()
		p.lines = []string{"PIPELINING", "LIMITS RCPTMAX=3 MAILMAX=2 X"}
		cfg := p.config()
		cfg.MaxRecipients = 2
		s := dial(t, cfg)
		res, err := s.Send(t.Context(), to("a@x.org", "jürgen@x.org", "b@x.org", "c@x.org"), hello)
		if err != nil || res.Accepted() != 2 || res.Recipients[1].Err.Diagnosis.Key != "smtputf8-not-offered" {
			t.Fatal(res, err)
		}
		if e := res.Recipients[3].Err; e == nil || e.Diagnosis.Key != "too-many-recipients" || !e.Temporary() {
			t.Errorf("one too many: %v", e)
		}
		if !s.Usable() {
			t.Error("not usable after the first of two messages")
		}
		if _, err := s.Send(t.Context(), to("a@x.org"), hello); err != nil || s.Usable() {
			t.Error("usable after the last of two messages", err)
		}
		s.Close()
	})
}
