package rfc822

import (
	"strings"
	"testing"
)

// TestEncodeParts: 8-bit text in a part of a multipart is encoded, unless a signature covers it; nothing else is.
func TestEncodeParts(t *testing.T) {
	t.Parallel()
	const (
		text = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\ngr\u00fc\u00dfe an alle " +
			"und noch mehr Text\n"
		bin  = "Content-Type: application/octet-stream\nContent-Transfer-Encoding: 8bit\n\n\u00fc\u00fc\n"
		mark = "an alle und noch mehr Text"
	)
	mixed := func(header string, parts ...string) string {
		return header + "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n" + strings.Join(parts,
			"\n--b\n") + "\n--b--\n"
	}
	nested := func(header string) string { return "Content-Type: message/rfc822\n\n" + mixed(header, text) }
	for name, c := range map[string]struct {
		in      string
		encoded bool
		left    bool // 8-bit text is left
	}{
		"text part": {mixed("From: a@b.c\n", text), true, false},
		"no label": {mixed("From: a@b.c\n", "\n\u00fc an alle und noch mehr Text, das lang genug ist\n"),
			true, false},
		"beside a binary": {mixed("From: a@b.c\n", text, bin), true, true},
		"binary alone":    {mixed("From: a@b.c\n", bin), false, true},
		"DKIM":            {mixed("DKIM-Signature: v=1\nFrom: a@b.c\n", text), false, true},
		"ARC":             {mixed("ARC-Message-Signature: i=1\nFrom: a@b.c\n", text), false, true},
		"S/MIME": {strings.Replace(mixed("From: a@b.c\n", text,
			"Content-Type: application/pkcs7-signature\n\nx\n"), "multipart/mixed", "multipart/signed", 1),
			false, true},
		"no multipart":     {"From: a@b.c\nMIME-Version: 1.0\n" + text, false, true},
		"a message inside": {mixed("From: a@b.c\n", nested("From: d@e.f\n")), true, false},
		"a signed one":     {mixed("From: a@b.c\n", nested("DKIM-Signature: v=1\nFrom: d@e.f\n")), false, true},
		"a signed one last": {mixed("From: a@b.c\n", strings.NewReplacer("=b\n", "=c\n", "--b",
			"--c").Replace(nested("DKIM-Signature: v=1\n")), text), true, true},
		"ascii": {mixed("From: a@b.c\n", strings.ReplaceAll(strings.ReplaceAll(text, "\u00fc", "u"),
			"\u00df", "s")), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := mustRead(t, c.in, ReadOptions{Memory: 100})
			w, err := m.Wire(WireOptions{AllowEightBit: true, EncodeParts: true})
			if err != nil {
				t.Fatal(err)
			}
			got := wireText(t, m, WireOptions{AllowEightBit: true, EncodeParts: true})
			plain := wireText(t, m, WireOptions{AllowEightBit: true})
			if (got != plain) != c.encoded || w.EightBit() != c.left || hasEightBit([]byte(got)) != c.left ||
				w.Size() != int64(len(got)) {
				t.Errorf("encoded %v, 8-bit %v, size %d of %d:\n%s", got != plain, w.EightBit(), w.Size(),
					len(got), got)
			}
			if strings.Count(got, mark) != strings.Count(plain, mark) {
				t.Errorf("text got lost:\n%s", got)
			}
		})
	}
}
