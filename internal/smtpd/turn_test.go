package smtpd

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/rfc822"
)

// counter counts turns.
type counter struct {
	mu        sync.Mutex
	out, most int
	all       int
}

func (c *counter) Wait(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out, c.all = c.out+1, c.all+1
	c.most = max(c.most, c.out)
	return nil
}

func (c *counter) Done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out--
}

func (c *counter) state() (out, most, all int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out, c.most, c.all
}

// free waits until no turn is taken.
func (c *counter) free(t *testing.T, when string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		switch out, most, _ := c.state(); {
		case most > 1 || out < 0:
			t.Fatalf("%s: %d turns are out, %d were", when, out, most)
		case out == 0:
			return
		case time.Now().After(end):
			t.Fatalf("%s: a turn is kept", when)
		}
	}
}

// slowHandler takes a message when it is told to.
type slowHandler struct {
	recorder
	begun, end chan struct{}
}

func (h *slowHandler) Message(ctx context.Context, env *envelope.Envelope, msg *rfc822.Message,
	o envelope.Options) (envelope.Receipt, error) {
	h.begun <- struct{}{}
	<-h.end
	return h.recorder.Message(ctx, env, msg, o)
}

// TestTurns: a connection has a turn while it works, and none while it waits for its client's input, for a
// client that reads no reply, or for the handler.
func TestTurns(t *testing.T) {
	t.Parallel()
	const start = "EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n"
	for _, c := range []struct {
		name, input string
		handled     bool // the message gets to the handler
	}{
		{"nothing", "", false},
		{"half a command", "EHLO x\r\nMAI", false},
		{"between commands", start, false},
		{"half a body", start + "DATA\r\nSubject: x\r\n\r\nx\r\n", false},
		{"half a chunk", start + "BDAT 100\r\nSubject: x\r\n", false},
		{"between chunks", start + "BDAT 3\r\nA: ", false},
		{"many commands, no reply read", "EHLO x\r\n" + strings.Repeat("NOOP\r\n", 200000), false},
		{"a message by DATA", start + "DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n", true},
		{"a message by BDAT", start + "BDAT 14 LAST\r\nSubject: x\r\n\r\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			turns, h := &counter{}, &slowHandler{begun: make(chan struct{}), end: make(chan struct{})}
			ours, theirs := net.Pipe()
			done := make(chan struct{})
			go func() {
				defer close(done)
				Serve(t.Context(), NewConn(theirs, Timeouts{}), Options{Host: "web1", Handler: h, ExitCode: exitCode,
					MaxRecipients: 100, TempDir: t.TempDir(), Turns: turns})
			}()
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				_, _ = io.WriteString(ours, c.input)
			}()
			if strings.HasPrefix(c.name, "many") {
				_, _ = bufio.NewReader(ours).ReadString('\n') // the greeting, and nothing behind it
				time.Sleep(100 * time.Millisecond)
			} else {
				go func() { _, _ = io.Copy(io.Discard, ours) }()
				<-sent
			}
			if c.handled {
				<-h.begun
			}
			turns.free(t, c.name)
			if c.handled {
				close(h.end)
			}
			_ = ours.Close()
			<-done
			turns.free(t, "the end")
			if _, _, all := turns.state(); (all > 0) != (c.input != "") {
				t.Errorf("%d turns were taken", all)
			}
		})
	}
}
