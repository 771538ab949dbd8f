package agent

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/envelope"
)

// TestGreetEndsWithTheAgent: the look at the own socket does not hold up the end when the
// socket outlives the agent and takes its call in nobody's name.
func TestGreetEndsWithTheAgent(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- greet(ctx, l.Addr(), time.Minute) }()
	c, err := l.Accept() // it has called, and waits
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a greeting that nobody gave")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it still waits for a greeting")
	}
}

// TestStatusLine: the line that systemctl status shows has why mail waits.
func TestStatusLine(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	if err := s.SetFault("secret-expired"); err != nil {
		t.Fatal(err)
	}
	s.start()
	line := func() string {
		st := s.agent.engine.State()
		return s.agent.statusLine(&st)
	}
	if got := line(); got != "delivering; 0 messages wait" {
		t.Error(got)
	}
	if _, err := s.send(to("a@example.org"), envelope.Options{}, "A: 1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	s.until("what is wrong is shown", func() bool {
		return strings.Contains(line(), "1 messages wait: ") && strings.Contains(line(), "the client secret has expired")
	})
}
