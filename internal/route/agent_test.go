package route

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/smtpd/smtpdtest"
	"o365-sendmail/internal/sysexits"
)

// socket returns a listener at a new path.
func socket(t testing.TB) (net.Listener, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, path
}

type message struct{ text string }

func (m message) Size() int64                  { return int64(len(m.text)) }
func (m message) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(m.text)), nil }

const hello = "Subject: x\r\n\r\nhello\r\n"

func to(addrs ...string) *envelope.Envelope {
	env := &envelope.Envelope{Sender: "www-data"}
	for _, a := range addrs {
		env.Recipients = append(env.Recipients, envelope.Recipient{Address: a})
	}
	return env
}

func send(t testing.TB, path string, env *envelope.Envelope, o envelope.Options,
	text string) (envelope.Receipt, error) {
	t.Helper()
	c, err := Dial(context.Background(), AgentOptions{Path: path, HostName: "web1"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.Send(context.Background(), env, o, message{text})
}

func TestSend(t *testing.T) {
	t.Parallel()
	h := &smtpdtest.Agent{Receipt: envelope.Receipt{Queued: true, QueueID: "Q1"}}
	path := smtpdtest.Serve(t, h)
	env := to("root", "\"a b\"@example.org", "ü@example.org")
	env.Ret, env.EnvID, env.EightBit = "HDRS", "a=b c", true
	env.Recipients[1].Notify = envelope.NotifyFailure | envelope.NotifyDelay
	env.Recipients[1].ORcpt = "rfc822;x+y@z"
	r, err := send(t, path, env, envelope.Options{Mode: "queue", Hops: 2}, hello)
	if err != nil || !r.Queued || r.QueueID != "Q1" || len(r.Accepted) != 3 || len(r.Refused) != 0 {
		t.Fatalf("receipt %+v, %v", r, err)
	}
	got := h.Taken()[0]
	if got.Envelope.Sender != "www-data@web1" || got.Envelope.Ret != "HDRS" || got.Envelope.EnvID != "a=b c" ||
		got.Options.Mode != "queue" || got.Options.Hops != 2 || !got.Options.Partial {
		t.Errorf("got %+v", got)
	}
	want := []envelope.Recipient{{Address: "root@localhost"},
		{Address: `"a b"@example.org`, Notify: envelope.NotifyFailure | envelope.NotifyDelay, ORcpt: "rfc822;x+y@z"},
		{Address: "ü@example.org"}}
	for i, r := range got.Envelope.Recipients {
		if r != want[i] {
			t.Errorf("recipient %+v, want %+v", r, want[i])
		}
	}
	if got.Text != hello {
		t.Errorf("text %q", got.Text)
	}
}

// TestExitCodes: what the agent's side failed with is what the client's side fails with.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	for exit := sysexits.Usage; exit <= sysexits.Config; exit++ {
		problem := sysexits.With(exit, fmt.Errorf("reason %d, %s", exit, strings.Repeat("of many words ", 60)))
		_, err := send(t, smtpdtest.Serve(t, &smtpdtest.Agent{Err: problem}), to("a@b.org"), envelope.Options{}, hello)
		if got := sysexits.Code(err, 0); got != exit || err.Error() != strings.TrimSpace(problem.Error()) {
			t.Errorf("%d came as %d: %v", exit, got, err)
		}
		_, err = send(t, smtpdtest.Serve(t, &smtpdtest.Agent{Nobody: problem}), to("nobody"), envelope.Options{}, hello)
		if got := sysexits.Code(err, 0); got != exit {
			t.Errorf("for the only recipient %d came as %d: %v", exit, got, err)
		}
		refused := []envelope.Refusal{{Address: "b@b.org", Err: problem}}
		r, err := send(t,
			smtpdtest.Serve(t, &smtpdtest.Agent{Receipt: envelope.Receipt{Reply: "ok", Refused: refused}}),
			to("a@b.org", "b@b.org"), envelope.Options{}, hello)
		if err != nil || len(r.Refused) != 1 || sysexits.Code(r.Refused[0].Err, 0) != exit ||
			r.Refused[0].Address != "b@b.org" || len(r.Accepted) != 1 {
			t.Errorf("one of two with %d: %+v, %v", exit, r, err)
		}
	}
}

func TestSomeRefused(t *testing.T) {
	t.Parallel()
	h := &smtpdtest.Agent{Nobody: sysexits.With(sysexits.NoUser, errors.New("no such user here")),
		Receipt: envelope.Receipt{Reply: "fine"}}
	r, err := send(t, smtpdtest.Serve(t, h), to("a@b.org", "nobody"), envelope.Options{}, hello)
	if err != nil || r.Reply != "250 2.0.0 fine" || len(r.Accepted) != 1 || len(r.Refused) != 1 ||
		r.Refused[0].Address != "nobody" || sysexits.Code(r.Refused[0].Err, 0) != sysexits.NoUser {
		t.Errorf("receipt %+v, %v", r, err)
	}
	r, err = send(t, smtpdtest.Serve(t, h), to("nobody", "nobody"), envelope.Options{}, hello)
	if sysexits.Code(err, 0) != sysexits.NoUser || len(r.Refused) != 2 || len(h.Taken()) != 1 {
		t.Errorf("receipt %+v, %v", r, err)
	}
}

// TestEachRefused: where all are refused for reasons of their own, each reason comes back.
func TestEachRefused(t *testing.T) {
	t.Parallel()
	first, second := sysexits.With(sysexits.NoUser, errors.New("no such user")),
		sysexits.With(sysexits.DataErr, errors.New(strings.Repeat("too long ", 300)))
	list := []envelope.Refusal{{Address: "a@b.org", Err: first}, {Address: "b@b.org", Err: second}}
	h := &smtpdtest.Agent{Receipt: envelope.Receipt{Refused: list}, Err: first}
	r, err := send(t, smtpdtest.Serve(t, h), to("a@b.org", "b@b.org"), envelope.Options{}, hello)
	if sysexits.Code(err, 0) != sysexits.NoUser || err.Error() != "no such user" || len(r.Refused) != 2 {
		t.Fatalf("receipt %+v, %v", r, err)
	}
	for i, one := range r.Refused {
		if one.Address != list[i].Address || sysexits.Code(one.Err, 0) != sysexits.Code(list[i].Err, 0) ||
			!strings.HasPrefix(list[i].Err.Error(), strings.TrimSuffix(one.Err.Error(), "...")) {
			t.Errorf("%d: %+v", i, one)
		}
	}
}

func TestLarge(t *testing.T) {
	t.Parallel()
	h := &smtpdtest.Agent{Receipt: envelope.Receipt{Reply: "fine"}}
	path := smtpdtest.Serve(t, h)
	text := "Subject: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 10000)
	env := to()
	for i := range 1500 {
		env.Recipients = append(env.Recipients, envelope.Recipient{Address: fmt.Sprintf("recipient%d@example.org", i)})
	}
	if _, err := send(t, path, env, envelope.Options{}, text); err != nil || h.Taken()[0].Text != text ||
		len(h.Taken()[0].Envelope.Recipients) != 1500 {
		t.Errorf("got %d bytes of %d, %v", len(h.Taken()[0].Text), len(text), err)
	}
	_, err := send(t, path, to("a@b.org"), envelope.Options{}, strings.Repeat(text, 3))
	if sysexits.Code(err, 0) != sysexits.DataErr {
		t.Errorf("too large: %v", err)
	}
	for range 600 {
		env.Recipients = append(env.Recipients, envelope.Recipient{Address: "x@example.org"})
	}
	if _, err := send(t, path, env, envelope.Options{}, hello); sysexits.Code(err, 0) != sysexits.DataErr ||
		!strings.Contains(err.Error(), "max_recipients_per_call") {
		t.Errorf("too many recipients: %v", err)
	}
	if len(h.Taken()) != 1 {
		t.Errorf("%d messages were taken", len(h.Taken()))
	}
}

func TestInjection(t *testing.T) {
	t.Parallel()
	h := &smtpdtest.Agent{}
	path := smtpdtest.Serve(t, h)
	for _, env := range []*envelope.Envelope{
		to("a@b.org>\r\nRCPT TO:<evil@b.org"), to("a@b.org\x00"),
		{Sender: "x@y\r\nRSET", Recipients: to("a@b.org").Recipients},
	} {
		if _, err := send(t, path, env, envelope.Options{}, hello); sysexits.Code(err, 0) != sysexits.DataErr {
			t.Errorf("%+v: %v", env, err)
		}
	}
	if len(h.Taken()) != 0 {
		t.Errorf("taken: %+v", h.Taken())
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	_, err := Dial(context.Background(), AgentOptions{Path: filepath.Join(t.TempDir(), "none"), HostName: "x"})
	var gone *UnreachableError
	if !errors.As(err, &gone) || !gone.Absent {
		t.Errorf("no socket: %v", err)
	}
	l, path := socket(t)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	_, err = Dial(context.Background(), AgentOptions{Path: path, HostName: "x"})
	if !errors.As(err, &gone) || gone.Absent || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
	_, path = socket(t)
	_, err = Dial(context.Background(), AgentOptions{Path: path, HostName: "x", Silence: 30 * time.Millisecond})
	if !errors.As(err, &gone) {
		t.Errorf("nobody accepts: %v", err)
	}
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = Dial(context.Background(), AgentOptions{Path: file, HostName: "x"}); !errors.As(err, &gone) {
		t.Errorf("a file: %v", err)
	}
}

// script plays an agent: for each connection the next function.
func script(t *testing.T, steps ...func(c net.Conn)) string {
	t.Helper()
	l, path := socket(t)
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { l.Close() })
	wg.Go(func() {
		for _, step := range steps {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			step(c)
			c.Close()
		}
	})
	return path
}

func say(text string) func(net.Conn) {
	return func(c net.Conn) { fmt.Fprint(c, text) }
}

const ready = "220 web1 ready\r\n250-web1\r\n250-SIZE 1000000\r\n250 DSN\r\n"

// chat says hello, reads until the message has come, and says the rest.
func chat(rest string) func(net.Conn) {
	return func(c net.Conn) {
		fmt.Fprint(c, ready)
		r := bufio.NewReader(c)
		for {
			line, err := r.ReadString('\n')
			if err != nil || line == "QUIT\r\n" {
				break
			}
		}
		fmt.Fprint(c, rest)
	}
}

func TestAgentGoesAway(t *testing.T) {
	t.Parallel()
	ok := "250 2.1.0 ok\r\n250 2.1.5 ok\r\n"
	for name, c := range map[string]struct {
		steps []func(net.Conn)
		code  int
	}{
		"before it has read": {[]func(net.Conn){say(ready)}, sysexits.TempFail},
		"before it answers":  {[]func(net.Conn){chat("")}, sysexits.TempFail},
		"in mid-answer":      {[]func(net.Conn){chat(ok)}, sysexits.TempFail},
		"in mid-line":        {[]func(net.Conn){chat(ok + "250 2.0.0 queu")}, sysexits.TempFail},
		"with nonsense":      {[]func(net.Conn){chat(ok + "hello\r\n")}, sysexits.TempFail},
		"and another comes": {[]func(net.Conn){chat("421 4.3.2 stopping\r\n"), chat(ok + "250 2.0.0 queued as Q\r\n")},
			0},
		"given up at RCPT": {[]func(net.Conn){chat("250 2.1.0 ok\r\n421 4.3.2 others wait\r\n"),
			chat(ok + "250 2.0.0 queued as Q\r\n")}, 0},
		"given up twice at the end": {[]func(net.Conn){chat(ok + "421 4.3.2 others wait\r\n"),
			chat(ok + "421 4.3.2 others wait\r\n"), chat(ok + "250 2.0.0 queued as Q\r\n")}, 0},
		"busy at first": {[]func(net.Conn){say("421 4.3.2 too many\r\n"), say("421 4.3.2 too many\r\n"),
			chat(ok + "250 2.0.0 queued as Q\r\n")}, 0},
		"after the acknowledgement": {[]func(net.Conn){chat(ok + "250 2.0.0 queued as Q\r\n")}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := script(t, c.steps...)
			conn, err := Dial(context.Background(), AgentOptions{Path: path, HostName: "web1"})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			r, err := conn.Send(context.Background(), to("a@b.org"), envelope.Options{}, message{hello})
			if got := sysexits.Code(err, 1); err != nil && got != c.code ||
				err == nil && (c.code != 0 || r.QueueID != "Q") {
				t.Errorf("receipt %+v, %v (%d), want %d", r, err, got, c.code)
			}
		})
	}
}

// TestGivenUpInTheMiddle: a connection that the agent needs for others in the middle of a large message costs
// the caller a second try.
func TestGivenUpInTheMiddle(t *testing.T) {
	t.Parallel()
	ok := "250 2.1.0 ok\r\n250 2.1.5 ok\r\n"
	cut := func(c net.Conn) {
		fmt.Fprint(c, ready)
		_, _ = io.CopyN(io.Discard, c, 200<<10)
		fmt.Fprint(c, ok+"421 4.3.2 others wait\r\n")
	}
	path := script(t, cut, chat(ok+"250 2.0.0 queued as Q\r\n"))
	r, err := send(t, path, to("a@b.org"), envelope.Options{}, strings.Repeat(hello, 100000))
	if err != nil || r.QueueID != "Q" {
		t.Errorf("receipt %+v, %v", r, err)
	}
}

// TestGivenUpForGood: the tries end with the caller's patience.
func TestGivenUpForGood(t *testing.T) {
	t.Parallel()
	refuse := chat("250 2.1.0 ok\r\n250 2.1.5 ok\r\n421 4.3.2 others wait\r\n")
	path := script(t, slices.Repeat([]func(net.Conn){refuse}, 1000)...)
	conn, err := Dial(context.Background(), AgentOptions{Path: path, HostName: "web1", Patience: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r, err := conn.Send(context.Background(), to("a@b.org"), envelope.Options{}, message{hello})
	if sysexits.Code(err, 0) != sysexits.TempFail || !strings.Contains(err.Error(), "others wait") ||
		strings.Contains(err.Error(), "\n") {
		t.Errorf("receipt %+v, %v", r, err)
	}
}

// TestSilentAgent: an agent that reads everything and says nothing is given up.
func TestSilentAgent(t *testing.T) {
	t.Parallel()
	for _, size := range []int{10, 1 << 20} {
		hold := make(chan struct{})
		path := script(t, func(c net.Conn) { fmt.Fprint(c, ready); <-hold })
		conn, err := Dial(context.Background(), AgentOptions{Path: path, HostName: "web1",
			Answer: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Send(context.Background(), to("a@b.org"), envelope.Options{},
			message{"A: 1\r\n\r\n" + strings.Repeat("x", size)})
		if sysexits.Code(err, 0) != sysexits.TempFail {
			t.Errorf("%d bytes: %v", size, err)
		}
		close(hold)
		conn.Close()
	}
}

func TestStopped(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	defer close(hold)
	path := script(t, func(c net.Conn) { fmt.Fprint(c, ready); <-hold })
	conn, err := Dial(context.Background(), AgentOptions{Path: path, HostName: "web1"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := conn.Send(ctx, to("a@b.org"), envelope.Options{}, message{hello}); sysexits.Code(err, 0) !=
		sysexits.TempFail || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestBrokenMessage: a message that can't be read to its end is never taken for a whole one.
func TestBrokenMessage(t *testing.T) {
	t.Parallel()
	h := &smtpdtest.Agent{}
	path := smtpdtest.Serve(t, h)
	for _, size := range []int64{1000, 1 << 19} {
		conn, err := Dial(context.Background(), AgentOptions{Path: path, HostName: "web1"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Send(context.Background(), to("a@b.org"), envelope.Options{},
			short{size}); sysexits.Code(err, 0) != sysexits.IOErr {
			t.Errorf("got %v", err)
		}
		conn.Close()
	}
	if len(h.Taken()) != 0 {
		t.Error("a piece of a message was taken")
	}
}

// short is a message that promises more than it has.
type short struct{ size int64 }

func (m short) Size() int64                  { return m.size }
func (m short) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(hello)), nil }

// TestSlowInput: when reading the message took long, the connection is made again.
func TestSlowInput(t *testing.T) {
	t.Parallel()
	h := &smtpdtest.Agent{Receipt: envelope.Receipt{Reply: "fine"}}
	conn, err := Dial(context.Background(), AgentOptions{Path: smtpdtest.Serve(t, h), HostName: "web1"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { conn.Close() }()
	conn.since = time.Now().Add(-time.Hour)
	if _, err := conn.Send(context.Background(), to("a@b.org"), envelope.Options{}, message{hello}); err != nil ||
		len(h.Taken()) != 1 {
		t.Errorf("%d messages, %v", len(h.Taken()), err)
	}
}

func BenchmarkSend(b *testing.B) {
	path := smtpdtest.Serve(b, &smtpdtest.Agent{Receipt: envelope.Receipt{Reply: "fine"}})
	for b.Loop() {
		if _, err := send(b, path, to("a@b.org"), envelope.Options{}, hello); err != nil {
			b.Fatal(err)
		}
	}
}
