package intake

import (
	"strings"
	"testing"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/rfc822"
)

const box = "noreply@contoso.com"

func local(domain string) bool { return domain == "web1" || domain == "web1.example.com" }

func TestSenderRule(t *testing.T) {
	t.Parallel()
	rewrite := senderRule{Policy: PolicyRewrite, Mailbox: box,
		SendAs: []string{"shop@contoso.com", "*@sales.contoso.com"}, KeepOriginal: true, IsLocal: local}
	keep := rewrite
	keep.Policy = PolicyKeep
	mapped := rewrite
	mapped.Policy, mapped.Mappings = PolicyMap, []mapping{{"root@*", "root@contoso.com"},
		{"*@web1*", "web@contoso.com"}}
	sign := rewrite
	sign.SignInAsSender = true
	signAs := rewrite
	signAs.SignAs = map[string]string{"*@sales.contoso.com": "sales@contoso.com", "*": "other@contoso.com"}
	narrowed := rewrite
	narrowed.Allow = map[string][]string{"www-data": {"*@sales.contoso.com"}, "1000": {"shop@contoso.com"}, "*": nil}
	listed := narrowed // without "*"
	listed.Allow = map[string][]string{"www-data": {"*@sales.contoso.com"}}
	keepNarrowed, mapNarrowed, signNarrowed := narrowed, narrowed, narrowed
	keepNarrowed.Policy = PolicyKeep
	mapNarrowed.Policy, mapNarrowed.Mappings = PolicyMap, []mapping{{"*@boss.example", "ceo@contoso.com"},
		{"*", "m@sales.contoso.com"}}
	signNarrowed.SignAs = map[string]string{"a@sales.contoso.com": "ceo@contoso.com",
		"b@sales.contoso.com": "c@sales.contoso.com"}
	www := User{Name: "www-data", UID: "33"}

	for _, c := range []struct {
		name   string
		rule   senderRule
		origin string
		header string
		caller User
		from   string // From after it
		reply  string
		sender string // envelope
		signIn string
		other  string // must be in the header
	}{
		{"cron", rewrite, "root@web1", "From: root@web1 (Cron Daemon)\n", User{}, `"Cron Daemon (root@web1)" <` + box +
			">", "", box, "", ""},
		{"bare name", rewrite, "root@web1", "From: root@web1\n", User{}, `"root@web1" <` + box + ">", "", box, "", ""},
		{"routable", rewrite, "alice@example.org", "From: Alice <alice@example.org>\n", User{}, "Alice <" + box + ">",
			"Alice <alice@example.org>", box, "", ""},
		{"routable, Reply-To there", rewrite, "a@example.org", "From: a@example.org\nReply-To: b@example.org\n", User{},
			`"a@example.org" <` + box + ">", "b@example.org", box, "", ""},
		{"mailbox itself", rewrite, "x@y.org", "From: NoReply <NoReply@contoso.com>\n", User{},
			"NoReply <NoReply@contoso.com>", "", "NoReply@contoso.com", "", ""},
		{"send_as", rewrite, "x@y.org", "From: shop@contoso.com\n", User{}, "shop@contoso.com", "", "shop@contoso.com",
			"", ""},
		{"send_as pattern", rewrite, "", "From: a@sales.contoso.com\n", User{}, "a@sales.contoso.com", "",
			"a@sales.contoso.com", "", "Auto-Submitted: auto-generated"},
		{"two authors kept", rewrite, "x@y.org", "From: shop@contoso.com, b@sales.contoso.com\n", User{},
			"shop@contoso.com, b@sales.contoso.com", "", "shop@contoso.com", "", "Sender: shop@contoso.com"},
		{"another author who may not send", rewrite, "x@y.org", "From: shop@contoso.com, b@example.org\n", User{},
			`shop@contoso.com, "b@example.org" <` + box + ">", "b@example.org", "shop@contoso.com", "",
			"Sender: shop@contoso.com"},
		{"another author beside the mailbox", rewrite, "x@y.org", "From: " + box + ", b@example.org\n", User{}, box,
			"b@example.org", box, "", ""},
		{"a sender beside the mailbox", rewrite, "x@y.org", "From: " + box + ", shop@contoso.com\n", User{},
			box + ", shop@contoso.com", "", "shop@contoso.com", "", "Sender: shop@contoso.com"},
		{"a sender beside one replaced", rewrite, "x@y.org", "From: b@example.org, shop@contoso.com\n", User{},
			`"b@example.org" <` + box + ">, shop@contoso.com", "b@example.org", "shop@contoso.com", "",
			"Sender: shop@contoso.com"},
		{"no From", rewrite, "x@y.org", "Subject: x\n", User{}, box, "", box, "", ""},
		{"Sender goes", rewrite, "x@y.org", "From: a@example.org\nSender: b@example.org\nReturn-Path: <c@d>\n", User{},
			`"a@example.org" <` + box + ">", "a@example.org", box, "", ""},
		{"keep, routable", keep, "a@example.org", "From: a@example.org\n", User{}, "a@example.org", "", "a@example.org",
			"", ""},
		{"keep, no -f", keep, "root@web1", "From: root@web1\n", User{NoSender: true}, "root@web1", "", box, "", ""},
		{"keep, no -f, own author", keep, "root@web1", "From: shop@contoso.com\n", User{NoSender: true},
			"shop@contoso.com", "", "shop@contoso.com", "", ""},
		{"keep, private", keep, "joe@web1.lan", "From: joe@web1.lan\n", User{Name: "joe"}, "joe@web1.lan", "",
			"joe@web1.lan", "", ""},
		{"keep, -f and own author", keep, "bounce@web1.lan", "From: shop@contoso.com\n", User{Name: "joe"},
			"shop@contoso.com", "", "bounce@web1.lan", "", ""},
		{"keep, null sender", keep, "", "From: shop@contoso.com\n", User{Name: "joe"}, "shop@contoso.com", "", "", "",
			"Auto-Submitted: "},
		{"two authors", rewrite, "x@y.org", "From: Alice <a@example.org>, root@web1, b@example.org\n", User{},
			`"Alice, root@web1, b@example.org" <` + box + ">", "Alice <a@example.org>, b@example.org", box, "", ""},
		{"name in an unknown charset", rewrite, "x@y.org", "From: =?ISO-2022-JP?B?GyRCRnxLXBsoQg==?= <a@example.org>\n",
			User{},
			"=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?= <" + box + ">", "=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?= <a@example.org>",
			box, "", ""},
		{"local, name in an unknown charset", rewrite, "x@y.org",
			"From: =?ISO-2022-JP?B?GyRCRnxLXBsoQg==?= <root@web1>\n", User{},
			`=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?= "(root@web1)" <` + box + ">", "", box, "", ""},
		{"mailer-daemon", rewrite, "", "From: Mailer-Daemon@web2.example.com (Mail Delivery)\n", User{},
			`"Mail Delivery (Mailer-Daemon@web2.example.com)" <` + box + ">", "", box, "", ""},
		{"null sender, forwarded", rewrite, "", "Received: from a\nFrom: a@example.org\n", User{},
			`"a@example.org" <` + box + ">", "a@example.org", box, "", "Auto-Submitted: "},
		{"map first", mapped, "root@web1", "From: root@web1\n", User{}, `"root@web1" <root@contoso.com>`, "",
			"root@contoso.com", "", ""},
		{"map second", mapped, "x@web1", "From: X <x@web1>\n", User{}, `"X (x@web1)" <web@contoso.com>`, "",
			"web@contoso.com", "", ""},
		{"map none", mapped, "x@example.org", "From: x@example.org\n", User{}, `"x@example.org" <` + box + ">",
			"x@example.org", box, "", ""},
		{"sign in as sender", sign, "x@y", "From: shop@contoso.com\n", User{}, "shop@contoso.com", "",
			"shop@contoso.com", "shop@contoso.com", ""},
		{"sign in as the mailbox", sign, "x@y", "From: x@example.org\n", User{}, `"x@example.org" <` + box + ">",
			"x@example.org", box, "", ""},
		{"sign in by table", signAs, "x@y", "From: a@sales.contoso.com\n", User{}, "a@sales.contoso.com", "",
			"a@sales.contoso.com", "sales@contoso.com", ""},
		{"allowed", narrowed, "x@y", "From: a@sales.contoso.com\n", User{Name: "www-data", UID: "33"},
			"a@sales.contoso.com", "", "a@sales.contoso.com", "", ""},
		{"not allowed", narrowed, "x@y", "From: shop@contoso.com\n", User{Name: "www-data", UID: "33"},
			`"shop@contoso.com" <` + box + ">", "shop@contoso.com", box, "", ""},
		{"allowed by id", narrowed, "x@y", "From: shop@contoso.com\n", User{Name: "u", UID: "1000"}, "shop@contoso.com",
			"", "shop@contoso.com", "", ""},
		{"by TCP, nobody is known", narrowed, "x@y", "From: shop@contoso.com\n", User{UID: "-1"},
			`"shop@contoso.com" <` + box + ">", "shop@contoso.com", box, "", ""},
		{"by TCP, no *", listed, "x@y", "From: shop@contoso.com\n", User{UID: "-1"},
			`"shop@contoso.com" <` + box + ">", "shop@contoso.com", box, "", ""},
		{"not named, no *", listed, "x@y", "From: shop@contoso.com\n", User{Name: "v", UID: "1001"},
			"shop@contoso.com", "", "shop@contoso.com", "", ""},
		{"by TCP, the mailbox", listed, "x@y", "From: " + box + "\n", User{UID: "-1"}, box, "", box, "", ""},
		{"second author not allowed", narrowed, "x@y", "From: a@sales.contoso.com, \"The CEO\" <ceo@contoso.com>\n",
			www,
			"a@sales.contoso.com, The CEO <" + box + ">", "The CEO <ceo@contoso.com>", "a@sales.contoso.com", "",
			"Sender: a@sales.contoso.com"},
		{"first author not allowed", narrowed, "x@y", "From: ceo@contoso.com, a@sales.contoso.com, shop@contoso.com\n",
			www,
			"ceo@contoso.com, shop@contoso.com <" + box + ">, a@sales.contoso.com", "ceo@contoso.com, shop@contoso.com",
			"a@sales.contoso.com", "",
			"Sender: a@sales.contoso.com"},
		{"keep, not allowed", keepNarrowed, "ceo@contoso.com", "From: CEO <ceo@contoso.com>\nSender: ceo@contoso.com\n",
			www,
			"CEO <" + box + ">", "CEO <ceo@contoso.com>", box, "", `Sender: "ceo@contoso.com" <` + box + ">"},
		{"keep, allowed", keepNarrowed, "a@sales.contoso.com", "From: a@sales.contoso.com\n", www,
			"a@sales.contoso.com", "", "a@sales.contoso.com", "", ""},
		{"keep, envelope not allowed", keepNarrowed, "ceo@contoso.com", "From: shop@contoso.com\n", User{UID: "1000"},
			"shop@contoso.com", "", "shop@contoso.com", "", ""},
		{"keep, unreadable", keepNarrowed, "x@y", "From: a@sales.contoso.com ceo@contoso.com\n", www, box, "",
			box, "", ""},
		{"map, target not allowed", mapNarrowed, "x@y", "From: x@boss.example\n", www, `"x@boss.example" <` + box + ">",
			"x@boss.example", box, "", ""},
		{"map, target allowed", mapNarrowed, "x@y", "From: x@web1\n", www, `"x@web1" <m@sales.contoso.com>`, "",
			"m@sales.contoso.com", "", ""},
		{"signs in as another", signNarrowed, "x@y", "From: a@sales.contoso.com\n", www, "a@sales.contoso.com", "",
			"a@sales.contoso.com", "", ""},
		{"signs in as one allowed", signNarrowed, "x@y", "From: b@sales.contoso.com\n", www, "b@sales.contoso.com", "",
			"b@sales.contoso.com", "c@sales.contoso.com", ""},
		{"Resent-From", narrowed, "x@y",
			"From: a@sales.contoso.com\nResent-From: ceo@contoso.com, b@sales.contoso.com\n", www,
			"a@sales.contoso.com", "", "a@sales.contoso.com", "",
			`Resent-From: "ceo@contoso.com" <` + box + ">, b@sales.contoso.com"},
		{"Resent-Sender", narrowed, "x@y", "From: a@sales.contoso.com\nResent-Sender: ceo@contoso.com\n", www,
			"a@sales.contoso.com", "", "a@sales.contoso.com", "",
			`Resent-Sender: "ceo@contoso.com" <` + box + ">"},
		{"two From fields", keepNarrowed, "x@y", "From: a@sales.contoso.com\nFrom: ceo@contoso.com\n", www,
			"a@sales.contoso.com", "", "a@sales.contoso.com", "", ""},
		{"a name like an address", narrowed, "x@y", "From: a@sales.contoso.com (<ceo@contoso.com>)\n", www,
			`"<ceo@contoso.com>" <a@sales.contoso.com>`, "", "a@sales.contoso.com", "", ""},
		{"an address in a local part", narrowed, "x@y", "From: \"ceo@contoso.com\"@sales.contoso.com\n", www,
			`"\ceo@contoso.com\@sales.contoso.com" <` + box + ">", "\"ceo@contoso.com\"@sales.contoso.com",
			box, "", ""},
		{"nobody, any sender", senderRule{Policy: PolicyRewrite, Mailbox: box, SendAs: []string{"*"}}, "x@y",
			"From: x y z\n",
			User{}, box, "", box, "", ""},
		{"nobody else", narrowed, "x@y", "From: shop@contoso.com\n", User{Name: "v", UID: "1001"},
			`"shop@contoso.com" <` + box + ">", "shop@contoso.com", box, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := rfc822.ParseHeader([]byte(strings.ReplaceAll(c.header, "\n", "\r\n")))
			env := &envelope.Envelope{Origin: c.origin, Sender: c.origin}
			c.rule.apply(env, h, c.caller)
			from, _ := h.Get("From")
			if strings.ReplaceAll(from, `"`, "") != strings.ReplaceAll(c.from, `"`, "") {
				t.Errorf("From: %s, want %s", from, c.from)
			}
			if reply, _ := h.Get("Reply-To"); reply != c.reply {
				t.Errorf("Reply-To: %s, want %s", reply, c.reply)
			}
			if env.Sender != c.sender || env.SignIn != c.signIn {
				t.Errorf("envelope %q signed in as %q, want %q and %q", env.Sender, env.SignIn, c.sender, c.signIn)
			}
			if h.Has("Return-Path") || h.Has("Sender") && !strings.HasPrefix(c.other, "Sender") {
				t.Error("Sender or Return-Path stayed")
			}
			if c.other != "" {
				name, value, _ := strings.Cut(c.other, ": ")
				if got, _ := h.Get(name); got != value {
					t.Errorf("%s: %q, want %q", name, got, value)
				}
			}
			if list, errs := rfc822.ParseAddressList(from); len(errs) > 0 || len(list) == 0 {
				t.Errorf("From %q does not parse: %v", from, errs)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"a@b", "A@B", true}, {"*", "", true}, {"*@b", "x@b", true}, {"*@b", "x@bc", false}, {"a*c*e", "abcde", true},
		{"k@b", "\u212a@b", false}, {"\u00e4@B", "\u00c4@b", true},
		{"a*c*e", "abde", false}, {"*b", "bab", true}, {"ab*ab", "ab", false}, {"", "", true}, {"", "x", false},
		{"**", "x", true},
	} {
		if got := Match(c.pattern, c.s); got != c.want {
			t.Errorf("%q, %q: %v", c.pattern, c.s, got)
		}
	}
}
