package emulator

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// FuzzContent compares the scanner, fed in pieces, with a plain look at the whole.
func FuzzContent(f *testing.F) {
	for _, s := range []string{
		"", "a", "From: a\r\n\r\nb\r\n", "a\nb", "a\rb\r\n", "\r", "\n", "\r\n\r\n\r", "a\r\r\nb", "\x00\xff",
		"a\xff: b\r\n\r\n\xfe\r\n", strings.Repeat("x", 1200) + "\r\n", "a\r\n" + strings.Repeat("y", 999),
	} {
		f.Add([]byte(s), 1)
		f.Add([]byte(s), 3)
	}
	e := &Emulator{}
	f.Fuzz(func(t *testing.T, p []byte, step int) {
		c := e.newContent(1 << 20)
		if step < 1 {
			step = 7
		}
		for rest := p; len(rest) > 0; {
			n := min(step, len(rest))
			_, _ = c.Write(rest[:n])
			rest = rest[n:]
		}
		c.finish()
		s := string(p)
		stripped := strings.ReplaceAll(s, "\r\n", "")
		longest := 0
		for line := range strings.SplitSeq(s, "\n") {
			longest = max(longest, len(line)-len("\r")*bool2int(strings.HasSuffix(line, "\r")))
		}
		if strings.HasSuffix(s, "\r") {
			longest = max(longest, len(s)-strings.LastIndexByte(s, '\n')-1)
		}
		head := s
		if i := headEnd(s); i >= 0 {
			head = s[:i]
		}
		for _, check := range []struct {
			name      string
			got, want any
		}{
			{"bare LF", c.bareLF, strings.Contains(stripped, "\n")},
			{"bare CR", c.bareCR, strings.Contains(stripped, "\r")},
			{"NUL", c.nul, strings.Contains(s, "\x00")},
			{"8 bit header", c.eightHead, eight(head)},
			{"8 bit body", c.eightBody, eight(s[len(head):])},
			{"longest line", c.longest, int64(longest)},
			{"size", c.size, int64(len(p))},
			{"header", c.headerSize, int64(len(head))},
			{"data", string(c.data), s},
			{"kept header", string(c.header), head},
		} {
			if check.got != check.want {
				t.Errorf("%s of %q in steps of %d: %v, want %v", check.name, p, step, check.got, check.want)
			}
		}
	})
}

func bool2int(b bool) int {
	if b {
		return 1
	}
	return 0
}

func eight(s string) bool { return strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 }) }

// headEnd is where the body begins, -1 if there is none: after the first empty line.
func headEnd(s string) int {
	at := 0
	for line := range strings.Lines(s) {
		at += len(line)
		if line == "\r\n" || line == "\n" {
			return at
		}
	}
	return -1
}

// FuzzDotted checks that a stuffed text comes back, and that only CRLF.CRLF ends it.
func FuzzDotted(f *testing.F) {
	for _, s := range []string{"", ".", "a\r\n", ".\r\n..\r\n", "\n.\r\n", "\r.\r\n", "a\r\n.b\r\n", "\r\n.\n"} {
		f.Add([]byte(s))
	}
	e, err := Start(Options{Control: "-"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { e.Close() })
	f.Fuzz(func(t *testing.T, p []byte) {
		text := string(p) + "\r\n"
		stuffed := strings.ReplaceAll(text, "\r\n.", "\r\n..")
		if strings.HasPrefix(stuffed, ".") {
			stuffed = "." + stuffed
		}
		client, server := net.Pipe()
		defer client.Close()
		s := &session{e: e, wire: &wireConn{Conn: server, e: e}, start: time.Now()}
		s.setBuffers(s.wire)
		go func() { _, _ = io.WriteString(client, stuffed+".\r\nQUIT\r\n") }()
		var got bytes.Buffer
		if err := s.readDotted(&got); err != nil || got.String() != text {
			t.Errorf("%q: %q, %v", text, got.String(), err)
		}
		if rest, err := s.r.ReadString('\n'); err != nil || rest != "QUIT\r\n" {
			t.Errorf("%q: then %q, %v", text, rest, err)
		}
	})
}

// FuzzSession has a session read anything.
func FuzzSession(f *testing.F) {
	for _, s := range []string{
		"", "EHLO a\r\nQUIT\r\n", "EHLO a\r\nMAIL FROM:<a@b.test>\r\n", "AUTH XOAUTH2 =\r\n",
		"BDAT 3 LAST\r\nabcBDAT 9999999999999\r\n",
		"BDAT -1\r\n", "EHLO [1.2.3.4]\r\nSTARTTLS\r\n\x16\x03\x01", "\r\n\r\n", "\x00\n",
		"HELO a\r\nRCPT TO:<\"\\\r\n", "VRFY\r\nHELP\r\nNOOP\r\nRSET\r\nDATA\r\n",
	} {
		f.Add([]byte(s))
	}
	e, err := Start(Options{Control: "-"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { e.Close() })
	f.Fuzz(func(t *testing.T, p []byte) {
		client, server := net.Pipe()
		done := make(chan struct{})
		go func() {
			e.serveConn(server)
			close(done)
		}()
		go func() { _, _ = io.Copy(io.Discard, client) }()
		_ = client.SetWriteDeadline(time.Now().Add(5 * time.Second))
		_, _ = client.Write(p)
		client.Close()
		<-done
	})
}

// FuzzArguments feeds the parsers of arguments and credentials.
func FuzzArguments(f *testing.F) {
	for _, s := range []string{"FROM:<a@b> SIZE=1", "FROM:<\"a>\"@b>", "a+2Bb", "+", "dXNlcj1hAWF1dGg9QmVhcmVyIHQBAQ==",
		"a.b.c", "eyJhIjoxfQ.eyJhdWQiOlsiYSJdfQ.AA", "3 LAST", "=", "k=v k=v"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		s := &session{e: &Emulator{}}
		s.e.state.Store(&State{Strict: Strict{Syntax: true}})
		if a, _, err := s.path(in, "FROM:"); err == nil && !strings.Contains(in, "<"+a+">") {
			t.Errorf("path of %q is %q", in, a)
		}
		if list, ok := parseParams(in); ok {
			for _, p := range list {
				if p.key == "" {
					t.Errorf("an empty key in %q", in)
				}
			}
		}
		if user, token, err := parseXOAUTH2(in); err == nil && (user == "" || token == "") {
			t.Errorf("%q: user %q, token %q", in, user, token)
		}
		decodeXtext(in)
		validAddress(in, true)
		validHelo(in)
		validNotify(in)
		headerFields([]byte(in))
		if size, _, ok := parseBDAT(in); ok && size < 0 {
			t.Errorf("chunk of %d in %q", size, in)
		}
		if a, err := parseAssertion(in); err == nil {
			a.thumbprint()
			(&App{}).certificate(a)
		}
	})
}
