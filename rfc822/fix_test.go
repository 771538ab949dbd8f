package rfc822

import (
	"bytes"
	"strings"
	"testing"
)

func TestIsDate(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"Mon, 30 Nov 2026 10:00:00 +0100": true, "30 Nov 2026 10:00 GMT": true, "mon, 30 nov 26 10:00:00 est": true,
		"Mon , 30 (x) Nov 2026 10 : 00 : 60 -0000 (CET)": true, "Thu, 29 Feb 2024 10:00:00 Z": true,
		"": false, "now": false, "Mon Nov 30 10:00:00 2026": false, "2026-11-30T10:00:00Z": false,
		"Mon, 30 Nov 2026 10:00:00":       false,
		"Mon, 31 Feb 2026 10:00:00 +0100": false, "Mon, 30 Nov 2026 24:00:00 +0100": false,
		"Mon, 30 Nov 2026 10:00:00 +0160": false,
		"Foo, 30 Nov 2026 10:00:00 +0100": false, "30 Nov 1026 10:00:00 +0100": false,
		"30 Nov 2026 10:00:00 +0100 x": false,
	} {
		if isDate(value) != want {
			t.Errorf("%q: %v", value, !want)
		}
	}
}

func TestFixMessageID(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"<1@b.c>": "<1@b.c>", "<\"a b\"@b.c>": "<ab@b.c>", "<\"a:b\"@b.c>": "<\"a:b\"@b.c>",
		"<1@[127.0.0.1]>": "<1@[127.0.0.1]>",
		"1@b.c":           "<1@b.c>", "< 1 . 2 @ b.c > (x)": "<1.2@b.c>", "<1@b.c> <2@b.c>": "<1@b.c>",
		"<.1..2.@b.c.>": "<1.2@b.c>", "<job>": "<job@host>", "<1@>": "<1@host>",
		"<\xfc@b.c>": "<_FC@b.c>", "<a:b@c@d>": "<a_3Ab_40c@d>", "<1@b.c": "<1@b.c>", "<@b.c>": "", "<>": "", "(x)": "",
	} {
		if got := fixMessageID(value, "host"); got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
	const input = "Message-ID: <@>\nSubject: x\n\nhello\n"
	first, second := mustRead(t, input, ReadOptions{}), mustRead(t, input, ReadOptions{})
	other := mustRead(t, strings.Replace(input, "x", "y", 1), ReadOptions{})
	for _, m := range []*Message{first, second, other} {
		m.Complete(CompleteOptions{Now: testTime, Host: "host"})
	}
	a, _ := first.Header.Get("Message-ID")
	b, _ := second.Header.Get("Message-ID")
	c, _ := other.Header.Get("Message-ID")
	if a != b || a == c || !isMessageID(a) {
		t.Errorf("%q, %q, %q", a, b, c)
	}
}

func TestCharset(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, own, field, want string }{
		{"\xc3\xbc", "", "utf-8", "utf-8"}, {"\xfc", "", "iso-8859-1", "iso-8859-1"},
		{"\x80\xfc", "", "windows-1252", "windows-1252"},
		{"\x81\xfc", "", "iso-8859-1", "iso-8859-1"}, {"\xd4", "koi8-r", "koi8-r", "koi8-r"},
		{"\xfc", "utf-8", "iso-8859-1", "iso-8859-1"},
		{"\xc3\xbc", "us-ascii", "utf-8", "utf-8"}, {"\xc3\xbc", "iso-8859-1", "utf-8", "iso-8859-1"},
		{"\xc1\xaa\xcd\xa8", "gb2312", "gb2312", "gb2312"},
		{"\xfc", "x-unknown", "iso-8859-1", "iso-8859-1"}, {"\xfc", "utf-16", "iso-8859-1", "iso-8859-1"},
		{"\xfc", "iso-2022-jp", "iso-8859-1", "iso-8859-1"},
		{"\x80", "iso-8859-1", "windows-1252", "iso-8859-1"},
	} {
		if got := fieldCharset(c.text, c.own); got != c.field {
			t.Errorf("field %q, %q: %q, want %q", c.text, c.own, got, c.field)
		}
		if got := highIn(c.text).charset(c.own); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.text, c.own, got, c.want)
		}
	}
}

// FuzzComplete checks that a completed header has fields that may stand once no more than once, and none that
// is empty, and that completing it again changes nothing.
func FuzzComplete(f *testing.F) {
	seed(f)
	for _, s := range []string{
		"To: a@b\nTo: \"x\nCc:\nFrom: =?koi8-r?q?=D4?= <a@b>\nFrom: \xd4\n\n",
		"References: <a@b>\nReferences:,\nMessage-ID: < .@>\nDate: x\n\n",
		"To: g: a@b,\nTo: c@d;\nReply-To: <>\nSubject:\nSubject: =?utf-8?q?\xfc x?=\n\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		m, err := Read(bytes.NewReader(input), ReadOptions{})
		if err != nil {
			return
		}
		defer m.Close()
		o := CompleteOptions{Now: testTime, Host: "web1.example.com", MailDomain: "example.com",
			From: Address{Local: "root", Domain: "example.com"}}
		m.Complete(o)
		for _, once := range onceFields {
			if n := len(m.Header.All(once.name)); n > 1 {
				t.Errorf("%d fields %s: %q", n, once.name, headerText(m.Header))
			}
		}
		if !m.Header.Has("To") && !m.Header.Has("Cc") {
			t.Errorf("neither To nor Cc: %q", headerText(m.Header))
		}
		if date, _ := m.Header.Get("Date"); !isDate(date) {
			t.Errorf("Date %q", date)
		}
		if id, _ := m.Header.Get("Message-ID"); !isMessageID(id) {
			t.Errorf("Message-ID %q", id)
		}
		before := headerText(m.Header)
		m.Complete(o)
		if got := headerText(m.Header); got != before {
			t.Errorf("it is not stable:\ngot  %q\nwant %q", got, before)
		}
	})
}
