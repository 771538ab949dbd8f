package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"o365-sendmail/internal/smtpd/smtpdtest"
	"o365-sendmail/internal/sysexits"
)

// TestLargeFile: the agent gets a large file on standard input as it is, and judges its size as this program does.
func TestLargeFile(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20 // of smtpdtest
	h := taker()
	socket := smtpdtest.Serve(t, h)
	send := func(text string, args ...string) (int, string) {
		path := filepath.Join(t.TempDir(), "message")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		code, _, errs := call(socket, f, append([]string{"sendmail"}, args...)...)
		return code, errs
	}
	head := "From: a@example.org\nTo: b@example.org\nBcc: c@example.org\nSubject: x\n\n"
	body := strings.Repeat("0123456789abcde\n", limit/32)
	if code, errs := send(head+body+"no end", "-t"); code != 0 || errs != "" {
		t.Fatalf("%d %q", code, errs)
	}
	got := h.Taken()[0]
	wire := strings.ReplaceAll(strings.ReplaceAll(head, "Bcc: c@example.org\n", "")+body+"no end\n", "\n", "\r\n")
	if !got.Options.Unread || got.Text != wire || len(got.Envelope.Recipients) != 2 {
		t.Errorf("options %+v, envelope %+v, %d bytes of %d", got.Options, got.Envelope, len(got.Text), len(wire))
	}
	if code, errs := send(head+body+".\n"+body, "b@example.org"); code != 0 || errs != "" ||
		h.Taken()[1].Options.Unread || !h.Taken()[1].Options.DotCut || len(h.Taken()[1].Text) > limit*3/4 {
		t.Errorf("a line with a dot: %d %q", code, errs)
	}
	for name, text := range map[string]string{
		"only in wire form": head + strings.Repeat("0\n", limit*2/5),
		"in the file, too":  head + strings.Repeat(body, 3),
	} {
		code, errs := send(text, "-i", "b@example.org")
		if code != sysexits.DataErr || errs != "sendmail: error: the message is larger than 1048576 bytes\n" {
			t.Errorf("%s: %d %q", name, code, errs)
		}
	}
	if len(h.Taken()) != 2 {
		t.Errorf("%d messages", len(h.Taken()))
	}
}
