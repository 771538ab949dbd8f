//go:build system

package system

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
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
	files   map[string][]byte // attachments by their decoded names; then body is the first part's
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
	body := ""
	if want.files == nil {
		body = decodeBody(t, m.Header.Get("Content-Transfer-Encoding"), m.Body)
	} else {
		body = want.checkFiles(t, m)
	}
	if body != want.body {
		t.Errorf("body after transfer decoding:\n%q\nwant\n%q", body, want.body)
	}
}

// checkFiles compares the digests of the attachments and returns the text.
func (want expectation) checkFiles(t *testing.T, m *mail.Message) (text string) {
	t.Helper()
	found := make(map[string]int)
	walkParts(t, m.Header.Get("Content-Type"), m.Body, func(p *multipart.Part) {
		body := decodeBody(t, p.Header.Get("Content-Transfer-Encoding"), p)
		name := fileName(t, p)
		if name == "" {
			if text != "" {
				t.Errorf("two texts: %q and %q", text, body)
			}
			text = body
			return
		}
		found[name]++
		file, ok := want.files[name]
		if !ok {
			t.Errorf("unexpected attachment %q", name)
			return
		}
		if got, wanted := sha256.Sum256([]byte(body)), sha256.Sum256(file); got != wanted {
			t.Errorf("attachment %q has SHA-256 %x with %d bytes, want %x with %d", name, got, len(body),
				wanted, len(file))
		}
	})
	for name := range want.files {
		if found[name] != 1 {
			t.Errorf("attachment %q came %d times, want once", name, found[name])
		}
	}
	return text
}

// walkParts shows every part that is not itself made of parts.
func walkParts(t *testing.T, contentType string, body io.Reader, show func(*multipart.Part)) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.HasPrefix(kind, "multipart/") {
		t.Fatalf("Content-Type %q: %v, want multipart", contentType, err)
	}
	r := multipart.NewReader(body, params["boundary"])
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if inner := p.Header.Get("Content-Type"); strings.HasPrefix(inner, "multipart/") {
			walkParts(t, inner, p, show)
			continue
		}
		show(p)
	}
}

// fileName is the name of an attachment, decoded as mail programs do it:
// RFC 2231 as the standard wants it, RFC 2047 as many do.
func fileName(t *testing.T, p *multipart.Part) string {
	t.Helper()
	disposition, params, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
	if err != nil || disposition != "attachment" {
		return ""
	}
	return decodeHeader(t, params["filename"])
}

// expectationOf is the expectation that a message of one text arrives as it is.
func expectationOf(t *testing.T, message []byte, to []string) expectation {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(message))
	if err != nil {
		t.Fatalf("%v: %q", err, message)
	}
	return expectation{to: to, subject: decodeHeader(t, m.Header.Get("Subject")),
		body: decodeBody(t, m.Header.Get("Content-Transfer-Encoding"), m.Body)}
}

// checkLines fails for a bare CR or LF and for a line over 998 bytes (RFC 5322 2.1.1).
func checkLines(t *testing.T, data []byte) {
	t.Helper()
	for i, line := range bytes.SplitAfter(data, []byte("\r\n")) {
		text := bytes.TrimSuffix(line, []byte("\r\n"))
		if bytes.ContainsAny(text, "\r\n") {
			t.Errorf("line %d has a bare CR or LF: %.80q", i+1, text)
		}
		if len(text) > 998 {
			t.Errorf("line %d has %d bytes", i+1, len(text))
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

// decodeBody undoes a transfer encoding, and turns CRLF into LF where the
// encoding is one of lines.
func decodeBody(t *testing.T, encoding string, body io.Reader) string {
	t.Helper()
	switch strings.ToLower(encoding) {
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
	if strings.EqualFold(encoding, "base64") && bytes.IndexByte(text, 0) >= 0 {
		return string(text) // no text
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}
