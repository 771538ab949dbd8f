package smtpd

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// got is a message that a recorder took.
type got struct {
	env     envelope.Envelope
	options envelope.Options
	text    string // wire form
}

// recorder is a Handler that keeps what it gets.
type recorder struct {
	mu       sync.Mutex
	messages []got
	receipt  envelope.Receipt
	err      error
	begin    error
}

func (r *recorder) Begin() error { return r.begin }

func (r *recorder) Recipient(addr string) error {
	if strings.HasPrefix(addr, "nobody@") {
		return sysexits.With(sysexits.NoUser, errors.New("there is no "+addr))
	}
	return nil
}

func (r *recorder) Message(_ context.Context, env *envelope.Envelope, msg *rfc822.Message,
	o envelope.Options) (envelope.Receipt, error) {
	w, err := msg.Wire(rfc822.WireOptions{AllowEightBit: true})
	if err != nil {
		return envelope.Receipt{}, err
	}
	f, err := w.Open()
	if err != nil {
		return envelope.Receipt{}, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return envelope.Receipt{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, got{*env, o, string(text)})
	return r.receipt, r.err
}

func exitCode(err error) int { return sysexits.Code(err, sysexits.TempFail) }

// connect serves one connection of a socket pair with h.
func connect(t testing.TB, h Handler, timeouts Timeouts) (client net.Conn, c *Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c = NewConn(server, timeouts)
	done := make(chan struct{})
	go func() {
		defer close(done)
		Serve(context.Background(), c, Options{Host: "web1", Handler: h, ExitCode: exitCode, MaxSize: 1 << 20, MaxRecipients: 100, Local: true, TempDir: "/tmp"})
	}()
	t.Cleanup(func() {
		client.Close()
		<-done
	})
	_ = client.SetDeadline(time.Now().Add(20 * time.Second))
	return client, c
}

// talk sends input at once and returns the codes of the replies.
func talk(t testing.TB, h Handler, input string) (codes, all string) {
	t.Helper()
	client, _ := connect(t, h, Timeouts{})
	go func() {
		_, _ = io.WriteString(client, input)
		_ = client.(*net.UnixConn).CloseWrite()
	}()
	return replies(t, client)
}

func replies(t testing.TB, r io.Reader) (codes, all string) {
	t.Helper()
	var words, lines []string
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		line := sc.Text()
		lines = append(lines, line)
		if len(line) < 4 || line[3] != '-' {
			words = append(words, line[:min(3, len(line))])
		}
	}
	return strings.Join(words, " "), strings.Join(lines, "\n")
}
