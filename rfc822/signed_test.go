package rfc822

import (
	"slices"
	"strings"
	"testing"
)

// TestBrokenSignatures: what a signature covers and what changed is said, and nothing else.
func TestBrokenSignatures(t *testing.T) {
	t.Parallel()
	const (
		signed = "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=shop.example;\n h=From:To:\n Subject;" +
			" bh=x; b=y\nFrom: a@b.c\nTo: d@e.f\nSubject: x\n"
		mime = "MIME-Version: 1.0\n"
		text = "the DKIM-Signature of shop.example does not hold after the change of "
		part = "Content-Type: text/plain; charset=utf-8\n\n\u00fc\n"
	)
	set := func(name, value string) func(*Header) { return func(h *Header) { h.Set(name, value) } }
	for name, c := range map[string]struct {
		in   string
		edit func(*Header)
		want string // with newlines between the texts
	}{
		"untouched":    {in: signed + "\nx\n"},
		"no signature": {in: "From: a@b.c\n\nx\x00\n", edit: set("From", "x@y.z")},
		"From":         {in: signed + "\nx\n", edit: set("From", "x@y.z"), want: text + "From"},
		"white space":  {in: signed + "\nx\n", edit: set("From", " a@b.c ")},
		"white space exact": {in: strings.Replace(signed, "c=relaxed/relaxed", "c=simple", 1) + "\nx\n",
			edit: set("To", " d@e.f"), want: text + "To"},
		"no c": {in: strings.Replace(signed, "c=relaxed/relaxed;", "", 1) + "\nx\n",
			edit: set("To", " d@e.f"), want: text + "To"},
		"not covered": {in: signed + "Cc: x@y.z\n\nx\n", edit: set("Cc", "nobody@y.z")},
		"put before":  {in: signed + "\nx\n", edit: func(h *Header) { h.Prepend("Received", "by x") }},
		"one more": {in: signed + "\nx\n", edit: func(h *Header) { h.Append("To", "x@y.z") }, want: text +
			"To"},
		"none may be added": {in: strings.Replace(signed, "h=From", "h=Cc:From", 1) + "\nx\n", edit: set("Cc", "x@y.z"),
			want: text + "Cc"},
		"raw text": {in: strings.Replace(signed, "Subject: x", "Subject: \u00fc", 1) + "\nx\n", want: text +
			"Subject"},
		"label": {in: signed + mime + part},
		"label covered": {in: strings.Replace(signed, "h=From", "h=Content-Transfer-Encoding:From", 1) + mime +
			part, want: text + "Content-Transfer-Encoding"},
		"NUL":           {in: signed + "\nx\x00\n", want: text + "the body"},
		"long line":     {in: signed + "\n" + strings.Repeat("x", 1200) + "\n", want: text + "the body"},
		"bare CR":       {in: signed + "\nx\ry\n", want: text + "the body"},
		"CR at the end": {in: signed + "\nx\n\r", want: text + "the body"},
		"CRLF":          {in: strings.ReplaceAll(signed+"\nx\ny\n", "\n", "\r\n")},
		"CR alone":      {in: strings.ReplaceAll(signed+"\nx\ny\n", "\n", "\r")},
		"CR CR LF":      {in: strings.ReplaceAll(signed+"\nx\ny\n", "\n", "\r\r\n")},
		"part label": {in: signed + mime + "Content-Type: multipart/mixed; boundary=b\n\n--b\n" + part + "--b--\n",
			want: text + "the body"},
		"binary": {in: signed + mime + "Content-Type: image/png\nContent-Transfer-Encoding: binary\n\n\x89\r\n",
			want: text + "the body"},
		"ARC": {in: strings.Replace(signed, "DKIM-Signature: v=1", "ARC-Message-Signature: i=1", 1) + "\nx\x00\n",
			want: "the ARC-Message-Signature of shop.example does not hold after the change of the body"},
		"two": {in: signed + strings.Replace(signed, "shop", "list", 1) + "\nx\x00\n",
			want: text + "the body\nthe DKIM-Signature of list.example does not hold after the change of the body"},
		"no domain": {in: strings.Replace(signed, "d=shop.example", "d=\"x\ty\"", 1) + "\nx\x00\n",
			want: "the DKIM-Signature does not hold after the change of the body"},
		"S/MIME with a bare CR": {in: mime + "Content-Type: multipart/signed; " +
			"boundary=b\n\n--b\n\nx\ry\n--b\n\nz\n--b--\n",
			want: "the signature of a part may not hold: a bare CR became a line end, or binary content base64"},
		"a message inside": {in: mime + "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: " +
			"message/rfc822\n\n" +
			signed + mime + part + "--b--\n",
			want: "the signature of a message within the message does not hold after a change of its text"},
		"beside a message inside": {in: mime + "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: " +
			"message/rfc822\n\n" +
			signed + "\nx\n--b\n" + part + "--b--\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := mustRead(t, c.in, ReadOptions{})
			if c.edit != nil {
				c.edit(m.Header)
			}
			w, err := m.Wire(WireOptions{AllowEightBit: true, EncodeParts: true})
			if err != nil {
				t.Fatal(err)
			}
			want := []string{}
			if c.want != "" {
				want = strings.Split(c.want, "\n")
			}
			if got := w.Broken(); !slices.Equal(got, want) {
				t.Errorf("%q, want %q\n%s", got, want, wireText(t, m, WireOptions{AllowEightBit: true}))
			}
		})
	}
}
