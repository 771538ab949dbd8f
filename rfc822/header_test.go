package rfc822

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message/textproto"
)

func headerText(h *Header) string {
	var b strings.Builder
	for _, f := range h.Fields() {
		b.Write(f.Raw())
	}
	return b.String()
}

func TestHeaderEdit(t *testing.T) {
	t.Parallel()
	const in = "Received: a\r\nSubject : one\r\n\ttwo \r\nX: 1\r\nx:2\r\nReceived: b\r\n"
	h := ParseHeader([]byte(in))
	if got := headerText(h); got != in {
		t.Errorf("bytes changed: %q", got)
	}
	if v, ok := h.Get("subject"); v != "one\ttwo" || !ok {
		t.Errorf("Get = %q, %v", v, ok)
	}
	if v := strings.Join(h.All("x"), ","); v != "1,2" {
		t.Errorf("All = %q", v)
	}
	if name := h.Fields()[1].Name(); name != "Subject" {
		t.Errorf("Name = %q", name)
	}
	if n := h.Received(); n != 2 {
		t.Errorf("Received = %d", n)
	}
	h.Set("X", "3")
	h.Set("New", "4")
	h.Prepend("Top", "5")
	h.Append("Bottom", "6")
	if n := h.Remove("Received"); n != 2 || h.Has("received") {
		t.Errorf("Remove = %d", n)
	}
	const want = "Top: 5\r\nSubject : one\r\n\ttwo \r\nX: 3\r\nNew: 4\r\nBottom: 6\r\n"
	if got := headerText(h); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestHeaderNeverSplits(t *testing.T) {
	t.Parallel()
	h := new(Header)
	h.Append("Subject", "a\r\nBcc: x@y\n\x00\r")
	h.Append("Bad: name\r\n", "x")
	h.Append("Folded", strings.Repeat("word ", 40)+"end")
	const want = "Subject: a  Bcc: x@y\r\nBadname: x\r\n"
	got := headerText(h)
	if !strings.HasPrefix(got, want) {
		t.Errorf("got %q", got)
	}
	for line := range strings.SplitSeq(got, "\r\n") {
		if len(line) > foldAt {
			t.Errorf("a line of %d bytes: %q", len(line), line)
		}
	}
	if v, _ := h.Get("folded"); v != strings.Repeat("word ", 40)+"end" {
		t.Errorf("folding changed the value: %q", v)
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		start    int
	}{
		{"short", "A: b", 2},
		{"empty value", "A:", 2},
		{"long word", "A: " + strings.Repeat("x", 950) + " y", 2},
		{"word that fits a line of its own", "A: " + strings.Repeat("x", 996), 2},
		{"hard", "A: " + strings.Repeat("x", 5000), 2},
		{"hard after commas", "A: " + strings.Repeat("abc,", 2000), 2},
		{"white space", "A: b" + strings.Repeat(" \t", 2000) + "c", 2},
		{"white space first", "A:" + strings.Repeat(" ", 2000) + "c", 2},
		{"only white space", "A:" + strings.Repeat(" ", 2000), 2},
		{"white space at the end", "A: b" + strings.Repeat(" ", 2000), 2},
		{"runs of middle length", "A: " + strings.Repeat("x", 600) + strings.Repeat(" ", 499) +
			strings.Repeat("y", 600), 2},
		{"long name", strings.Repeat("A", 997) + ": x", 998},
		{"long name, long value", strings.Repeat("A", 997) + ": " + strings.Repeat("y", 2000), 998},
		{"continuation", " " + strings.Repeat("x y", 1000), 0},
		{"continuation of white space", strings.Repeat(" ", 3000), 0},
	} {
		got := string(appendFolded(nil, []byte(c.in), c.start))
		for i, line := range strings.Split(strings.TrimSuffix(got, "\r\n"), "\r\n") {
			if len(line) > maxLine {
				t.Errorf("%s: a line of %d bytes", c.name, len(line))
			}
			if i > 0 && (strings.TrimLeft(line, " \t") == "" || !isBlank(line[0])) {
				t.Errorf("%s: line %d is not a continuation: %.40q", c.name, i, line)
			}
		}
		bare := strings.NewReplacer(" ", "", "\t", "", "\r\n", "")
		if bare.Replace(got) != bare.Replace(c.in) {
			t.Errorf("%s: text changed: %.200q", c.name, got)
		}
		if len(c.in) <= maxLine && strings.ReplaceAll(got, "\r\n", "") != c.in {
			t.Errorf("%s: unfolding does not give the line back: %.200q", c.name, got)
		}
	}
}

// go-message keeps the bytes of well-formed headers too; both must see the same fields.
func TestHeaderAgreesWithGoMessage(t *testing.T) {
	t.Parallel()
	const in = "Received: from a\r\n by b\r\nsUBJECT: x\r\n\ty\r\nTo:a@b\r\nX-8: \xe9\r\n\r\n"
	theirs, err := textproto.ReadHeader(bufReader(in))
	if err != nil {
		t.Fatal(err)
	}
	ours := ParseHeader([]byte(in)).Fields()
	i := 0
	for f := theirs.Fields(); f.Next(); i++ {
		raw, err := f.Raw()
		if err != nil {
			t.Fatal(err)
		}
		if i == len(ours) || !bytes.Equal(raw, ours[i].Raw()) ||
			f.Value() != strings.ReplaceAll(ours[i].Value(), "\t", " ") {
			t.Errorf("field %d: %q %q", i, raw, f.Value())
		}
	}
	if i != len(ours) {
		t.Errorf("%d fields, go-message has %d", len(ours), i)
	}
}

var testTime = time.Date(2026, 11, 25, 9, 5, 0, 0, time.FixedZone("", 3600))

func TestComplete(t *testing.T) {
	t.Parallel()
	o := CompleteOptions{
		Now: testTime, Host: "web1.example.com",
		From: Address{Display: "Cron Daemon", Local: "root", Domain: "example.com"}, MailDomain: "example.com",
	}
	for _, c := range []struct{ name, in, want string }{
		{"nothing there", "X: 1\n", "X: 1\r\nFrom: Cron Daemon <root@example.com>\r\nTo: " +
			"undisclosed-recipients:;\r\nDate: Wed, 25 Nov 2026 08:05:00 +0000\r\nMessage-ID: ID\r\n"},
		{"everything there", "message-id: <x@y>\nDATE: Mon, 1 Jan 24 1:02 GMT\nfrom: a@b\ncc: c@d\n",
			"message-id: <x@y>\r\nDATE: Mon, 1 Jan 24 1:02 GMT\r\nfrom: a@b\r\ncc: c@d\r\n"},
		{"empty fields", "Message-ID: <x@y>\nDate:\nFrom: \nTo:\n",
			"Message-ID: <x@y>\r\nDate: Wed, 25 Nov 2026 08:05:00 +0000\r\nFrom: Cron Daemon <root@example.com>\r\n" +
				"To: undisclosed-recipients:;\r\n"},
		{"only Bcc", "Bcc: x@y\nDate: 1 Jan 2024 01:02:03 +0000\nMessage-ID: <x@y>\nFrom: a@b\n",
			"Date: 1 Jan 2024 01:02:03 +0000\r\nMessage-ID: <x@y>\r\nFrom: a@b\r\nTo: undisclosed-recipients:;\r\n"},
		{
			"bare names",
			"Message-ID: <x@y>\nDate: 1 Jan 2024 01:02:03 +0000\nFrom: root (Cron Daemon)\nTo: " +
				"root, Joe <joe>, \"a b\" ,c@d,\n\t(x) pi (y) ; g: www-data;\nReply-To: < x >\nSender: bad name\n" +
				"Subject: root\nCc:\n",
			"Message-ID: <x@y>\r\nDate: 1 Jan 2024 01:02:03 +0000\r\nFrom: root@example.com (Cron Daemon)\r\nTo: " +
				"root@example.com, Joe <joe@example.com>, \"a b\"@example.com ,c@d,\r\n\t(x) pi@example.com (y) , g: " +
				"www-data@example.com;\r\nReply-To: < x@example.com >\r\nSender: bad name\r\nSubject: root\r\n",
		},
	} {
		m := mustRead(t, c.in+"\nbody\n", ReadOptions{})
		m.Complete(o)
		m.Header.RemoveBcc()
		got := headerText(m.Header)
		if id, _ := m.Header.Get("Message-ID"); strings.HasSuffix(id, "@web1.example.com>") {
			got = strings.Replace(got, id, "ID", 1)
		}
		if got != c.want {
			t.Errorf("%s:\ngot  %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestCompleteLeavesNamesWithoutDomain(t *testing.T) {
	t.Parallel()
	for _, domain := range []string{"", "bad domain", "x\r\nBcc: y"} {
		m := mustRead(t, "From: root\nTo: root\n\n", ReadOptions{})
		m.Complete(CompleteOptions{MailDomain: domain})
		if v, _ := m.Header.Get("To"); v != "root" {
			t.Errorf("domain %q gives %q", domain, v)
		}
	}
}

func TestCompleteSenders(t *testing.T) {
	t.Parallel()
	m := mustRead(t, "From: root\nSender: cron\nReply-To: ops\nTo: root\nCc: pi\n\n", ReadOptions{})
	m.Complete(CompleteOptions{MailDomain: "example.com", SenderDomain: "web1"})
	for name, want := range map[string]string{"From": "root@web1", "Sender": "cron@web1", "Reply-To": "ops@web1",
		"To": "root@example.com", "Cc": "pi@example.com"} {
		if v, _ := m.Header.Get(name); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
}

func TestRemoveBcc(t *testing.T) {
	t.Parallel()
	h := ParseHeader([]byte("BCC: a@b\nTo: c@d\nresent-bcc : e@f,\n g@h\nb\x00cc: i@j\nX-Bcc: k\n"))
	h.RemoveBcc()
	if got := headerText(h); got != "To: c@d\r\nX-Bcc: k\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestMessageID(t *testing.T) {
	t.Parallel()
	a, b := NewMessageID("web1.example.com"), NewMessageID("web1.example.com")
	if a == b || !strings.HasPrefix(a, "<") || !strings.HasSuffix(a, "@web1.example.com>") {
		t.Errorf("%q, %q", a, b)
	}
	for host, want := range map[string]string{"": "localhost", "a b>\r\n": "a-b", "..x..y.": "x.y",
		"bücher": "b-cher"} {
		if id := NewMessageID(host); !strings.HasSuffix(id, "@"+want+">") {
			t.Errorf("host %q gives %q", host, id)
		}
	}
}

func TestParseHeaderNeedsNoBlankLine(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"A: 1\nB: 2", "A: 1\r\nB: 2\r\n\r\nC: 3\r\n", "A: 1\nB: 2\nno field\nC: 3\n"} {
		if got := headerText(ParseHeader([]byte(in))); got != "A: 1\r\nB: 2\r\n" {
			t.Errorf("%q gives %q", in, got)
		}
	}
	input := []byte("A: 1\rB: 2\r")
	kept := bytes.Clone(input)
	ParseHeader(input)
	if !bytes.Equal(input, kept) {
		t.Error("ParseHeader changed its argument")
	}
}
