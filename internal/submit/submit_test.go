package submit

import (
	"context"
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
			if s.Server() != "AM0PR02CA0134.outlook.office365.com" || s.LastUsed().IsZero() {
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
			if strings.Contains(strings.Join(p.log, "\n"), "RSET") || p.counts["ehlo2"] != 1 || p.conns != 1 {
				t.Errorf("more than needed was said: %q", p.log)
			}
		})
	}
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	s := dial(t, p.tcpConfig(t))
	defer s.Close()
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
