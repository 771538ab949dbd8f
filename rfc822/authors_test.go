package rfc822

import (
	"strings"
	"testing"
)

func TestRepairFrom(t *testing.T) {
	t.Parallel()
	author := Address{Local: "www", Domain: "web1"}
	for _, c := range []struct{ name, in, want string }{
		{"valid", "Joe <joe@b.c>", ""},
		{"valid, local", "root (Cron Daemon)", ""},
		{"valid, obsolete", "Joe <joe @ b . c>", ""},
		{"valid list", "a@b.c, root", ""},
		{"valid, at sign in the name", "joe@home <joe@b.c>", ""},
		{"single quotes around the name", "'Joe' <joe@b.c>", ""},
		{"scheme", "mailto:a@b.c", ""},
		{"empty", "", ""},
		{"empty angle", "<>", ""},
		{"nothing to read", "<<>>@@", ""},
		{"bare comma", "Doe, John <john@b.c>", `"Doe, John" <john@b.c>`},
		{"two bare commas", "Doe, John, Dr. <john@b.c>", `"Doe, John, Dr." <john@b.c>`},
		{"bare comma and quotes", `"Doe", John <john@b.c>`, `"Doe, John" <john@b.c>`},
		{"no close", "My Shop <a@b.c", "My Shop <a@b.c>"},
		{"no open", "My Shop a@b.c>", "My Shop <a@b.c>"},
		{"no brackets", "My Shop a@b.c", "My Shop <a@b.c>"},
		{"double brackets", "My Shop <<a@b.c>>", "My Shop <a@b.c>"},
		{"address in single quotes", "'a@b.c'", "a@b.c"},
		{"address in single quotes in the angle", "Joe <'a@b.c'>", "Joe <a@b.c>"},
		{"open quote", `"My Shop <a@b.c>, x@y.z`, "My Shop <a@b.c>, x@y.z"},
		{"open quote, no close", `"My Shop <a@b.c`, "My Shop <a@b.c>"},
		{"open comment", "My Shop <a@b.c> (sales", ""},
		{"two angles", "Joe <a@b.c> <d@e.f>", "Joe <a@b.c>, d@e.f"},
		{"no comma", "Joe <a@b.c> Ann <d@e.f>", "Joe <a@b.c>, Ann <d@e.f>"},
		{"an author's address in the name", "joe@home Joe <joe@b.c", `"joe@home Joe" <joe@b.c>`},
		{"group", "Team: Joe <a@b.c>, d@e.f;", `"Team: Joe" <a@b.c>, d@e.f`},
		{"name alone", "My Shop", "My Shop <www@web1>"},
		{"name alone, not ASCII", "Gesch\u00e4ft", "=?utf-8?B?R2VzY2jDpGZ0?= <www@web1>"},
		{"name alone, Latin 1", "Gesch\xe4ft <", "=?utf-8?B?R2VzY2jDpGZ0?= <www@web1>"},
		{"encoded name alone", "=?utf-8?Q?Shop?=", "Shop <www@web1>"},
		{"encoded as a whole", "=?UTF-8?B?RmxvIEV4IDxmbG9Ad2ViMS5leGFtcGxlPg==?=", "Flo Ex <flo@web1.example>"},
		{"encoded as a whole, two words", "=?utf-8?Q?Joe_D=C3=B6e?= =?utf-8?Q?_=3Cjoe=40b.c=3E?=",
			"=?utf-8?Q?Joe_D=C3=B6e?= <joe@b.c>"},
		{"encoded as a whole, twice", "=?utf-8?Q?=3D=3Futf-8=3FQ=3Fa=3F=3D_=3Ca=40b=2Ec=3E?=", "a <a@b.c>"},
		{"encoded as a whole, comma", "=?utf-8?Q?Doe=2C_John_=3Cjohn=40b.c=3E?=", `"Doe, John" <john@b.c>`},
		{"unknown charset, no close", "=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?= Shop <a@b.c",
			"=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?= Shop <a@b.c>"},
		{"encoded, bare comma", "=?utf-8?Q?D=C3=B6e?=, John <john@b.c>", "=?utf-8?Q?D=C3=B6e=2C_John?= <john@b.c>"},
		{"list in the angle", "<a@b.c,d@e.f>", "a@b.c, d@e.f"},
		{"quotes in a word", `"test"test@b.c`, `"\"test\"test@b.c" <www@web1>`},
		{"quoted name alone", `"My Shop"`, "My Shop <www@web1>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := ParseHeader([]byte("From: " + c.in + "\n"))
			guess := (&Message{Header: h}).RepairFrom(author)
			got, _ := h.Get("From")
			want := c.want
			if want == "" {
				want = c.in
			}
			if got != want || (guess == "") != (c.want == "") || !isASCII(guess) {
				t.Errorf("%q: %q (%q), want %q", c.in, got, guess, want)
			}
			if guess != "" {
				if again := (&Message{Header: h}).RepairFrom(author); again != "" {
					t.Errorf("%q is still %s", got, again)
				}
			}
		})
	}
}

// FuzzRepairFrom: what was repaired is a list of mailboxes, and no address is in it that was not there.
func FuzzRepairFrom(f *testing.F) {
	for _, s := range []string{
		"Doe, John <john@b.c>", "=?utf-8?Q?a_=3Cb=40c=3E?=", "<<a@b>>, 'c@d'", "a@b@c", "g: x;", `"a <b@c`,
		"mailto:a@b (c", "\u00fc@\u00fc.de \u3000",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h := &Header{fields: []Field{newField("From", s)}}
		before, _ := h.Get("From")
		before = toUTF8(before)
		if (&Message{Header: h}).RepairFrom(Address{Local: "www", Domain: "web1"}) == "" {
			return
		}
		v, _ := h.Get("From")
		list, errs := ParseAddressList(v)
		if len(list) == 0 || len(errs) > 0 || strings.ContainsAny(v, "\r\n\x00") {
			t.Errorf("%q became %q: %v", before, v, errs)
		}
		for _, a := range list {
			checkAddress(t, a)
			if a.Addr() != "www@web1" && a.Domain != "" && !strings.Contains(before, a.Domain) &&
				!strings.Contains(before, "=?") {
				t.Errorf("%q has no domain %q", before, a.Domain)
			}
		}
	})
}
