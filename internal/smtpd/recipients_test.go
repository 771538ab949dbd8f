package smtpd

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"o365-sendmail/internal/envelope"
)

// TestRecipientLimits: a client that does not say that it is this program's own is told the limit of a
// transaction, by EHLO and with 452; that client has a limit of its own, for the transaction in which it says so.
func TestRecipientLimits(t *testing.T) {
	t.Parallel()
	own := " " + envelope.RecipientsKeyword
	for name, c := range map[string]struct {
		local bool
		mail  string
		n     int // recipients that are taken
	}{
		"foreign, local":    {true, "MAIL FROM:<a@b.org>", 3},
		"own":               {true, "MAIL FROM:<a@b.org> BODY=8BITMIME" + own, 7},
		"own, small":        {true, "mail from:<a@b.org>" + own, 7},
		"foreign, by TCP":   {false, "MAIL FROM:<a@b.org>", 3},
		"own by TCP":        {false, "MAIL FROM:<a@b.org>" + own, 0},
		"in the address":    {true, "MAIL FROM:<\"a" + own + "\"@b.org>", 3},
		"a wrong parameter": {true, "MAIL FROM:<a@b.org>" + own + "=1", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Options{Host: "web1", Handler: &recorder{}, ExitCode: exitCode, MaxRecipients: 3, Local: c.local,
				TempDir: t.TempDir()}
			if c.local {
				o.MaxOwnRecipients = 7
			}
			var in strings.Builder
			fmt.Fprintf(&in, "EHLO x\r\n%s\r\n", c.mail)
			for i := range 9 {
				fmt.Fprintf(&in, "RCPT TO:<r%d@b.org>\r\n", i)
			}
			in.WriteString("RSET\r\nMAIL FROM:<a@b.org>\r\n") // the next transaction is a foreign one
			for i := range 4 {
				fmt.Fprintf(&in, "RCPT TO:<r%d@b.org>\r\n", i)
			}
			out := converse(t, o, in.String()+"QUIT\r\n")
			first, second, _ := strings.Cut(out, "250 2.0.0 Session reset")
			if !strings.Contains(first, "LIMITS RCPTMAX=3\r\n") ||
				strings.Contains(first, "-"+envelope.RecipientsKeyword+" 7\r\n") != c.local {
				t.Errorf("EHLO: %s", first)
			}
			if n := strings.Count(first, "250 2.1.5"); n != c.n {
				t.Errorf("%d recipients taken, want %d:\n%s", n, c.n, out)
			}
			if n := strings.Count(first, "\n452 4.5.3"); c.n > 0 && n != 9-c.n {
				t.Errorf("%d recipients put off with 452, want %d:\n%s", n, 9-c.n, out)
			}
			if strings.Count(second, "250 2.1.5") != 3 || strings.Count(second, "\n452 4.5.3") != 1 {
				t.Errorf("the transaction behind:\n%s", second)
			}
		})
	}
}

// converse serves one connection and returns all that the server says to in.
func converse(t *testing.T, o Options, in string) string {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); Serve(context.Background(), NewConn(server, Timeouts{}), o) }()
	defer func() { <-done }()
	if _, err := client.Write([]byte(in)); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for lines := bufio.NewScanner(client); lines.Scan(); {
		out.WriteString(lines.Text() + "\r\n")
	}
	return out.String()
}
