package smtpd

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
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
				codes, all := talk(t, h, "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\nSubject: x\r\n\r\nfirst"+before+"."+after+
					"MAIL FROM:<evil@b.org>\r\nRCPT TO:<victim@d.org>\r\nDATA\r\nSubject: y\r\n\r\nsecond\r\n.\r\nQUIT\r\n")
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
		codes, all := talk(t, h, "EHLO x\nMAIL FROM:<a@b.org>\nRCPT TO:<c@d.org>\nDATA\nSubject: x\n\n..stuffed\n.\rnot the end\nbody"+end+"QUIT\n")
		if codes != "220 250 250 250 354 250 221" || len(h.messages) != 1 {
			t.Errorf("%q: %d messages, replies\n%s", end, len(h.messages), all)
			continue
		}
		checkWire(t, h.messages[0].text)
		if !strings.HasPrefix(h.messages[0].text, "Subject: x\r\n\r\n.stuffed\r\n") || !strings.Contains(h.messages[0].text, "not the end\r\nbody\r\n") {
			t.Errorf("%q: got %q", end, h.messages[0].text)
		}
	}
}

// library decodes as go-smtp's data reader does.
func library(b []byte) (text []byte, rest int, done bool) {
	state := begin
	for i, c := range b {
		switch state {
		case begin:
			if c == '.' {
				state = afterDot
				continue
			}
			state = middle
			if c == '\r' {
				state = afterCR
			}
		case afterDot:
			if c == '\r' {
				state = afterDotCR
				continue
			}
			state = middle
		case afterDotCR:
			if c == '\n' {
				return text, i + 1, true
			}
			state = middle
		case afterCR:
			state = middle
			if c == '\n' {
				state = begin
			}
		case middle:
			if c == '\r' {
				state = afterCR
			}
		}
		text = append(text, c)
	}
	return text, 0, false
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
		line := b[at : at+i]
		at += i + len(end)
		if lf {
			line = bytes.TrimSuffix(line, []byte("\r"))
		}
		if string(line) == "." {
			return text, at, true
		}
		text = append(append(text, bytes.TrimPrefix(line, []byte("."))...), "\r\n"...)
	}
}

func FuzzBody(f *testing.F) {
	for _, a := range endings {
		for _, b := range endings {
			f.Add([]byte("x"+a+"."+b+"y\r\n.\r\nrest"), false, 3)
			f.Add([]byte("x"+a+".."+b+"\n.\nrest"), true, 1)
		}
	}
	f.Add([]byte("\r\r\n.\r\n.\r\n"), false, 100)
	f.Fuzz(func(t *testing.T, in []byte, lf bool, step int) {
		want, end, done := reference(in, lf)
		filter := bodyFilter{lf: lf}
		var out []byte
		used, over := 0, false
		for rest := in; len(rest) > 0 && !over; {
			piece := rest[:min(max(step, 1), len(rest))]
			var n int
			out, n, over = filter.feed(out, piece)
			used += n
			rest = rest[n:]
		}
		if over != done || done && used != end {
			t.Fatalf("end at %d (%v), want %d (%v)", used, over, end, done)
		}
		text, rest, libraryDone := library(out)
		if libraryDone != done || done && rest != len(out) {
			t.Fatalf("the library sees the end at %d of %d (%v): %q", rest, len(out), libraryDone, out)
		}
		if !done {
			return
		}
		// Behind a CR the filter may have to add a line end before the library sees the end.
		if extra := bytes.TrimPrefix(text, want); len(extra) == len(text) && len(want) > 0 || strings.Trim(string(extra), "\r\n") != "" || len(extra) > 4 {
			t.Fatalf("text %q, want %q", text, want)
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
	for _, s := range []string{"MAIL FROM:<>", "RCPT TO:root", `RCPT TO:<"a\"> x"@b> NOTIFY=NEVER`, "MAIL FROM:<@x:y@z>", "RCPT TO:<a@[127.0.0.1]>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\r\n") {
			return
		}
		out := string(rewrite([]byte(line), "web1"))
		if strings.ContainsAny(out, "\r\n") {
			t.Errorf("%q became %q", line, out)
		}
	})
}
