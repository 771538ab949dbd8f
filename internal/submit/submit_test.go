package submit

import (
	"context"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// dialects are the kinds of server that a message can meet.
var dialects = []struct {
	name  string
	lines []string
}{
	{"chunking", exchangeLines},
	{"pipelining", []string{"SIZE 157286400", "PIPELINING", "DSN", "8BITMIME", "SMTPUTF8"}},
	{"plain", []string{"8BITMIME"}},
	{"chunking without pipelining", []string{"CHUNKING", "8BITMIME"}},
}

func TestSend(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t)
			p.lines = d.lines
			s := dial(t, p.config())
			defer s.Close()
			for range 3 {
				res, err := s.Send(context.Background(), to("a@x.org", "b@x.org"), hello)
				if err != nil || res.Accepted() != 2 || res.Reply.Code != 250 || res.Reply.Enhanced != "2.0.0" {
					t.Fatalf("Send: %+v, %v", res, err)
				}
				if !s.Usable() {
					t.Fatal("the session is not usable after a good message")
				}
			}
			if s.Server() != "AM0PR02CA0134.outlook.office365.com" || s.LastUsed().IsZero() ||
				!strings.Contains(s.Greeting(), "Microsoft ESMTP MAIL Service") || !s.TLS().HandshakeComplete {
				t.Errorf("server %q", s.Server())
			}
			if len(p.messages) != 3 {
				t.Fatalf("%d messages", len(p.messages))
			}
			for _, m := range p.messages {
				if m.data != string(hello) || !slices.Equal(m.rcpts, []string{"TO:<a@x.org>", "TO:<b@x.org>"}) {
					t.Errorf("got %+v", m)
				}
			}
			if strings.Contains(strings.Join(p.said(), "\n"), "RSET") || p.counts["ehlo2"] != 1 || p.conns != 1 {
				t.Errorf("more than needed was said: %q", p.said())
			}
		})
	}
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg := p.tcpConfig(t)
	writes := 0
	inner := cfg.DialContext
	cfg.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := inner(ctx, network, address)
		return &writeCounter{c, &writes}, err
	}
	s := dial(t, cfg)
	send := func(want int, what string) {
		t.Helper()
		before := p.turns
		if _, err := s.Send(context.Background(), to("a@x.org", "b@x.org", "c@x.org"), hello); err != nil {
			t.Fatal(err)
		}
		if got := p.turns - before; got != want {
			t.Errorf("%s: %d turns, want %d", what, got, want)
		}
	}
	// The connect and the greeting, which no turn counts, are two more: 8 in all.
	send(1, "first message")
	if p.turns != 6 {
		t.Errorf("%d turns for connection and message, want 6", p.turns)
	}
	send(1, "second message")
	s.Close()
	// EHLO, STARTTLS, ClientHello, Finished with EHLO, AUTH, two messages, QUIT.
	if writes != 8 {
		t.Errorf("%d writes, want 8", writes)
	}
}

type writeCounter struct {
	net.Conn
	n *int
}

func (c *writeCounter) Write(p []byte) (int, error) {
	*c.n++
	return c.Conn.Write(p)
}

func TestTrace(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	var lines []string
	cfg := p.config()
	cfg.Trace = func(direction byte, line string) { lines = append(lines, string(direction)+line) }
	s := dial(t, cfg)
	if _, err := s.Send(context.Background(), to("a@x.org"), hello); err != nil {
		t.Fatal(err)
	}
	s.Close()
	all := strings.Join(lines, "\n")
	if strings.Contains(all, p.token) || strings.Contains(all, "dXNlc") {
		t.Errorf("the token is in the trace:\n%s", all)
	}
	want := []string{">EHLO client.test", ">STARTTLS", ">EHLO client.test", ">AUTH XOAUTH2 [redacted]",
		">MAIL FROM:<noreply@contoso.com> SIZE=37", ">RCPT TO:<a@x.org>", ">BDAT 37 LAST", ">QUIT"}
	var said []string
	for _, l := range lines {
		if l[0] == '>' {
			said = append(said, l)
		}
	}
	if !reflect.DeepEqual(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}
