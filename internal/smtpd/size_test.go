package smtpd

import (
	"fmt"
	"strings"
	"testing"

	"o365-sendmail/internal/envelope"
)

// TestSize: the limit is the same bytes whichever command brings them, and EHLO announces it. The
// private field of a client that measures does not count.
func TestSize(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20 // of connect
	const field = "O365-Sendmail-Options: partial\r\n"
	text := func(wire int) string { return "A: 1\r\n\r\n" + strings.Repeat("x", wire-10) + "\r\n" }
	lf := func(wire string) string { return strings.ReplaceAll(wire, "\r\n", "\n") }
	bdat := func(parts ...string) string {
		var b strings.Builder
		for i, p := range parts {
			fmt.Fprintf(&b, "BDAT %d%s\r\n%s", len(p), map[bool]string{true: " LAST"}[i == len(parts)-1], p)
		}
		return b.String()
	}
	for _, c := range []struct {
		name, message, code string
	}{
		{"DATA", "DATA\r\n" + text(limit) + ".\r\n", "250"},
		{"DATA, one more", "DATA\r\n" + text(limit+1) + ".\r\n", "552"},
		{"DATA, LF alone", "DATA\n" + lf(text(limit)) + ".\n", "250"},
		{"DATA, LF alone, one more", "DATA\n" + lf(text(limit+1)) + ".\n", "552"},
		{"BDAT", bdat(text(limit)), "250"},
		{"BDAT, LF alone", bdat(lf(text(limit))), "250"},
		{"BDAT, one more", bdat(text(limit + 1)), "552"},
		{"BDAT, LF alone, one more", bdat(lf(text(limit + 1))), "552"},
		{"BDAT, within what is read", bdat(text(limit + slack)), "552"},
		{"BDAT, over what is read", bdat(text(limit + slack + 1)), "552"},
		{"BDAT, CR CR LF", bdat(strings.ReplaceAll(text(limit), "\r\n", "\r\r\n")), "250"},
		{"BDAT, much more", bdat(text(3 * limit)), "552"},
		{"chunks", bdat(text(limit)[:limit/2], text(limit)[limit/2:]), "250"},
		{"private field", bdat(field + text(limit)), "250"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := &recorder{receipt: envelope.Receipt{Queued: true}}
			_, all := talk(t, h, "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\n"+c.message+"NOOP\r\nQUIT\r\n")
			if !strings.Contains(all, "\n250-SIZE 1048576\n") {
				t.Errorf("EHLO: %s", all)
			}
			want := "\n250 2.0.0 queued\n250 2.0.0 ok\n221 "
			if c.code == "552" {
				want = "\n552 5.3.4 the message is larger than 1048576 bytes\n250 2.0.0 ok\n221 "
			}
			if !strings.Contains(all, want) {
				t.Errorf("%s", all)
			}
			if taken := len(h.messages) == 1; taken != (c.code == "250") {
				t.Errorf("%d messages", len(h.messages))
			}
		})
	}
}

func TestDeclaredSize(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"MAIL FROM:<a@b.org> SIZE=1048576":                    "250",
		"MAIL FROM:<a@b.org> SIZE=1048577":                    "552",
		"MAIL FROM:<a@b.org> BODY=8BITMIME size=4294967296":   "552",
		"MAIL FROM:<a@b.org> SIZE=99999999999999999999999999": "552",
		"MAIL FROM:<a@b.org> SIZE=many":                       "501",
		"MAIL FROM:<\"> SIZE=9999999\"@b.org>":                "250",
		"MAIL FROM:a@b.org SIZE=1048577":                      "552",
	} {
		codes, all := talk(t, &recorder{}, "EHLO x\r\n"+line+"\r\nQUIT\r\n")
		if codes != "220 250 "+want+" 221" {
			t.Errorf("%s: %s", line, all)
		}
	}
}

// TestErrors: the twentieth wrong command ends the session, and nothing behind it is done.
func TestErrors(t *testing.T) {
	t.Parallel()
	const message = "MAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\nA: 1\r\n\r\n.\r\nQUIT\r\n"
	for name, wrong := range map[string]string{
		"unknown": "WHAT\r\n", "empty": "\r\n", "short": "NO\r\n", "mangled": "MAIL\tFROM\r\n",
		"XCLIENT": "XCLIENT NAME=x\r\n",
		"path":    "RCPT TO:x y\r\n", "sequence": "DATA\r\n", "long": "NOOP " + strings.Repeat("x",
			2*maxCommand) + "\r\n",
		"LHLO": "LHLO x\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &recorder{}
			codes, all := talk(t, h, "EHLO x\r\n"+strings.Repeat(wrong, maxErrors-1)+message)
			if !strings.HasSuffix(codes, " 250 250 354 250 221") || len(h.messages) != 1 {
				t.Errorf("%d errors: %s", maxErrors-1, all)
			}
			h = &recorder{}
			codes, all = talk(t, h, "EHLO x\r\n"+strings.Repeat(wrong, maxErrors)+message)
			if n := len(strings.Fields(codes)); n != 2+maxErrors+1 ||
				!strings.HasSuffix(all, "\n421 4.7.0 too many errors") || len(h.messages) != 0 {
				t.Errorf("%d errors: %d replies, %s", maxErrors, n, all)
			}
		})
	}
	refused := strings.Repeat("RCPT TO:<nobody@x.org>\r\n", 2*maxErrors)
	if codes, all := talk(t, &recorder{}, "EHLO x\r\nMAIL FROM:<a@b.org>\r\n"+refused+
		"QUIT\r\n"); !strings.HasSuffix(codes, " 550 221") {
		t.Errorf("refused recipients: %s", all)
	}
}

// TestTrailingBlanks are to be tolerated (RFC 5321 4.1.1).
func TestTrailingBlanks(t *testing.T) {
	t.Parallel()
	codes, all := talk(t, &recorder{}, "EHLO x \r\nNOOP \r\nRSET\t\r\nMAIL FROM:<a@b.org> \r\nRCPT TO:<c@d.org> \r\n"+
		"DATA \r\nA: 1\r\n\r\n.\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nBDAT 8 LAST \r\nA: 1\r\n\r\nQUIT \r\n")
	if codes != "220 250 250 250 250 250 354 250 250 250 250 221" {
		t.Error(all)
	}
}
