//go:build system

package system

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
	"testing"
)

// An expectation is what has to arrive, whatever way the message took.
type expectation struct {
	to      []string          // envelope recipients, in any order
	subject string            // decoded
	body    string            // after transfer decoding, with LF lines
	header  map[string]string // decoded fields that must be so
}

// hidden is the Bcc recipient of the tests: in the envelope, never in the message.
const hidden = "hidden@example.org"

// check compares a delivery with what was expected of it.
func (want expectation) check(t *testing.T, d delivery, mailbox string) {
	t.Helper()
	if d.From != mailbox {
		t.Errorf("envelope sender %q, want the mailbox %q", d.From, mailbox)
	}
	got, wanted := slices.Sorted(slices.Values(d.To)), slices.Sorted(slices.Values(want.to))
	if !slices.Equal(got, wanted) {
		t.Errorf("envelope recipients %q, want %q", got, wanted)
	}
	if containsText(d.Data, hidden) {
		t.Errorf("the Bcc recipient is in the message:\n%s", d.Data)
	}
	checkLines(t, d.Data)
	m, err := mail.ReadMessage(bytes.NewReader(d.Data))
	if err != nil {
		t.Fatalf("the message can't be read: %v\n%s", err, d.Data)
	}
	if v := m.Header["Bcc"]; v != nil {
		t.Errorf("a Bcc field was sent: %q", v)
	}
	for _, name := range []string{"Date", "Message-Id", "From"} {
		if n := len(m.Header[name]); n != 1 {
			t.Errorf("%d %s fields, want one", n, name)
		}
	}
	if from, err := mail.ParseAddress(m.Header.Get("From")); err != nil || from.Address != mailbox {
		t.Errorf("From %q (%v), want the mailbox %s", m.Header.Get("From"), err, mailbox)
	}
	if got := decodeHeader(t, m.Header.Get("Subject")); got != want.subject {
		t.Errorf("Subject %q, want %q", got, want.subject)
	}
	for name, value := range want.header {
		if got := decodeHeader(t, m.Header.Get(name)); got != value {
			t.Errorf("%s %q, want %q", name, got, value)
		}
	}
	if body := decodeBody(t, m); body != want.body {
		t.Errorf("body after transfer decoding:\n%q\nwant\n%q", body, want.body)
	}
}

// checkLines fails for a bare CR or LF and for a line over 998 octets (RFC 5322 2.1.1).
func checkLines(t *testing.T, data []byte) {
	t.Helper()
	for i, line := range bytes.SplitAfter(data, []byte("\r\n")) {
		text := bytes.TrimSuffix(line, []byte("\r\n"))
		if bytes.ContainsAny(text, "\r\n") {
			t.Errorf("line %d has a bare CR or LF: %.80q", i+1, text)
		}
		if len(text) > 998 {
			t.Errorf("line %d has %d octets", i+1, len(text))
		}
	}
}

func decodeHeader(t *testing.T, value string) string {
	t.Helper()
	decoded, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		t.Errorf("header %q: %v", value, err)
	}
	return decoded
}

// decodeBody undoes the transfer encoding of a message that is one text, and
// turns CRLF into LF.
func decodeBody(t *testing.T, m *mail.Message) string {
	t.Helper()
	body := m.Body
	switch encoding := strings.ToLower(m.Header.Get("Content-Transfer-Encoding")); encoding {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "", "7bit", "8bit":
	default:
		t.Errorf("Content-Transfer-Encoding %q", encoding)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Errorf("body: %v", err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}
