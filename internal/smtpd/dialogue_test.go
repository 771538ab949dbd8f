package smtpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/sysexits"
)

func TestDialogues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, input, codes string
		want               []string // "from>to,to:text" of each message
	}{
		{"plain", "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\nSubject: " +
			"x\r\n\r\nbody\r\n.\r\nQUIT\r\n",
			"220 250 250 250 354 250 221", []string{"a@b.org>c@d.org:Subject: x\r\n\r\nbody\r\n"}},
		{"LF alone", "HELO x\nMAIL FROM:root\nRCPT TO:<www-data>\nDATA\nSubject: x\n\n..dot\n.\n\nmail from:<>\nQUIT\n",
			"220 250 250 250 354 250 500 250 221", []string{"root@web1>www-data@localhost:Subject: x\r\n\r\n.dot\r\n"}},
		{"two messages", "EHLO x\nMAIL FROM:<>\nRCPT TO:<a@b.org>\nDATA\nA: 1\n\n1\n.\nMAIL FROM:<q@r.org>\nRCPT " +
			"TO:<b@b.org>\nRCPT TO:<c@b.org>\nDATA\nA: 2\n\n2\n.\nQUIT\n",
			"220 250 250 250 354 250 250 250 250 354 250 221",
			[]string{">a@b.org:A: 1\r\n\r\n1\r\n", "q@r.org>b@b.org,c@b.org:A: 2\r\n\r\n2\r\n"}},
		{"BDAT", "EHLO x\r\nMAIL FROM:<a@b.org> BODY=8BITMIME\r\nRCPT TO:<c@d.org>\r\nBDAT 6\r\nA: 1\r\nBDAT 7 " +
			"LAST\r\n\r\n.\r\nxyQUIT\r\n",
			"220 250 250 250 250 250 221", []string{"a@b.org>c@d.org:A: 1\r\n\r\n.\r\nxy\r\n"}},
		{"BDAT without LAST is nothing", "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nBDAT 6\r\nA: 1\r\n",
			"220 250 250 250 250", nil},
		{"BDAT broken off", "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nBDAT 600 LAST\r\nA: 1\r\n\r\nx\r\n",
			"", nil},
		{"DATA broken off", "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\nA: 1\r\n\r\nx\r\n", "", nil},
		{"RSET between chunks", "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nBDAT 6\r\nA: " +
			"1\r\nRSET\r\nMAIL FROM:<e@b.org>\r\nRCPT TO:<f@d.org>\r\nBDAT 9 LAST\r\nB: 2\r\n\r\nyQUIT\r\n",
			"220 250 250 250 250 250 250 250 250 221", []string{"e@b.org>f@d.org:B: 2\r\n\r\ny\r\n"}},
		{"unknown recipient", "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:nobody\r\nRCPT TO:<x@y.org>\r\nDATA\r\nA: " +
			"1\r\n\r\n.\r\nQUIT\r\n",
			"220 250 250 550 250 354 250 221", []string{"a@b.org>x@y.org:A: 1\r\n\r\n"}},
		{"nobody is left", "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<nobody>\r\nDATA\r\nQUIT\r\n",
			"220 250 250 550 503 221", nil},
		{"quoted", "EHLO x\r\nMAIL FROM:<\"a b\"@c.org>\r\nRCPT TO:<\"x> ORCPT=a\"@y.org> NOTIFY=NEVER\r\nRCPT " +
			"TO:<\"q\\\"\\\\\"@y.org>\r\nDATA\r\nA: 1\r\n\r\n.\r\nQUIT\r\n",
			"220 250 250 250 250 354 250 221", []string{`"a b"@c.org>"x> ORCPT=a"@y.org,"q\"\\"@y.org:A: 1` +
				"\r\n\r\n"}},
		{"source route, case, blanks", "ehlo x\r\nmail from: <@relay.org,@x.org:a@b.org> size=10\r\nrcpt to:  " +
			"c@d.org notify=success,delay\r\ndata\r\nA: 1\r\n\r\n.\r\nquit\r\n",
			"220 250 250 250 354 250 221", []string{"a@b.org>c@d.org:A: 1\r\n\r\n"}},
		{"bad paths", "EHLO x\r\nMAIL FROM:<a@b\r\nMAIL FROM:<a@b>x\r\nMAIL FROM:<a\x01@b>\r\nQUIT\r\n",
			"220 250 501 501 501 221", nil},
		{"null recipient", "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<>\r\nQUIT\r\n", "220 250 250 501 221", nil},
		{"helpful", "HELP\r\nEHLO x\r\nVERB\r\nNOOP\r\nHELP\r\nVRFY root\r\nEXPN x\r\nRSET\r\nQUIT\r\n",
			"220 214 250 250 250 214 252 502 250 221", nil},
		{"no order", "MAIL FROM:<a@b>\r\nEHLO x\r\nRCPT TO:<a@b>\r\nDATA\r\nQUIT\r\n", "220 250 250 503 503 221", nil},
		{"too large", "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\nA: 1\r\n\r\n" +
			strings.Repeat(strings.Repeat("x", 70)+"\r\n", 20000) +
			".\r\nMAIL FROM:<a@b.org> SIZE=99999999\r\nQUIT\r\n",
			"220 250 250 250 354 552 552 221", nil},
		{"long command", "EHLO x\r\nNOOP " + strings.Repeat("x", 20000) + "\r\nNOOP\r\nQUIT\r\n", "220 250 500 250 221",
			nil},
		{"endless command", strings.Repeat("x", 3<<20), "220 421", nil},
		{"unknown parameter", "EHLO x\r\nMAIL FROM:<a@b.org> FOO=1\r\nMAIL FROM:<a@b.org> SMTPUTF8 RET=HDRS " +
			"ENVID=a+2Bb\r\nQUIT\r\n", "220 250 555 250 221", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := &recorder{receipt: envelope.Receipt{Queued: true, QueueID: "Q1"}}
			codes, all := talk(t, h, c.input)
			if c.codes != "" && codes != c.codes {
				t.Errorf("codes %s, want %s\n%s", codes, c.codes, all)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			if len(h.messages) != len(c.want) {
				t.Fatalf("%d messages, want %d: %+v\n%s", len(h.messages), len(c.want), h.messages, all)
			}
			for i, m := range h.messages {
				if got := m.short(); got != c.want[i] {
					t.Errorf("message %q, want %q", got, c.want[i])
				}
			}
		})
	}
}

func (g got) short() string {
	to := ""
	for i, r := range g.env.Recipients {
		if i > 0 {
			to += ","
		}
		to += r.Address
	}
	return g.env.Sender + ">" + to + ":" + g.text
}

func TestParameters(t *testing.T) {
	t.Parallel()
	h := &recorder{}
	talk(t, h, "EHLO x\r\nMAIL FROM:<a@b.org> RET=HDRS ENVID=a+2Bb\r\nRCPT TO:<c@d.org> NOTIFY=FAILURE,DELAY "+
		"ORCPT=rfc822;x+40y\r\nRCPT TO:<e@d.org> NOTIFY=NEVER\r\n"+
		"BDAT 60 LAST\r\nO365-Sendmail-Options: mode=queue; hops=3; partial\r\nA: 1\r\n\r\n")
	if len(h.messages) != 1 {
		t.Fatal("no message")
	}
	m := h.messages[0]
	if m.env.Ret != "HDRS" || m.env.EnvID != "a+b" || m.options.Mode != "queue" || m.options.Hops != 3 ||
		!m.options.Partial {
		t.Errorf("got %+v", m)
	}
	if r := m.env.Recipients; r[0].Notify != envelope.NotifyFailure|envelope.NotifyDelay ||
		r[0].ORcpt != "rfc822;x@y" || r[1].Notify != envelope.NotifyNever {
		t.Errorf("recipients %+v", r)
	}
	if m.text != "A: 1\r\n\r\n" {
		t.Errorf("text %q", m.text)
	}
}

// TestOptionsElsewhere: the private field counts in one place only and never goes on.
func TestOptionsElsewhere(t *testing.T) {
	t.Parallel()
	h := &recorder{}
	talk(t, h, "EHLO x\nMAIL FROM:<a@b.org>\nRCPT TO:<c@d.org>\nDATA\nA: 1\no365-SENDMAIL-options: "+
		"mode=queue\n\nx\n.\nQUIT\n")
	if len(h.messages) != 1 || h.messages[0].options.Mode != "" || strings.Contains(h.messages[0].text, "mode=") {
		t.Errorf("got %+v", h.messages)
	}
}

func TestReplies(t *testing.T) {
	t.Parallel()
	const dialogue = "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nBDAT 8 LAST\r\nA: 1\r\n\r\nQUIT\r\n"
	const partial = "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nBDAT 40 LAST\r\nO365-Sendmail-Options: " +
		"partial\r\nA: 1\r\n\r\nQUIT\r\n"
	refused := []envelope.Refusal{{Address: "x@y.org", Err: sysexits.With(sysexits.NoUser, errors.New("not here"))}}
	long := strings.Repeat("fifteen bytes. ", 100)
	for _, c := range []struct {
		name, dialogue string
		h              *recorder
		want           string
	}{
		{"queued", dialogue, &recorder{receipt: envelope.Receipt{Queued: true, QueueID: "Q1"}},
			"250 2.0.0 queued as Q1"},
		{"delivered", dialogue, &recorder{receipt: envelope.Receipt{Reply: "250 2.0.0 OK <x> [Hostname=y]"}},
			"250 2.0.0 OK <x> [Hostname=y]"},
		{"refused", dialogue, &recorder{err: sysexits.With(sysexits.Unavailable, errors.New("no\r\n250 yes"))},
			"554 5.0.0 no  250 yes"},
		{"later", dialogue, &recorder{err: errors.New("not now")}, "451 4.0.0 not now"},
		{"some refused", dialogue, &recorder{receipt: envelope.Receipt{Reply: "fine", Refused: refused}},
			"250 2.0.0 fine (1 recipients refused, the first: not here)"},
		{"some refused, to our client", partial, &recorder{receipt: envelope.Receipt{Reply: "fine", Refused: refused}},
			"250-2.0.0 refused 67 <x@y.org> not here\n250 2.0.0 fine"},
		{"a long story", dialogue, &recorder{err: errors.New(long)}, "451-4.0.0 " + strings.TrimSpace(long[:480])},
		{"too fast", dialogue, &recorder{begin: sysexits.With(sysexits.TempFail, errors.New("slower"))},
			"451 4.0.0 slower"},
	} {
		_, all := talk(t, c.h, c.dialogue)
		if !strings.Contains(all, "\n"+c.want+"\n") {
			t.Errorf("%s: %q is not in\n%s", c.name, c.want, all)
		}
	}
}

// TestOneAnswer: replies to commands that came in one flight go out in one.
func TestOneAnswer(t *testing.T) {
	t.Parallel()
	client, _ := connect(t, &recorder{}, Timeouts{})
	buf := make([]byte, 4096)
	if _, err := client.Read(buf); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(client, "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nRCPT "+
		"TO:<e@d.org>\r\nBDAT 8 LAST\r\nA: 1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	n, err := client.Read(buf)
	if codes, _ := replies(t, strings.NewReader(string(buf[:n]))); err != nil || codes != "250 250 250 250 250" {
		t.Errorf("first read has %q, %v", buf[:n], err)
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	short := Timeouts{Command: 50 * time.Millisecond, Data: 50 * time.Millisecond, Transaction: 200 * time.Millisecond}
	for name, input := range map[string]string{
		"silent":                     "",
		"half a command":             "EHLO",
		"in a transaction":           "EHLO x\r\nMAIL FROM:<a@b.org>\r\n",
		"in the message":             "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\nA: 1\r\n",
		"in a chunk":                 "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nBDAT 100 LAST\r\nA: 1\r\n",
		"in a chunk that is refused": "BDAT 1000\r\nA: 1\r\n",
		"between two chunks":         "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nBDAT 6\r\nA: 1\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &recorder{}
			client, _ := connect(t, h, short)
			if _, err := io.WriteString(client, input); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(client); err != nil {
				t.Errorf("the connection was not ended: %v", err)
			}
			if len(h.messages) != 0 {
				t.Error("half a message was taken")
			}
		})
	}
}

// TestUnreadReplies: a client that reads nothing is cut off.
func TestUnreadReplies(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	defer ours.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		Serve(context.Background(), NewConn(theirs, Timeouts{time.Minute, 50 * time.Millisecond, time.Minute}),
			Options{Host: "web1", Handler: &recorder{}, ExitCode: exitCode})
	}()
	<-done
	if _, err := io.WriteString(ours, "NOOP\r\n"); err == nil {
		t.Error("the connection is open")
	}
}

// largest is a writer that remembers the largest piece.
type largest struct{ n int }

func (l *largest) Write(p []byte) (int, error) {
	l.n = max(l.n, len(p))
	return len(p), nil
}

// TestManyReplies: however many commands come at once, the replies that wait for them are bounded.
func TestManyReplies(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"EHLO x\r\n", "HELP\r\n", "NOOP\r\n", "RCPT TO:<c@d.org>\r\n", "RSET\r\n"} {
		out := &largest{}
		Serve(t.Context(), Stdio(strings.NewReader(strings.Repeat(line, 10000)), out),
			Options{Host: "web1", Handler: &recorder{}, ExitCode: exitCode})
		if out.n > maxReplies+1024 {
			t.Errorf("%q: %d bytes of replies at once", line, out.n)
		}
	}
}

// clumsy is a Handler with a fault.
type clumsy struct{ recorder }

func (c *clumsy) Recipient(addr string) error {
	if strings.HasPrefix(addr, "fault@") {
		panic("secret " + addr)
	}
	return nil
}

// TestFault: a panic ends its session with a reply, and is told with its stack to whoever looks after the program.
func TestFault(t *testing.T) {
	t.Parallel()
	h, faults := &clumsy{}, []error{}
	all := converse(t, Options{Host: "web1", Handler: h, ExitCode: exitCode, Log: func(err error) {
		faults = append(faults, err)
	}}, "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<fault@d.org>\r\nRCPT TO:<c@d.org>\r\nQUIT\r\n")
	if !strings.HasSuffix(all, "\r\n250 2.1.0 sender ok\r\n421 4.3.0 fault of the program\r\n") {
		t.Errorf("%s", all)
	}
	if f := (*FaultError)(nil); len(faults) != 1 || !errors.As(faults[0], &f) ||
		!strings.Contains(f.Trace(), "clumsy") || strings.Contains(f.Error(), "\n") {
		t.Errorf("%v", faults)
	}
}

// TestDripping: a client that sends a byte now and then can't hold a transaction for ever, nor a chunk that is refused.
func TestDripping(t *testing.T) {
	t.Parallel()
	for _, start := range []string{"EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\n",
		"EHLO x\r\nBDAT 1000000000\r\n"} {
		client, _ := connect(t, &recorder{}, Timeouts{Command: time.Minute, Data: time.Minute,
			Transaction: 100 * time.Millisecond})
		go func() {
			_, _ = io.WriteString(client, start)
			for {
				if _, err := io.WriteString(client, "x"); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		_, err := io.ReadAll(client)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("the connection was not ended behind %q", start)
		}
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	h := &recorder{}
	client, c := connect(t, h, Timeouts{})
	buf := make([]byte, 4096)
	read := func() string {
		n, _ := client.Read(buf)
		return string(buf[:n])
	}
	read()
	fmt.Fprint(client, "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\n")
	read()
	c.Drain()
	fmt.Fprint(client, "DATA\r\n")
	if r := read(); !strings.HasPrefix(r, "354") {
		t.Fatalf("a transaction was ended: %q", r)
	}
	fmt.Fprint(client, "A: 1\r\n\r\nx\r\n.\r\n")
	_, all := replies(t, client)
	if !strings.HasPrefix(all, "250 ") || !strings.HasSuffix(all,
		"421 4.3.2 the mail service is stopping; try again") || len(h.messages) != 1 {
		t.Errorf("got %q and %d messages", all, len(h.messages))
	}

	client, c = connect(t, h, Timeouts{})
	_, _ = client.Read(buf)
	c.Drain()
	if _, all := replies(t, client); !strings.HasPrefix(all, "421 4.3.2") {
		t.Errorf("idle: %q", all)
	}
}
