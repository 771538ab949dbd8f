package rfc822

import (
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseAddressList(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 62) + "@" + strings.Repeat("a.", 128) + "b"
	for _, c := range []struct {
		name, in string
		want     []Address
		bad      int
	}{
		{"plain", "a@b.c", []Address{{Local: "a", Domain: "b.c"}}, 0},
		{"bare", "root", []Address{{Local: "root"}}, 0},
		{"bare with comment", "root (Charlie Root)", []Address{{Display: "Charlie Root", Local: "root"}}, 0},
		{"name", `Joe Doe <joe@b.c>`, []Address{{Display: "Joe Doe", Local: "joe", Domain: "b.c"}}, 0},
		{"quoted name", `"Doe, Joe \"J\"" <joe@b.c>`, []Address{{Display: `Doe, Joe "J"`, Local: "joe", Domain: "b.c"}},
			0},
		{"name with dot", `John Q. Public <j@b.c>`, []Address{{Display: "John Q. Public", Local: "j", Domain: "b.c"}},
			0},
		{"name in brackets", `[List, x] Joe <j@b.c>`, []Address{{Display: "[List, x] Joe", Local: "j", Domain: "b.c"}},
			0},
		{"no space before the angle", `Joe<joe@b.c>`, []Address{{Display: "Joe", Local: "joe", Domain: "b.c"}}, 0},
		{"Q word", `=?utf-8?Q?J=C3=B6?= <j@b.c>`, []Address{{Display: "Jö", Local: "j", Domain: "b.c"}}, 0},
		{"B words", `=?UTF-8?B?SsO2?= =?iso-8859-1*de?q?_=E4?= x <j@b.c>`,
			[]Address{{Display: "Jö ä x", Local: "j", Domain: "b.c"}}, 0},
		{"Q word with marks", `=?utf-8?Q?Doe,_(J)?= <j@b.c>, =?utf-8?Q?Re:_x; y?= <d@e.f>`, []Address{
			{Display: "Doe, (J)", Local: "j", Domain: "b.c"}, {Display: "Re: x; y", Local: "d", Domain: "e.f"}}, 0},
		{"Q word that is not closed", `=?utf-8?Q?Doe, a@b.c, =?utf-8?Q?x?= <d@e.f>`, []Address{
			{Local: "=?utf-8?Q?Doe"}, {Local: "a", Domain: "b.c"}, {Display: "x", Local: "d", Domain: "e.f"}}, 0},
		{"raw UTF-8", `Jö Ü <j@b.c>`, []Address{{Display: "Jö Ü", Local: "j", Domain: "b.c"}}, 0},
		{"raw Latin 1", "J\xf6 <j@b.c>", []Address{{Display: "Jö", Local: "j", Domain: "b.c"}}, 0},
		{"list", "a@b.c, d@e.f,root", []Address{{Local: "a", Domain: "b.c"}, {Local: "d", Domain: "e.f"},
			{Local: "root"}}, 0},
		{"empty items", ", ,a@b.c,,\t,", []Address{{Local: "a", Domain: "b.c"}}, 0},
		{"semicolons", "a@b.c; d@e.f;", []Address{{Local: "a", Domain: "b.c"}, {Local: "d", Domain: "e.f"}}, 0},
		{"empty group", "undisclosed-recipients:;", nil, 0},
		{"group", "My friends: a@b.c, Joe <d@e.f>; x@y.z",
			[]Address{{Local: "a", Domain: "b.c"}, {Display: "Joe", Local: "d", Domain: "e.f"},
				{Local: "x", Domain: "y.z"}}, 0},
		{"open group", "g: a@b.c", []Address{{Local: "a", Domain: "b.c"}}, 0},
		{"mailto", "mailto:a@b.c", []Address{{Local: "a", Domain: "b.c"}}, 0},
		{"comments all over", "(x) a(y)@(z(n))b.c (w)", []Address{{Display: "x", Local: "a", Domain: "b.c"}}, 0},
		{"only a comment", "(nobody)", nil, 0},
		{"comment with comma", "a@b.c (x, y), d@e.f",
			[]Address{{Display: "x, y", Local: "a", Domain: "b.c"}, {Local: "d", Domain: "e.f"}}, 0},
		{"folded", "Joe\r\n\tDoe <a@b.c>,\r\n d@e.f",
			[]Address{{Display: "Joe Doe", Local: "a", Domain: "b.c"}, {Local: "d", Domain: "e.f"}}, 0},
		{"quoted local part", `"john doe"@b.c, "a\"b"@b.c`,
			[]Address{{Local: "john doe", Domain: "b.c"}, {Local: `a"b`, Domain: "b.c"}}, 0},
		{"quoted bare local part", `"john doe"`, []Address{{Local: "john doe"}}, 0},
		{"quoted for nothing", `"joe"@b.c`, []Address{{Local: "joe", Domain: "b.c"}}, 0},
		{"injection in quotes", `"foo@x> ORCPT=a"@y.z`, []Address{{Local: "foo@x> ORCPT=a", Domain: "y.z"}}, 0},
		{"route", "<@a,@b:c@d.e>, x@y", []Address{{Local: "c", Domain: "d.e"}, {Local: "x", Domain: "y"}}, 0},
		{"route without angle", "@a:c@d.e", []Address{{Local: "c", Domain: "d.e"}}, 0},
		{"spaces in the angle", "< a@b.c\t>", []Address{{Local: "a", Domain: "b.c"}}, 0},
		{"words behind", "<a@b.c> x", []Address{{Display: "x", Local: "a", Domain: "b.c"}}, 0},
		{"at sign behind", "<a@b.c> @ home", []Address{{Display: "@ home", Local: "a", Domain: "b.c"}}, 0},
		{"address behind", "Joe <a@b.c> d@e.f, x@y.z", []Address{{Local: "x", Domain: "y.z"}}, 1},
		{"literal", "a@[192.0.2.1], b@[IPv6:2001:db8::1]",
			[]Address{{Local: "a", Domain: "[192.0.2.1]"}, {Local: "b", Domain: "[IPv6:2001:db8::1]"}}, 0},
		{"dots", "a..b@c.d, .a@c.d, a.@c.d", []Address{{Local: "a..b", Domain: "c.d"}, {Local: ".a", Domain: "c.d"},
			{Local: "a.", Domain: "c.d"}}, 0},
		{"closing dot", "a@b.c.", []Address{{Local: "a", Domain: "b.c"}}, 0},
		{"not ASCII", "jö@bü.de", []Address{{Local: "jö", Domain: "bü.de"}}, 0},
		{"hyphen", "-a@b.c", []Address{{Local: "-a", Domain: "b.c"}}, 0},
		{"UUCP and pipes are local names", "a!b, |cmd, /file",
			[]Address{{Local: "a!b"}, {Local: "|cmd"}, {Local: "/file"}}, 0},

		{"one bad among good", "a@b.c, x y@z, d@e.f",
			[]Address{{Local: "a", Domain: "b.c"}, {Local: "d", Domain: "e.f"}}, 1},
		{"open quote", `a@b.c, "Joe <x@y.z>, d@e.f`,
			[]Address{{Local: "a", Domain: "b.c"}, {Display: `"Joe`, Local: "x", Domain: "y.z"},
				{Local: "d", Domain: "e.f"}}, 0},
		{"open quote alone", `a@b.c, "x@y.z, d@e.f`,
			[]Address{{Local: "a", Domain: "b.c"}, {Local: "d", Domain: "e.f"}}, 1},
		{"open comment", `a@b.c (x, d@e.f`, []Address{{Local: "d", Domain: "e.f"}}, 1},
		{"open angle", `<a@b.c, d@e.f`, []Address{{Local: "d", Domain: "e.f"}}, 1},
		{"two angles", `<a@b.c> <x@y.z>, d@e.f`, []Address{{Local: "d", Domain: "e.f"}}, 1},
		{"empty angle", "<>, d@e.f", []Address{{Local: "d", Domain: "e.f"}}, 1},
		{"blanks at signs and dots", "a @b.c, a@ b.c, Joe <a . b @ c . d>, a@b\r\n .c",
			[]Address{{Local: "a", Domain: "b.c"}, {Local: "a", Domain: "b.c"},
				{Display: "Joe", Local: "a.b", Domain: "c.d"}, {Local: "a", Domain: "b.c"}}, 0},
		{"quoted words", `"a b" . "c"@d.e, "a".b@d.e`, []Address{{Local: "a b.c", Domain: "d.e"},
			{Local: "a.b", Domain: "d.e"}}, 0},
		{"blanks of other scripts", "\u00a0a@b.c\u3000, <\ufeffa@b.c\u200b>,\u00a0, a\u00a0@\u2009b.c, \u00a0root, " +
			"a@b.c\xa0", []Address{{Local: "a", Domain: "b.c"}, {Local: "a", Domain: "b.c"},
			{Local: "a", Domain: "b.c"}, {Local: "root"}, {Local: "a", Domain: "b.c"}}, 0},
		{"blank of another script after a name", "Joe\u00a0<a@b.c>, 山田\u3000太郎 <a@b.c>",
			[]Address{{Display: "Joe", Local: "a", Domain: "b.c"}, {Display: "山田\u3000太郎", Local: "a", Domain: "b.c"}},
			0},
		{"list in the angle", "<a@b.c,root>, Joe <a@b.c;d@e.f>, <a@b.c,x y>", []Address{{Local: "a", Domain: "b.c"},
			{Local: "root"}, {Local: "a", Domain: "b.c"}, {Local: "d", Domain: "e.f"}, {Local: "a", Domain: "b.c"}}, 1},
		{"route with a name", "Joe <@a,@b:c@d.e>", []Address{{Display: "Joe", Local: "c", Domain: "d.e"}}, 0},
		{"mailto in the angle", "Joe <MAILTO:a@b.c>", []Address{{Display: "Joe", Local: "a", Domain: "b.c"}}, 0},

		{"words that touch", `"test"test@b.c, test"test"@b.c, "a""b"@c.d, a(x)b@c.d, a@b(x)c.d`, nil, 5},
		{"blanks in words", "a\u00a0b@c.d, a@b\u200bc.d, john . doe", nil, 3},
		{"names", `"joe@b.c", Geschäftsführung, =?utf-8?Q?Joe_=3Ca=40b.c=3E?=`, nil, 3},
		{"space outside quotes", "a b@c.d, <a b@c.d>", nil, 2},
		{"two at signs", "a@b@c", nil, 1},
		{"no local part", "@b.c, \"\"@b.c", nil, 2},
		{"no domain", "a@, a@., a@b..c, a@.b", nil, 4},
		{"domain characters", "a@b>c, a@b!c, a@b c, a@[1 2], a@[]", nil, 5},
		{"line ends", "a@b.c\r\nRCPT TO:<x>, a\n@b.c, a\r@b.c", nil, 3},
		{"NUL and controls", "a\x00@b.c, \"a\x01\"@b.c, a@b\x7f, \"a\rb\"@c.d", nil, 4},
		{"not UTF-8", "j\xf6@b.c", nil, 1},
		{"too long", long, nil, 1},
		{"name without address", "Joe Doe", nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, errs := ParseAddressList(c.in)
			if !slices.Equal(got, c.want) {
				t.Errorf("%q: got %+v\nwant %+v", c.in, got, c.want)
			}
			if len(errs) != c.bad {
				t.Errorf("%q: errors %v, want %d", c.in, errs, c.bad)
			}
		})
	}
}

func TestParseAddress(t *testing.T) {
	t.Parallel()
	if a, err := ParseAddress("Joe <joe@b.c>"); err != nil || a.Addr() != "joe@b.c" {
		t.Errorf("%v, %v", a, err)
	}
	for _, in := range []string{"", " ", "a@b.c, d@e.f", "a b", "<>", "g:;", "a@b.c\n"} {
		if a, err := ParseAddress(in); err == nil {
			t.Errorf("%q gives %v", in, a)
		} else if strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("%q: a line end in the error", in)
		}
	}
}

func TestAddressFormat(t *testing.T) {
	t.Parallel()
	longName, longWord := strings.TrimSpace(strings.Repeat("Long Name ", 10)), strings.Repeat("LongName", 10)
	for _, c := range []struct {
		in           Address
		addr, header string
	}{
		{Address{}, "", ""},
		{Address{Local: "root"}, "root", "root"},
		{Address{Display: "Root", Local: "root"}, "root", "Root <root>"},
		{Address{Display: "Joe Doe", Local: "j", Domain: "b.c"}, "j@b.c", "Joe Doe <j@b.c>"},
		{Address{Display: "x@y", Local: "j", Domain: "b.c"}, "j@b.c", `"x@y" <j@b.c>`},
		{Address{Display: `A "B" \C.`, Local: "j", Domain: "b.c"}, "j@b.c", `"A \"B\" \\C." <j@b.c>`},
		{Address{Display: "two  spaces", Local: "j", Domain: "b.c"}, "j@b.c", `"two  spaces" <j@b.c>`},
		{Address{Display: "Jörg Jonas", Local: "j", Domain: "b.c"}, "j@b.c", "=?utf-8?Q?J=C3=B6rg_Jonas?= <j@b.c>"},
		{Address{Display: "日本語", Local: "j", Domain: "b.c"}, "j@b.c", "=?utf-8?B?5pel5pys6Kqe?= <j@b.c>"},
		{Address{Display: "=?x", Local: "j", Domain: "b.c"}, "j@b.c", "=?utf-8?B?PT94?= <j@b.c>"},
		{Address{Display: "a\r\nBcc: x@y\x00", Local: "j", Domain: "b.c"}, "j@b.c", `"a  Bcc: x@y" <j@b.c>`},
		{Address{Display: longName, Local: "j", Domain: "b.c"}, "j@b.c", longName + " <j@b.c>"},
		{Address{Display: longName + ".", Local: "j", Domain: "b.c"}, "j@b.c", `"` + longName + `." <j@b.c>`},
		{Address{Display: longWord, Local: "j", Domain: "b.c"}, "j@b.c", "=?utf-8?Q?" + longWord[:63] +
			"?= =?utf-8?Q?" + longWord[63:] + "?= <j@b.c>"},
		{Address{Local: "john doe", Domain: "b.c"}, `"john doe"@b.c`, `"john doe"@b.c`},
		{Address{Local: "a..b", Domain: "b.c"}, `"a..b"@b.c`, `"a..b"@b.c`},
		{Address{Local: "foo@x> ORCPT=a", Domain: "y"}, `"foo@x> ORCPT=a"@y`, `"foo@x> ORCPT=a"@y`},
		{Address{Local: "a\r\n", Domain: "b>\r\nRCPT"}, `"a__"@b___RCPT`, `"a__"@b___RCPT`},
	} {
		if got := c.in.Addr(); got != c.addr {
			t.Errorf("Addr() = %q, want %q", got, c.addr)
		}
		if got := c.in.String(); got != c.header {
			t.Errorf("String() = %q, want %q", got, c.header)
		}
	}
}

// Words in a charset that can't be decoded must leave as they came.
func TestAddressKeepsForeignWords(t *testing.T) {
	t.Parallel()
	const in = `=?koi8-r?B?8NLJ18XU?= "x, y" <a@b.c>`
	a, err := ParseAddress(in)
	if err != nil || a.String() != in {
		t.Errorf("%q gives %q, %v", in, a.String(), err)
	}
}

// Where net/mail accepts a list, this package must say the same.
func TestAddressAgreesWithNetMail(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"a@b.c", "Joe <a@b.c>", `"Joe, D." <a@b.c>, x@y.z`, "=?utf-8?q?J=C3=B6?= <a@b.c>",
		"a@b.c (Joe)", "g: a@b.c, Joe <d@e.f>;", `"john doe"@b.c`, "Jö <a@b.c>", "a@[192.0.2.1]",
		`=?utf-8?q?a?= =?utf-8?q?b?= <a@b.c>`, `"\"q\"" <a@b.c>`, "jö@bü.de", "a@b.c (x (y) z)",
		"John Q. Public <a@b.c>",
	} {
		want, err := mail.ParseAddressList(in)
		if err != nil {
			t.Errorf("net/mail refuses %q: %v", in, err)
			continue
		}
		got, errs := ParseAddressList(in)
		if len(errs) > 0 || len(got) != len(want) {
			t.Errorf("%q: %v, %v", in, got, errs)
			continue
		}
		for i, a := range got {
			if a.Display != want[i].Name || a.Local+"@"+a.Domain != want[i].Address {
				t.Errorf("%q: got %q %q, net/mail %q %q", in, a.Display, a.Addr(), want[i].Name, want[i].Address)
			}
			back, err := mail.ParseAddress(a.String())
			if err != nil || back.Name != a.Display || back.Address != want[i].Address {
				t.Errorf("net/mail reads %q as %v, %v", a.String(), back, err)
			}
		}
	}
}

// Were the parser quadratic, this would take minutes or hours.
func TestAddressListIsLinear(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"(", `"`, `\"`, "<", "[", "a,", ",", "(x", "<\"", "a ", ";", ":", "@", "=?", "()",
		"\r\n ", "<a@b>,", "x <a@[b]>,", "<a,b>,"} {
		start := time.Now()
		ParseAddressList(strings.Repeat(s, 1<<20/len(s)))
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("%q takes %v", s, took)
		}
	}
}

func TestRecipients(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, header, want string
		bad                int
	}{
		{"all three", "To: a@b\nCc: c@d\nBcc: e@f\nFrom: x@y\n", "a@b c@d e@f", 0},
		{"repeated fields, folded", "TO: a@b,\n c@d\nto: e@f\n", "a@b c@d e@f", 0},
		{"duplicates", "To: a@B.c, A@b.c, a@b.C\nCc: root, root, Root\n", "a@B.c A@b.c root Root", 0},
		{"newest resent block", "Resent-To: new@x\nResent-From: f@x\nReceived: x\nResent-To: old@x\nTo: a@b\n", "new@x",
			0},
		{"touching resent blocks", "Resent-From: f@x\nResent-To: new@x\nResent-Bcc: b@x\nResent-From: " +
			"f@x\nResent-To: old@x\nTo: a@b\n", "new@x b@x", 0},
		{"repeated field in a block", "Resent-To: a@x\nResent-To: b@x\nResent-Cc: c@x\n", "a@x b@x c@x", 0},
		{"resent to nobody", "Resent-From: f@x\nTo: a@b\n", "", 0},
		{"hyphen", "To: -X@x, \"-f\"@y, a@b\n", "a@b", 2},
		{"one bad", "To: a@b, x y, c@d\n", "a@b c@d", 1},
		{"blank before the colon", "To : a@b\n", "a@b", 0},
		{"none", "To: undisclosed-recipients:;\nSubject: x\n", "", 0},
		{"group, comments, words", "To: g: =?utf-8?q?J=C3=B6?= <a@b>, (c) d@e; <@r:f@g>\n", "a@b d@e f@g", 0},
		{"NUL cannot hide Bcc", "B\x00cc: e@f\n", "e@f", 0},
	} {
		got, errs := ParseHeader([]byte(c.header)).Recipients()
		var list []string
		for _, a := range got {
			list = append(list, a.Addr())
		}
		if s := strings.Join(list, " "); s != c.want || len(errs) != c.bad {
			t.Errorf("%s: got %q %v, want %q and %d errors", c.name, s, errs, c.want, c.bad)
		}
	}
}
