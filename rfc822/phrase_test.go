package rfc822

import (
	"net/mail"
	"strings"
	"testing"
)

// TestLongDisplayNames: a long name in ASCII stays readable in the source, and is folded where that
// says the same.
func TestLongDisplayNames(t *testing.T) {
	t.Parallel()
	words := strings.TrimSpace(strings.Repeat("backup of the night ", 9))
	for _, c := range []struct {
		name    string
		encoded bool
	}{
		{words, false},
		{words + ", \"host\" \\ 7", false},
		{"two  spaces " + words + "   and three", false},
		{strings.Repeat("a", 64) + " " + strings.Repeat("b.", 32), false},
		{strings.Repeat("x", 65), true},
		{words + " =?utf-8?Q?x", true},
		{words + " grüße", true},
	} {
		var h Header
		h.Append("From", Address{Display: c.name, Local: "root", Domain: "web1.contoso.com"}.String())
		raw := string(h.Fields()[0].Raw())
		if strings.Contains(raw, "=?") != c.encoded {
			t.Errorf("%q is written as %q", c.name, raw)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(raw, "\r\n"), "\r\n") {
			if len(line) > 78 && !c.encoded || strings.TrimSpace(line) == "" {
				t.Errorf("a line of %d bytes: %q", len(line), line)
			}
		}
		m, err := mail.ReadMessage(strings.NewReader(raw + "\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		if a, err := mail.ParseAddress(m.Header.Get("From")); err != nil || a.Address != "root@web1.contoso.com" ||
			a.Name != c.name {
			t.Errorf("%q comes back as %+v, %v", c.name, a, err)
		}
		if list, errs := h.Recipients(); len(list) != 0 || len(errs) != 0 {
			t.Errorf("%v %v", list, errs)
		}
		value, _ := h.Get("From")
		if a, err := ParseAddress(value); err != nil || a.Display != c.name {
			t.Errorf("%q comes back as %q, %v", c.name, a.Display, err)
		}
	}
}
