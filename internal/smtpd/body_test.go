package smtpd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/emersion/go-smtp"

	"o365-sendmail/internal/printable"
)

// endings are the line ends that smugglers try (CERT VU#302671).
var endings = []string{"\r\n", "\n", "\r", "\n\r", "\r\r\n", "\r\n\n", "\x00\r\n"}

// TestSmuggling: between a client that writes CRLF and this server, nothing but
// CRLF.CRLF ends a message, whatever line ends are put around a dot.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	for _, before := range endings {
		for _, after := range endings {
			if strings.HasSuffix(before, "\r\n") && strings.HasPrefix(after, "\r\n") {
				continue // a true end
			}
			name := fmt.Sprintf("%q.%q", before, after)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				h := &recorder{}
				codes, all := talk(t, h, "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\nSubject: "+
					"x\r\n\r\nfirst"+before+"."+after+
					"MAIL FROM:<evil@b.org>\r\nRCPT TO:<victim@d.org>\r\nDATA\r\nSubject: "+
					"y\r\n\r\nsecond\r\n.\r\nQUIT\r\n")
				if codes != "220 250 250 250 354 250 221" || len(h.messages) != 1 {
					t.Fatalf("%d messages, replies\n%s", len(h.messages), all)
				}
				m := h.messages[0]
				if m.env.Sender != "a@b.org" || !strings.Contains(m.text, "\r\nMAIL FROM:<evil@b.org>\r\n") {
					t.Errorf("got %q", m.text)
				}
				checkWire(t, m.text)
			})
		}
	}
}

// checkWire: no bare CR or LF is left.
func checkWire(t *testing.T, text string) {
	t.Helper()
	if rest := strings.ReplaceAll(text, "\r\n", ""); strings.ContainsAny(rest, "\r\n") {
		t.Errorf("a bare CR or LF in %q", text)
	}
}

// TestLFClient: a client that writes LF ends with LF.LF or CRLF.CRLF.
func TestLFClient(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\n.\n", "\r\n.\r\n", "\n.\r\n", "\r\n.\n", "\r\r\n.\n"} {
		h := &recorder{}
		codes, all := talk(t, h, "EHLO x\nMAIL FROM:<a@b.org>\nRCPT TO:<c@d.org>\nDATA\nSubject: "+
			"x\n\n..stuffed\n.\rnot the end\nbody"+end+"QUIT\n")
		if codes != "220 250 250 250 354 250 221" || len(h.messages) != 1 {
			t.Errorf("%q: %d messages, replies\n%s", end, len(h.messages), all)
			continue
		}
		checkWire(t, h.messages[0].text)
		if !strings.HasPrefix(h.messages[0].text, "Subject: x\r\n\r\n.stuffed\r\n") ||
			!strings.Contains(h.messages[0].text, "not the end\r\nbody\r\n") {
			t.Errorf("%q: got %q", end, h.messages[0].text)
		}
	}
}

// reference decodes by RFC 5321 4.5.2: lines end in CRLF, or in LF where lf is set.
func reference(b []byte, lf bool) (text []byte, rest int, done bool) {
	end := "\r\n"
	if lf {
		end = "\n"
	}
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte(end))
		if i < 0 {
			return append(text, bytes.TrimPrefix(b[at:], []byte("."))...), 0, false
		}
		line := b[at : at+i+len(end)]
		at += len(line)
		if word := string(line); word == ".\r\n" || lf && word == ".\n" {
			return text, at, true
		}
		text = append(text, bytes.TrimPrefix(line, []byte("."))...)
	}
}

// drip reads a few bytes at a time.
type drip struct {
	rest []byte
	step int
}

func (d *drip) Read(p []byte) (int, error) {
	if len(d.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(max(d.step, 1), len(p))], d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

func FuzzBody(f *testing.F) {
	for _, a := range endings {
		for _, b := range endings {
			f.Add([]byte("x"+a+"."+b+"y\r\n.\r\nrest"), false, 3)
			f.Add([]byte("x"+a+".."+b+"\n.\nrest"), true, 1)
		}
	}
	f.Add([]byte("\r\r\n.\r\n.\r\n"), false, 100)
	for _, n := range []int{maxCommand - 2, maxCommand - 1, maxCommand} { // the line end comes apart
		f.Add([]byte(strings.Repeat("x", n)+"\r\n.\r\nrest"), false, 5000)
	}
	f.Fuzz(func(t *testing.T, in []byte, lf bool, step int) {
		want, end, done := reference(in, lf)
		c := Stdio(&drip{in, step}, io.Discard)
		text, err := io.ReadAll(iotest.OneByteReader(&dotted{c: c, lf: lf, start: true}))
		if !done {
			if err != io.ErrUnexpectedEOF {
				t.Fatalf("%q: %v", in, err)
			}
			return
		}
		c.over = false
		rest, _ := io.ReadAll(c.in)
		if err != nil || !bytes.Equal(text, want) || string(rest) != string(in[end:]) {
			t.Fatalf("%q: %q, rest %q, want %q, %q: %v", in, text, rest, want, in[end:], err)
		}
	})
}

func FuzzDialogue(f *testing.F) {
	f.Add("EHLO x\nMAIL FROM:root\nRCPT TO:<\"a>b\"@c>\nDATA\nx\n.\nBDAT 3\nabcRSET\n")
	f.Add("MAIL FROM:<@a:b@c> SIZE=1\r\nHELP\r\nBDAT 1 LAST x\r\n")
	f.Fuzz(func(t *testing.T, input string) {
		h := &recorder{}
		talk(t, h, input)
		for _, m := range h.messages {
			if rest := strings.ReplaceAll(m.text, "\r\n", ""); strings.ContainsAny(rest, "\r\n") {
				t.Errorf("a bare CR or LF in %q", m.text)
			}
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"FROM:<>", "FROM:root", `FROM:<"a\"> x"@b> RET=HDRS`, "FROM:<@x:y@z>",
		"FROM:<a@[127.0.0.1]> ENVID=a+2Bb SIZE=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		s := &session{o: &Options{Host: "web1"}}
		from, o, _, err := s.sender(arg)
		if err != nil {
			if e := (*smtp.SMTPError)(nil); !errors.As(err, &e) || e.Code < 500 || strings.Contains(e.Message, "\r") {
				t.Errorf("%q: %v", arg, err)
			}
			return
		}
		if printable.HasControl(from + o.EnvelopeID) {
			t.Errorf("%q gave %q and %q", arg, from, o.EnvelopeID)
		}
		if strings.Contains(arg, "@") && from != "" { // it means itself
			if again, _, _, err := s.sender("FROM:<" + from + ">"); err != nil || again != from {
				t.Errorf("%q gave %q, and that %q: %v", arg, from, again, err)
			}
		}
	})
}
